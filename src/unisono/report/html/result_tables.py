"""Tables for the page: the dissertation's layout, ours and the published number in one cell, the difference shaded.

**Conventions.** Numbers come from ``results/tables/*.csv``, notes from the ``.md`` beside it. The shade of a cell says
how far ours is better or worse than published, its sign says the same (``+3.2``, in points of a per cent or in ranks).
Whether the two may be compared is said at the top of the page.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unisono.errors import pass_machine
from unisono.report import layouts, tables
from unisono.report.html import prose
from unisono.report.html.markup import Markup, join, missing, tag

Row = Mapping[str, Any]

#: From which difference a shade begins: of fractions, and of ranks as the logarithm (base 2) of their ratio.
SHADES = {"fraction": (0.005, 0.05, 0.15), "rank": (0.05, 0.5, 1.5)}


def section(number: str, folder: Path) -> Markup:
    """Show a table of results, or say that it is missing.

    Parameters
    ----------
    number : str
        The dissertation's, ``"5.2"``.
    folder : Path
        Holds ``table_5_2.csv`` and ``table_5_2.md``.

    Returns
    -------
    Markup
    """
    stem = f"table_{number.replace('.', '_')}"
    path = folder / f"{stem}.csv"
    found = read(path, tables.COLUMNS)
    if found is None:
        return missing(f"{path} is not there, or lacks a column", "Run `dvc repro tabulate`.")
    try:
        return join(grid(number, found), notes(path.with_suffix(".md")))
    except ValueError as error:
        return missing(f"{path} is damaged ({error})", "Run `dvc repro tabulate`.")


def described(stem: str, folder: Path) -> Markup:
    """Show a table that is no result (inputs, settings, orderings) as its Markdown lays it out."""
    path = folder / f"{stem}.md"
    if not path.is_file():
        return missing(f"{path} is not there", "Run `dvc repro`.")
    return prose.render(prose.body(path.read_text(encoding="utf-8")), shift=2)


def notes(path: Path) -> Markup | None:
    """Show the remarks under a table."""
    if not path.is_file():
        return None
    said = path.read_text(encoding="utf-8").splitlines()
    # What a mark means is said below the table itself.
    lines = [line for line in said if line.startswith("- ") and not line.startswith(f"- {tables.MARK}")]
    return tag("details", tag("summary", "Sources and notes"), prose.render("\n".join(lines)), class_="notes")


def read(path: Path, columns: Sequence[str]) -> list[dict[str, str]] | None:
    """Read a CSV file, or give None where it is missing or lacks a column."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if not set(columns) <= set(reader.fieldnames or ()):
                return None
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        pass_machine(error)
        return None


def grid(number: str, found: Sequence[Row]) -> Markup:
    """Lay a table out.

    Parameters
    ----------
    number : str
        The dissertation's number of the table.
    found : sequence of mapping
        Keys are `unisono.report.tables.COLUMNS`.

    Returns
    -------
    Markup
    """
    layout = layouts.LAYOUTS.get(number, layouts.Layout("", blocks=any(row["metric"] != "map" for row in found)))
    rows = _at_published(number, found)
    rows += _not_run(number, rows)
    if layout.blocks:
        measures = tuple(tables.in_order_of_measures(rows))
        layout = replace(layout, lines=("query", "target", "method", "setting"), columns=("metric",), metrics=measures)
    elif len(layout.metrics) > 1:
        layout = replace(layout, columns=(*layout.columns, "metric"))
    rows = [row for row in rows if row["metric"] in layout.metrics and layout.query in ("", row["query"])]
    if layout.average:
        rows += _averages(rows)
    reference = [row for row in tables.published() if row["table"] == number]
    lines, columns = (_ordered(names, rows, reference) for names in (layout.lines, layout.columns))
    cells = {
        (tuple(row[name] for name in layout.lines), tuple(row[name] for name in layout.columns)): row for row in rows
    }
    best = _best(layout, cells)
    many = len({row["dataset"] for row in rows}) > 1
    head = tag("tr", tag("th", "Method", scope="col"), *(_head(number, layout, column) for column in columns))
    printed = [
        tag(
            "tr",
            tag("th", _line(number, layout, line, many), scope="row"),
            *(_cell(cells.get((line, column)), (line, column) in best) for column in columns),
        )
        for line in lines
    ]
    chance = list(_chance(layout, [row for row in rows if row.get("chance")], columns))
    table = tag(
        "table",
        tag("caption", f"{layouts.name(number)}: {layout.title or 'further results'}"),
        tag("thead", head),
        tag("tbody", *printed),
        tag("tfoot", *chance) if chance else None,
        class_="sortable results",
    )
    marked = [tag("p", text, class_="mark") for text in tables.footnotes(rows)]
    return join(
        tag("div", table, class_="scroll", role="region", tabindex="0", aria_label=layouts.name(number)), *marked
    )


