# ruff: noqa: E501 - a table reads better in long lines
"""`runner pin` against a hub that answers as the real ones do, and against their cache."""

from pathlib import Path

import pytest
from real_git import write_files
from stand_in_hub import COMMIT, OTHER, serving

from runner.__main__ import run
from runner.authoring.pin import find_loose, pin
from runner.errors import OutsideError, Refused
from runner.spec.edit import apply, replace
from runner.spec.yaml import parse

DIGEST = "sha256:" + "0a" * 32
SETTINGS = f"""\
apiVersion: rollbook/v1
lineage: {"0a" * 16}
environments:
  verl==0.9.1: {{image: "verlai/verl:v1@{DIGEST}"}}
"""
SPEC = """\
# What this is about.
apiVersion: rollbook/v1
trainer: verl          # the newest one

model:
  path: Qwen/Qwen2.5-0.5B   # small
  source:   huggingface
algorithm: {name: grpo, group_size: 4}
data: {train: data/a.jsonl}
reward: reward/sums.py:score
training: {steps: 2, prompts_per_step: 8, learning_rate: 1.0e-6}
"""


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as (handler, url):
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("MODELSCOPE_DOMAIN", url)
        yield handler


@pytest.fixture
def registry(tmp_path):
    folder = tmp_path / "registry"
    write_files(folder, {"registry.yaml": SETTINGS, "experiments/x.yaml": SPEC})
    return folder


def write(registry: Path, text: str, name: str = "x") -> Path:
    write_files(registry, {f"experiments/{name}.yaml": text})
    return registry / f"experiments/{name}.yaml"


def test_only_what_is_loose_changes(hub, registry):
    done = pin(registry, ["x"])
    text = (registry / "experiments/x.yaml").read_text()
    assert done.failures == ()
    assert text == SPEC.replace("trainer: verl ", "trainer: verl==0.9.1 ").replace(
        "# small\n", f"# small\n  revision: {COMMIT}\n"
    )
    assert pin(registry, ["experiments/x.yaml"]).pins == ()  # and a second time nothing


