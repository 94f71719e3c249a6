"""Data cards: what a built data set holds, where it is from, and what was left out, for a reader.

**Conventions.** A card is one Markdown file, with counts, lengths, rejected items, source and licence; beside it a
contact sheet, one picture of one item per class: a frame above, a spectrogram below.
"""

from __future__ import annotations

import csv
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unisono.config.choices import named
from unisono.datasets import dealing, items
from unisono.datasets.base import DataSet, dataset_of
from unisono.datasets.folds import PARTS
from unisono.errors import DataError, pass_machine
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import markdown
from unisono.report import kinds as beyond_kinds
from unisono.report import separability
from unisono.report.panels import picture

#: Stands for the part of an item outside every fold.
OUTSIDE = -1
#: Columns by which items are counted, the first that is there; where items lie in one view alone, by that.
CLASSES = ("label", "part")
#: Items on a contact sheet, at most.
PANELS = 10
#: Letters of a line of a title on it.
TITLE = 30
#: What deals leave out, where their metadata do not say another.
REPEATED = "items that repeat a song or are too like a tested one"
#: So many reasons are listed, the most frequent ones.
MAX_REASONS = 20


class Panel(NamedTuple):
    """One item of a contact sheet: two pictures, (h, w) of numbers or (h, w, 3) of uint8."""

    title: str
    upper: np.ndarray
    lower: np.ndarray


def write(name: str, folder: Path, skipped: Sequence[Path], *, kinds: Path, out: Path, figure: Path) -> None:
    """Write a card and its contact sheet.

    Parameters
    ----------
    name : str
    folder : Path
        The built data set.
    skipped : sequence of Path
        CSV files of what was left out: items with a column ``reason``, or shards with counts.
    kinds : Path
        CSV of what methods find beyond the kinds of items, see `unisono.report.kinds`.
    out : Path
        Markdown file.
    figure : Path
        PNG file of the contact sheet.

    Raises
    ------
    DataError
        The data set is not built, or a file is damaged or cannot be written.
    """
    samples = folder / "samples"
    facts = parquet.metadata(samples)
    source = str(facts.get("source", "unknown"))
    dataset = dataset_of(name)
    known = named(dataset.settings, source)
    about = "; ".join(kind.about for kind in known.values())
    licence = "; ".join(kind.licence for kind in known.values())
    licences = facts.get("licences", {source: facts.get("licence", licence)})
    present = items.columns_of(samples)
    # Of a data set whose items are of one view each, the column `part` is the view.
    one_view = (folder / "tags").is_dir()
    by = next((column for column in CLASSES if column in present and (one_view or column != "part")), None)
    table = parquet.read(samples, ["id", *([by] if by else [])])
    ids = table.column("id").to_pylist()
    labels = [str(label) for label in table.column(by).to_pylist()] if by else ["all"] * len(ids)
    part_of = dealing.read(folder / "divisions")
    sheet = list(panels(dataset, folder))
    lines = [f"# {dataset.title}: {dataset.about}", "", f"Source: `{source}`. {about}".rstrip(" .") + ".", ""]
    lines += ["## Licence", "", *(f"- {key}: {value}" for key, value in sorted(licences.items())), ""]
    division = next(iter(dealing.read_divisions(folder / "divisions").values()), None)
    if division is None:
        counted = _counts(labels, [part_of.get(item, OUTSIDE) for item in ids])
    else:
        nowhere = [""] * (1 + max(division))
        dealt = [[part_of.get(item, nowhere)[deal] for deal in division] for item in ids]
        without = str(parquet.metadata(folder / "divisions").get("without", REPEATED))
        counted = _counts_by_deal(labels, dealt, without)
    lines += [
        "## Items",
        "",
        *counted,
        *_divided(folder),
        *(f"- {fact}." for fact in [*facts.get("told", ()), *_tagged(folder)]),
        "",
    ]
    lengths = dataset.lengths(folder)
    if lengths is not None:
        unit, values = lengths
        numbers = (values.min(), values.mean(), np.median(values), values.max())
        table = [["", "shortest", "mean", "median", "longest"], [unit, *(f"{number:.2f}" for number in numbers)]]
        lines += ["## Lengths", "", markdown(table, "lrrrr"), ""]
    separable = list(separability.lines(folder))
    if separable:
        lines += ["## What a linear classifier makes of the features", "", *separable, ""]
    found = [row for row in _read_csv(kinds, "verdict") if row["dataset"] == name]
    if found:
        lines += ["## What is found in it", "", beyond_kinds.sentence(found), ""]
    lines += ["## Left out", "", *_left_out(skipped), *(f"- {fact}." for fact in facts.get("left_out", ())), ""]
    if sheet:
        lines += [
            "## Contact sheet",
            "",
            f"![{dataset.caption}](../figures/{figure.name})",
            "",
            f"{dataset.caption}.",
            "",
        ]
    draw(sheet, figure, title=f"{name} ({source})")
    with replacing(out) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _counts(labels: Sequence[str], parts: Sequence[int | str]) -> Iterator[str]:
    """Count items by class (or all), and fold or part."""
    order = sorted(set(parts), key=lambda part: PARTS.index(part) if isinstance(part, str) else part)
    heads = [str(part) if isinstance(part, str) else "outside" if part < 0 else f"fold {part}" for part in order]
    counts = Counter(zip(labels, parts, strict=True))
    lines = [["class", *heads, "all"]]
    for label in sorted(set(labels)):
        row = [counts[label, value] for value in order]
        lines.append([label, *map(str, row), str(sum(row))])
    if len(set(labels)) > 1:
        lines.append(["all", *(str(parts.count(value)) for value in order), str(len(parts))])
    yield markdown(lines, "l" + "r" * (len(heads) + 1))
    if OUTSIDE in order:
        yield ""
        yield "Items outside every fold are never trained or tested on; the whitening of features is fitted on them."


