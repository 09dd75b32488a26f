"""Complete specs whose every field is set, files for them to read, and their identities."""

from __future__ import annotations

import copy
import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from runner.algorithms import CLASSES, load
from runner.registry import Registry
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import MemoryTree

ALGORITHMS: dict[str, type[BaseModel]] = {name: load(name) for name in CLASSES}
"""The class of every algorithm by its name."""
IMAGE = "registry.example/verl@sha256:" + "1" * 64
OTHER_IMAGE = "mirror.example/verl@sha256:" + "2" * 64

GRPO: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "description": "a group-relative baseline",
    "hypothesis": "it learns",
    "owner": "somebody",
    "tags": ["sums", "baseline"],
    "trainer": "verl==0.9.1",
    "image": IMAGE,
    "model": {"source": "huggingface", "path": "Qwen/Qwen2.5-0.5B", "revision": "060db6499f32"},
    "algorithm": {
        "name": "grpo",
        "group_size": 4,
        "clip_ratio": {"low": 0.2, "high": 0.28},
        "kl": {"in": "loss", "coefficient": 0.001, "estimator": "k3"},
        "entropy_coefficient": 0.01,
        "loss_aggregation": "token_mean",
    },
    "data": {
        "train": "data/train.jsonl",
        "val": {"sums": "data/val.jsonl"},
        "max_prompt_tokens": 64,
        "max_response_tokens": 32,
        "columns": {"prompt": "question"},
        "shuffle": True,
    },
    "reward": "reward/sums.py:score",
    "training": {
        "epochs": 2,
        "steps": 10,
        "prompts_per_step": 16,
        "prompts_per_update": 8,
        "samples_per_device": 4,
        "learning_rate": 1e-06,
        "learning_rate_schedule": "cosine",
        "warmup_steps": 2,
        "weight_decay": 0.1,
        "precision": "bf16",
        "tokens_per_device": 4096,
        "gradient_checkpointing": True,
        "sequence_parallel": 1,
        "offload": {"parameters": True, "optimizer": True, "reference": True},
        "lora": {"rank": 8, "alpha": 16, "targets": ["all-linear"]},
        "save_every": 5,
        "evaluate_every": 2,
        "evaluate_before_training": True,
    },
    "rollout": {
        "engine": "vllm",
        "tensor_parallel": 1,
        "gpu_memory": 0.5,
        "temperature": 0.9,
        "top_p": 0.95,
        "multi_turn": {"tools": "reward/tools.py", "format": "hermes", "max_turns": 3},
        "validation": {"samples": 4, "temperature": 0.6, "top_p": 0.9},
    },
    "resources": {
        "accelerators": "H100:2",
        "nodes": 1,
        "cpus": 16,
        "memory_gib": 128,
        "disk_gib": 512,
        "network": "best",
        "priority": 10,
        "candidates": [
            {
                "infra": "k8s/pool",
                "spot": False,
                "needs_approval": True,
                "max_usd_per_hour": 30.0,
                "cache": "/cache",
                "volume": "weights",
            }
        ],
        "wait_per_candidate": "30m",
        "max_duration": "8h",
        "recover": {"preemptions": 3, "errors": 1},
        "keep_cluster": "2h",
    },
    "budget": {"usd_per_run": 150.0, "when_exceeded": "stop"},
    "checkpoints": {"keep_last": 2, "keep_best": "val/sums/accuracy", "export": "huggingface"},
    "seeds": [1],
    "launch": "on_merge",
    "when_edited": "let_finish",
    "follow_inputs": False,
    "expect": [{"reward/mean": "last >= 0.5"}],
    "tracking": {"wandb": {"project": "sums", "entity": "team"}},
    "secrets": ["HF_TOKEN"],
    "overrides": {"actor_rollout_ref.actor.grad_clip": 1.0},
}
SCRIPT: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "script",
    "script": {"command": ["python", "train.py"], "files": ["train.py", "lib"], "ray": True},
    "training": {"steps": 2, "prompts_per_step": 8, "learning_rate": 1e-05},
}
SFT: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "verl==0.9.1",
    "model": {"path": "Qwen/Qwen2.5-0.5B"},
    "algorithm": {"name": "sft"},
    "data": {"train": "data/train.jsonl"},
    "training": {"epochs": 1, "prompts_per_step": 8, "learning_rate": 1e-05},
}
COMPLETE = (GRPO, SCRIPT)
"""Specs that set each field between them."""

FILES: dict[str, bytes] = {
    "data/train.jsonl": b'{"prompt": "1+1", "answer": "2"}\n',
    "data/same-content.jsonl": b'{"prompt": "1+1", "answer": "2"}\n',
    "data/val.jsonl": b'{"prompt": "1+2", "answer": "3"}\n',
    "data/val-same.jsonl": b'{"prompt": "1+2", "answer": "3"}\n',
    "reward/sums.py": b"def score(solution):\n    return 1.0\n",
    "reward/tools.py": b"def add(a, b):\n    return a + b\n",
    "reward/others.py": b"def score(solution):\n    return 1.0\n",
    "train.py": b"import lib.loss\n",
    "lib/__init__.py": b"",
    "lib/loss.py": b"SCALE = 1\n",
    "unrelated.py": b"A = 1\n",
}
REGISTRY = Registry(apiVersion="rollbook/v1", lineage="0a" * 16)


def dump(spec: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(spec), sort_keys=False).encode()


