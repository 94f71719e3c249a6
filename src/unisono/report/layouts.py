"""Result tables for a reader: the dissertation's rows and columns, ours beside the published numbers.

**Conventions.** Fractions are shown in per cent, ranks as they are, the best of ours in bold. An empty cell is
a number that nobody measured. Chance stands beside every measure.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono import metrics
from unisono.datasets.base import dataset_of, names
from unisono.io.files import replacing
from unisono.io.text_tables import Markup, bold, markdown, slanted
from unisono.report import notes, tables
from unisono.store.results import Run, directions

#: How a reader knows the data sets.
DATASETS = {name: dataset_of(name).title for name in reversed(names())}

#: Chance MAP of the published pools, from their sizes and ten equal classes: 5,621 clips and 2,000 videos.
PUBLISHED_CHANCE = {"vegas": 0.1015, "mv10k": 0.1032}

#: Training items of one published fold of VEGAS: what makes a number of batches a batch size.
PUBLISHED_TRAINING = 22_483

Row = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes
    ----------
    title : str
    lines, columns : tuple of str
        The columns of `unisono.report.tables.COLUMNS` that tell its lines, and its columns, apart.
    metrics : tuple of str
        Those that share a cell.
    average : bool
        Whether a column for the mean of both directions follows those of each data set.
    best : str
        Where the best of ours is sought: in every "column", or in every "line".
    beside : bool
        Whether the published numbers stand to the right of ours, or below.
    query : str
        The only query modality shown; empty for all.
    blocks : bool
        Whether every direction is a block of lines instead, with a column per measure.
    """

    title: str
    lines: tuple[str, ...] = ("method", "setting")
    columns: tuple[str, ...] = ("dataset", "query", "target")
    metrics: tuple[str, ...] = ("map",)
    average: bool = False
    best: str = "column"
    beside: bool = True
    query: str = ""
    blocks: bool = False


_DIRECTIONS = ("dataset", "method", "query", "target")

#: The result tables, by the dissertation's number. All of them are written, also when nothing stands in one.
LAYOUTS = {
    "4.1": Layout("Music videos found by selected chunks of audio", ("method",), ("setting",), query="audio"),
    "5.2": Layout("Audio-visual retrieval, all methods", average=True),
    "5.3": Layout("Ways of selecting triplets"),
    "5.4": Layout("Distances between embeddings in the triplet loss"),
    "5.5": Layout("Margins of the triplet loss", _DIRECTIONS, ("setting",), best="line", beside=False),
    "5.6": Layout("Numbers of batches", _DIRECTIONS, ("setting",), best="line", beside=False),
    "6.2": Layout(
        "Cross-modal retrieval on the musical ternary data set: the pair of an item in six directions", blocks=True
    ),
    "6.3": Layout(
        "DARLearning and its baselines on the musical ternary data set",
        columns=("query", "target"),
        metrics=("recall@1", "median_rank"),
        beside=False,
    ),
    "songs": Layout("Songs by their words and words by their sound: the pair of a song", blocks=True),
    "songs_categories": Layout("Songs by their words and words by their sound: a song of the same class", blocks=True),
    "image2song": Layout("Songs for a picture and pictures for a song", blocks=True),
    "image2song_masked": Layout(
        "Songs for a picture and pictures for a song, the words that decide removed from the lyrics", blocks=True
    ),
    "beyond_pair": Layout(
        "Which method to use for pairs: sheet music without its lyrics, lyrics as seven numbers a syllable", blocks=True
    ),
    "beyond_pair_notes": Layout("The same with sheet music whose notes are read by a trained network", blocks=True),
    "beyond_pair_words": Layout("The same on skip-gram vectors of the lyrics", blocks=True),
    "beyond_pair_printed": Layout("The same with the lyrics printed under the notes: what is read there", blocks=True),
    "ablation": Layout(
        "What each part of DARLearning does: the method without it",
        ("method", "setting"),
        ("query", "target"),
        ("recall@1", "median_rank"),
        beside=False,
    ),
}


def write(runs: Sequence[Run], folder: Path) -> None:
    """Write every result table as CSV and Markdown.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments; each stands in the tables it names.
    folder : Path
        For ``table_6_2.csv`` and ``table_6_2.md``, likewise for other numbers.

    Raises
    ------
    DataError
        Results are damaged, or a file cannot be written.
    """
    for number in numbers(runs):
        path = folder / f"table_{number.replace('.', '_')}.csv"
        found = tables.rows(number, runs)
        tables.write_csv(path, tables.with_remarks(found), found)
        with replacing(path.with_suffix(".md")) as temporary:
            temporary.write_text(to_markdown(number, runs), encoding="utf-8")


