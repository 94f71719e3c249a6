"""The page: everything that was run, in one file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.io.files import replacing
from unisono.report import index, layouts
from unisono.report.html import charts, figures, gallery, overview, prose, result_tables
from unisono.report.html.markup import Markup, join, missing, tag, to_json
from unisono.store.results import Run

TEMPLATES = Path(__file__).with_name("templates")
SUBTITLE = "Cross-modal music retrieval: every table and figure of the dissertation, from this run."


@dataclass(frozen=True)
class Inputs:
    """Where the report finds what it shows, made by earlier stages.

    Attributes
    ----------
    experiments : Path
        Results by experiment.
    tables, figures, plots, cards : Path
        Tables, drawn figures, curves as tables, data cards.
    data : Path
        Holds the built data sets.
    """

    experiments: Path
    tables: Path
    figures: Path
    plots: Path
    cards: Path
    data: Path


def write(experiments: Mapping[str, Experiment], looks: Report, inputs: Inputs, out: Path) -> None:
    """Write the report as one HTML file that needs nothing else.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml.
    inputs : Inputs
        What is missing there is said to be missing, in its place.
    out : Path

    Raises
    ------
    DataError
        `out` cannot be written.
    """
    found = gallery.collect(experiments, looks, inputs.experiments, inputs.data)
    text = to_html(experiments, looks, inputs, found)
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_html(
    experiments: Mapping[str, Experiment], looks: Report, inputs: Inputs, found: Mapping[str, gallery.Gallery]
) -> str:
    """Write the page.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
    looks : unisono.config.report.Report
    inputs : Inputs
    found : mapping of str to unisono.report.html.gallery.Gallery
        By data set; none at all makes a page that says so.

    Returns
    -------
    str
    """
    drawn = charts.collect(inputs.plots, inputs.tables)
    seen = overview.collect(experiments, looks, inputs.experiments, inputs.data)
    sections = [
        ("run", "What was run", "", _run(seen), []),
        ("tables", "Tables", _TABLES_INTRODUCTION, None, list(_tables(looks, inputs.tables))),
        ("figures", "Figures", _FIGURES_INTRODUCTION, None, [
            (name, f"{called}: {title}", figures.section(name, inputs.figures, drawn))
            for name, (called, title) in figures.titles().items()
        ]),
        ("data", "Data cards", "", None, list(_cards(seen, inputs))),
        ("gallery", "Gallery", _GALLERY_INTRODUCTION, _gallery(found), []),
    ]  # fmt: skip
    contents = tag("ul", *(
        tag("li", tag("a", title, href=f"#{name}"),
            tag("ul", *(tag("li", tag("a", head, href=f"#{key}")) for key, head, _ in parts)) if parts else None)
        for name, title, _, _, parts in sections
    ))  # fmt: skip
    main = [
        tag(
            "section",
            tag("h2", title, id=f"{name}-title"),
            introduction,
            content,
            *(tag("section", tag("h3", head), inner, id=key) for key, head, inner in parts),
            id=name,
            aria_labelledby=f"{name}-title",
        )
        for name, title, introduction, content, parts in sections
    ]
    style, script = ((TEMPLATES / f"report.{end}").read_text(encoding="utf-8") for end in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "unisono: report"),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#main", class_="skip"),
        tag(
            "header",
            tag("div", tag("h1", "unisono: report"), tag("p", SUBTITLE)),
            tag("button", "Dark", type="button", id="theme", aria_pressed="false", hidden=True),
            class_="top",
        ),
        tag(
            "div",
            tag("nav", tag("details", tag("summary", "Contents"), contents, open=True), aria_label="Contents"),
            tag("main", *main, id="main", tabindex="-1"),
            class_="page",
        ),
        tag("footer", tag("p", "Written by the stage write_report of the pipeline; nothing in this page is fetched.")),
        tag("div", id="announce", class_="skip", aria_live="polite"),
        tag("script", to_json(drawn), type="application/json", id="charts"),
        *(
            tag(
                "script",
                to_json(one.content | {"remark": one.remark}),
                type="application/json",
                id=f"gallery-{name}",
                data_gallery=name,
                data_title=one.content["title"],
            )
            for name, one in found.items()
        ),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _hash(text: str) -> str:
    """Name a script or style of the page in its policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _run(seen: overview.Overview) -> Markup:
    """Say what was run, and whether its numbers may be compared."""
    headline, reasons = seen.verdict()
    answers = {one.comparable()[0] for one in seen.data_sets}
    kind = next(iter(answers)) if len(answers) == 1 else "perhaps"
    versions = ", ".join(f"{name} {version}" for name, version in overview.versions().items())
    return join(
        tag("div", tag("strong", headline), reasons, class_=f"verdict {kind}", role="note"),
        _table("Data sets", ("Data set", "Source", "Items", "Features and their weights", "Comparable"), [
            (layouts.DATASETS[one.name], one.source or "not built", one.n_items,
             one.features(), one.comparable()[0])
            for one in seen.data_sets
        ], numbers=(2,)),
        tag("p", tag("strong", "Versions: "), versions, "."),
        tag("details", tag("summary", f"All {len({run.key for run in seen.runs})} experiments"),
            _table("Experiments", ("Experiment", "Method", "Data set", "Source", "Items", "Training", "Folds", "Seeds",
                                   "Settings"), list(_experiments(seen.runs)),
                   numbers=(4, 5, 6, 7, 8)), class_="notes") if seen.runs else None,
        missing(f"results of {', '.join(seen.absent)}", "Run `dvc repro`.") if seen.absent else None,
    )  # fmt: skip


