"""The spec that evaluates a checkpoint; the evaluation itself is in tests/train."""

import pytest
import yaml

from runner.errors import Refused
from runner.ledger.record import Attempt, RunRecord
from runner.spec.experiment import Experiment, Run
from runner.spec.rollout import Validation
from runner.trainers import TRAINERS
from runner.trainers.base import Layout
from runner.trying.evaluate import Question, evaluation_of

SFT = Experiment.model_validate(
    yaml.safe_load("""
        apiVersion: rollbook/v1
        trainer: verl==0.9.1
        model: {path: Qwen/Qwen2.5-0.5B}
        algorithm: {name: sft}
        data: {train: data/sft.jsonl, max_prompt_tokens: 99, max_response_tokens: 77}
        training: {steps: 2, prompts_per_step: 8, learning_rate: 0.00001, precision: fp32}
        resources: {accelerators: "H100:4"}
    """)
)
GRPO = SFT.model_copy(
    update={
        "reward": "reward/sums.py:score",
        "data": SFT.data.model_copy(update={"val": {"sums": "data/val.jsonl"}}),
    }
)
RECORD = RunRecord(
    run_id="0123456789ab",
    identity="0123456789ab" + "0" * 52,
    experiment="team/sft",
    seed=3,
    point={},
    trainer="verl==0.9.1",
    attempts=(
        Attempt(
            number=1, state="ended", outcome="succeeded", nonce="n", commit="c", launcher="local",
            endpoint="here", claimed_at="2026-01-01T00:00:00Z", checkpoint="md5:0",
        ),
    ),
)  # fmt: skip
SAMPLED = Validation(samples=8, temperature=0.6)


def test_the_sets_and_the_reward_of_the_run_are_the_default():
    spec = evaluation_of(GRPO, RECORD, Question("team/sft", {}, None, SAMPLED))
    assert spec.data.val == {"sums": "data/val.jsonl"}
    assert spec.reward == "reward/sums.py:score"
    assert (spec.model.source, spec.model.path) == ("run", "team/sft@0123456789ab")
    assert (spec.data.max_prompt_tokens, spec.data.max_response_tokens) == (99, 77)


def test_other_sets_and_another_reward_can_be_named():
    question = Question("team/sft", {"a": "x.jsonl", "b": "y.jsonl"}, "reward/o.py:f", SAMPLED)
    spec = evaluation_of(SFT, RECORD, question)
    assert spec.data.val == {"a": "x.jsonl", "b": "y.jsonl"}
    assert spec.reward == "reward/o.py:f"


@pytest.mark.parametrize(
    ("data", "message"), [({}, "no validation set"), ({"a": "x.jsonl"}, "no reward")]
)
def test_without_a_set_or_a_reward_there_is_nothing_to_measure(data, message):
    with pytest.raises(Refused, match=message):
        evaluation_of(SFT, RECORD, Question("team/sft", data, None, SAMPLED))


def test_verl_validates_and_does_not_train():
    spec = evaluation_of(GRPO, RECORD, Question("team/sft", {}, None, SAMPLED))
    run = Run(experiment="team/sft", seed=3, point={}, spec=spec)
    places = dict.fromkeys(Layout._fields, "/x")
    layout = Layout(**{**places, "val": {"sums": "/x/val.parquet"}})
    argv = TRAINERS["verl"].compile(run, layout, 1).argv
    assert "trainer.val_only=true" in argv
    assert "trainer.val_before_train=true" in argv
    assert TRAINERS["verl"].refusals(spec) == ()
