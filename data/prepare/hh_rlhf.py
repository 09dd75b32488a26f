"""HH-RLHF, the part `helpful-base`: 43,835 + 2,354 comparisons (Bai et al., arXiv:2204.05862).

Writes data/hh-rlhf/preference.{train,val}.jsonl; the hub's test split is `val`. Each comparison is
two transcripts that differ in the last answer, the preferred one first.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from hub import load
from rows import Row, message, write_rows

SOURCE = "Anthropic/hh-rlhf"
REVISION = "09be8c5bbc57cb3887f3a9732ad6aa7ec602a1fa"
FOLDER = Path("data/hh-rlhf")
ROLES = {"Human": "user", "Assistant": "assistant"}
TURN = re.compile(r"\n\n(Human|Assistant):")


def main() -> None:
    """Download and write, relative to the current folder."""
    for split, hub_split in {"train": "train", "val": "test"}.items():
        write_rows(FOLDER / f"preference.{split}.jsonl", preference_rows(hub_split))


def preference_rows(hub_split: str) -> Iterator[Row]:
    """Comparisons of two different, non-empty answers to one and the same conversation."""
    for pair in load(SOURCE, REVISION, hub_split, folder="helpful-base"):
        *prompt, chosen = conversation(pair["chosen"])
        *other_prompt, rejected = conversation(pair["rejected"])
        answers = (chosen["content"], rejected["content"])
        if prompt == other_prompt and all(answers) and answers[0] != answers[1]:
            yield {"prompt": prompt, "chosen": [chosen], "rejected": [rejected]}


def conversation(transcript: str) -> list[Row]:
    """The messages of a transcript, whose turns begin with "Human:" or "Assistant:"."""
    _, *parts = TURN.split(transcript)
    turns = zip(parts[::2], parts[1::2], strict=True)
    return [message(ROLES[speaker], text.strip()) for speaker, text in turns]


if __name__ == "__main__":
    main()
