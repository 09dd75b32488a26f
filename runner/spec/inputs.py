"""The digests of what a run reads besides its spec: data, code, environment, another run.

Nothing is downloaded: DVC's `dvc.lock` and `.dvc` files state the content hash of each output, and
files that git tracks have their blob id.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Container, Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from runner.errors import Refused
from runner.printable import one_line
from runner.registry import Registry
from runner.spec import dvc_yaml
from runner.spec.experiment import Experiment, Run
from runner.spec.imports import closure
from runner.spec.tree import Tree

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


class Inputs(NamedTuple):
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


class DvcOutput(NamedTuple):
    """One output that DVC tracks."""

    path: str
    md5: str
    """Empty where DVC does not know the content by md5; then `problem` says why."""
    problem: str = ""
    sources: tuple[str, ...] = ()
    """The files that say so."""


class DvcOutputs:
    """The outputs that DVC tracks in a tree."""

    def __init__(self, tree: Tree) -> None:
        """Look into `tree`; its dvc.lock and .dvc files are read when the first path is asked for.

        Asking raises Refused when one of them cannot be read.
        """
        self._tree = tree

    @cached_property
    def _read(self) -> dict[str, DvcOutput] | Refused:
        try:
            return {output.path: output for output in _outputs(self._tree)}
        except Refused as refusal:  # kept, since every run of the tree asks
            return refusal

    @property
    def _outputs(self) -> dict[str, DvcOutput]:
        if isinstance(self._read, Refused):
            raise Refused(self._read.message, cure=self._read.cure)
        return self._read

    def find(self, path: str) -> tuple[str, str] | None:
        """Return the tracked output that is or holds `path`, and its content hash.

        The hash is empty where DVC does not know the content by md5: see `problem`.
        """
        held = _holder(path, self._outputs)
        return (self._outputs[held].path, self._outputs[held].md5) if held else None

    @cached_property
    def _stages(self) -> dict[str, str]:
        return dict(_stage_outputs(self._tree))

    def stage_of(self, path: str) -> str | None:
        """Return the stage of a dvc.yaml, as `dvc repro` takes it, that makes `path`; else None."""
        held = _holder(path, self._stages)
        return self._stages[held] if held else None

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all outputs."""
        return tuple(self._outputs)

    def sources(self, path: str) -> tuple[str, ...]:
        """Return the files that say what DVC knows of `path`; all where it knows nothing."""
        held = _holder(path, self._outputs)
        known = [self._outputs[held]] if held else self._outputs.values()
        return tuple(dict.fromkeys(source for output in known for source in output.sources))

    def problem(self, output: str) -> str:
        """Return why the content of a tracked output is not known by md5; empty when it is."""
        return self._outputs[output].problem


def _holder(path: str, outputs: Container[str]) -> str | None:
    """Return which of `outputs` is or holds `path`."""
    candidate = posixpath.normpath(path)
    while candidate.strip("/"):
        if candidate in outputs:
            return candidate
        candidate = posixpath.dirname(candidate)
    return None


def not_made(spec: Experiment, tree: Tree, outputs: DvcOutputs) -> tuple[str, str] | None:
    """Return the first input that nothing holds yet, and the stage of dvc.yaml that makes it."""
    data, model = spec.data, spec.model
    places = [data.train, *data.val.values()] if data else []
    places += [model.path] if model and model.source in ("dvc", "path") else []
    for place in places:
        is_there = outputs.find(place) or tree.read(place) is not None or tree.paths(place, "")
        if not is_there and (stage := outputs.stage_of(place)):
            return place, stage
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
    """Return the repository files that the run executes: reward, tools, script, their imports."""
    roots = [spec.reward.partition(":")[0]] if spec.reward else []
    roots += [spec.rollout.multi_turn.tools] if spec.rollout.multi_turn else []
    for path in spec.script.files if spec.script else ():
        roots.extend(tree.paths(path, "") if tree.read(path) is None else [path])
    found: set[str] = set()
    for root in (*roots, *_packages(tree, spec.reward or "")):
        found.update(closure(tree, root) if root.endswith(".py") else (root,))
    return tuple(sorted(found))


def _packages(tree: Tree, reward: str) -> Iterator[str]:
    """Yield the packages that importing the reward function by its dotted name runs first."""
    for folder in PurePosixPath(reward.partition(":")[0]).parents:
        path = str(folder / "__init__.py")
        if str(folder) != "." and tree.read(path) is not None:
            yield path


