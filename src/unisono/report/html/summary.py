"""The report as Markdown, for Git: what was run, the headline numbers, and where everything else is.

**Conventions.** It links what is in Git alone, and says nothing that differs from run to run: no versions, no times, no
lyrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.io.files import replacing
from unisono.io.text_tables import Markup, literal, markdown
from unisono.report import index, layouts, tables
from unisono.report.html import figures, overview, page


def write(experiments: Mapping[str, Experiment], looks: Report, inputs: page.Inputs, out: Path) -> None:
    """Write the summary.

    Parameters
    ----------
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml.
    inputs : unisono.report.html.page.Inputs
    out : Path
        Markdown file; links are relative to its folder, that of the results.

    Raises
    ------
    DataError
        `out` cannot be written.
    """
    with replacing(out) as temporary:
        temporary.write_text(to_markdown(experiments, looks, inputs), encoding="utf-8")


def to_markdown(experiments: Mapping[str, Experiment], looks: Report, inputs: page.Inputs) -> str:
    """Write the summary's text; what is missing is said to be missing."""
    seen = overview.collect(experiments, looks, inputs.experiments, inputs.data)
    headline, reasons = seen.verdict()
    pieces = [
        "# Report",
        "Written by `dvc repro`. The whole report, with every figure and a gallery to see and hear, is one file, "
        "`results/report.html`: not in Git, made by the same command.",
        f"**{headline}** {reasons}".rstrip(),
        "## Data",
        markdown(list(_data(seen, inputs.cards)), "llrll"),
        "## Headline numbers",
        "The best of ours in each direction, beside that method's published number (*D*) and the best published one.",
        markdown(list(_best(seen)), "lllrrrl"),
        "## Tables",
        markdown(list(_tables(looks, inputs.tables)), "lll"),
        "## Figures",
        "Drawn into `results/figures/` (PNG and SVG; not in Git) by `dvc repro`; the numbers of curves are in Git.",
        markdown(list(_figures(inputs)), "lll"),
    ]
    if seen.absent:
        pieces.append(f"Without results: {', '.join(f'`{key}`' for key in seen.absent)}.")
    return "\n\n".join(pieces) + "\n"


def _data(seen: overview.Overview, cards: Path) -> Iterator[list[str]]:
    yield ["Data set", "Source", "Items", "Features and their weights", "Comparable"]
    for one in seen.data_sets:
        title = layouts.DATASETS[one.name]
        if (cards / f"{one.name}.md").is_file():
            title = Markup(f"[{literal(title)}]({cards.name}/{one.name}.md)")
        yield [title, one.source or "not built", str(one.n_items), one.features(), one.comparable()[0]]


def _best(seen: overview.Overview) -> Iterator[list[str]]:
    """Give of every data set and direction the best run, by MAP or by recall at 1, at a method's usual setting."""
    yield ["Data set", "Direction", "Best of ours", "Value", "Chance", "D", "Best of D"]
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for number in layouts.LAYOUTS:
        if number in ("4.1", "5.2", "6.2"):
            for row in tables.rows(number, seen.runs):
                if row["metric"] in ("map", "recall@1"):
                    key = (number, row["dataset"], f"{row['query']}->{row['target']}")
                    found.setdefault(key, []).append(row)
    for (number, dataset, direction), rows in found.items():
        best = max(rows, key=lambda row: float(row["value"]))
        metric = best["metric"]
        theirs = [
            row
            for row in tables.published()
            if (row["table"], row["dataset"], f"{row['query']}->{row['target']}", row["metric"])
            == (number, dataset, direction, metric)
        ]
        top = max(theirs, key=lambda row: float(row["value"]), default=None)
        yield [
            layouts.DATASETS[dataset],
            f"{direction.replace('->', ' → ')} ({tables.title_of(metric)}, Table {number})",
            " ".join(filter(None, (best["method"], best["setting"]))),
            layouts.format_value(metric, best["value"], best["std"]),
            layouts.format_value(metric, best["chance"]),
            best["published"] and layouts.format_value(metric, best["published"]),
            f"{top['method']} {layouts.format_value(metric, top['value'])}" if top else "",
        ]


def _tables(looks: Report, folder: Path) -> Iterator[list[str]]:
    yield ["Table", "Title", "Data"]
    for number, title in page.table_titles(looks).items():
        own = number in index.FURTHER
        name = layouts.name(number)
        stem = number if own else f"table_{number.replace('.', '_')}"
        if (folder / f"{stem}.md").is_file():
            link = Markup(f"[{literal(name)}]({folder.name}/{stem}.md)")
            yield [link, title, Markup(f"[CSV]({folder.name}/{stem}.csv)")]
        else:
            yield [name, title, "missing"]


def _figures(inputs: page.Inputs) -> Iterator[list[str]]:
    yield ["Figure", "Title", "Numbers"]
    for stem, (name, title) in figures.titles().items():
        folders = [folder for folder in (inputs.plots, inputs.tables) if (folder / f"{stem}.csv").is_file()]
        # The losses are too long for Git.
        link = Markup(f"[CSV]({folders[0].name}/{stem}.csv)") if folders and stem != "losses" else ""
        drawn = (inputs.figures / f"{stem}.png").is_file()
        file = Markup(f"`{inputs.figures.name}/{stem}.png`") if drawn else f"{name}: missing"
        yield [file, f"{name}: {title}", link]
    for name in layouts.DATASETS:
        stem = f"{name}_contact_sheet"
        if (inputs.figures / f"{stem}.png").is_file():
            yield [Markup(f"`{inputs.figures.name}/{stem}.png`"), dataset_of(name).caption, ""]