def _ordered(names: Sequence[str], rows: Sequence[Row], reference: Sequence[Row]) -> list[layouts.Key]:
    """List the different values of some columns in the published order, directions and data sets kept together."""
    present = {tuple(row[name] for name in names) for row in rows}
    found = [key for key in layouts.in_order(names, [*reference, *rows]) if key in present]
    if names[:2] == ("query", "target"):
        blocks = [key[:2] for key in found]
        found.sort(key=lambda key: blocks.index(key[:2]))
    return found


def _at_published(number: str, found: Sequence[Row]) -> list[Row]:
    """Put rows on the line of the published number that they are compared with, if no other run claims it.

    An override of hyper-parameters (``"ridge=1.0"``) then stands in the notes, not in a line of its own.
    """
    names = ("dataset", "method", "query", "target", "metric")
    settings: dict[tuple[str, ...], list[str]] = {}
    for theirs in tables.published():
        if theirs["table"] == number:
            settings.setdefault((*(theirs[name] for name in names), theirs["value"]), []).append(theirs["setting"])

    def line(row: Row) -> str | None:
        """Name the published setting; numbers that two settings share leave the row where it is."""
        known = settings.get((*(row[name] for name in names), row["published"]), [])
        return known[0] if len(known) == 1 else row["setting"] if row["setting"] in known else None

    claims: dict[tuple[str, ...], set[str]] = {}
    labels = [line(row) for row in found]
    for row, label in zip(found, labels, strict=True):
        if label is not None:
            claims.setdefault((row["dataset"], row["method"], label), set()).add(row["setting"])
    return [
        {**row, "setting": label}
        if label is not None and len(claims[row["dataset"], row["method"], label]) == 1
        else row
        for row, label in zip(found, labels, strict=True)
    ]


def _not_run(number: str, found: Sequence[Row]) -> list[Row]:
    """Pick the published numbers that stand beside none of ours."""
    names = ("dataset", "method", "setting", "query", "target", "metric")
    ours = {tuple(row[name] for name in names) for row in found if row["published"]}
    return [
        row | {"published": row["value"], "value": "", "std": "", "chance": ""}
        for row in tables.published()
        if row["table"] == number and tuple(row[name] for name in names) not in ours
    ]


