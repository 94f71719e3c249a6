"""Markdown that the pipeline has written, as HTML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisono.report.html.markup import Markup, tag

_TABLE = '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table class="sortable">'


def render(text: str, *, pictures: Mapping[str, Markup] | None = None, shift: int = 1) -> Markup:
    """Render Markdown.

    Parameters
    ----------
    text : str
        HTML in it is shown as text.
    pictures : mapping of str to Markup, optional
        What stands for a picture, by its file name; others are named.
    shift : int
        Added to the level of every heading.

    Returns
    -------
    Markup
        Tables lie in ``div.scroll`` and can be sorted; links that lead into the project are their text alone.
    """
    from markdown_it import MarkdownIt

    shown = pictures or {}
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")

    def picture(_self: Any, tokens: Any, at: int, _options: Any, _env: Any) -> str:
        source, alt = str(tokens[at].attrs.get("src", "")), str(tokens[at].content)
        return shown.get(Path(source).name) or tag("em", f"[picture: {alt}, {source}]")

    def link(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
        target = str(tokens[at].attrs.get("href", ""))
        if not target.startswith(("https://", "http://")):
            tokens[at].tag, tokens[at].attrs = "span", {}
            _closing(tokens, at).tag = "span"
        return str(self.renderToken(tokens, at, options, env))

    reader.add_render_rule("image", picture)
    reader.add_render_rule("link_open", link)
    reader.add_render_rule("table_open", lambda *_: _TABLE)
    reader.add_render_rule("table_close", lambda *_: "</table></div>")
    tokens = reader.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + shift, 6)}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
        # Alignment as a class: the page's policy forbids style attributes.
        if token.type in ("th_open", "td_open") and "right" in str(token.attrs.pop("style", "")):
            token.attrSet("class", "number")
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def title(text: str) -> str:
    """Return the first heading of a Markdown text, or nothing."""
    return next((line[2:].strip() for line in text.splitlines() if line.startswith("# ")), "")


def body(text: str) -> str:
    """Return a Markdown text without its first heading."""
    lines = text.splitlines()
    return "\n".join(lines[1:] if lines and lines[0].startswith("# ") else lines).strip()


def _closing(tokens: Any, at: int) -> Any:
    """Find the end of a link; links do not nest."""
    return next(token for token in tokens[at:] if token.type == "link_close")