def numbers(runs: Iterable[Run]) -> list[str]:
    """List the tables that are written: the dissertation's, and those that an experiment names beside them."""
    asked = {number for run in runs for number in run.places if not number.startswith("fig")}
    return sorted({*LAYOUTS, *asked})


def name(number: str) -> str:
    """Name a table for a reader: the dissertation's by number ("Table 5.2"), our own by what it holds ("Ablation")."""
    return f"Table {number}" if tables.is_published(number) else number.replace("_", " ").capitalize()


def to_markdown(number: str, runs: Iterable[Run]) -> str:
    """Lay a table out for a reader, with its notes.

    Parameters
    ----------
    number : str
        The dissertation's number of the table; of one that it does not have, the lines are methods.
    runs : iterable of unisono.store.results.Run

    Returns
    -------
    str
    """
    standing = tables.standing(number, runs)
    shown = [run for run, _, _ in standing]
    line_of = _line_settings(standing)
    found: list[Row] = [
        row
        | {"setting": line_of.get((row["dataset"], row["method"].removesuffix(tables.SHUFFLED), row["setting"]), "")}
        for row in tables.rows(number, shown)
    ]
    reference: list[Row] = [row for row in tables.published() if row["table"] == number]
    layout = LAYOUTS.get(number, Layout("", blocks=any(row["metric"] != "map" for row in found)))
    if layout.blocks:
        table = _blocks(number, found, reference)
    else:
        if layout.average:
            found = [*found, *_averages(standing, line_of)]
            reference = [*reference, *_published_averages(reference)]
        table = _grid(number, layout, found, reference)
    title = f"# {name(number)}: {layout.title}".rstrip(": ")
    said = [*tables.footnotes(row for row in found if _stands(layout, row)), *notes.under(number, shown)]
    return f"{title}\n\n{table}\n\n" + "\n".join(f"- {note}" for note in said) + "\n"


def _stands(layout: Layout, row: Row) -> bool:
    """Say whether a number is shown in a table."""
    return layout.blocks or (row["metric"] in layout.metrics and layout.query in ("", row["query"]))


def _grid(number: str, layout: Layout, found: Sequence[Row], reference: Sequence[Row]) -> str:
    """Lay out lines against columns."""
    ours = [row for row in found if _stands(layout, row)]
    theirs = [row for row in reference if _stands(layout, row)]
    columns = in_order(layout.columns, [*theirs, *ours])
    their_columns = in_order(layout.columns, theirs)
    lines = in_order(layout.lines, [*theirs, *ours])
    cells = _cells(layout, ours)
    published = _cells(layout, theirs)
    best = _best(layout, cells)
    # One line of chance, or one for each data set where data sets are in the lines.
    groups = list(dict.fromkeys(row["dataset"] for row in ours)) if "dataset" in layout.lines else [""]
    many = len({row["dataset"] for row in [*ours, *theirs]}) > 1
    label = line_label(number, layout, many)

    def our_cells(line: Key) -> list[str]:
        return [_joined(layout, cells.get((line, column), {}), best, line, column) for column in columns]

    def their_cells(line: Key, at: Sequence[Key]) -> list[str]:
        return [_joined(layout, published.get((line, column), {}), set(), line, column) for column in at]

    heads, their_heads = ([column_label(number, layout, column) for column in at] for at in (columns, their_columns))
    printed: list[list[str]] = []
    chances = [
        [slanted(f"chance, {DATASETS[group]}" if many and group else "chance"), *_chance(layout, ours, columns, group)]
        for group in groups
    ]
    if layout.beside:
        printed.append(["Method", *heads, *(f"D: {head}" for head in their_heads)])
        printed += [[label(line), *our_cells(line), *their_cells(line, their_columns)] for line in lines]
        printed += [[*line, *_published_chance(layout, theirs, their_columns)] for line in chances]
    else:
        printed.append(["Method", *heads])
        printed += [[label(line), *our_cells(line)] for line in lines if any(our_cells(line))]
        printed += chances if ours else []
        printed += [
            [slanted(f"D: {label(line)}"), *their_cells(line, columns)]
            for line in lines
            if any(their_cells(line, columns))
        ]
        if layout.metrics == ("map",):
            printed.append([slanted("D: chance"), *_published_chance(layout, theirs, columns)])
        hours = {row["setting"]: row["value"] for row in reference if row["metric"] == "train_hours"}
        if hours:
            printed.append([slanted("D: hours of training"), *(hours.get(column[0], "") for column in columns)])
    return markdown(printed, "l" + "r" * (len(printed[0]) - 1))


