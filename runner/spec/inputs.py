"""The digests of what a run reads besides its spec: data, code, environment, another run.

Nothing is downloaded: DVC's `dvc.lock` and `.dvc` files state the content hash of each output, and
files that git tracks have their blob id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from runner.errors import Refused
from runner.registry import Registry
from runner.spec.experiment import Experiment, Run
from runner.spec.imports import closure
from runner.spec.section import Section
from runner.spec.tree import Tree


class Inputs(Section):
    """Content of everything that a run reads besides its spec, by digest."""

    train: str | None
    """`md5:…` of DVC or `git:…`; a file inside a tracked folder is `md5:….dir/<path inside>`."""
    val: dict[str, str]
    model: str | None
    """Digest of a model in the repository; None for a hub's, whose revision is in the spec."""
    code: dict[str, str]
    """Blob ids of the reward function, a script's files and every module they import, by path."""
    environment: str
    """The image's digest, else the training lock's; `none` when the registry names neither."""
    upstream: str | None
    """Run id of the run whose checkpoint this one starts from."""


class DvcOutputs:
    """The outputs that DVC tracks in a tree: path to content hash."""

    def __init__(self, tree: Tree) -> None:
        """Read every dvc.lock and .dvc file of `tree`."""
        self._md5: dict[str, str] = dict(_outputs(tree))

    def find(self, path: str) -> tuple[str, str] | None:
        """Return the tracked output that is or holds `path`, and its content hash."""
        for candidate in (path, *(str(parent) for parent in PurePosixPath(path).parents)):
            if candidate in self._md5:
                return candidate, self._md5[candidate]
        return None


def blob_id(data: bytes) -> str:
    """Return git's object id of a file's content (SHA-1 of the blob)."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def resolve(
    run: Run, tree: Tree, outputs: DvcOutputs, registry: Registry, upstream: str | None
) -> Inputs:
    """Return the digests of everything that `run` reads from `tree`.

    Raises Refused when a dataset or model is tracked neither by DVC nor by git.
    """
    spec = run.spec
    data, model = spec.data, spec.model
    in_tree = model is not None and model.source in ("dvc", "path")
    return Inputs(
        train=_content(data.train, tree, outputs) if data else None,
        val={name: _content(path, tree, outputs) for name, path in data.val.items()}
        if data
        else {},
        model=_content(model.path, tree, outputs) if model and in_tree else None,
        code={path: f"git:{_blob(tree, path)}" for path in code_files(spec, tree)},
        environment=_environment(spec, tree, registry),
        upstream=upstream,
    )


def code_files(spec: Experiment, tree: Tree) -> tuple[str, ...]:
    """Return the repository files that the run executes: reward, script, what they import."""
    roots = [spec.reward.partition(":")[0]] if spec.reward else []
    for path in spec.script.files if spec.script else ():
        roots.extend(tree.paths(path, "") if tree.read(path) is None else [path])
    found: set[str] = set()
    for root in roots:
        found.update(closure(tree, root) if root.endswith(".py") else (root,))
    return tuple(sorted(found))


def _content(path: str, tree: Tree, outputs: DvcOutputs) -> str:
    tracked = outputs.find(path)
    if tracked is not None:
        output, md5 = tracked
        return f"md5:{md5}" if output == path else f"md5:{md5}{path[len(output) :]}"
    data = tree.read(path)
    if data is not None:
        return f"git:{blob_id(data)}"
    members = tree.paths(path, "")
    if members:
        listing = "\n".join(f"{_blob(tree, member)} {member[len(path) :]}" for member in members)
        return f"git-folder:{blob_id(listing.encode())}"
    raise Refused(
        f"`{path}` is tracked neither by DVC nor by git",
        cure=f"dvc add {path}   or make it a stage's output in dvc.yaml and run dvc repro",
    )


def _blob(tree: Tree, path: str) -> str:
    data = tree.read(path)
    if data is None:
        raise Refused(f"`{path}` does not exist")
    return blob_id(data)


def _environment(spec: Experiment, tree: Tree, registry: Registry) -> str:
    if spec.image:
        return spec.image.rpartition("@")[2]
    environment = registry.environments.get(spec.trainer)
    if environment is None:
        return "none"
    if environment.image:
        return environment.image.rpartition("@")[2]
    return f"git:{_blob(tree, environment.lock)}" if environment.lock else "none"


def _outputs(tree: Tree) -> Iterator[tuple[str, str]]:
    for path in tree.paths("", ".dvc"):
        yield from _entries(path, _load(tree, path))
    for path in tree.paths("", "dvc.lock"):
        for stage in _load(tree, path).get("stages", {}).values():
            yield from _entries(path, stage)


def _load(tree: Tree, path: str) -> Mapping[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content = yaml.load(tree.read(path) or b"", Loader=loader)  # noqa: S506
    return content if isinstance(content, dict) else {}


def _entries(path: str, holder: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the outputs of a .dvc file or a stage; an import or a cloud version has no md5 here."""
    folder = PurePosixPath(path).parent / holder.get("wdir", ".")
    for output in holder.get("outs", ()):
        if output.get("hash", "md5") == "md5" and "md5" in output:
            yield str(folder / output["path"]), output["md5"]
