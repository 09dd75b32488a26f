"""Pages as GitHub-flavoured Markdown, with everything from a spec or a log made harmless."""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import quote

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

_BREAK = "\N{ZERO WIDTH SPACE}"
_MARKUP = re.compile(r"([\\`*\[\]~|$^])")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_REFERENCE = re.compile(r"([@#])(?=\w)|(\bGH-)(?=\d)|(:)(?=//)|(\bwww)(?=\.)", re.I)
_BLOCK_START = re.compile(r"^(?:[-+](?=\s|$)|[=#>]|-(?=-)|(\d+)(?=[.)](?:\s|$)))")
_LOGIN = re.compile(r"[A-Za-z0-9-]{1,39}")
_BARE_BAR = re.compile(r"(?<!\\)\|")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;"})


def escape(text: str) -> str:
    """Return `text` as Markdown that shows it literally, on one line.

    No HTML, emphasis, link, image, code, table cell, formula or footnote comes of it; nobody is
    mentioned and nothing is referred to: behind `@`, `#`, `GH-`, `:` of `://` and `www` stands a
    zero-width space, since a site looks for those after Markdown's own escapes are undone.
    """
    flat = _MARKUP.sub(r"\\\1", _flat(text))
    flat = _UNDERSCORE.sub(r"\\_", flat).translate(_ENTITIES)
    flat = _escape_block_start(flat)
    return _REFERENCE.sub(lambda match: match[0] + _BREAK, flat)


def _flat(text: str) -> str:
    """Return text on one line, without control characters and marks that reverse its direction."""
    visible = text if text.isprintable() else "".join(map(_visible, text))
    return " ".join(visible.split())


def _visible(character: str) -> str:
    if character in "\n\r\t\v\f\x85\u2028\u2029":
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character


def _escape_block_start(text: str) -> str:
    """Keep a text that begins a line from becoming a list, quote, rule or heading."""
    start = _BLOCK_START.match(text)
    if not start:
        return text
    head = f"{start[1]}\\" if start[1] else f"\\{start[0]}"
    return head + text[start.end() :]


def code(text: str) -> str:
    """Return `text` as a code span that no backtick in it can end, on one line."""
    flat = _flat(text)
    if not flat:
        return ""
    fence = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def code_block(lines: tuple[str, ...], language: str = "text") -> str:
    """Return lines as a fenced block that no line in it can end."""
    shown = ["".join(c for c in line if c == "\t" or _visible(c) == c) for line in lines]
    fence = "`" * max(3, max(map(_longest_run, shown), default=0) + 1)
    return "\n".join([f"{fence}{language}", *shown, fence])


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def to_markdown(page: Page) -> str:
    """Return a page as Markdown text, ending in a newline."""
    return "\n\n".join(_block(block) for block in page.blocks) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_line(block.line)}"
        case Paragraph():
            return "  \n".join(_line(line) for line in block.lines)
        case Table():
            return _table(block)
        case Image():
            return f"![{escape(block.alt)}]({_target(block.path)})"
        case Log():
            return code_block(block.lines)
        case Folded():
            inner = "\n\n".join(_block(one) for one in block.blocks)
            return f"<details><summary>{_summary(block.summary)}</summary>\n\n{inner}\n\n</details>"
        case _:
            return _comment_block(block)


def _comment_block(block: Items | Difference | Small | Rendered) -> str:
    match block:
        case Items():
            return "\n".join(f"- {_line(line)}" for line in block.lines)
        case Difference():
            return _difference(block)
        case Small():
            return f"<sub>{_line(block.line)}</sub>"
        case Rendered():
            return block.markdown


def _difference(block: Difference) -> str:
    before = (f"-{_flat_line(block.before)}",) if block.before else ()
    return code_block((*before, f"+{_flat_line(block.after)}"), "diff")


def _flat_line(text: str) -> str:
    """Return text on one line, with the spaces that it begins with."""
    indent = len(text) - len(text.lstrip(" "))
    return " " * indent + _flat(text)


def _summary(text: str) -> str:
    """Return text inside a line of HTML, where Markdown's backslashes would be shown."""
    return _REFERENCE.sub(lambda match: match[0] + _BREAK, html.escape(_flat(text), quote=False))


def _table(table: Table) -> str:
    rows = [
        _row(tuple(escape(name) for name in table.header)),
        "|" + "---|" * len(table.header),
        *(_row(tuple(_line(cell) for cell in row)) for row in table.rows),
    ]
    return "\n".join(rows)


def _row(texts: tuple[str, ...]) -> str:
    """Join cells; a bar in a code span needs a backslash in a table, and only there."""
    return "| " + " | ".join(_BARE_BAR.sub(r"\\|", text) for text in texts) + " |"


def _line(line: Line) -> str:
    return "".join(_inline(part) for part in line)


def _inline(part: Inline) -> str:
    match part:
        case Code():
            return code(part.text)
        case Unbroken():
            return escape(part.text).replace(" ", "&nbsp;").replace("–", "–&#8288;")
        case Strong():
            return f"**{escape(part.text)}**"
        case Link():
            return f"[{escape(part.label)}]({_target(part.target)})"
        case Address():
            return _address(part)
        case Mention():
            return f"@{part.login}" if _LOGIN.fullmatch(part.login) else escape(part.login)
        case str():
            return _spaced(part)


def _spaced(text: str) -> str:
    """Escape text and keep one space at its ends, which may border on other parts of the line."""
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() and text.strip() else ""
    return before + escape(text) + after


def _address(part: Address) -> str:
    """Return a link to a site; where there is no address of one, its label alone."""
    if not part.url.startswith(("https://", "http://")):
        return escape(part.label)
    return f"[{escape(part.label)}]({_target(part.url)})"


def _target(path: str) -> str:
    """Return a path or address as it may stand in a link."""
    is_address = path.startswith(("https://", "http://"))
    return quote(path, safe="/.-_~#:?=&%" if is_address else "/.-_~#")