def _counts_by_deal(labels: Sequence[str], deals: Sequence[Sequence[str]], left_out: str) -> Iterator[str]:
    """Count items by class (or all) and part, as means over the deals."""
    parts = [part for part in PARTS if any(part in each for each in deals)]
    counts = Counter((label, part) for label, each in zip(labels, deals, strict=True) for part in each)
    n_deals = len(deals[0])
    lines = [["class", *parts, "left out", "all"]]
    for name in [*sorted(set(labels)), *(["all"] if len(set(labels)) > 1 else [])]:
        of = set(labels) if name == "all" and name not in labels else {name}
        row = [sum(counts[label, part] for label in of) / n_deals for part in (*parts, "")]
        lines.append([name, *(f"{number:g}" for number in (*row, sum(row)))])
    yield markdown(lines, "l" + "r" * (len(parts) + 2))
    yield ""
    yield f"Means over {n_deals} deals, of which each leaves out {left_out}."


def _divided(folder: Path) -> Iterator[str]:
    """Tell what a reader must know of the division."""
    facts = parquet.metadata(folder / "divisions")
    if "n_near_duplicates" in facts:
        further, near = (", ".join(map(str, facts[name])) for name in ("n_further_files", "n_near_duplicates"))
        yield (
            f"Left out by deal: {further} further files of the songs that are tested on, {near} songs whose text is "
            "near one of those."
        )
    if "divided_groups" in facts:
        yield ""
        yield (
            f"There are more folds than the {facts['divided_groups']} groups of items that share something: what a "
            "tested item shows was then partly seen in training."
        )


def _tagged(folder: Path) -> list[str]:
    """Tell what makes items fit, where tags do."""
    return list(parquet.metadata(folder / "tags").get("told", ())) if (folder / "tags").is_dir() else []


def _left_out(skipped: Sequence[Path]) -> Iterator[str]:
    """Tell what was left out and why, from lists of items or from counts per shard."""
    for path in skipped:
        rows = _read_csv(path, "reason", "seen")
        if rows and "seen" in rows[0]:
            yield from _counted(path, rows)
            continue
        reasons = Counter(" ".join(row["reason"].split()) for row in rows)
        yield f"- `{path.name}`: {len(rows)} items" + (":" if rows else ".")
        for reason, n in reasons.most_common(MAX_REASONS):
            yield f"  - {n} x {reason}"
        if len(reasons) > MAX_REASONS:
            yield f"  - {len(reasons) - MAX_REASONS} more reasons"
    if not skipped:
        yield "Nothing."


