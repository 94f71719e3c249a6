"""HTML that cannot be broken by what it shows."""

from __future__ import annotations

import html
import json
from typing import Any

_VOID = {"br", "hr", "img", "input", "link", "meta"}


class Markup(str):
    """Text that is HTML already; every other string is escaped."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Write an element.

    Parameters
    ----------
    name : str
        ``"td"``.
    *children : object
        `Markup` as it is, None not at all, everything else as escaped text.
    **attributes : object
        ``class_="wide"``, ``aria_label="..."``. True stands as a bare name, None and False not at all.

    Returns
    -------
    Markup

    Examples
    --------
    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    written = "".join(
        f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'
        for key, value in pairs
        if value is not None and value is not False
    )
    opening = f"<{name}{written}>"
    return Markup(opening if name in _VOID else f"{opening}{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Write pieces one after the other, escaped where they are not `Markup`."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else html.escape(str(child)) for child in children if child is not None
        )
    )


def to_json(content: Any) -> Markup:
    """Write data for a ``<script type="application/json">``, which no text in it can end."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def missing(what: str, remedy: str) -> Markup:
    """Say in its place that something is not there, and how to get it."""
    return tag("p", tag("strong", "Missing: "), f"{what}. {remedy}", class_="missing", role="note")
