"""Pages against golden files; after a wanted change write them anew, and read the difference:

UPDATE_GOLDEN=1 python -m pytest tests/report/test_pages.py
"""

from __future__ import annotations

import functools
import io
import json
import os
import posixpath
import re
from pathlib import Path
from typing import Any

import pytest
from report_values import FAILED, make_curves, make_report, make_spec
from rich.console import Console

from runner.ledger.record import Attempt
from runner.report.curves import Curves
from runner.report.experiment_page import experiment_page, groups_of
from runner.report.headline import candidates
from runner.report.leaderboard import (
    FRONT_ROWS,
    LONGEST_PAGE,
    SCREENFUL,
    Standing,
    leaderboard_pages,
    listed,
)
from runner.report.markdown import to_markdown
from runner.report.outcome import describe
from runner.report.page import Page
from runner.report.pages import LIMIT, experiment_files, metrics_json, run_files
from runner.report.run_page import run_page
from runner.report.sections import RunReport
from runner.report.terminal import print_page

GOLDEN = Path(__file__).parent / "golden"
HEADS = candidates(make_spec())


def check(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"


def shown(page: Page) -> str:
    stream = io.StringIO()
    print_page(page, Console(file=stream, width=100, color_system=None))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def going(**changes: Any) -> RunReport:
    """A run that has not ended."""
    report = make_report(4)
    ended = report.record.latest.model_dump()
    nothing = {"outcome": None, "judgements": (), "checkpoint": None, "ended_at": None}
    attempt = Attempt.model_validate({**ended, **nothing, "state": "running", "step": 9} | changes)
    return RunReport(report.record.with_latest(attempt), report.spec, Curves())


SEEDS = [make_report(1), make_report(2), make_report(3)]
PLOTS = ("plots/result.svg", "plots/health.svg")


def test_the_page_of_a_run_that_succeeded() -> None:
    check("run-succeeded.md", to_markdown(run_page(SEEDS[0], PLOTS)))


def test_the_page_of_a_run_that_failed() -> None:
    check("run-failed.md", to_markdown(run_page(make_report(2, 7, **FAILED), PLOTS)))


def test_the_page_of_a_run_that_goes_on() -> None:
    check("run-running.md", to_markdown(run_page(going())))


def test_the_page_of_an_experiment() -> None:
    history = [make_report(9, 7, **FAILED).record]
    check("experiment.md", to_markdown(experiment_page("sums/grpo", groups_of(SEEDS), history)))


def test_the_page_of_an_experiment_with_seeds_in_every_state() -> None:
    runs = [make_report(1), make_report(2, 7, **FAILED), going()]
    check("experiment-mixed.md", to_markdown(experiment_page("sums/grpo", groups_of(runs))))


def front_pages(standings: list[Standing]) -> dict[str, str]:
    return leaderboard_pages([listed(one) for one in standings])


def test_the_front_page() -> None:
    standings = [
        Standing("sums/grpo", HEADS, tuple(one.record for one in SEEDS)),
        Standing("sums/broken", HEADS, (make_report(2, 7, **FAILED).record,)),
        Standing("sums/going", HEADS, (going().record,)),
    ]
    pages = front_pages(standings)
    check("leaderboard.md", pages.pop("README.md"))
    assert pages == {}
    assert list(front_pages([])) == ["README.md"]


seed_record = functools.cache(lambda seed: make_report(seed).record)


def standing(name: str, seed: int, day: int, **point: Any) -> Standing:
    record = seed_record(seed)
    at = f"2026-{1 + day // 28:02}-{1 + day % 28:02}T00:00:00Z"
    attempt = record.latest.model_copy(update={"claimed_at": at, "ended_at": at})
    record = record.model_copy(update={"point": point}).with_latest(attempt)
    return Standing(name, HEADS, (record,))


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| [")]


def test_the_newest_come_first_and_the_best_of_a_folder_in_bold() -> None:
    standings = [standing("a/old", 9, 1), standing("a/new", 3, 8), standing("b/only", 2, 5)]
    text = front_pages(standings)["README.md"]
    assert text.index("a/new") < text.index("b/only") < text.index("a/old")
    assert "| **0.909** |" in text
    assert "| 0.903 |" in text
    assert "| 0.902 |" in text
    assert "## " not in text


def test_beyond_a_screenful_the_front_page_goes_by_folder() -> None:
    standings = [standing(f"{'ab'[i % 2]}/x{i}", 1, i) for i in range(SCREENFUL + 1)]
    text = front_pages(standings)["README.md"]
    latest, first, second = text.split("## ")[1:]
    assert [part.split("\n")[0] for part in (latest, first, second)] == ["Latest", "a", "b"]
    assert len(rows_of(latest)) == 10
    assert rows_of(first)[0].startswith("| [a/x20]")
    assert (len(rows_of(first)), len(rows_of(second))) == (11, 10)


def test_many_experiments_have_a_page_per_folder_within_what_forges_render() -> None:
    names = [f"{folder}/{'long-' * 20}{number}" for folder in "abc" for number in range(1000)]
    standings = [standing(name, 1 + i % 9, i % 300) for i, name in enumerate(names)]
    pages = front_pages([*standings, standing("top", 1, 1)])
    assert sorted(pages) == [
        "README.md",
        "leaderboard/_.md",
        "leaderboard/a.md",
        "leaderboard/b.md",
        "leaderboard/c.md",
    ]
    assert all(len(text.encode()) <= LONGEST_PAGE for text in pages.values())
    front = pages["README.md"]
    assert len(rows_of(front)) == 10 + 4
    assert "| [a](leaderboard/a.md) | 1000 | 0 | 0 |" in front
    page = pages["leaderboard/a.md"]
    assert rows_of(page)[0].startswith(f"| [a/{'long-' * 20}")
    assert "](../experiments/a/long-" in page


def test_a_page_that_would_be_too_long_keeps_the_newest() -> None:
    names = [f"a/{'very-' * 38}{number}" for number in range(2000)]
    pages = front_pages([standing(n, 1, i % 300) for i, n in enumerate(names)])
    page = pages["leaderboard/a.md"]
    assert len(page.encode()) <= LONGEST_PAGE
    assert FRONT_ROWS < len(rows_of(page)) < 2000
    assert f"{2000 - len(rows_of(page)):,} older ones: `runner status --all`" in page


def test_of_a_large_matrix_the_best_points_are_shown() -> None:
    records = tuple(standing("m", seed, 1, rate=seed).records[0] for seed in range(1, 10))
    text = front_pages([Standing("m", HEADS, records)])["README.md"]
    assert [row.split("|")[2].strip() for row in rows_of(text)] == [
        "rate=9",
        "rate=8",
        "rate=7",
        "rate=6",
        "rate=5 (and 4 more points)",
    ]


def test_the_same_pages_in_a_terminal() -> None:
    check("run-failed.txt", shown(run_page(make_report(2, 7, **FAILED), PLOTS)))
    check("experiment.txt", shown(experiment_page("sums/grpo", groups_of(SEEDS))))


def test_a_failed_run_shows_what_to_do_and_folds_the_rest() -> None:
    text = to_markdown(run_page(make_report(2, 7, **FAILED), PLOTS))
    first_screen = text.split("<details>")[0]
    for needed in ("step 7 of 20", "CUDA out of memory", "**Cure**", "runner retry 000000000002"):
        assert needed in first_screen
    assert len(first_screen.splitlines()) < 15
    assert "|" not in first_screen


@pytest.mark.parametrize("steps", [20, 2000])
def test_a_run_s_files_stay_small(steps: int) -> None:
    curves = make_curves(1, steps)
    files = run_files(SEEDS[0]._replace(curves=curves))
    assert sum(len(text.encode()) for text in files.values()) < LIMIT
    assert sorted(path.rpartition("000000000001/")[2] for path in files) == [
        "README.md",
        "metrics.json",
        "plots/health.svg",
        "plots/result.svg",
    ]


def test_every_link_and_picture_leads_to_a_file_of_the_ledger() -> None:
    former = make_report(9, 7, **FAILED)
    files = experiment_files("sums/deep/grpo", SEEDS, [former.record])
    for report in (*SEEDS, former):
        files |= run_files(report)
    one = Standing("sums/deep/grpo", HEADS, tuple(one.record for one in SEEDS))
    files |= front_pages([one])
    files |= front_pages([one._replace(experiment=f"x/{i}") for i in range(FRONT_ROWS)] + [one])
    led = 0
    for path, text in files.items():
        for target in re.findall(r"\]\(([^)]+)\)", text if path.endswith(".md") else ""):
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            assert found in files or found.startswith("experiments/x/"), (path, target)
            led += 1
    assert led > FRONT_ROWS


def test_metrics_for_machines() -> None:
    content = json.loads(metrics_json(make_curves()))
    assert content["final"]["val/sums/accuracy"] == 0.901
    assert content["curves"]["val/sums/accuracy"][0] == [0, 0.401]
    assert '"actor/lr"' not in content["final"]


def test_each_point_of_a_matrix_has_its_own_statistics_and_plots() -> None:
    runs = []
    for index, report in enumerate(SEEDS):
        point = {"training.learning_rate": 1e-3 if index else 1e-4}
        record = report.record.model_copy(update={"point": point})
        runs.append(report._replace(record=record))
    files = experiment_files("sums/grpo", runs)
    assert {path for path in files if path.endswith("result.svg")} == {
        "experiments/sums/grpo/plots/1/result.svg",
        "experiments/sums/grpo/plots/2/result.svg",
    }
    page = files["experiments/sums/grpo/README.md"]
    assert "## training.learning_rate=0.0001" in page
    assert "(1 seed)" in page
    assert "no difference can be claimed" in page


def test_a_hostile_spec_stays_text() -> None:
    spec = make_spec(description="<!-- @all ![x](http://x) -->", hypothesis="|a|\n# b")
    report = SEEDS[0]._replace(spec=spec)
    page = to_markdown(experiment_page("sums/grpo", groups_of([report])))
    for never in ("<!--", "@all", "![x]", "\n# b"):
        assert never not in page


def test_an_experiment_without_a_run() -> None:
    page = experiment_files("sums/none", [])["experiments/sums/none/README.md"]
    assert page.startswith("# sums/none: ⏳ no run yet")


def test_outcomes_in_words() -> None:
    attempt = SEEDS[0].record.latest
    worse = attempt.judgements[0].model_copy(update={"verdict": "fail"})
    words = {
        "✅ succeeded, all expectations hold": attempt,
        "❌ trained, but 1 of 1 expectation failed": attempt.model_copy(
            update={"judgements": (worse,)}
        ),
        "❌ under-trained: exited 0 after 12 of 24 steps": attempt.model_copy(
            update={"outcome": "under_trained", "reason": "exited 0 after 12 of 24 steps"}
        ),
        "⏹️ cancelled": attempt.model_copy(update={"outcome": "cancelled"}),
        "⏳ running, step 9 of 20": going().record.latest,
        "⏳ waiting: no slot is free": going(
            state="waiting", reason="no slot is free"
        ).record.latest,
    }
    assert list(words) == [str(describe(one)) for one in words.values()]