def resolved(
    spec: Mapping[str, Any] | bytes | str,
    files: Mapping[str, bytes] = FILES,
    registry: Registry = REGISTRY,
    **others: Mapping[str, Any] | bytes | str,
) -> tuple[ResolvedRun, ...]:
    """Return the runs of `spec` (and have `others` beside it), which must be valid."""
    texts = {"x": spec, **others}
    specs = {
        f"experiments/{name.replace('__', '/')}.yaml": _text(text) for name, text in texts.items()
    }
    tree = MemoryTree({**files, **specs})
    loaded = load_experiments(tree)
    assert loaded.findings == ()
    resolver = Resolver(tree, registry, loaded.experiments)
    wanted = next(one for one in loaded.experiments if one.name == "x")
    return tuple(resolver.runs(wanted))


def run_id(
    spec: Mapping[str, Any] | bytes | str,
    files: Mapping[str, bytes] = FILES,
    registry: Registry = REGISTRY,
    **others: Mapping[str, Any] | bytes | str,
) -> str:
    """Return the id of the only run of `spec`."""
    (run,) = resolved(spec, files, registry, **others)
    return run.run_id


def changed(spec: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return `spec` with another value at the dotted `path`."""
    copied = copy.deepcopy(dict(spec))
    inner = copied
    *above, last = path.split(".")
    for part in above:
        inner = inner[part]
    inner[last] = value
    return copied


def setting(path: str) -> dict[str, Any]:
    """Return the first of the complete specs that sets the field at the dotted `path`."""
    return next(spec for spec in COMPLETE if _has(spec, path.split(".")))


def _has(spec: Any, parts: list[str]) -> bool:
    first, *rest = parts
    return isinstance(spec, dict) and first in spec and (not rest or _has(spec[first], rest))


def leaves(model: type[BaseModel] = Experiment, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every field that has a value of its own, algorithms included."""
    for field, info in model.model_fields.items():
        name = f"{prefix}{info.alias or field}"
        sections = list(_sections(info.annotation))
        if not sections:
            yield name
        for section in sections:
            yield from leaves(section, f"{name}.")


def sections(model: type[BaseModel] = Experiment, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every field that is a section."""
    for field, info in model.model_fields.items():
        for section in _sections(info.annotation):
            yield f"{prefix}{info.alias or field}"
            yield from sections(section, f"{prefix}{info.alias or field}.")


def algorithm_fields() -> list[tuple[str, str]]:
    """Return every algorithm's name with the dotted key of each of its fields but the name."""
    return [
        (name, field)
        for name, model in ALGORITHMS.items()
        for field in sorted(set(leaves(model)) - {"name"})
    ]


def with_every_section(name: str) -> dict[str, Any]:
    """Return a spec of the algorithm `name` in which every field of it has a value."""
    model = ALGORITHMS[name]
    algorithm = {"name": name, **{key: _some(field) for key, field in _fields(model)}}
    reward = {} if name in ("sft", "dpo") else {"reward": "reward/sums.py:score"}
    return {**SFT, "algorithm": algorithm, **reward}


def _some(field: FieldInfo) -> Any:
    """Return a valid value of `field`: its default, else its sections filled, else a number."""
    for section in _sections(field.annotation):
        return {key: _some(below) for key, below in _fields(section)}
    return 2 if field.default in (None, PydanticUndefined) else field.default


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for field, info in model.model_fields.items():
        if field != "name":
            yield info.alias or field, info


def another_value(name: str, field: str, value: Any) -> Any:
    """Return another valid value of an algorithm's field, made from its type and limits."""
    candidates: list[Any] = (
        [value + 1, value - 1]
        if isinstance(value, int)
        else [value / 2 if value else 0.5]
        if isinstance(value, float)
        else _choices(_field(ALGORITHMS[name], field.split(".")).annotation)
    )
    for candidate in candidates:
        spec = changed(with_every_section(name), f"algorithm.{field}", candidate)
        if candidate != value and _is_valid(spec):
            return candidate
    raise AssertionError(f"no other value of {name}'s {field} than {value!r}")


def _is_valid(spec: Mapping[str, Any]) -> bool:
    try:
        Experiment.model_validate(spec)
    except ValidationError:
        return False
    return True


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _field(model: type[BaseModel], parts: list[str]) -> FieldInfo:
    field = dict(_fields(model))[parts[0]]
    for section in _sections(field.annotation) if parts[1:] else ():
        return _field(section, parts[1:])
    return field


def is_nullable(name: str, key: str) -> bool:
    """Whether a spec may say `null` for an algorithm's key."""
    field = dict(_fields(ALGORITHMS[name])).get(key)
    return field is not None and type(None) in get_args(field.annotation)


def at(tree: Mapping[str, Any], path: str) -> Any:
    """Return the value at the dotted `path`."""
    value: Any = tree
    for part in path.split("."):
        value = value[part]
    return value


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the sections that a field holds; entries of a list count as one value with it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (typing.Union, types.UnionType, Annotated):
        for part in get_args(annotation):
            yield from _sections(part)


def _text(spec: Mapping[str, Any] | bytes | str) -> bytes:
    if isinstance(spec, bytes):
        return spec
    # As JSON, in which every text is quoted: PyYAML leaves `0E0` bare, a number in YAML 1.2.
    return spec.encode() if isinstance(spec, str) else json.dumps(dict(spec)).encode()
