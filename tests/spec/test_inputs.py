"""What a run reads, by digest: DVC's files, git's blobs, and what is refused."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from identity_specs import SFT
from real_git import git, write_files
from spec_texts import SCRIPT

from runner.errors import Refused
from runner.git.commit_tree import CommitTree
from runner.git.repository import Repository
from runner.registry import Environment, Registry
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment, Run
from runner.spec.inputs import DvcOutputs, Inputs, blob_id, code_files, resolve
from runner.spec.tree import MemoryTree, WorkTree

A, B = "a" * 32, "b" * 32
REGISTRY = Registry(apiVersion="rollbook/v1", lineage="0a" * 16)


def tree(**files: str | bytes) -> MemoryTree:
    """Return a tree; `__` in a name stands for a slash, `_DOT_` for a dot."""
    return MemoryTree(
        {
            name.replace("__", "/").replace("_DOT_", "."): text.encode()
            if isinstance(text, str)
            else text
            for name, text in files.items()
        }
    )


def pointer(path: str, md5: str = A, more: str = "") -> str:
    return f"{more}outs:\n- md5: {md5}\n  hash: md5\n  path: {path}\n"


def inputs_of(
    files: MemoryTree, path: str, registry: Registry = REGISTRY, **changes: object
) -> Inputs:
    """Return what a supervised run with the training set `path` reads from `files`."""
    spec = {**SFT, "data": {"train": path}, **changes}
    run = Run(experiment="x", seed=1, point={}, spec=Experiment.model_validate(spec))
    return resolve(run, files, DvcOutputs(files), registry, None)


def train_of(files: MemoryTree, path: str) -> str | None:
    return inputs_of(files, path).train


# .dvc files


def test_a_file_that_dvc_tracks_has_its_md5():
    files = tree(data__a_DOT_jsonl_DOT_dvc=pointer("a.jsonl"))
    assert train_of(files, "data/a.jsonl") == f"md5:{A}"
    assert train_of(files, "./data//a.jsonl") == f"md5:{A}"


def test_a_file_inside_a_tracked_folder_is_named_within_it():
    files = tree(data_DOT_dvc=pointer("data", f"{A}.dir"))
    assert train_of(files, "data") == f"md5:{A}.dir"
    assert train_of(files, "data/train/a.jsonl") == f"md5:{A}.dir/train/a.jsonl"
    with pytest.raises(Refused, match="tracked neither by DVC nor by git"):
        train_of(files, "database")


@pytest.mark.parametrize(
    ("holder", "wdir", "path"),
    [
        ("pointers/a.dvc", "wdir: ../data\n", "a.jsonl"),
        ("pointers/a.dvc", "", "../data/a.jsonl"),
        ("a.dvc", "wdir: data\n", "a.jsonl"),
        ("a.dvc", "wdir: .\n", "./data/a.jsonl"),
        ("x/y/a.dvc", "wdir: ../..\n", "data/a.jsonl"),
    ],
)
def test_paths_are_relative_to_the_working_folder(holder, wdir, path):
    files = MemoryTree({holder: pointer(path, more=wdir).encode()})
    assert train_of(files, "data/a.jsonl") == f"md5:{A}"


def test_what_dvc_tracks_wins_over_a_copy_in_the_work_tree():
    files = tree(data__a_DOT_jsonl_DOT_dvc=pointer("a.jsonl"), data__a_DOT_jsonl="{}")
    assert train_of(files, "data/a.jsonl") == f"md5:{A}"


# dvc.lock


def lock(*stages: tuple[str, str, str]) -> str:
    text = "schema: '2.0'\nstages:\n"
    for name, path, md5 in stages:
        text += f"  {name}:\n    cmd: make\n    deps:\n    - path: make.py\n      md5: {B}\n"
        text += f"    outs:\n    - path: {path}\n      hash: md5\n      md5: {md5}\n"
    return text


def test_outputs_of_stages_have_their_md5_and_what_stages_read_has_not():
    files = tree(dvc_DOT_lock=lock(("a", "data/a.jsonl", A), ("b", "data/b", f"{B}.dir")))
    assert train_of(files, "data/a.jsonl") == f"md5:{A}"
    assert train_of(files, "data/b/c") == f"md5:{B}.dir/c"
    with pytest.raises(Refused):
        train_of(files, "make.py")


def test_a_lock_in_a_folder_speaks_of_that_folder():
    files = tree(data__dvc_DOT_lock=lock(("a", "out/a.jsonl", A)))
    assert train_of(files, "data/out/a.jsonl") == f"md5:{A}"


@pytest.mark.parametrize(
    ("name", "pipeline"),
    [
        ("a", "stages: {a: {wdir: ../data, cmd: make}}"),
        ("a@en", "stages: {a: {foreach: [en], do: {wdir: ../data, cmd: make}}}"),
        ("a@en", "stages: {a: {matrix: {l: [en]}, wdir: ../data, cmd: make}}"),
    ],
)
def test_the_working_folder_of_a_stage_stands_in_its_pipeline(name, pipeline):
    files = tree(make__dvc_DOT_lock=lock((name, "a.jsonl", A)), make__dvc_DOT_yaml=pipeline)
    assert train_of(files, "data/a.jsonl") == f"md5:{A}"


def test_a_working_folder_that_is_not_written_out_is_refused():
    files = tree(
        dvc_DOT_lock=lock(("a", "a.jsonl", A)),
        dvc_DOT_yaml="stages: {a: {wdir: '${where}', cmd: make}}",
    )
    with pytest.raises(Refused, match=r"dvc\.yaml cannot be read: the `wdir` of stage `a`"):
        DvcOutputs(files).find("a")


def test_a_file_whose_name_only_ends_like_a_lock_is_none():
    files = tree(data__my_dvc_DOT_lock=lock(("a", "a.jsonl", A)))
    assert DvcOutputs(files).find("data/a.jsonl") is None


def test_dvc_itself_writes_what_is_read_here(tmp_path):
    write_files(tmp_path, {"data/a.jsonl": "{}\n", "data/f/x": "1", "make/dvc.yaml": PIPELINE})
    (tmp_path / "made").mkdir()
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    dvc(tmp_path, "add", "--quiet", "data/a.jsonl", "data/f")
    dvc(tmp_path / "make", "repro", "--quiet")
    outputs = DvcOutputs(WorkTree(tmp_path))
    for path in ("data/a.jsonl", "made/b"):
        content = (tmp_path / path).read_bytes()
        assert outputs.find(path) == (path, hashlib.md5(content, usedforsecurity=False).hexdigest())
    output, digest = outputs.find("data/f/x")
    assert (output, len(digest), digest.endswith(".dir")) == ("data/f", 36, True)


PIPELINE = "stages:\n  b:\n    wdir: ../made\n    cmd: echo made > b\n    outs: [b]\n"


def dvc(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# What is refused


UNSUPPORTED = {
    "a version of a cloud": (
        "outs:\n- path: a.jsonl\n  size: 3\n  cloud: {s3: {etag: x, version_id: y}}\n",
        "versions of a cloud",
    ),
    "a folder by versions of a cloud": (
        "outs:\n- path: a.jsonl\n  files: [{relpath: x, version_id: y}]\n",
        "versions of a cloud",
    ),
    "an import by ETag": (
        "deps: [{path: 's3://b/a.jsonl', etag: x}]\n"
        "outs:\n- path: a.jsonl\n  hash: etag\n  etag: x\n",
        "by etag of where it was imported from",
    ),
    "an import that was never brought": (
        f"deps: [{{path: 'https://x/a', checksum: {A}}}]\nouts:\n- path: a.jsonl\n  hash: md5\n",
        "no digest of it",
    ),
    "an md5 that is none": ("outs:\n- path: a.jsonl\n  md5: 12\n", "is no digest"),
}


@pytest.mark.parametrize(("text", "why"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_dvc_does_not_know_by_content_is_refused_with_the_reason(text, why):
    files = tree(data__a_DOT_jsonl_DOT_dvc=text)
    with pytest.raises(Refused, match=why) as caught:
        train_of(files, "data/a.jsonl")
    assert "`data/a.jsonl`" in caught.value.message
    assert caught.value.cure == "dvc add data/a.jsonl"


def test_an_import_with_an_md5_is_as_good_as_any():
    text = pointer(
        "a.jsonl", more="frozen: true\ndeps:\n- path: a\n  repo: {url: u, rev_lock: r}\n"
    )
    assert train_of(tree(data__a_DOT_jsonl_DOT_dvc=text), "data/a.jsonl") == f"md5:{A}"


def test_a_dvc_file_of_before_hashes_were_named_is_read():
    text = f"outs:\n- md5: {A}\n  path: a.jsonl\n"
    assert train_of(tree(a_DOT_jsonl_DOT_dvc=text), "a.jsonl") == f"md5:{A}"


BROKEN = {
    "no YAML": "outs: [",
    "not UTF-8": b"\xff\xfe outs",
    "outputs that are text": "outs: text",
    "an output without a path": f"outs: [{{md5: {A}}}]",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_dvc_file_that_cannot_be_read_is_named(text):
    with pytest.raises(Refused, match=r"^a\.dvc cannot be read: ") as caught:
        DvcOutputs(tree(a_DOT_dvc=text)).find("a")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "outs:", "schema: '2.0'", "stages:", "{}"])
def test_an_empty_dvc_file_tracks_nothing(text):
    files = tree(a_DOT_dvc=text, dvc_DOT_lock=text)
    assert DvcOutputs(files).find("a") is None


# git


def test_a_file_that_git_tracks_has_its_blob_id(make_repository):
    folder = make_repository(files={"data/a.jsonl": "{}\n", "data/b": b"\x00\xff"})
    repository = Repository(folder)
    files = CommitTree(repository, repository.head())
    assert blob_id(b"{}\n") == git(folder, "hash-object", "data/a.jsonl")
    for path in ("data/a.jsonl", "data/b"):
        expected = f"git:{git(folder, 'hash-object', path)}"
        assert inputs_of(files, path).train == expected
        assert inputs_of(WorkTree(folder), path).train == expected


def test_a_folder_that_git_tracks_counts_by_names_and_contents():
    def digest_of(**files: str) -> str | None:
        return train_of(tree(**files), "data")

    first = digest_of(data__a="1", data__b="2")
    assert first.startswith("git-folder:")
    assert first == digest_of(data__b="2", data__a="1", other="3")
    assert len({first, digest_of(data__a="2", data__b="1"), digest_of(data__a="1")}) == 3


def test_what_nobody_tracks_is_refused_with_the_cure():
    with pytest.raises(Refused, match="`data/a` is tracked neither") as caught:
        train_of(tree(), "data/a")
    assert caught.value.cure.startswith("dvc add data/a ")


# Environment and code


def test_a_lock_that_is_missing_is_named():
    pins = {"verl==0.9.1": Environment(lock="lock.txt")}
    registry = REGISTRY.model_copy(update={"environments": pins})
    with pytest.raises(Refused, match=r"`lock\.txt` does not exist"):
        inputs_of(tree(a="1"), "a", registry)


def test_an_image_of_the_spec_wins_over_the_settings():
    registry = REGISTRY.model_copy(update={"environments": {"verl==0.9.1": Environment(lock="a")}})
    image = f"host/verl@sha256:{'1' * 64}"
    assert inputs_of(tree(a="1"), "a", registry, image=image).environment == image.split("@")[1]
    assert inputs_of(tree(a="1"), "a", registry).environment == f"git:{blob_id(b'1')}"
    assert inputs_of(tree(a="1"), "a").environment == "none"


def test_a_script_brings_its_files_its_folders_and_their_imports():
    files = {
        "experiments/x.yaml": SCRIPT.replace("[train.py]", "[train.py, lib, conf.json]").encode(),
        "train.py": b"import shared.a\n",
        "lib/b.py": b"import shared.b\n",
        "lib/data.txt": b"1",
        "conf.json": b"{}",
        "shared/a.py": b"",
        "shared/b.py": b"",
        "shared/c.py": b"",
    }
    (loaded,) = load_experiments(MemoryTree(files)).experiments
    assert code_files(loaded.experiment, MemoryTree(files)) == (
        "conf.json", "lib/b.py", "lib/data.txt", "shared/a.py", "shared/b.py", "train.py",
    )  # fmt: skip
