"""A training command of one's own: what it is told, and what is read from it."""

import json

import pytest
from trainer_runs import LAYOUT, SCRIPT, run_of

from runner.spec.experiment import Experiment
from runner.trainers import TRAINERS

TRAINER = TRAINERS["script"]


def test_the_command_is_the_specs_own_with_the_training_python():
    command = TRAINER.compile(run_of(SCRIPT), LAYOUT, 2)
    assert command.argv == ("/env/bin/python", "train.py", "a b")
    other = {"command": ["bash", "-c", "python x; $HOME"], "files": ["x"]}
    assert TRAINER.compile(run_of(SCRIPT, script=other), LAYOUT, 2).argv == (
        "bash", "-c", "python x; $HOME",
    )  # fmt: skip


def test_the_environment_says_where_everything_is():
    environment = TRAINER.compile(run_of(SCRIPT, seed=3), LAYOUT, 2).environment
    assert environment["ROLLBOOK_SEED"] == "3"
    assert environment["ROLLBOOK_STEPS"] == "2"
    assert environment["ROLLBOOK_METRICS"] == LAYOUT.metrics
    assert environment["ROLLBOOK_CHECKPOINTS"] == LAYOUT.checkpoints
    assert json.loads(environment["ROLLBOOK_VAL_DATA"]) == LAYOUT.val
    spec = Experiment.model_validate_json(environment["ROLLBOOK_SPEC"])
    assert spec == run_of(SCRIPT).spec
    assert TRAINER.compile(run_of(SCRIPT), LAYOUT, None).environment["ROLLBOOK_STEPS"] == ""


def test_a_line_of_metrics_is_read_and_known_names_are_canonical():
    line = TRAINER.parse('{"step": 3, "reward/mean": 0.5, "my/own": 7, "note": "x", "ok": true}')
    assert line == (3, {"reward/mean": 0.5, "my/own": 7.0})
    assert TRAINER.canonical(line.values, run_of(SCRIPT)) == {"reward/mean": 0.5}
    assert TRAINER.canonical({"val/sums/accuracy": 1.0}, run_of(SCRIPT)) == {
        "val/sums/accuracy": 1.0
    }


@pytest.mark.parametrize(
    "line",
    ["", "step 3", "{", "[1]", "3", "null", "{}", '{"step": "3"}', '{"step": true, "a": 1}',
     '{"step": 1.5}', '{"step": -1}', '{"reward/mean": 1}', "[" * 100_000],
)  # fmt: skip
def test_other_output_is_no_metrics(line):
    assert TRAINER.parse(line) is None


def test_numbers_that_the_ledger_cannot_hold_are_left_out():
    huge = "1" + "0" * 400
    text = f'{{"step": 1, "a": NaN, "b": Infinity, "c": -Infinity, "d": {huge}, "e": 2}}'
    assert TRAINER.parse(text) == (1, {"e": 2.0})


def test_checkpoints_are_folders_by_step(tmp_path):
    for name in ("step-10", "step-9", "step-x", "step-", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-3").write_text("a file")
    assert [(one.step, one.folder.name) for one in TRAINER.checkpoints(tmp_path)] == [
        (9, "step-9"), (10, "step-10"),
    ]  # fmt: skip


def test_it_expresses_any_terms_and_has_ray_when_it_says_so():
    assert not TRAINER.needs_ray(run_of(SCRIPT))
    assert TRAINER.needs_ray(run_of({**SCRIPT, "script": {**SCRIPT["script"], "ray": True}}))
    assert TRAINER.starts_on(run_of(SCRIPT)) == "all"
    assert not TRAINER.wants_parquet
