"""What a page is made of, before it becomes Markdown on the ledger or text in a terminal.

Plain `str` inside a page is text of unknown origin (a spec, a log): every renderer escapes it.
Markup exists only as the values below, so nothing that a spec says can become markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Code:
    """A name, command or digest, set in a fixed width."""

    text: str


@dataclass(frozen=True)
class Unbroken:
    """A few words that stay on one line, such as a number with its unit in a narrow column."""

    text: str


@dataclass(frozen=True)
class Strong:
    """What a reader should see first."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link to another page of the ledger, relative to this page."""

    label: str
    target: str


@dataclass(frozen=True)
class Address:
    """A link to another site, such as a line of a file on the forge; empty addresses link nowhere.

    The address is one that we have made, never a spec's.
    """

    label: str
    url: str


@dataclass(frozen=True)
class Mention:
    """A person of the forge who is told of it; what cannot be a login is shown as text."""

    login: str


Inline: TypeAlias = str | Code | Unbroken | Strong | Link | Address | Mention
Line: TypeAlias = tuple[Inline, ...]
"""Inline parts that follow one another."""


@dataclass(frozen=True)
class Heading:
    """The page's title (level 1) or a section's."""

    line: Line
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """Lines of text; each begins a new line."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells below a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True)
class Image:
    """A picture beside the page, or at an address that we have made."""

    alt: str
    path: str


@dataclass(frozen=True)
class Log:
    """Lines as a program wrote them."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Items:
    """A list; an entry a line."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Difference:
    """A line of a file as it is, and as it should be; `before` is empty where it is not known."""

    before: str
    after: str


@dataclass(frozen=True)
class Small:
    """What hardly anybody needs, in small letters."""

    line: Line


@dataclass(frozen=True)
class Rendered:
    """A part of a page that was rendered before, as Markdown; from us, never from a spec."""

    markdown: str


@dataclass(frozen=True)
class Folded:
    """What is there for whoever opens it."""

    summary: str
    blocks: tuple[Block, ...]


Block: TypeAlias = (
    Heading | Paragraph | Table | Image | Log | Items | Difference | Small | Rendered | Folded
)


@dataclass(frozen=True)
class Page:
    """A page, top to bottom."""

    blocks: tuple[Block, ...]


def paragraph(*parts: Inline) -> Paragraph:
    """Return a paragraph of one line."""
    return Paragraph((parts,))


def cells(*parts: Inline) -> tuple[Line, ...]:
    """Return a table's row of one part per cell."""
    return tuple((part,) for part in parts)


def compact_table(header: tuple[str, ...], rows: tuple[tuple[Line, ...], ...]) -> Table:
    """Return a table without the columns that are empty in every row: unknown is left out."""
    used = [
        column
        for column in range(len(header))
        if any(row[column] not in ((), ("",)) for row in rows)
    ]
    return Table(
        tuple(header[column] for column in used),
        tuple(tuple(row[column] for column in used) for row in rows),
    )
