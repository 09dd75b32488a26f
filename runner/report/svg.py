"""Makes matplotlib's SVG small enough for a ledger in git: about a fifth, and the same picture.

matplotlib repeats every style at every element, wraps each in groups with ids, and writes positions
to a millionth of a point. Here equal styles become one class, empty groups go, and positions keep
one decimal (a tenth of a point, 1/720 inch).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONTS = re.compile(r"font-family: [^;]*")
_DROPPED = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}
_POSITIONS = {"d", "x", "y", "transform", "width", "height"}
_BASE = "*{stroke-linejoin:round}text{font-family:sans-serif}"

Element = ElementTree.Element


def compact(svg: str) -> str:
    """Return the same picture in fewer bytes."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(svg)  # noqa: S314
    used = _referenced(svg)
    styles: dict[str, str] = {}
    _reduce(root, used, styles)
    sheet = ElementTree.Element(f"{{{_SVG}}}style")
    sheet.text = _BASE + "".join(f".{name}{{{style}}}" for style, name in styles.items())
    root.insert(0, sheet)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _referenced(svg: str) -> set[str]:
    """Return the ids that some element refers to."""
    return set(re.findall(r'(?:url\(|xlink:href=")#(\w+)', svg))


def _reduce(element: Element, used: set[str], styles: dict[str, str]) -> None:
    """Reduce an element and all below it, in place."""
    for child in list(element):
        _reduce(child, used, styles)
    element[:] = [kept for child in element for kept in _unwrapped(child)]
    element.text = (element.text or "").strip() or None
    element.tail = None
    if element.get("id") not in used:
        element.attrib.pop("id", None)
    if element.get("transform", "").startswith("rotate(-0 "):
        element.attrib.pop("transform")
    for name in _POSITIONS.intersection(element.keys()):
        element.set(name, _round(element.attrib[name]))
    if "d" in element.attrib:
        element.set("d", _short_path(element.attrib["d"]))
    style = _short_style(element.attrib.pop("style", ""))
    if style:
        element.set("class", styles.setdefault(style, f"s{len(styles)}"))


def _unwrapped(child: Element) -> list[Element]:
    """Return what is to stand for a child: itself, nothing, or what a bare group holds."""
    if child.tag in _DROPPED or (child.tag == f"{{{_SVG}}}defs" and not len(child)):
        return []
    bare_group = child.tag == f"{{{_SVG}}}g" and not child.attrib
    return list(child) if bare_group else [child]


def _round(text: str) -> str:
    flat = " ".join(text.split())
    return _NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), flat)


def _short_path(path: str) -> str:
    """Return path data whose straight lines follow one another without naming each `L`."""
    straight = set(re.findall("[A-Za-z]", path)) <= set("MLz")
    return path.replace(" L ", " ") if straight else path


def _short_style(style: str) -> str:
    """Return a style without fonts, which the sheet gives to all text, and without spaces."""
    plain = _FONTS.sub("", style)
    return ";".join(part.strip().replace(": ", ":") for part in plain.split(";") if part.strip())