def _experiments(runs: Sequence[Run]) -> Any:
    """List the experiments: one line each, from the first of its settings."""
    by_key: dict[str, list[Run]] = {}
    for run in runs:
        by_key.setdefault(run.key, []).append(run)
    for key, own in by_key.items():
        result = own[0].result
        first = result["seed"]
        seeds = f"{result['n_seeds']} from {first}" if result["n_seeds"] > 1 else f"1 ({first})"
        yield (key, own[0].title, layouts.DATASETS[result["dataset"]], result["source"], result["n_items"],
               result["n_train"], result["n_folds"], seeds, len(own))  # fmt: skip


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int]) -> Markup:
    """Write a plain table that can be sorted."""
    kinds = ["number" if place in numbers else None for place in range(len(heads))]
    table = tag(
        "table",
        tag("caption", caption),
        tag(
            "thead", tag("tr", *(tag("th", head, scope="col", class_=k) for head, k in zip(heads, kinds, strict=True)))
        ),
        tag(
            "tbody",
            *(tag("tr", *(tag("td", cell, class_=k) for cell, k in zip(row, kinds, strict=True))) for row in rows),
        ),
        class_="sortable",
    )
    return tag("div", table, class_="scroll", role="region", tabindex="0", aria_label=caption)


def table_titles(looks: Report) -> dict[str, str]:
    """List all tables by number or name: the dissertation's, further ones of params.yaml, and our own."""
    titles = index.DESCRIPTIVE | {number: layout.title for number, layout in layouts.LAYOUTS.items()}
    return {number: titles.get(number, "") for number in sorted({*titles, *looks.tables})} | index.FURTHER


def _tables(looks: Report, folder: Path) -> Any:
    for number, title in table_titles(looks).items():
        if number in index.FURTHER:
            yield number, title, result_tables.described(number, folder)
            continue
        stem = f"table_{number.replace('.', '_')}"
        described = number in index.DESCRIPTIVE
        shown = result_tables.described(stem, folder) if described else result_tables.section(number, folder)
        yield stem, f"{layouts.name(number)}: {title}".rstrip(": "), shown


def _cards(seen: overview.Overview, inputs: Inputs) -> Any:
    for one in seen.data_sets:
        path, sheet = inputs.cards / f"{one.name}.md", f"{one.name}_contact_sheet.png"
        if not path.is_file():
            yield f"card-{one.name}", dataset_of(one.name).title, missing(f"{path} is not there", "Run `dvc repro`.")
            continue
        text = path.read_text(encoding="utf-8")
        pictures = {sheet: figures.picture(inputs.figures / sheet, dataset_of(one.name).caption)}
        card = prose.render(prose.body(text), pictures=pictures, shift=2)
        yield f"card-{one.name}", prose.title(text) or one.name, card


def _gallery(found: Mapping[str, gallery.Gallery]) -> Markup:
    if not found:
        return missing("the gallery has no query", "Run the experiments (`dvc repro`), or raise report.gallery_items.")
    return tag("div", tag("noscript", tag("p", "The gallery needs JavaScript.", class_="missing")), id="gallery-view")


_TABLES_INTRODUCTION = join(
    tag("p", "A cell shows ours ± its standard deviation and, below it, the dissertation's number (D) and the "
        "difference of ours from it. Its shade says how large that is. MAP and recall in per cent, ranks as "
        "they are; the best of ours in bold, – where ours was not run. Every column can be sorted."),
    tag("ul", *(
        tag("li", text, class_=shade)
        for shade, text in (("worse-3", "much worse than D"), ("worse-2", "worse"), ("worse-1", "a little worse"),
                            ("same", "about the same"), ("better-1", "a little better"), ("better-2", "better"),
                            ("better-3", "much better than D"))
    ), class_="key", aria_label="What the shades mean"),
)  # fmt: skip
_FIGURES_INTRODUCTION = tag(
    "p",
    "Curves can be read with the pointer, or with the arrow keys once a chart has the focus; their names below "
    "show and hide them.",
)
_GALLERY_INTRODUCTION = tag(
    "p",
    "A query and the first ten items that a method finds for it. The queries are not picked by hand: the first items "
    "by id of every class in turn or, without classes, items evenly apart. Right is an item of the query's class or, "
    "without classes, its own pair.",
)