def _averages(rows: Iterable[Row]) -> list[Row]:
    """Compute the mean of both directions, where both are there."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["method"], row["setting"]), []).append(row)
    found: list[Row] = []
    for (dataset, method, setting), own in groups.items():
        means = {}
        for name in ("value", "published", "chance"):
            numbers = [float(row[name]) for row in own if row[name] != ""]
            means[name] = str(math.fsum(numbers) / 2) if len(numbers) == 2 else ""
        found.append({
            "dataset": dataset, "method": method, "setting": setting, "query": "average", "target": "",
            "metric": "map", "std": "", "pool": own[0].get("pool", ""),
            tables.REMARK: own[0].get(tables.REMARK, ""), **means,
        })  # fmt: skip
    return found


def _best(layout: layouts.Layout, cells: Mapping[Any, Row]) -> set[Any]:
    """Find the best of ours in every column or line; in a table of directions, of each direction."""
    found = []
    for (line, column), row in cells.items():
        if row["value"] != "" and not tables.is_control(row):
            group = line if layout.best == "line" else (column, line[:2] if layout.blocks else "")
            found.append((group, row["metric"], row["value"], (line, column)))
    return layouts.best(found)


def _head(number: str, layout: layouts.Layout, column: layouts.Key) -> Markup:
    at = dict(zip(layout.columns, column, strict=True))
    if layout.columns == ("metric",):
        return tag("th", tables.title_of(at["metric"]), scope="col", class_="number")
    if "metric" in at:
        return tag(
            "th", f"{at['query']} → {at['target']} {tables.title_of(at['metric'])}", scope="col", class_="number"
        )
    return tag("th", layouts.column_label(number, layout, column), scope="col", class_="number")


def _line(number: str, layout: layouts.Layout, line: layouts.Key, many: bool) -> str:
    if layout.blocks:
        query, target, method, setting = line
        return f"{query} → {target}: {method}" + (f" ({setting})" if setting else "")
    return layouts.line_label(number, layout, many)(line)


def _cell(row: Row | None, best: bool) -> Markup:
    """Show ours, the published number, and the difference."""
    if row is None:
        return tag("td", class_="number empty")
    metric = row["metric"]
    published = None
    if row["published"] != "":
        published = tag("span", f"D {layouts.format_value(metric, row['published'])}", class_="published")
    if row["value"] == "":
        return tag("td", tag("span", "–", title="not run"), " ", published, class_="number empty")
    value = layouts.format_value(metric, row["value"])
    std = layouts.format_value(metric, row["std"]) if row["std"] != "" else None
    remark = row.get(tables.REMARK)
    mark = tag("abbr", tables.MARK, title=remark) if remark else None
    ours = tag("span", tag("strong", value) if best else value, mark, class_="ours")
    spread = tag("span", f" ± {std}", class_="spread") if std else None
    if published is None:
        return tag("td", ours, spread, class_="number", data_value=row["value"])
    gap, shade = difference(metric, float(row["value"]), float(row["published"]))
    return tag(
        "td",
        tag("span", ours, spread, class_="line"),
        tag("span", published, " ", tag("span", gap, class_="gap"), class_="line"),
        class_=f"number {shade}",
        data_value=row["value"],
    )


def difference(metric: str, ours: float, published: float) -> tuple[str, str]:
    """Write a difference with its sign, and name its shade.

    Parameters
    ----------
    metric : str
        Of ranks, the lower one is the better one.
    ours, published : float

    Returns
    -------
    text : str
        Points of a per cent, or ranks.
    shade : str
        ``"better-2"``, ``"worse-3"``, or ``"same"``.
    """
    rank = "rank" in metric
    gap = ours - published if rank else 100 * (ours - published)
    good = math.log2(max(published, 1e-9) / max(ours, 1e-9)) if rank else ours - published
    level = sum(abs(good) >= step for step in SHADES["rank" if rank else "fraction"])
    # Adding zero takes the sign off a difference that rounds to none.
    text = f"{round(gap, 1) + 0.0:+.1f}".replace("-", "−")
    return text, f"{'better' if good > 0 else 'worse'}-{level}" if level else "same"


def _chance(layout: layouts.Layout, rows: Sequence[Row], columns: Sequence[layouts.Key]) -> Iterable[Markup]:
    """Write what a random order would reach: a line for each data set and pool, where those are not in the columns."""
    apart = () if "dataset" in layout.columns else ("dataset",)
    names = (*apart, "pool")
    groups = list(dict.fromkeys(tuple(row[name] for name in names) for row in rows)) if apart else [()]
    for group in groups:
        own = [row for row in rows if not group or tuple(row[name] for name in names) == group]
        levels = []
        for column in columns:
            at = next((row for row in own if tuple(row[name] for name in layout.columns) == column), None)
            levels.append(tag("td", at and layouts.format_value(at["metric"], at["chance"]), class_="number"))
        if own:
            of = f", {layouts.DATASETS[group[0]]}, pool {group[1]}" if group else ""
            yield tag("tr", tag("th", f"chance{of}", scope="row"), *levels, class_="chance")
