"""The forecast in the plan: what is said of launches and holds, and what it comes from."""

import re

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from real_git import MakeRepository

from runner import screen
from runner.forecast.lines import duration, lines, text
from runner.forecast.span import Span
from runner.ledger.draft import Draft
from runner.ledger.prices import PATH, PriceList, Quote
from runner.planning.actions import Action

SEVEN = (
    SPEC.replace("0.5B", "7B")
    .replace("steps: 2", "steps: 100, prompts_per_update: 256, save_every: 20")
    .replace("prompts_per_step: 8", "prompts_per_step: 1024")
    .replace("group_size: 4", "group_size: 5")
    + "resources: {accelerators: H100:8}\n"
)


@pytest.fixture
def plan(make_repository: MakeRepository):
    def make(text: str, name: str = "repository") -> PlannedRegistry:
        return PlannedRegistry.with_files(make_repository(name), {"experiments/x.yaml": text})

    return make


def told(action: Action) -> list[str]:
    assert action.forecast is not None
    return list(lines(action.forecast, action.gpu_hours, action.cost, action.launcher))


def test_a_gpu_run_says_hours_money_memory_and_storage(plan):
    action = plan(SEVEN).action()
    forecast = action.forecast
    assert forecast.steps == 100
    assert 0 < forecast.hours.low < forecast.hours.high
    assert action.gpu_hours.low == pytest.approx(8 * forecast.hours.low, rel=0.01)
    assert action.cost.low == pytest.approx(2.95 * action.gpu_hours.low, abs=0.01)
    assert action.cost.high == pytest.approx(4.09 * action.gpu_hours.high, abs=0.01)
    assert forecast.memory.capacity == 80
    assert forecast.memory.peak == max(sum(p.values()) for p in forecast.memory.phases.values())
    assert (forecast.storage.written, forecast.storage.kept) == (5, 1)
    assert "a model of tokens and throughput, no run" in told(action)[0]


def test_lines_for_people(plan):
    time, batch, memory, storage = told(plan(SEVEN).action())
    assert time.startswith("time     ")
    assert " if rented; from a model of tokens and throughput, no run; prices of " in time
    assert batch == (
        "batch    100 steps; 5,120 samples a step (1,024 prompts x 5), 640 per device; "
        "4 updates of 1,280, 160 per device"
    )
    assert memory.startswith("memory   fits: at most ")
    assert memory.endswith("(estimated, not measured)")
    assert storage == (
        "storage  5 checkpoints of 113 GiB written (85 of weights and optimizer states), 1 kept + "
        "28 GiB export = 142 GiB; a node's disk holds 241"
    )


def test_the_headline_sums_up_what_is_launched(plan):
    headlines = [screen.headline(plan(f"{SEVEN}seeds: [1]\n").plan())]
    headlines.append(screen.headline(plan(f"{SEVEN}seeds: [1, 2]\n", "two").plan()))
    sums = re.compile(r"Plan: launches \d runs? \((.*?) GPU-h, \$(.*?) if rented\)")
    one, two = (sums.fullmatch(line) for line in headlines)
    assert one is not None
    assert two is not None
    (low, _), (twice, _) = (found[1].split("–") for found in (one, two))
    assert float(twice) == pytest.approx(2 * float(low), abs=1)
    assert screen.headline(plan(SPEC, "cpu").plan()) == "Plan: launches 1 run"


def test_seeds_share_their_lines(plan, capsys):
    screen.print_plan(plan(f"{SEVEN}seeds: [1, 2, 3]\n").plan())
    printed = capsys.readouterr()
    assert printed.out.count("memory   ") == 1
    assert printed.err.count("storage.disk") == 1
    assert printed.out.count("seed ") == 3


def test_the_json_is_the_documented_one(plan):
    registry = plan(SEVEN)
    dumped = registry.plan().document()["actions"][0]
    assert set(dumped["gpu_hours"]) == {"low", "high"}
    assert set(dumped["cost"]) == {"low", "high", "currency"}
    assert set(dumped["forecast"]) == {
        "batch", "steps", "hours", "basis", "prices", "memory", "storage",
    }  # fmt: skip


def test_a_run_on_the_cpu_costs_no_gpu_hours(plan):
    action = plan(SPEC).action()
    assert (action.gpu_hours, action.cost) == (None, None)
    assert told(action) == ["batch    2 steps; 32 samples a step (8 prompts x 4)"]


