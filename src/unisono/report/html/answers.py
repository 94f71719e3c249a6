"""One search as a page: the query and its results, to be seen and heard."""

from __future__ import annotations

from pathlib import Path

from unisono.datasets.base import dataset_of
from unisono.evaluation.answers import Answer, Hit, Ranking, direction, head
from unisono.io.files import replacing
from unisono.report.html.items import Shown
from unisono.report.html.markup import Markup, tag

#: Seconds of a sound that the page plays.
SOUND_S = 20.0
#: Nothing but what lies in the page itself.
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8888; padding: .4rem; text-align: left; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
tr.own { outline: 2px solid #009e73; outline-offset: -2px; }
img { background: #fff; height: auto; max-width: 100%; } audio { max-width: 100%; width: 16rem; }
.id { font-size: .85em; overflow-wrap: anywhere; } .scroll { overflow-x: auto; }
"""


def page(answer: Answer) -> str:
    """Write a search as HTML that needs no other file.

    Parameters
    ----------
    answer : Answer
        With media.

    Returns
    -------
    str
    """
    title = f"Search in {answer.dataset}: {answer.query}"
    body = tag(
        "body",
        tag("h1", title),
        tag("p", head(answer)),
        *(tag("p", note) for note in [*answer.notes, dataset_of(answer.dataset).remark] if note),
        tag("h2", f"Query ({answer.view})"),
        _media(answer.query_shown, answer.view, answer.sets),
        *(_ranking(answer, ranking) for ranking in answer.rankings),
    )
    meta = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
    ]
    return "<!doctype html>\n" + tag(
        "html", tag("head", *meta, tag("title", title), tag("style", Markup(STYLE))), body, lang="en"
    )


def write(answer: Answer, path: Path) -> None:
    """Write a search as a page.

    Parameters
    ----------
    answer : Answer
        With media.
    path : Path
        HTML file.

    Raises
    ------
    DataError
        It cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(page(answer), encoding="utf-8")


def _ranking(answer: Answer, ranking: Ranking) -> Markup:
    names = ("Rank", ranking.measured.capitalize(), "Item", ranking.target.capitalize())
    rows = [_hit(hit, answer.shown.get(hit.id), ranking, answer.sets) for hit in ranking.hits]
    table = tag(
        "table",
        tag("caption", f"The first {len(rows)} of {answer.n_items} items"),
        tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names))),
        tag("tbody", *rows),
    )
    return tag("section", tag("h2", direction(answer, ranking)), tag("div", table, class_="scroll"))


def _hit(hit: Hit, shown: Shown | None, ranking: Ranking, sets: dict[str, str]) -> Markup:
    own = tag("strong", f" ({ranking.mark})") if hit.own else None
    return tag(
        "tr",
        tag("td", hit.rank, class_="number"),
        tag("td", f"{hit.similarity:.3f}", class_="number"),
        tag("td", hit.about, own, tag("div", hit.id, class_="id")),
        tag("td", _media(shown, ranking.target, sets)),
        class_="own" if hit.own else None,
    )


def _media(shown: Shown | None, view: str, sets: dict[str, str]) -> Markup:
    """Show an item in a view; items have parts by view, or by feature set where a view has several looks."""
    parts = [] if shown is None else shown.parts.get(sets.get(view, view)) or shown.parts.get(view, [])
    if not parts:
        return tag("p", "nothing to see or hear")
    drawn = []
    for part in parts:
        if part["kind"] == "sound":
            drawn.append(tag("audio", controls=True, preload="metadata", src=part["src"], aria_label=part["alt"]))
        elif part["kind"] == "picture":
            drawn.append(tag("img", src=part["src"], alt=part["alt"], loading="lazy"))
        else:
            drawn.append(tag("p", part["text"]))
    return tag("div", *drawn)
