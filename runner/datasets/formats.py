"""The formats of datasets that each stage of training accepts.

A format says in which columns the contents of a row are. `data.columns` of a spec moves a content
to another column; what is found is a format with the columns that the dataset really has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from runner.datasets.kinds import FLAG, LIST, MESSAGES, NUMBER, OBJECT, TEXT, holds
from runner.spec.experiment import Column

Stage = Literal["sft", "rl", "preference"]
Content = Column
"""What a column of a dataset can hold."""


class Format(NamedTuple):
    """Where the contents of a row are."""

    stage: Stage
    columns: dict[Content, str]
    """The column of each content that a row must have."""
    optional: dict[Content, str]
    """The column of each content that is read where it is there."""

    @property
    def name(self) -> str:
        """The columns, as people call the format."""
        return " + ".join(self.columns.values())

    def column(self, content: Content) -> str | None:
        """Return the column of `content`; None where this format has none."""
        return self.columns.get(content) or self.optional.get(content)


class Unknown(NamedTuple):
    """Why a dataset has no format of its stage."""

    message: str
    cure: str
    column: str = ""
    """The content of `data.columns` at fault; empty where it is the dataset."""


_TOOLS: dict[Content, str] = {"tools": "tools"}
_SOURCE: dict[Content, str] = {"data_source": "data_source"}

FORMATS: tuple[Format, ...] = (
    Format("sft", {"messages": "messages"}, _TOOLS),
    Format("sft", {"prompt": "prompt", "response": "response"}, _TOOLS),
    Format("sft", {"prompt": "prompt", "response": "completion"}, _TOOLS),  # TRL's name
    Format("sft", {"prompt": "question", "response": "answer"}, _TOOLS),
    Format("rl", {"prompt": "prompt", "ground_truth": "reward_model.ground_truth"}, _SOURCE),
    # SkyRL's name:
    Format("rl", {"prompt": "prompt", "ground_truth": "reward_spec.ground_truth"}, _SOURCE),
    Format("rl", {"prompt": "prompt", "ground_truth": "ground_truth"}, _SOURCE),
    Format("preference", {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}, _TOOLS),
    Format("preference", {"chosen": "chosen", "rejected": "rejected"}, _TOOLS),
)
"""All of them, per stage in the order in which they are looked for."""

KINDS: dict[Content, tuple[str, ...]] = {
    "messages": (MESSAGES,),
    "prompt": (MESSAGES, TEXT),
    "response": (TEXT, MESSAGES),
    "ground_truth": (TEXT, NUMBER, FLAG, LIST, OBJECT),  # the reward function knows what it wants
    "data_source": (TEXT,),
    "chosen": (TEXT, MESSAGES),
    "rejected": (TEXT, MESSAGES),
    "tools": (LIST, TEXT),  # schemas, or their JSON
}
"""What a column of each content holds."""

OFTEN: dict[Content, tuple[str, ...]] = {
    "messages": ("conversations", "conversation", "chat", "dialogue"),
    "prompt": ("question", "problem", "instruction", "query", "input"),
    "response": ("answer", "solution", "output", "completion", "target"),
    "ground_truth": ("answer", "solution", "target", "label", "final_answer"),
    "chosen": ("preferred", "accepted", "winner"),
    "rejected": ("dispreferred", "loser"),
}
"""What columns are called that often hold a content: for suggestions, never taken for granted."""


def recognise(
    columns: Mapping[str, str], stage: Stage, mapping: Mapping[Content, str]
) -> Format | Unknown:
    """Return the format of a dataset for `stage`, or why it has none.

    `columns` says what each column holds (see `kinds`); `mapping` is the spec's `data.columns`.
    """
    candidates = list(_mapped(stage, mapping))
    if fault := _misread(columns, stage, mapping, candidates):
        return fault
    for candidate in candidates:
        if not _lacking(candidate, columns):
            return candidate
    return _explain(columns, candidates)


def of_any_stage(columns: Mapping[str, str]) -> tuple[Format, ...]:
    """Return the formats that a dataset has without a mapping, one per stage."""
    found = (recognise(columns, stage, {}) for stage in ("sft", "rl", "preference"))
    return tuple(one for one in found if isinstance(one, Format))


def _mapped(stage: Stage, mapping: Mapping[Content, str]) -> Iterator[Format]:
    """Yield the formats of `stage` that have the mapped contents, in the mapped columns."""
    for one in FORMATS:
        needed = set(mapping) - set(one.optional)
        if one.stage == stage and needed <= set(one.columns):
            columns = {content: mapping.get(content, at) for content, at in one.columns.items()}
            optional = {content: mapping.get(content, at) for content, at in one.optional.items()}
            yield Format(stage, columns, optional)


def _misread(
    columns: Mapping[str, str], stage: Stage, mapping: Mapping[Content, str], found: list[Format]
) -> Unknown | None:
    """Return what is wrong with the mapping itself."""
    ours = [one for one in FORMATS if one.stage == stage]
    known = {content for one in ours for content in (*one.columns, *one.optional)}
    for content, column in mapping.items():
        if content not in known:
            read = ", ".join(sorted(known))
            return Unknown(f"`{content}` is not read here; {read} are", "delete it", content)
        if column not in columns:
            message = f"there is no column `{column}`; there are {', '.join(columns)}"
            return Unknown(message, "write one of them", content)
    if not found:
        return Unknown(f"no format has {' and '.join(mapping)} together", "map fewer of them")
    return None


def _lacking(candidate: Format, columns: Mapping[str, str]) -> list[Content]:
    """Return the contents whose columns are not there, or hold something else."""
    return [
        content
        for content, column in candidate.columns.items()
        if column not in columns or not holds(columns[column], *KINDS[content])
    ]


def _explain(columns: Mapping[str, str], candidates: list[Format]) -> Unknown:
    nearest = min(candidates, key=lambda one: len(_lacking(one, columns)))
    lacking = _lacking(nearest, columns)
    wrong = [at for content in lacking if (at := nearest.columns[content]) in columns]
    top = [name for name in columns if "." not in name]
    if wrong:
        wanted = " or ".join(KINDS[lacking[0]])
        message = f"the column `{wrong[0]}` holds {columns[wrong[0]]}, not {wanted}"
        return Unknown(message, "correct the data, or name another column in data.columns")
    accepted = ", or ".join(dict.fromkeys(one.name for one in candidates))
    message = f"has the columns {', '.join(top) or 'none'}; needed are {accepted}"
    return Unknown(message, _suggestion(columns, candidates))


def _suggestion(columns: Mapping[str, str], candidates: list[Format]) -> str:
    """Return the mapping that would do, guessed from the columns' names."""
    for one in candidates:
        guess: dict[str, str] = {}
        for content in _lacking(one, columns):
            likely = (name for name in OFTEN.get(content, ()) if name not in guess.values()
                      and holds(columns.get(name, ""), *KINDS[content]))  # fmt: skip
            if name := next(likely, None):
                guess[content] = name
        if guess and len(guess) == len(_lacking(one, columns)):
            told = ", ".join(f"{content}: {name}" for content, name in guess.items())
            return f"add data.columns: {{{told}}}, if that is what they hold"
    return "say which columns hold them: data.columns: {<content>: <column>}"