def _blocks(number: str, found: Sequence[Row], reference: Sequence[Row]) -> str:
    """Lay out rank measures: a block of lines per direction (ours, chance, the published), a column per measure.

    The dissertation puts the methods side by side, which with more than two of them no page is wide enough for.
    """
    rows = [*reference, *found]
    measures = tables.in_order_of_measures(rows)
    layout = Layout("", ("query", "target", "method", "setting"), ("metric",), tuple(measures))
    cells, published = _cells(layout, found), _cells(layout, reference)
    printed = [["Direction", "Method", *map(tables.title_of, measures)]]
    for query, target in in_order(("query", "target"), rows):
        own = [row for row in found if (row["query"], row["target"]) == (query, target)]
        block: list[list[str]] = []
        best = _best(layout, {at: cell for at, cell in cells.items() if at[0][:2] == (query, target)})
        for line in in_order(layout.lines, own):
            values = [_joined(layout, cells.get((line, (name,)), {}), best, line, (name,)) for name in measures]
            block.append([_method(number, line[2], line[3]), *values])
        for pool in dict.fromkeys(row["pool"] for row in own):
            chance = {row["metric"]: format_value(row["metric"], row["chance"]) for row in own if row["pool"] == pool}
            block.append([slanted(f"chance in a pool of {pool}"), *(chance.get(name, "") for name in measures)])
        for line in in_order(
            layout.lines, [row for row in reference if (row["query"], row["target"]) == (query, target)]
        ):
            values = [_joined(layout, published.get((line, (name,)), {}), set(), line, (name,)) for name in measures]
            block.append([slanted(f"D: {_method(number, line[2], line[3])}"), *values])
        printed += [[bold(f"{query} → {target}") if at == 0 else "", *line] for at, line in enumerate(block)]
    return markdown(printed, "ll" + "r" * len(measures))


def _cells(layout: Layout, rows: Iterable[Row]) -> dict[tuple[Key, Key], dict[str, Row]]:
    """Sort rows into cells, by metric."""
    cells: dict[tuple[Key, Key], dict[str, Row]] = {}
    for row in rows:
        at = tuple(row[name] for name in layout.lines), tuple(row[name] for name in layout.columns)
        cells.setdefault(at, {})[row["metric"]] = row
    return cells


def in_order(names: Sequence[str], rows: Iterable[Row]) -> list[Key]:
    """List the different values of some columns, the published order first."""
    keys = list(dict.fromkeys(tuple(row[name] for name in names) for row in rows))
    if "dataset" in names and "query" in names:
        # An average is computed last, and stands behind the directions of its data set.
        at = names.index("dataset")
        datasets = list(dict.fromkeys(key[at] for key in keys))
        keys.sort(key=lambda key: datasets.index(key[at]))
    return keys


def best(found: Iterable[tuple[Any, str, Any, Any]]) -> set[Any]:
    """Find the best of ours in every group, where there are at least two to choose from.

    Parameters
    ----------
    found : iterable of (group, metric, value, place)
        Of ranks the smallest is the best.

    Returns
    -------
    set of place
    """
    groups: dict[Any, list[tuple[float, Any]]] = {}
    for group, metric, value, place in found:
        groups.setdefault((group, metric), []).append((float(value) * (-1 if "rank" in metric else 1), place))
    return {
        place
        for candidates in groups.values()
        for value, place in candidates
        if len(candidates) > 1 and value == max(value for value, _ in candidates)
    }


def _best(layout: Layout, cells: Mapping[tuple[Key, Key], Mapping[str, Row]]) -> set[tuple[Key, Key, str]]:
    return best(
        (line if layout.best == "line" else column, metric, row["value"], (line, column, metric))
        for (line, column), rows in cells.items()
        for metric, row in rows.items()
        if not tables.is_control(row)
    )


def _joined(layout: Layout, rows: Mapping[str, Row], best: set[tuple[Key, Key, str]], line: Key, column: Key) -> str:
    """Format one cell: its metrics, joined by a stroke."""
    texts: list[str] = []
    for metric in layout.metrics:
        if metric in rows:
            text = format_value(metric, rows[metric]["value"], rows[metric].get("std"))
            mark = tables.MARK if rows[metric].get(tables.REMARK) else ""
            texts.append((bold(text) if (line, column, metric) in best else text) + mark)
    return Markup(" / ".join(texts))


def format_value(metric: str, value: Any, std: Any = None) -> str:
    """Format a number: fractions in per cent, ranks as they are; a line is not broken before its deviation."""
    scale, digits = (1, 1) if "rank" in metric else (100, 2)
    text = f"{float(value) * scale:.{digits}f}"
    return text if std in (None, "") else f"{text}\u00a0±\u00a0{float(std) * scale:.{digits}f}"