@pytest.mark.parametrize(
    ("model", "pinned"),
    [
        ("model: {path: Qwen/Qwen2.5-0.5B}", "model: {path: Qwen/Qwen2.5-0.5B, revision: COMMIT}"),
        ("model: {path: 'Qwen/Qwen2.5-0.5B' }  # a", "model: {path: 'Qwen/Qwen2.5-0.5B', revision: COMMIT }  # a"),
        ("model: {revision: main, path: Qwen/Qwen2.5-0.5B}", "model: {revision: COMMIT, path: Qwen/Qwen2.5-0.5B}"),
        ("model: {revision: v1/x, path: Qwen/Qwen2.5-0.5B}", "model: {revision: OTHER, path: Qwen/Qwen2.5-0.5B}"),
        ("model:\n    path: Qwen/Qwen2.5-0.5B", "model:\n    path: Qwen/Qwen2.5-0.5B\n    revision: COMMIT"),
        ("model:\n  path: >-\n    Qwen/Qwen2.5-0.5B", "model:\n  path: >-\n    Qwen/Qwen2.5-0.5B\n  revision: COMMIT"),
        ("model:\n  revision:   # ours\n  path: Qwen/Qwen2.5-0.5B", "model:\n  revision: COMMIT   # ours\n  path: Qwen/Qwen2.5-0.5B"),
        ("model:\n  path: Qwen/Qwen2.5-0.5B\n  revision: null", "model:\n  path: Qwen/Qwen2.5-0.5B\n  revision: COMMIT"),
        ("model: {source: modelscope, path: Qwen/Qwen2.5-0.5B}", "model: {source: modelscope, path: Qwen/Qwen2.5-0.5B, revision: v1.1}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_way_to_write_a_model(hub, registry, model, pinned, ending):
    head = f"apiVersion: rollbook/v1{ending}"
    place = registry / "experiments/x.yaml"
    for tail in (f"{ending}description: é{ending}", ""):
        place.write_bytes((head + model.replace("\n", ending) + tail).encode())
        assert pin(registry, ["x"]).failures == ()
        wanted = pinned.replace("COMMIT", COMMIT).replace("OTHER", OTHER).replace("\n", ending)
        if not tail:
            wanted = wanted.removesuffix(ending)
        assert place.read_bytes().decode() == head + wanted + tail


def test_what_stands_in_a_base_is_pinned_there(hub, registry):
    base = write(registry, "model: {path: Qwen/Qwen2.5-0.5B}\n", "bases/qwen")
    spec = write(registry, SPEC.replace("model:\n  path: Qwen/Qwen2.5-0.5B   # small\n  source:   huggingface\n",
                                        "extends: bases/qwen\n"))  # fmt: skip
    before = spec.read_text()
    pin(registry, ["x"])
    assert base.read_text() == f"model: {{path: Qwen/Qwen2.5-0.5B, revision: {COMMIT}}}\n"
    assert spec.read_text() == before.replace("verl ", "verl==0.9.1 ")


def test_pinned_and_own_models_are_let_be(hub, registry):
    for model in (
        f"{{path: Qwen/Qwen2.5-0.5B, revision: {OTHER}}}",
        "{source: path, path: models/m}",
        "{source: run, path: smoke/sft}",
        "{source: modelscope, path: a/b, revision: v1.0.0}",
    ):
        write(registry, f"trainer: verl==0.9.1\nmodel: {model}\n")
        assert find_loose(registry, ["x"]) == ()
    assert hub.seen == []


def test_points_of_a_matrix_pin_their_own_models(hub, registry):
    write(registry, "model: {path: a/b}\nmatrix: {grid: {model.path: [a/b, c/d]}}\n")
    assert find_loose(registry, ["x"]) == ()


@pytest.mark.parametrize("image", ["verlai/verl:v1", "verlai/verl"])
def test_images_have_the_digest_of_the_registry(hub, registry, image):
    spec = write(registry, f"trainer: verl==0.9.1\nimage: {image} # x\n")
    pin(registry, ["x"])
    assert spec.read_text() == f"trainer: verl==0.9.1\nimage: verlai/verl:v1@{DIGEST} # x\n"


@pytest.mark.parametrize("image", ["verlai/verl:v2", "verlai/other:v1", "host:5000/verl"])
def test_other_images_are_named_with_the_cure_and_the_rest_is_pinned(hub, registry, image):
    spec = write(registry, f"trainer: verl\nimage: {image}\n")
    done = pin(registry, ["x"])
    assert spec.read_text() == f"trainer: verl==0.9.1\nimage: {image}\n"
    (failure,) = done.failures
    assert isinstance(failure, Refused)
    assert f"x.yaml:2: registry.yaml has no digest of the image `{image}`" in failure.message


def test_of_two_versions_none_is_taken(hub, registry):
    write_files(registry, {"registry.yaml": f"{SETTINGS}  verl==0.9.2: {{lock: a.txt}}\n"})
    (failure,) = pin(registry, ["x"]).failures
    assert failure.cure == "write one: verl==0.9.1, verl==0.9.2"


def test_a_private_model_is_asked_for_with_the_token(hub, registry, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_letters")
    pin(registry, ["x"])
    assert hub.seen[0][1] == "Bearer hf_letters"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Refused, "does not exist there, or is private or gated"),
        (404, Refused, "has no model `Qwen/Qwen2.5-0.5B`"),
        (503, OutsideError, "HTTP status 503, and the local cache has none"),
    ],
)
def test_what_the_hub_refuses_is_said(hub, registry, status, kind, words):
    hub.status = status
    (failure,) = pin(registry, ["x"]).failures
    assert isinstance(failure, kind)
    assert words in failure.message


def test_an_answer_without_a_commit_is_no_answer(hub, registry):
    write(registry, "model: {path: Qwen/odd}\n")
    (failure,) = pin(registry, ["x"]).failures
    assert isinstance(failure, OutsideError)


def test_without_a_hub_the_cache_is_asked(registry, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # discard: nobody listens
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (failure,) = pin(registry, ["x"]).failures
    assert failure.exit_code == 3
    assert "does not answer" in failure.message
    write_files(tmp_path / "cache/models--Qwen--Qwen2.5-0.5B", {"refs/main": OTHER})
    (found,) = pin(registry, ["x"]).pins
    assert found.value == OTHER
    assert "the local cache (http://127.0.0.1:9 does not answer" in found.source


def test_offline_the_hub_is_not_asked(hub, registry, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_files(tmp_path / "cache/models--Qwen--Qwen2.5-0.5B", {"refs/main": OTHER})
    assert [one.value for one in pin(registry, ["x"]).pins] == ["verl==0.9.1", OTHER]
    assert hub.seen == []


def test_modelscope_has_tags_or_nothing_to_pin(hub, registry):
    write(registry, "model: {source: modelscope, path: Qwen/untagged}\n")
    (failure,) = pin(registry, ["x"]).failures
    assert "no tag on ModelScope" in failure.message


def test_a_name_that_is_no_spec_is_refused(hub, registry):
    with pytest.raises(Refused, match="there is no spec `y`"):
        pin(registry, ["y"])


def test_the_command_says_what_it_did_and_check_what_is_to_do(hub, registry, capsys):
    folder = ["-C", str(registry)]
    assert run([*folder, "pin", "--check", "x"]) == 6
    assert capsys.readouterr().out == (
        "experiments/x.yaml:3: trainer: verl\nexperiments/x.yaml:6: model.revision is not set\n"
    )
    assert run([*folder, "pin", "x"]) == 0
    assert f"experiments/x.yaml:6: model.revision: {COMMIT}   from http" in capsys.readouterr().out
    assert run([*folder, "pin", "--check", "x"]) == 0
    hub.status = 503
    write(registry, "model: {path: Qwen/Qwen2.5-0.5B}\n")
    assert run([*folder, "pin", "x"]) == 3
    assert "HTTP status 503" in capsys.readouterr().err


def test_the_mode_of_a_file_stays(hub, registry):
    place = registry / "experiments/x.yaml"
    place.chmod(0o640)
    pin(registry, ["x"])
    assert place.stat().st_mode & 0o777 == 0o640


def test_edits_are_made_from_the_end():
    text = "a: 1\nb: {c: 2}\n"
    marks = parse(text.encode(), "f").marks
    edits = [replace(text, marks.value(path), "10") for path in (("a",), ("b", "c"))]
    assert apply(text, edits) == "a: 10\nb: {c: 10}\n"