def test_an_earlier_run_of_the_same_setting_says_how_long(plan):
    registry = plan(SEVEN)
    times = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T05:00:00Z"}
    (run_id,) = registry.run(step=100, **times)
    registry.commit(x=SEVEN.replace("1.0e-6", "5.0e-7").replace("steps: 100", "steps: 200"))
    forecast = registry.action().forecast
    # 5 hours for 100 steps are 10 for 200, and 10 % either way.
    assert (forecast.hours.low, forecast.hours.high) == (9, 11)
    assert forecast.basis == f"run {run_id}"
    registry.commit(x=SEVEN.replace("H100", "H200").replace("1.0e-6", "2.0e-6"))
    assert registry.action().forecast.basis.startswith("a model of")


def test_runs_of_the_same_folder_tell_where_the_experiment_has_none(plan):
    registry = plan(SEVEN)
    times = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T05:00:00Z"}
    (run_id,) = registry.run(step=100, **times)
    faster = SEVEN.replace("1.0e-6", "5.0e-7")
    longer = faster.replace(
        "data: {train: data/a.jsonl", "data: {max_response_tokens: 4096, train: data/a.jsonl"
    )
    registry.commit(beside=faster, other__one=SEVEN.replace("1.0e-6", "2.0e-6"), longer=longer)
    basis = {
        name: registry.action(name).forecast.basis for name in ("beside", "other/one", "longer")
    }
    model = "a model of tokens and throughput, no run"
    assert basis == {"beside": f"run {run_id}", "other/one": model, "longer": model}


def test_a_held_run_has_its_forecast_and_a_kept_one_has_none(plan):
    registry = plan(f"{SEVEN}launch: manual\n")
    held = registry.action()
    assert held.action == "hold"
    assert held.gpu_hours is not None
    registry.commit(x=SEVEN)
    registry.run()
    kept = registry.action()
    assert (kept.action, kept.gpu_hours, kept.forecast) == ("keep", None, None)


def test_the_digest_of_a_plan_does_not_cover_what_is_only_expected(plan, monkeypatch):
    registry = plan(SEVEN)
    before = registry.plan()
    monkeypatch.setattr("runner.forecast.cost.PRICES", ())
    after = registry.plan()
    assert after.actions[0].cost is None
    assert before.actions[0].cost is not None
    assert before.digest == after.digest


def test_what_is_not_known_is_not_guessed(plan):
    unknown = plan(SEVEN.replace("Qwen2.5-7B", "Qwen99-7B")).action()
    assert unknown.forecast.memory is None
    assert (unknown.gpu_hours, unknown.forecast.storage) == (None, None)
    assert told(unknown)[0] == "time     not known: the model's architecture, or the accelerator"


def test_epochs_without_a_card_have_no_steps(plan):
    action = plan(SEVEN.replace("steps: 100", "epochs: 3")).action()
    assert (action.forecast.steps, action.gpu_hours) == (None, None)
    assert told(action)[0].endswith("card (runner data card --write data/a.jsonl)")


def test_numbers_read_well():
    assert text(2.84, 3.81) == "2.8–3.8"
    assert text(67.4, 1234) == "67–1,234"
    assert text(12.1, 12.2) == "12"


def test_through_skypilot_it_is_the_teams_own_prices_from_the_ledger(plan):
    places = "candidates: [{infra: k8s/pool}, {infra: gcp}]"
    registry = plan(
        SEVEN.replace("accelerators: H100:8", f"accelerators: H100:8, disk_gib: 512, {places}")
    )
    image = f"environments: {{verl==0.9.1: {{image: 'verl@sha256:{'a' * 64}'}}}}\n"
    registry.commit({"registry.yaml": f"{SETTINGS}launcher: skypilot\n{image}"})
    prices = PriceList(
        taken_at="2026-01-01T04:00:00Z",
        endpoint="skypilot:x",
        prices=(Quote(infra="k8s/pool", accelerators="H100:8", usd_per_hour=16.0),),
    )
    registry.workspace.ledger.transact(
        lambda now: Draft(now).put(PATH, prices.to_json()).changes("Prices")
    )
    action = registry.action()
    assert action.cost.high == pytest.approx(2.0 * action.gpu_hours.high, abs=0.01)
    source = "prices of SkyPilot's API server on 2026-01-01; none known for gcp"
    assert action.forecast.prices == source
    [time, *_] = told(action)
    assert time.endswith(f" GPU-h, ${text(action.cost.low, action.cost.high)}; from "
                         f"{action.forecast.basis}; {source}")  # fmt: skip
    assert "if rented" not in screen.headline(registry.plan())


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.072, 0.088, "4.3–5.3 min"),
        (0.75, 5.8, "0.75–5.8 h"),
        (0.2, 0.99, "12–59 min"),
        (0.999, 0.999, "60 min"),
        (1.0, 1.0, "1 h"),
    ],
)
def test_what_takes_less_than_an_hour_is_told_in_minutes(low, high, told):
    assert duration(Span(low=low, high=high)) == told