def _chance(layout: Layout, ours: Sequence[Row], columns: Sequence[Key], dataset: str) -> list[str]:
    """Print the chance level of each column, of one data set where those are in the lines."""
    printed = []
    for column in columns:
        levels = {
            row["metric"]: format_value(row["metric"], row["chance"])
            for row in ours
            if tuple(row[name] for name in layout.columns) == column and dataset in ("", row["dataset"])
        }
        printed.append(" / ".join(levels[metric] for metric in layout.metrics if metric in levels))
    return printed


def _published_chance(layout: Layout, theirs: Sequence[Row], columns: Sequence[Key]) -> list[str]:
    """Print the chance level of each published column."""
    datasets = {tuple(row[name] for name in layout.columns): row["dataset"] for row in theirs}
    levels = (PUBLISHED_CHANCE.get(datasets.get(column, "")) for column in columns)
    return ["" if level is None else format_value("map", level) for level in levels]


def line_label(number: str, layout: Layout, many: bool) -> Callable[[Key], str]:
    """Give the function that names a line of a table; `many`: there are several data sets in it."""

    def label(line: Key) -> str:
        at = dict(zip(layout.lines, line, strict=True))
        text = _method(number, at["method"], at.get("setting", ""))
        if "query" in at:
            text += f" {_arrow(at['query'], at['target'])}"
        return f"{DATASETS[at['dataset']]}, {text}" if many and "dataset" in at else text

    return label


def column_label(number: str, layout: Layout, column: Key) -> str:
    """Name a column of a table."""
    at = dict(zip(layout.columns, column, strict=True))
    if "setting" in at:
        return _short(number, at["setting"])
    if "dataset" in at:
        return f"{DATASETS[at['dataset']]} {_arrow(at['query'], at['target'], short=True)}"
    return f"{_arrow(at['query'], at['target'])} (R@1 / MedR)"


def _arrow(query: str, target: str, *, short: bool = False) -> str:
    if not target:
        return query
    return f"{query[0]}→{target[0]}" if short else f"{query} → {target}"


def _method(number: str, method: str, setting: str) -> str:
    return f"{method} ({_short(number, setting)})" if setting else method


def _short(number: str, setting: str) -> str:
    """Shorten a setting to what varies in its table."""
    values = dict(part.split("=", 1) for part in setting.split(";") if "=" in part)
    if number == "5.5" and "margin" in values:
        return values["margin"]
    if number == "5.6" and values.get("batches", "").isdigit():
        return f"{values['batches']} ({round(PUBLISHED_TRAINING / int(values['batches']))})"
    if any(row["setting"] == setting for row in tables.published() if row["table"] == number):
        return ", ".join(values.values()) or setting
    return setting or "default"


def _line_settings(standing: Iterable[tuple[Run, str, str]]) -> dict[Key, str]:
    """Say on which line a run stands: the published one that it is compared with, if no other run claims it.

    An override of hyper-parameters (``"n_components=20"``) then stands in the notes, not in a line of its own.
    """
    claims: dict[Key, set[str]] = {}
    for run, shown, label in standing:
        claims.setdefault((run.result["dataset"], run.title, label), set()).add(shown)
    return {
        (dataset, method, shown): label if len(settings) == 1 else shown
        for (dataset, method, label), settings in claims.items()
        for shown in settings
    }


def _averages(standing: Iterable[tuple[Run, str, str]], line_of: Mapping[Key, str]) -> list[Row]:
    """Compute the mean of both directions, with the deviation of the parts' means."""
    found: list[Row] = []
    for run, shown, _ in standing:
        means = [statistics.fmean(values.values()) for values in run.parts("map").values()]
        scores = [run.result[f"{query}->{target}"] for query, target in directions(run.result)]
        chance = statistics.fmean(score["chance"]["map"] for score in scores)
        found.append({
            "dataset": run.result["dataset"],
            "method": run.title,
            "setting": line_of[run.result["dataset"], run.title, shown],
            "query": "average",
            "target": "",
            "metric": "map",
            "value": statistics.fmean(means),
            "std": statistics.stdev(means) if len(means) > 1 else 0.0,
            "chance": chance,
            tables.REMARK: metrics.too_easy("map", chance),
        })  # fmt: skip
    return found


def _published_averages(reference: Iterable[Row]) -> list[Row]:
    """Compute the mean of both published directions."""
    values: dict[Key, list[float]] = {}
    for row in reference:
        values.setdefault((row["dataset"], row["method"], row["setting"]), []).append(float(row["value"]))
    return [
        {
            "dataset": dataset,
            "method": method,
            "setting": setting,
            "query": "average",
            "target": "",
            "metric": "map",
            "value": statistics.fmean(both),
        }
        for (dataset, method, setting), both in values.items()
    ]
