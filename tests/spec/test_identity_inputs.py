"""What a run reads is part of its identity: data, models, rewards, scripts, other runs."""

import pytest
from identity_specs import FILES, GRPO, REGISTRY, SCRIPT, SFT, changed, resolved, run_id

from runner.errors import Refused
from runner.registry import Environment


@pytest.mark.parametrize(
    "path", ["data/train.jsonl", "data/val.jsonl", "reward/sums.py", "reward/tools.py"]
)
def test_one_changed_line_of_what_it_reads_is_another_run(path):
    files = {**FILES, path: FILES[path] + b"\n"}
    assert run_id(GRPO, files) != run_id(GRPO)


def test_a_file_that_it_does_not_read_does_not_matter():
    files = {**FILES, "unrelated.py": b"A = 2\n", "reward/others.py": b"", "lib/loss.py": b"1\n"}
    assert run_id(GRPO, files) == run_id(GRPO)


def test_the_digest_that_dvc_states_counts():
    def ids(md5: str) -> str:
        pointer = f"outs:\n- md5: {md5}\n  hash: md5\n  path: train.jsonl\n".encode()
        return run_id(GRPO, {**FILES, "data/train.jsonl.dvc": pointer})

    assert ids("a" * 32) == ids("a" * 32) != ids("b" * 32)


def test_the_name_of_a_validation_set_counts():
    spec = changed(GRPO, "data.val", {"other": "data/val.jsonl"})
    spec = changed(spec, "checkpoints.keep_best", None)
    assert run_id(spec) != run_id(changed(GRPO, "checkpoints.keep_best", None))


def test_a_model_of_the_repository_counts_by_content():
    spec = {**SFT, "model": {"source": "path", "path": "models/tiny"}}
    files = {**FILES, "models/tiny/config.json": b"{}", "models/tiny/weights": b"1"}
    assert run_id(spec, files) != run_id(spec, {**files, "models/tiny/weights": b"2"})
    moved = {**files, "models/tiny/other": files["models/tiny/weights"]}
    del moved["models/tiny/weights"]
    assert run_id(spec, files) != run_id(spec, moved)


def test_the_environment_counts_the_image_first_then_the_lock():
    def ids(**environment: str) -> str:
        pins = {"verl==0.9.1": Environment(**environment)} if environment else {}
        return run_id(SFT, files, REGISTRY.model_copy(update={"environments": pins}))

    files = {**FILES, "lock.txt": b"verl==0.9.1\n", "lock2.txt": b"verl==0.9.1\ntorch==2\n"}
    other, image = f"x@sha256:{'3' * 64}", f"y@sha256:{'4' * 64}"
    assert len({ids(), ids(lock="lock.txt"), ids(lock="lock2.txt"), ids(image=image)}) == 4
    assert ids(image=image) == ids(image=image, lock="lock.txt") != ids(image=other)
    same_digest = f"mirror.example/z@sha256:{'4' * 64}"
    assert ids(image=image) == ids(image=same_digest)


REWARDS = {
    "a module": b"import lib.loss\n",
    "a name of a module": b"from lib.loss import SCALE\n",
    "a module of a package": b"from lib import loss\n",
    "a package whose __init__ imports it": b"import wrapping\n",
    "a relative sibling": b"from .near import SCALE\n",
    "an import inside a function": b"def f():\n    import lib.loss\n",
    "an import in a try": b"try:\n    import lib.loss\nexcept ImportError:\n    pass\n",
    "an alias": b"import lib.loss as l\n",
}


@pytest.mark.parametrize("source", REWARDS.values(), ids=REWARDS)
def test_a_line_in_a_module_that_the_reward_imports_is_another_run(source):
    files = {
        **FILES,
        "reward/sums.py": source + b"def score(): ...\n",
        "reward/near.py": b"from lib.loss import SCALE\n",
        "wrapping/__init__.py": b"from .inner import x\n",
        "wrapping/inner.py": b"import lib.loss\nx = 1\n",
    }
    before = run_id(GRPO, files)
    assert run_id(GRPO, {**files, "lib/loss.py": b"SCALE = 2\n"}) != before
    assert run_id(GRPO, {**files, "lib/__init__.py": b"import os\n"}) != before
    assert run_id(GRPO, {**files, "unrelated.py": b"A = 2\n"}) == before


def test_the_package_that_holds_the_reward_is_run_with_it():
    files = {**FILES, "reward/__init__.py": b"import lib.loss\n"}
    before = run_id(GRPO, files)
    assert run_id(GRPO, {**files, "reward/__init__.py": b"\n"}) != before
    assert run_id(GRPO, {**files, "lib/loss.py": b"SCALE = 2\n"}) != before


def test_a_script_counts_with_its_folders_and_what_they_import():
    before = run_id(SCRIPT)
    assert run_id(SCRIPT, {**FILES, "lib/loss.py": b"SCALE = 2\n"}) != before
    assert run_id(SCRIPT, {**FILES, "lib/new.txt": b"x"}) != before
    assert run_id(SCRIPT, {**FILES, "unrelated.py": b"A = 2\n"}) == before


def test_a_run_from_another_run_has_that_one_in_its_identity():
    spec = {**SFT, "model": {"source": "run", "path": "up"}}
    before = resolved(spec, up=SFT)[0]
    assert before.inputs.upstream == run_id(SFT)
    assert run_id(spec, up=changed(SFT, "training.epochs", 2)) != before.run_id
    pinned = {**spec, "model": {"source": "run", "path": f"up@{before.inputs.upstream}"}}
    assert resolved(pinned)[0].inputs.upstream == before.inputs.upstream


def test_a_seed_starts_from_the_same_seed_of_a_run_with_several():
    up = {**SFT, "seeds": [1, 2]}
    runs = resolved({**up, "model": {"source": "run", "path": "up"}}, up=up)
    sources = [run_id({**SFT, "seeds": [seed]}) for seed in (1, 2)]
    assert [run.inputs.upstream for run in runs] == sources


@pytest.mark.parametrize(
    ("spec", "others", "message"),
    [
        ("up", {}, "no valid experiment"),
        ("up", {"up": {**SFT, "model": {"source": "run", "path": "x"}}}, "circle: x -> up -> x"),
        ("x", {}, "circle: x -> x"),
        ("up", {"up": {**SFT, "seeds": [2, 3]}}, "0 runs with seed 1"),
    ],
)
def test_a_source_run_that_cannot_be_named_is_refused(spec, others, message):
    with pytest.raises(Refused, match=message):
        resolved({**SFT, "model": {"source": "run", "path": spec}}, **others)
