"""Pages in a terminal, from the same parts as the Markdown on the ledger."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from runner.report.page import (
    Address,
    Block,
    Code,
    Difference,
    Folded,
    Heading,
    Image,
    Inline,
    Items,
    Line,
    Link,
    Log,
    Mention,
    Page,
    Paragraph,
    Rendered,
    Small,
    Strong,
    Table,
    Unbroken,
)


def to_terminal(page: Page) -> RenderableType:
    """Return a page for rich: pictures are left out, what is folded comes last, unfolded."""
    shown = [block for block in page.blocks if not isinstance(block, Image)]
    return Group(*(Padding(_block(block), (0, 0, 1, 0)) for block in shown))


def print_page(page: Page, console: Console) -> None:
    """Print a page."""
    console.print(to_terminal(page))


def show_page(page: Page) -> None:
    """Print a page to standard output, with colours where a person reads it."""
    print_page(page, Console())


def _block(block: Block) -> RenderableType:
    match block:
        case Heading():
            return _line(block.line, "bold")
        case Paragraph():
            return Text("\n").join(_line(line) for line in block.lines)
        case Table():
            return _table(block)
        case Image():
            return Text(block.path, "dim")
        case Log():
            return Padding(Text("\n".join(map(_plain, block.lines)), "red"), (0, 0, 0, 2))
        case Folded():
            inner = [Padding(_block(one), (1, 0, 0, 2)) for one in block.blocks]
            return Group(Text(block.summary, "bold"), *inner)
        case _:
            return _comment_block(block)


def _comment_block(block: Items | Difference | Small | Rendered) -> Text:
    match block:
        case Items():
            return Text("\n").join(Text("• ").append_text(_line(line)) for line in block.lines)
        case Difference():
            return _difference(block)
        case Small():
            return _line(block.line, "dim")
        case Rendered():
            return Text(_plain_lines(block.markdown))


def _difference(block: Difference) -> Text:
    before = Text(f"-{_plain(block.before)}\n" if block.before else "", "red")
    return before.append(f"+{_plain(block.after)}", "green")


def _table(table: Table) -> RichTable:
    shown = RichTable(
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
        header_style="dim",
    )
    for index, name in enumerate(table.header):
        numeric = all(_is_number(row[index]) for row in table.rows)
        shown.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(_line(cell) for cell in row))
    return shown


def _is_number(line: Line) -> bool:
    """Whether a cell may stand in a column of numbers: it is one, or empty."""
    text = "".join(part if isinstance(part, str) else "x" for part in line)
    return not text or text[0] in "+-0123456789"


def _line(line: Line, style: str = "") -> Text:
    text = Text(style=style)
    for part in line:
        text.append_text(_inline(part))
    return text


def _inline(part: Inline) -> Text:
    match part:
        case Code():
            return Text(_plain(part.text), "cyan")
        case Strong():
            return Text(_plain(part.text), "bold")
        case Link() | Address():
            return Text(_plain(part.label), "cyan")
        case Mention():
            return Text(_plain(part.login))
        case Unbroken():
            return Text(_plain(part.text))
        case str():
            return Text(_plain(part))


def _plain_lines(text: str) -> str:
    return "\n".join(map(_plain, text.split("\n")))


def _plain(text: str) -> str:
    """Return text without the control characters by which a log could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\t" else " " for c in text)
