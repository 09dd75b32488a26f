"""Python files of a tree as syntax trees; what parses slowly or not at all is refused."""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
import warnings

MAX_BYTES = 2**20
MAX_DOTS = 200
"""Of one dotted name: CPython's parser joins those of an import in quadratic time."""

ENCODINGS = re.compile(r"utf-8|ascii|iso8859-\d+|cp125\d|koi8-[rtu]|gb.*|big5|euc_.*|shift_jis")
"""Those in which a dot is the byte of a dot: in utf-7 and its likes nothing could be counted."""

_SPACE = rb"[ \t\f\\\r\n]"
_WORD = rb"[\w\x80-\xff]"
_DOTTED = re.compile(rb"(?<!%b)%b++(?:%b*+\.%b*+%b++)++" % (_WORD, _WORD, _SPACE, _SPACE, _WORD))


def parsed(source: bytes) -> ast.Module:
    """Return the syntax tree; raises SyntaxError or ValueError for what is no Python, or too large.

    Warnings of the parser are off: turned into errors (`python -W error`) they would hide imports,
    and a run would have another identity.
    """
    if len(source) > MAX_BYTES:
        raise ValueError("larger than 1 MiB")
    if not ENCODINGS.fullmatch(_encoding(source)):
        raise ValueError("of an encoding that is not read here")
    if any(match[0].count(b".") > MAX_DOTS for match in _DOTTED.finditer(source)):
        raise ValueError(f"a name of more than {MAX_DOTS} parts")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (RecursionError, MemoryError):
            raise ValueError("nested too deep") from None


def _encoding(source: bytes) -> str:
    try:
        named, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:  # without the line that others have
        raise ValueError(error.msg) from None
    return codecs.lookup(named.removesuffix("-sig")).name