def _content(path: str, tree: Tree, outputs: DvcOutputs) -> str:
    tracked = outputs.find(path)
    if tracked is not None:
        output, md5 = tracked
        if problem := outputs.problem(output):
            raise Refused(f"`{path}`: {problem}", cure=f"dvc add {output}")
        return f"md5:{md5}{posixpath.normpath(path)[len(output) :]}"
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


def _outputs(tree: Tree) -> Iterator[DvcOutput]:
    for path in tree.paths("", ".dvc"):
        pointer = dvc_yaml.load(tree, path)
        for output in _entries(path, pointer, _wdir(path, pointer) or "."):
            yield output._replace(sources=(path,))
    for path in _named(tree, "dvc.lock"):
        pipeline = path.removesuffix("dvc.lock") + "dvc.yaml"
        definitions = _stages(tree, pipeline)
        for name, stage in _stages(tree, path).items():
            for output in _entries(path, stage, _working_folder(pipeline, name, definitions)):
                yield output._replace(sources=(path, pipeline))


def _stage_outputs(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the outputs that stages of dvc.yaml files declare, and how the stage is called.

    Left out are stages from templates, whose outputs are not written out.
    """
    for path in _named(tree, "dvc.yaml"):
        folder = posixpath.dirname(path)
        for name, stage in _stages(tree, path).items():
            outs = stage.get("outs") if isinstance(stage, dict) else None
            for entry in outs if isinstance(outs, list) else ():
                output = next(iter(entry)) if isinstance(entry, dict) and entry else entry
                if isinstance(output, str):
                    inside = posixpath.join(folder, _wdir(path, stage) or ".")
                    place = posixpath.normpath(posixpath.join(inside, output))
                    yield place, f"{path}:{name}" if folder else name


def _named(tree: Tree, name: str) -> list[str]:
    return [path for path in tree.paths("", name) if path.split("/")[-1] == name]


def _stages(tree: Tree, path: str) -> dict[str, Any]:
    """Return the stages of a dvc.yaml or dvc.lock by name."""
    stages = dvc_yaml.load(tree, path).get("stages") or {}
    if not isinstance(stages, dict) or not all(isinstance(name, str) for name in stages):
        raise dvc_yaml.unreadable(path, "its `stages` are no mapping of names")
    return stages


def _wdir(path: str, holder: Any) -> str:
    """Return the `wdir` of a .dvc file or a stage; empty where it says none."""
    folder = (holder.get("wdir") if isinstance(holder, dict) else None) or ""
    if not isinstance(folder, str):
        raise dvc_yaml.unreadable(path, "its `wdir` is no text")
    return folder


def _working_folder(pipeline: str, stage: str, definitions: Mapping[str, Any]) -> str:
    """Return the `wdir` of a stage: dvc.lock has paths relative to it, dvc.yaml alone says it."""
    definition = definitions.get(stage.partition("@")[0])
    template = definition.get("do") if isinstance(definition, dict) else None
    folder = _wdir(pipeline, definition) or _wdir(pipeline, template) or "."
    if "${" in folder:
        why = f"the `wdir` of stage `{one_line(stage)}` is not written out"
        raise dvc_yaml.unreadable(pipeline, why)
    return folder


def _entries(path: str, holder: Mapping[str, Any], working: str) -> Iterator[DvcOutput]:
    """Yield the outputs of a .dvc file or a stage."""
    folder = posixpath.join(posixpath.dirname(path), working)
    try:
        for output in holder.get("outs") or ():
            place = posixpath.normpath(posixpath.join(folder, output["path"]))
            problem = _problem(output)
            yield DvcOutput(place, "" if problem else output["md5"], problem)
    except (KeyError, TypeError, AttributeError):
        raise dvc_yaml.unreadable(
            path, "its outputs are not a list of paths with digests"
        ) from None


def _problem(output: Mapping[str, Any]) -> str:
    """Return why the content of an output is not known by md5; empty when it is."""
    if "md5" in output and output.get("hash", "md5") == "md5":
        good = isinstance(output["md5"], str) and _MD5.fullmatch(output["md5"])
        return "" if good else "its md5 in DVC's file is no digest"
    if "files" in output or "cloud" in output or "version_id" in output:
        return "DVC tracks it by the versions of a cloud, which states no digest of the content"
    kinds = [kind for kind in ("checksum", "etag") if kind in output or output.get("hash") == kind]
    if kinds:
        return f"DVC tracks it by {kinds[0]} of where it was imported from, not by its content"
    return "DVC's file states no digest of it: it was never added or reproduced, or is not cached"
