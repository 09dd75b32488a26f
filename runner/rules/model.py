"""Rules on the model that training starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.findings import Finding
from runner.models import table
from runner.models.facts import HUBS
from runner.rules.base import Subject
from runner.rules.raw import raw_keys
from runner.spec.check import LoadedExperiment
from runner.spec.experiment import Model

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LONGER = ("max_position_embeddings", "rope_scaling", "rope_parameters")
"""Last parts of overrides that give a model another context."""


def pinned(subject: Subject) -> Iterator[Finding]:
    """A model of a hub is pinned to a commit: its main branch can move."""
    model = subject.spec.model
    if model is None or model.source not in HUBS:
        return
    cure = f"runner pin {subject.name}   writes its newest commit"
    if model.revision is None:
        message = f"`{model.path}` has no revision: another day may train other weights"
        yield subject.at(("model", "path"), message, cure)
    elif model.source == "huggingface" and not _COMMIT.fullmatch(model.revision):
        message = f"`{model.revision}` is a branch or tag of `{model.path}`, which can move"
        yield subject.at(("model", "revision"), message, cure)


def gated(subject: Subject) -> Iterator[Finding]:
    """A model behind a licence comes with HF_TOKEN among the secrets."""
    model = subject.spec.model
    if model is None or model.source != "huggingface" or "HF_TOKEN" in subject.spec.secrets:
        return
    if table.is_gated(model.path):
        message = f"`{model.path}` is handed out only to who has accepted its licence"
        cure = "accept it on its page, and add `secrets: [HF_TOKEN]`"
        yield subject.at(("model", "path"), message, cure)


def context(subject: Subject) -> Iterator[Finding]:
    """The longest prompt and answer together fit into the model's context."""
    data, facts = subject.spec.data, subject.context.models.find(subject.spec.model)
    if data is None or facts is None:
        return
    limit = facts.architecture.context
    prompt, response = data.max_prompt_tokens, data.max_response_tokens
    if prompt + response <= limit or _has_longer_context(subject):
        return
    message = f"{prompt} + {response} = {prompt + response} tokens, and the context of "
    message += f"`{facts.name}` is {limit} (from {facts.source})"
    cure = f"write max_response_tokens: {limit - prompt}" if prompt < limit else "shorten both"
    yield subject.at(("data", "max_response_tokens"), message, cure)


def heads(subject: Subject) -> Iterator[Finding]:
    """The GPUs of an engine, and of a shared sequence, divide the model's attention heads.

    vLLM (config: attention heads divisible by the tensor parallel size); verl
    models/transformers/monkey_patch.py for sequences.
    """
    facts, spec = subject.context.models.find(subject.spec.model), subject.spec
    if facts is None or spec.pin.name == "script" or spec.algorithm is None:
        return
    count = facts.architecture.heads
    engine = spec.rollout.tensor_parallel if spec.algorithm.terms().stage == "rl" else 1
    together = spec.training.sequence_parallel or 1
    for path, parts in (
        (("rollout", "tensor_parallel"), engine),
        (("training", "sequence_parallel"), together),
    ):
        if count % parts:
            message = f"the {count} attention heads of `{facts.name}` do not divide over {parts}"
            fitting = [one for one in (1, 2, 4, 7, 8, 16) if count % one == 0 and one <= parts]
            cure = f"write {path[1]}: {' or '.join(str(one) for one in fitting[-2:])}"
            yield subject.at(path, message, cure)


def source(subject: Subject) -> Iterator[Finding]:
    """A model that is another experiment's run names one run of a valid experiment."""
    model = subject.spec.model
    if model is None or model.source != "run" or "@" in model.path:
        return
    circle = _circle(subject, model)
    upstream = subject.context.models.experiment(model.path)
    if circle:
        message = f"`model` goes in a circle: {circle}"
        cure = f"pin one: path: {model.path}@<run id>   starts from that run, whatever follows"
    elif upstream is None:
        message = f"`model` starts from `{model.path}`, which is no valid experiment here"
        near = subject.context.models.meant(model.path)
        mend = f"did you mean `{near}`? Else" if near else f"mend experiments/{model.path}.yaml, or"
        cure = f"{mend} pin a run: path: {model.path}@<run id>"
    else:
        found = _ambiguous(upstream, subject)
        if found is None:
            return
        seed, count = found
        message = f"`model` starts from `{model.path}`, which has {count} runs with seed {seed}"
        cure = f"name one: path: {model.path}@<run id>"
    yield subject.at(("model", "path"), message, cure)


def _ambiguous(upstream: LoadedExperiment, subject: Subject) -> tuple[int, int] | None:
    """Return a seed of which the upstream has not one run, and how many it has."""
    if len(upstream.runs) == 1:
        return None
    seeds = [run.seed for run in upstream.runs]
    counts = ((seed, seeds.count(seed)) for seed in subject.spec.seeds)
    return next((found for found in counts if found[1] != 1), None)


def _circle(subject: Subject, model: Model) -> str:
    """Return `a -> b -> a` when following the models comes back; empty when it ends."""
    chain = [subject.name]
    following: Model | None = model
    while following and following.source == "run" and "@" not in following.path:
        if following.path in chain:
            return " -> ".join((*chain, following.path))
        chain.append(following.path)
        upstream = subject.context.models.experiment(following.path)
        following = upstream.experiment.model if upstream else None
    return ""


def _has_longer_context(subject: Subject) -> bool:
    return any(key.rpartition(".")[2] in _LONGER for key in raw_keys(subject.spec))
