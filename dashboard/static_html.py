"""Pieces of pages as plain HTML text, for documents that are read without the application.

Every text and attribute is escaped: much of it comes from chargers. Nothing that needs a script or the network is
written: icons, buttons and pickers are left out, links into the application become their text.
"""

from html import escape
from typing import Any, Final

from dash.development.base_component import Component

VOID: Final = frozenset({"br", "hr", "img", "meta", "input"})
LEFT_OUT: Final = frozenset({"Button", "Clipboard", "Store", "Interval", "Graph", "SegmentedControl", "Upload"})
_ATTRIBUTES: Final = {
    "className": "class",
    "id": "id",
    "title": "title",
    "colSpan": "colspan",
    "rowSpan": "rowspan",
    "scope": "scope",
    "lang": "lang",
}
_ICON: Final = "icon"


class Raw(str):
    """Markup that is written as it is; only for what this program drew itself."""


def static_html(piece: Any) -> str:
    """A component, a text, or a list of them as HTML."""
    if piece is None or isinstance(piece, bool):
        return ""
    if isinstance(piece, Raw):
        return str(piece)
    if isinstance(piece, list | tuple):
        return "".join(static_html(part) for part in piece)
    if not isinstance(piece, Component):
        return escape(str(piece))
    return _element(piece)


def _element(piece: Component) -> str:
    kind = type(piece).__name__
    properties: dict[str, Any] = piece.to_plotly_json()["props"]  # type: ignore[no-untyped-call]
    if kind in LEFT_OUT or _ICON in str(properties.get("className", "")).split() or properties.get("hidden"):
        return ""
    content = static_html(properties.get("children"))
    if kind == "Link":
        return f"<span>{content}</span>"
    tag = kind.lower()
    attributes = _attributes(properties)
    return f"<{tag}{attributes}>" if tag in VOID else f"<{tag}{attributes}>{content}</{tag}>"


def _attributes(properties: dict[str, Any]) -> str:
    parts = []
    for name, value in properties.items():
        if name == "style" and isinstance(value, dict):
            parts.append(f' style="{escape(_style(value))}"')
        elif name in _ATTRIBUTES and isinstance(value, str | int) and value != "":
            parts.append(f' {_ATTRIBUTES[name]}="{escape(str(value))}"')
        elif name.startswith(("aria-", "data-")) and isinstance(value, str):
            parts.append(f' {name}="{escape(value)}"')
    return "".join(parts)


def _style(style: dict[str, Any]) -> str:
    def dashed(name: str) -> str:
        return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)

    return ";".join(f"{dashed(name)}:{value}" for name, value in style.items())
