"""What a run *is*: the only place that says which fields bear identity.

A run's identity is the SHA-256 of the canonical JSON (RFC 8785: sorted keys, one spelling per
number) of its payload: the identity-bearing fields of its resolved spec with the defaults of its
`apiVersion`, its seed, and the digests of its inputs. Its first 12 hex digits are the run id. The
payload is kept in the ledger, so that two runs can be compared field by field.

Fields that are None or empty are left out: a field added later, with an empty default, changes no
identity made before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import rfc8785

from runner.errors import Refused
from runner.spec.experiment import Run
from runner.spec.inputs import Inputs

Bearing = Literal["in", "out", "digest"]

FIELDS: dict[str, Bearing] = {
    "apiVersion": "in",
    "description": "out",
    "hypothesis": "out",
    "owner": "out",
    "tags": "out",
    "trainer": "in",
    "image": "digest",  # inputs.environment
    "model.source": "in",
    "model.path": "in",
    "model.revision": "in",
    "algorithm": "in",
    "data.train": "digest",  # what is in it, not where it lies
    "data.val": "digest",
    "data.max_prompt_tokens": "in",
    "data.max_response_tokens": "in",
    "data.columns": "in",
    "data.shuffle": "in",
    "reward": "in",
    "training.epochs": "in",
    "training.steps": "in",
    "training.prompts_per_step": "in",
    "training.prompts_per_update": "in",
    "training.samples_per_device": "in",
    "training.learning_rate": "in",
    "training.learning_rate_schedule": "in",
    "training.warmup_steps": "in",
    "training.weight_decay": "in",
    "training.precision": "in",
    "training.tokens_per_device": "in",
    "training.gradient_checkpointing": "in",
    "training.sequence_parallel": "in",
    "training.offload": "in",
    "training.lora": "in",
    "training.save_every": "in",
    "training.evaluate_every": "in",
    "training.evaluate_before_training": "in",
    "rollout.engine": "in",
    "rollout.tensor_parallel": "in",
    "rollout.gpu_memory": "in",
    "rollout.temperature": "in",
    "rollout.top_p": "in",
    "rollout.multi_turn.tools": "digest",  # inputs.code
    "rollout.multi_turn.format": "in",
    "rollout.multi_turn.max_turns": "in",
    "rollout.validation": "in",
    "script.command": "in",
    "script.files": "digest",
    "script.ray": "in",
    "resources.accelerators": "digest",  # the number per node, not the type
    "resources.nodes": "in",  # it enters the batch arithmetic
    "resources.cpus": "out",
    "resources.memory_gib": "out",
    "resources.disk_gib": "out",
    "resources.network": "out",
    "resources.priority": "out",
    "resources.candidates": "out",
    "resources.wait_per_candidate": "out",
    "resources.max_duration": "out",
    "resources.recover": "out",
    "resources.keep_cluster": "out",
    "budget": "out",
    "checkpoints": "out",
    "seeds": "out",  # each run has one seed, beside the spec
    "launch": "out",
    "when_edited": "out",
    "follow_inputs": "out",
    "expect": "out",
    "tracking": "out",
    "secrets": "out",
    "overrides": "in",
}
"""Every field of the spec: `in` as it is written, `digest` by content, `out` not at all."""


class Identity(NamedTuple):
    """A run's identity and what it was made of."""

    digest: str
    payload: dict[str, Any]

    @property
    def run_id(self) -> str:
        """The first 12 hex digits."""
        return self.digest[:12]


def identify(run: Run, inputs: Inputs) -> Identity:
    """Return the identity of `run` reading `inputs`."""
    spec = run.spec.model_dump(mode="json", by_alias=True)
    if run.spec.model and run.spec.model.source in ("dvc", "path", "run"):
        del spec["model"]["path"]  # what is there counts (inputs.model, inputs.upstream), not where
    payload = {
        "spec": _bearing(spec),
        "seed": run.seed,
        "gpus_per_node": run.spec.resources.gpus_per_node,
        "inputs": _prune(inputs._asdict()),
    }
    return Identity(digest(payload), payload)


def own_digest(own: Mapping[str, Any]) -> str:
    """Return the digest of what a spec file itself says, without its bases and inputs.

    Changed formatting, comments, key order or fields that bear no identity leave it as it is; an
    added seed changes it, since it asks for a run. So does `null`, which takes back what a base
    says.
    """
    return digest({**_bearing(own, own=True), "seeds": own.get("seeds")})


def digest(payload: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of `payload`.

    Raises Refused when a number cannot be written in JSON.
    """
    try:
        return hashlib.sha256(rfc8785.dumps(dict(payload))).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise Refused(f"a value of this spec has no canonical form: {error}") from error


class Change(NamedTuple):
    """A field that differs between two runs."""

    field: str
    old: Any
    new: Any
    bears_identity: bool


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the fields that differ between two payloads, in order of name."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    names = sorted(before.keys() | after.keys())
    return tuple(
        Change(name.removeprefix("spec."), before.get(name), after.get(name), bears_identity=True)
        for name in names
        if before.get(name) != after.get(name)
    )


def policy_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the fields without identity that differ between two resolved specs."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    names = sorted(name for name in before.keys() | after.keys() if _declared(name) == "out")
    return tuple(
        Change(name, before.get(name), after.get(name), bears_identity=False)
        for name in names
        if before.get(name) != after.get(name)
    )


def _declared(name: str) -> Bearing | None:
    """Return what FIELDS says of `name` or the nearest section above it."""
    parts = name.split(".")
    ways = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((FIELDS[way] for way in ways if way in FIELDS), None)


def _bearing(tree: Mapping[str, Any], prefix: str = "", *, own: bool = False) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        bearing = FIELDS.get(name)
        if bearing is None and isinstance(value, dict):
            inner = _bearing(value, f"{name}.", own=own)
            kept.update({key: inner} if inner else {})
        elif bearing != "out" and (bearing != "digest" or own):
            # What a file says is kept as it is: its `null` undoes the value of a base.
            pruned = value if own or name == "overrides" else _prune(value)
            empty = pruned in ({}, []) or (pruned is None and not own)
            kept.update({} if empty else {key: pruned})
    return kept


def _prune(value: Any) -> Any:
    """Drop what is None or empty, at every depth."""
    if isinstance(value, dict):
        pruned = {key: _prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [_prune(item) for item in value]
    return value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
