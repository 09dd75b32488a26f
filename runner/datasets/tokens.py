"""Lengths of rows in tokens: by the model's tokenizer where it is at hand, else estimated.

The tokenizer is asked in a process of the training environment, which has `transformers`; this one
needs neither it nor the model's weights.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from runner.datasets.formats import Stage
from runner.datasets.lengths import CHARACTERS_PER_TOKEN
from runner.datasets.survey import text_length
from runner.errors import OutsideError
from runner.models.cache import fetched_revision, snapshot
from runner.spec.experiment import Model

PROGRAM = Path(__file__).parent.parent / "node" / "inside" / "rollbook_tokens.py"
TEMPLATE_TOKENS = 4
"""What a chat template adds to a message, about: role and two marks."""


class Length(NamedTuple):
    """How long a row is."""

    tokens: int
    refusal: str = ""
    """Why the chat template refuses the row; then there are no tokens."""


class Counter(Protocol):
    """Counts the tokens of rows in their layout (see `layout.py`)."""

    name: str
    """What counts, for people."""
    is_exact: bool

    def count(self, rows: Sequence[dict[str, Any]], stage: Stage) -> list[Length]:
        """Return the length of what is limited in each of `rows`."""


class Estimate:
    """Characters over a constant."""

    is_exact = False

    def __init__(self, why: str) -> None:
        """Say `why` nothing better is at hand."""
        self.name = f"estimated as characters / {CHARACTERS_PER_TOKEN}: {why}"

    def count(self, rows: Sequence[dict[str, Any]], stage: Stage) -> list[Length]:
        """Return the estimated length of each row."""
        return [_longest(map(_estimated, conversations(row, stage))) for row in rows]


class Tokenizer:
    """A model's tokenizer, in a process of the training environment; a context manager."""

    is_exact = True

    def __init__(self, python: str, folder: Path, name: str) -> None:
        """Start counting with the tokenizer in `folder`; `name` is the model's."""
        self.name = f"counted by the tokenizer of {name}"
        self._process = subprocess.Popen(
            [python, str(PROGRAM), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def __enter__(self) -> Tokenizer:
        return self

    def __exit__(self, *failure: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):  # what was not sent is of no use any more
                    stream.close()

    def count(self, rows: Sequence[dict[str, Any]], stage: Stage) -> list[Length]:
        """Return the length of each row; raises OutsideError when the process has ended."""
        return [
            _longest(self._ask(messages, row, stage) for messages in conversations(row, stage))
            for row in rows
        ]

    def works(self) -> bool:
        """Whether it answers: the environment has `transformers`, and that knows the tokenizer."""
        try:
            return not self._ask([{"role": "user", "content": "1"}], {}, "rl").refusal
        except OutsideError:
            return False

    def _ask(self, messages: list[Any], row: dict[str, Any], stage: Stage) -> Length:
        request = {"messages": messages, "tools": row.get("tools"), "generation": stage == "rl"}
        if not self._process.stdin or not self._process.stdout:
            raise ValueError("the process has pipes")
        try:
            self._process.stdin.write(json.dumps(request, default=str) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise OutsideError("the tokenizer's process has ended") from error
        return Length(answer.get("tokens", 0), answer.get("error", ""))


def _longest(lengths: Iterable[Length]) -> Length:
    return max(lengths, key=lambda length: (bool(length.refusal), length.tokens))


def conversations(row: dict[str, Any], stage: Stage) -> list[list[Any]]:
    """Return the conversations of a row, in its layout, whose length is limited."""
    if stage == "sft":
        return [row["messages"]]
    if stage == "rl":
        return [row["prompt"]]
    return [row["prompt"] + row["chosen"], row["prompt"] + row["rejected"]]


def tokenizer_folder(root: Path, model: Model) -> Path | None:
    """Return the folder with the tokenizer of `model`; None where it is not on this machine."""
    if model.source in ("dvc", "path"):
        folders = [root / model.path]
    elif model.source == "huggingface":
        revision = model.revision or fetched_revision(model.path)
        folders = [snapshot(model.path, revision)] if revision else []
    else:
        folders = []
    names = ("tokenizer.json", "tokenizer_config.json")
    return next((one for one in folders if any((one / name).is_file() for name in names)), None)


def _estimated(messages: Sequence[Any]) -> Length:
    characters = sum(text_length(message.get("content")) for message in messages)
    return Length(round(characters / CHARACTERS_PER_TOKEN) + TEMPLATE_TOKENS * len(messages))