def _counted(path: Path, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Sum the counts of all shards."""
    try:
        totals = {name: sum(int(row[name]) for row in rows) for name in rows[0] if name != "shard"}
    except ValueError:
        raise DataError(f"{path}: expected whole numbers; run the stage that writes it") from None
    yield f"`{path.name}`: of {totals.pop('seen')} items of the source, {totals.pop('accepted')} were accepted."
    yield ""
    counted = ([name.replace("_", " "), str(total)] for name, total in totals.items())
    yield markdown([["reason", "items"], *counted], "lr")


def _read_csv(path: Path, *columns: str) -> list[dict[str, str]]:
    """Read a table that has one of some columns."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if not set(columns) & set(reader.fieldnames or ()):
                raise DataError(f"{path}: expected a column {columns[0]}; run the stage that writes it")
            return list(reader)
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read: {error.strerror}; run the stage that writes it") from None
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{path}: expected a column {columns[0]}; run the stage that writes it") from None


def _chosen(folder: Path) -> dict[str, str]:
    """Choose items for the contact sheet: the first inside the folds of each class, or some; gives titles by id."""
    samples = folder / "samples"
    labelled = "label" in items.columns_of(samples)
    table = parquet.read(samples, ["id", "label"] if labelled else ["id"])
    ids = table.column("id").to_pylist()
    if not labelled:
        return {item: item for item in ids[:: max(len(ids) // PANELS, 1)][:PANELS]}
    inside = dealing.read(folder / "divisions")
    first: dict[str, str] = {}
    for item, label in zip(ids, table.column("label").to_pylist(), strict=True):
        if item in inside:
            first.setdefault(str(label), item)
    return {item: f"{label}: {item}" for label, item in sorted(first.items())[:PANELS]}


def panels(dataset: DataSet, folder: Path) -> Iterator[Panel]:
    """Yield what the contact sheet shows: an item of each class, or a few of items without classes.

    Parameters
    ----------
    dataset : DataSet
    folder : Path
        The built data set.
    """
    chosen = _chosen(folder)
    upper, lower = dataset.on_sheet
    looks = {
        (part.item, part.place): picture(part)
        for part in dataset.show(folder, chosen)
        if part.place in dataset.on_sheet
    }
    for item, title in chosen.items():
        if (item, upper) in looks and (item, lower) in looks:
            yield Panel(title, looks[item, upper], looks[item, lower])


def draw(panels: Sequence[Panel], out: Path, *, title: str) -> None:
    """Draw a contact sheet.

    Parameters
    ----------
    panels : sequence of Panel
        None at all makes an empty sheet: the source brings nothing to look at.
    out : Path
        PNG file.
    title : str
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # A line of music is wide: two of them side by side, where five frames have room.
    wide = any(panel.upper.shape[1] > 4 * panel.upper.shape[0] for panel in panels)
    n_columns = min(max(len(panels), 1), 2 if wide else 5)
    n_rows = max(-(-len(panels) // n_columns), 1)
    size = (5.5 * n_columns, 1.5 * n_rows + 0.4) if wide else (2.2 * n_columns, 2.8 * n_rows + 0.4)
    with rc_context({"font.size": 7}):
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title)
        axes = figure.subplots(2 * n_rows, n_columns, squeeze=False)
        for ax in axes.flat:
            ax.axis("off")
        for index, panel in enumerate(panels):
            row, column = divmod(index, n_columns)
            for offset, picture in enumerate((panel.upper, panel.lower)):
                coloured = picture.ndim == 3
                axes[2 * row + offset, column].imshow(picture, aspect="equal" if coloured else "auto", cmap="magma")
            axes[2 * row, column].set_title("\n".join(textwrap.wrap(panel.title, TITLE)))
        with replacing(out) as temporary:
            figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
