"""Storage: sizes by hand, and how many checkpoints there are."""

import pytest
from planned_registry import SPEC
from setups import make

from runner.forecast.storage import GIB, Storage, storage
from runner.spec.expand import expand
from runner.spec.experiment import Experiment
from runner.spec.yaml import parse

SEVEN = make("Qwen/Qwen2.5-7B", "H100", 8).architecture
PARAMETERS = 7_615_616_512


def spec(line: str = "", training: str = "steps: 20, save_every: 5") -> Experiment:
    text = SPEC.replace("steps: 2", training) + line
    (run, *_) = expand("x", parse(text.encode(), "x.yaml").root, None)
    return run.run.spec


def sizes(
    line: str = "", training: str = "steps: 20, save_every: 5", steps: int | None = 20
) -> Storage:
    found = storage(spec(line, training), SEVEN, steps)
    assert found is not None
    return found


def test_a_7b_checkpoint_is_85_gib_of_weights_and_adam_states():
    found = sizes()
    assert found.state == 12 * PARAMETERS
    assert found.state / GIB == pytest.approx(85.1, abs=0.05)
    assert found.model / GIB == pytest.approx(28.4, abs=0.05)
    assert found.checkpoint == 16 * PARAMETERS


@pytest.mark.parametrize(
    ("training", "steps", "written"),
    [
        ("steps: 20, save_every: 5", 20, 4),
        ("steps: 21, save_every: 5", 21, 5),  # the last step saves too
        ("steps: 3, save_every: 5", 3, 1),
        ("steps: 20", 20, 0),
        ("epochs: 3, save_every: 5", None, None),
    ],
)
def test_checkpoints_are_counted(training, steps, written):
    assert sizes(training=training, steps=steps).written == written


def test_retention_decides_what_is_kept():
    assert sizes().kept == 1
    assert sizes("checkpoints: {keep_last: 3}").kept == 3
    assert sizes("checkpoints: {keep_last: 9}").kept == 4
    both = sizes("checkpoints: {keep_last: 2, keep_best: reward/mean}")
    assert both.kept == 3
    assert both.store == 3 * 16 * PARAMETERS + 4 * PARAMETERS
    assert sizes("checkpoints: {export: none}").exported == 0
    assert sizes("checkpoints: {keep_last: 3}", "epochs: 3, save_every: 5", None).kept == 3


def test_a_node_holds_the_next_checkpoint_beside_the_kept_ones():
    assert sizes().node == 2 * 16 * PARAMETERS + 2 * PARAMETERS
    two = sizes("resources: {accelerators: H100:4, nodes: 2}")
    assert two.node == 16 * PARAMETERS + 2 * PARAMETERS


def test_adapters_have_states_of_their_own_alone():
    found = sizes(training="steps: 20, save_every: 5, lora: {rank: 32, alpha: 32}")
    adapters = SEVEN.adapter_parameters(32)
    assert found.state == 4 * PARAMETERS + 8 * adapters


def test_other_trainers_are_not_modelled():
    other = spec().model_copy(update={"trainer": "trl==1.16.0"})
    assert storage(other, SEVEN, 20) is None
