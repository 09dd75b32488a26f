"""Files of DVC that mean harm: each is refused with its path and a cure, soon, and as nothing else.

What honest ones mean is told in test_inputs.py and test_dataset_cards.py.
"""

import time

import pytest
import yaml

from runner.errors import Refused
from runner.spec.cards import Cards
from runner.spec.dvc_yaml import MAX_BYTES, MAX_DEPTH, MAX_LOCK_BYTES, MAX_NODES, load
from runner.spec.inputs import DvcOutputs
from runner.spec.tree import MemoryTree

DEEP = 50_000
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
"""Nine to the tenth values, in 500 bytes."""
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10)
)
HOSTILE = {
    "lists without end": "[" * DEEP,
    "mappings without end": "{a: " * DEEP,
    "deep blocks": "- " * DEEP,
    "deep, and closed": "a: " + "[" * 200 + "]" * 200,
    "an alias bomb": f"{BOMB}wdir: *a9\n",
    "a bomb of merges": f"{MERGES}outs: *a9\n",
    "aliases that deepen": "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 99)).replace(
        "*a0", "x"
    ),
    "an alias of what holds it": "outs: &a [*a]",
    "an alias of nothing": "outs: *a",
    "too many values": "outs: [" + "1," * MAX_NODES + "]",
    "a number of base 60": "size: 1" + ":01" * 200_000,
    "a tag": "outs: !!int ''",
    "a long tag": f"outs: !{'x' * 5000} ''",
    "a date that is none": "outs: 2020-99-99",
    "a number of too many digits": "outs: " + "9" * 5000,
    "a key that is a list": "? [a]\n: b",
    "a working folder that is a list": "wdir: [a]\nouts: []",
    "outputs that are a number": "outs: 5",
    "outputs that are text": "outs: text",
    "an output that is a list": "outs: [[path]]",
    "an output without a path": "outs: [{md5: a}]",
    "a path that is a number": "outs: [{path: 1, md5: a}]",
    "what is no YAML": "outs: [",
    "bytes": "outs: \x00",
}


def refusal(path: str, text: str | bytes) -> Refused:
    """Return how a tree with that one file is refused."""
    content = text.encode() if isinstance(text, str) else text
    started = time.monotonic()
    with pytest.raises(Refused, match="cannot be read: ") as caught:
        DvcOutputs(MemoryTree({path: content})).find("data")
    assert time.monotonic() - started < 10
    assert len(caught.value.message) < 700
    return caught.value


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_pointer_that_means_harm_is_refused_by_its_path(text):
    found = refusal("x/data.dvc", text)
    assert found.message.startswith("x/data.dvc cannot be read: ")
    assert found.cure == "git log -p -- x/data.dvc   shows it"
    assert Cards(MemoryTree({"x/data.dvc": text.encode()})).find("x/data") is None


LOCKS = {
    "stages in a list": "stages: [1]",
    "stages that are text": "stages: all",
    "a stage without a name": "stages: {1: {outs: []}}",
    "a stage that is a list": "stages: {a: [1]}",
    "a stage that is a number": "stages: {a: 1}",
    "lists without end": "[" * DEEP,
}


@pytest.mark.parametrize("text", LOCKS.values(), ids=LOCKS)
def test_a_lock_that_means_harm_is_refused_by_its_path(text):
    assert refusal("x/dvc.lock", text).message.startswith("x/dvc.lock cannot be read: ")


PIPELINES = {
    "stages in a list": "stages: [1]",
    "a working folder that is a bomb": f"{BOMB}stages: {{a: {{wdir: *a9}}}}",
    "a working folder that is a list": "stages: {a: {wdir: [1]}}",
    "a template with a bad folder": "stages: {a: {foreach: [1], do: {wdir: {a: b}}}}",
}


@pytest.mark.parametrize("text", PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_that_means_harm_is_refused_by_its_path(text):
    files = {"x/dvc.lock": b"stages: {a: {outs: []}}", "x/dvc.yaml": text.encode()}
    outputs = DvcOutputs(MemoryTree(files))
    for _ in range(2):  # the second time, it is known
        with pytest.raises(Refused, match=r"^x/dvc\.yaml cannot be read: "):
            outputs.find("data")


@pytest.mark.parametrize(
    "text",
    [
        "stages: {a: 1, b: [2]}",
        "stages: {a: {outs: {x: 1}}}",
        "stages: {a: {outs: [1, [2], {}, {3: 4}, null]}}",
        "stages: {a: {do: 5, outs: 7}}",
    ],
)
def test_odd_stages_of_a_pipeline_make_nothing(text):
    tree = MemoryTree({"dvc.yaml": text.encode()})
    assert DvcOutputs(tree).stage_of("x") is None
    assert Cards(tree).find("x") is None


def test_files_are_small():
    for path, most in (("a.dvc", MAX_BYTES), ("dvc.lock", MAX_LOCK_BYTES)):
        assert load(MemoryTree({path: b"#" * most}), path) == {}
        assert f"{most + 1:,} bytes, more than {most:,}" in refusal(path, b"#" * (most + 1)).message


def test_a_path_cannot_write_lines_of_its_own():
    found = refusal("x\n::error::forged/a.dvc", "[")
    assert found.message.startswith(r"x\n: :error: :forged/a.dvc cannot be read: ")
    assert "::" not in found.cure
    assert refusal(f"{'x' * 5000}.dvc", "[").message.startswith("xxx")


def test_aliases_within_reason_are_followed():
    text = "base: &base {wdir: data, cmd: make}\nstages: {a: {<<: *base, outs: [b.jsonl]}}"
    outputs = DvcOutputs(MemoryTree({"dvc.yaml": text.encode()}))
    assert outputs.stage_of("data/b.jsonl") == "a"
    deep = b"a: " + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    assert list(load(MemoryTree({"dvc.yaml": deep}), "dvc.yaml")) == ["a"]


def test_the_parser_yields_events_of_any_depth():
    """Limits are checked on events: they must not need a stack themselves."""
    loader = yaml.CSafeLoader(b"- " * DEEP + b"x")
    count = 0
    while loader.check_event():
        loader.get_event()
        count += 1
    assert count == 2 * DEEP + 5


@pytest.mark.parametrize("number", ["-1", "1.5", "0x" + "f" * 5000, "true", "[1]"])
def test_a_card_with_numbers_that_are_none_is_no_card(number):
    card = (
        "{rows: N, columns: [a], characters: {median: 1, p95: 1, longest: 1}, duplicates: 0,"
        " sample_sha256: ''}"
    )
    text = f"outs:\n- path: a\n  md5: {'a' * 32}\n  meta:\n    card: "
    files = {"a.dvc": (text + card.replace("N", number)).encode()}
    assert Cards(MemoryTree(files)).find("a") is None
    assert Cards(MemoryTree({"a.dvc": (text + card.replace("N", "7")).encode()})).rows("a") == 7
