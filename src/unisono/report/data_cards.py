"""Data cards: what a built data set holds, where it is from, and what was left out, for a reader.

**Conventions.** A card is one Markdown file, with counts, lengths, rejected items, source and licence; beside it a
contact sheet, one picture of one item per class: a frame above, a spectrogram below.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unisono.datasets import dealing, sources
from unisono.datasets.folds import PARTS
from unisono.errors import DataError
from unisono.features import logmel
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.report import items, separability

TITLES = {
    "mtm": "MTM: songs as piano audio, sheet music and lyrics",
    "vegas": "VEGAS: clips of one class each, seen and heard",
    "mv10k": "MV-10K: music videos, labelled by mood",
}
#: What a contact sheet shows.
CAPTIONS = {
    "mtm": "A few samples: printed music and log-mel spectrogram",
    "vegas": "A clip of each class: the frame in its middle and its log-mel spectrogram",
    "mv10k": "A video of each mood: the first 128 visual and the 128 audio features over time, 8 bits each",
}
#: Stands for the part of an item outside every fold.
OUTSIDE = -1
#: Items on a contact sheet, at most.
PANELS = 10
#: So many reasons are listed, the most frequent ones.
MAX_REASONS = 20


class Panel(NamedTuple):
    """One item of a contact sheet: two pictures, (h, w) of numbers or (h, w, 3) of uint8."""

    title: str
    upper: np.ndarray
    lower: np.ndarray


def write(name: str, folder: Path, skipped: Sequence[Path], *, out: Path, figure: Path) -> None:
    """Write a card and its contact sheet.

    Parameters
    ----------
    name : {"mtm", "vegas", "mv10k"}
    folder : Path
        The built data set.
    skipped : sequence of Path
        CSV files of what was left out: items with a column ``reason``, or shards with counts.
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
    known = sources.SOURCES[name].get(source)
    about, licence = (known.about, known.licence) if known else ("", "")
    licences = facts.get("licences", {source: facts.get("licence", licence)})
    present = items.columns_of(samples)
    table = parquet.read(samples, [column for column in ("id", "label") if column in present])
    ids = table.column("id").to_pylist()
    labels = [str(label) for label in table.column("label").to_pylist()] if "label" in present else ["all"] * len(ids)
    part_of = dealing.read(folder / "divisions")
    panels = list(_PANELS[name](folder))
    lines = [f"# {TITLES[name]}", "", f"Source: `{source}`. {about}".rstrip(" .") + ".", ""]
    lines += ["## Licence", "", *(f"- {key}: {value}" for key, value in sorted(licences.items())), ""]
    lines += ["## Items", "", *_counts(labels, [part_of.get(item, OUTSIDE) for item in ids]), *_divided(folder), ""]
    lengths = _lengths(name, folder, present)
    if lengths is not None:
        unit, values = lengths
        numbers = (values.min(), values.mean(), np.median(values), values.max())
        lines += ["## Lengths", "", "| | shortest | mean | median | longest |", "| :-- | --: | --: | --: | --: |"]
        lines += [f"| {unit} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |", ""]
    separable = list(separability.lines(folder))
    if separable:
        lines += ["## What a linear classifier makes of the features", "", *separable, ""]
    lines += ["## Left out", "", *_left_out(skipped), ""]
    if panels:
        lines += [
            "## Contact sheet",
            "",
            f"![{CAPTIONS[name]}](../figures/{figure.name})",
            "",
            f"{CAPTIONS[name]}.",
            "",
        ]
    draw(panels, figure, title=f"{name} ({source})")
    with replacing(out) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _counts(labels: Sequence[str], parts: Sequence[int | str]) -> Iterator[str]:
    """Count items by class (or all), and fold or part."""
    order = sorted(set(parts), key=lambda part: PARTS.index(part) if isinstance(part, str) else part)
    heads = [str(part) if isinstance(part, str) else "outside" if part < 0 else f"fold {part}" for part in order]
    counts = Counter(zip(labels, parts, strict=True))
    yield "| class | " + " | ".join(heads) + " | all |"
    yield "| :-- |" + " --: |" * (len(heads) + 1)
    for label in sorted(set(labels)):
        row = [counts[label, value] for value in order]
        yield f"| {label} | " + " | ".join(map(str, row)) + f" | {sum(row)} |"
    if len(set(labels)) > 1:
        totals = [parts.count(value) for value in order]
        yield "| all | " + " | ".join(map(str, totals)) + f" | {len(parts)} |"
    if OUTSIDE in order:
        yield ""
        yield "Items outside every fold are never trained or tested on; the whitening of features is fitted on them."


def _divided(folder: Path) -> Iterator[str]:
    """Tell what a reader must know of the division."""
    facts = parquet.metadata(folder / "divisions")
    if "divided_groups" in facts:
        yield ""
        yield (
            f"There are more folds than the {facts['divided_groups']} groups of items that share something: what a "
            "tested item shows was then partly seen in training."
        )


def _lengths(name: str, folder: Path, present: Sequence[str]) -> tuple[str, np.ndarray] | None:
    """Length of every item, with its unit."""
    if "duration_s" in present:
        return "seconds", parquet.to_numpy(parquet.read(folder / "samples", ["duration_s"]).column("duration_s"))
    if name == "mv10k" and "n_frames" in items.columns_of(folder / "videos"):
        return "frames", parquet.to_numpy(parquet.read(folder / "videos", ["n_frames"]).column("n_frames"))
    if name == "mtm":
        notes = parquet.to_numpy(parquet.read(folder / "samples", ["notes"]).column("notes"))
        return "beats", notes[:, :, 1:].sum(axis=(1, 2))
    return None


def _left_out(skipped: Sequence[Path]) -> Iterator[str]:
    """Tell what was left out and why, from lists of items or from counts per shard."""
    for path in skipped:
        rows = _read_csv(path)
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
    yield "| reason | items |"
    yield "| :-- | --: |"
    yield from (f"| {name.replace('_', ' ')} | {total} |" for name, total in totals.items())


def _read_csv(path: Path) -> list[dict[str, str]]:
    """Read a list of what was left out: a row an item with a ``reason``, or a row a shard with ``seen`` items."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            if not {"reason", "seen"} & set(reader.fieldnames or ()):
                raise DataError(f"{path}: expected a column reason; run the stage that writes it")
            return list(reader)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; run the stage that writes it") from None
    except (UnicodeDecodeError, csv.Error):
        raise DataError(f"{path}: expected a column reason; run the stage that writes it") from None


def _first_of_each(folder: Path) -> dict[str, str]:
    """Id of the first item of each class inside the folds, by class."""
    table = parquet.read(folder / "samples", ["id", "label"])
    inside = dealing.read(folder / "divisions")
    first: dict[str, str] = {}
    for item, label in zip(table.column("id").to_pylist(), table.column("label").to_pylist(), strict=True):
        if item in inside:
            first.setdefault(str(label), item)
    return dict(sorted(first.items())[:PANELS])


def _vegas_panels(folder: Path) -> Iterator[Panel]:
    """Show the frame in the middle of a clip of each class, and its log-mel spectrogram."""
    if "video" not in items.columns_of(folder / "samples"):
        return
    first = _first_of_each(folder)
    rows = items.rows_of(folder / "samples", ["video"], first.values())
    for label, item in first.items():
        clip = rows[item][0]["bytes"].as_py()
        yield Panel(f"{label}: {item}", items.middle_frame(clip), items.spectrogram(clip))


def _mv10k_panels(folder: Path) -> Iterator[Panel]:
    """Show the 8-bit visual (first 128) and audio features of a video of each mood, over time."""
    present = items.columns_of(folder / "videos")
    if "rgb" not in present:
        return
    first = _first_of_each(folder)
    rows = items.rows_of(folder / "videos", ["rgb", "audio"], first.values())
    for label, item in first.items():
        visual, audio = (np.stack(list(parquet.to_numpy(column.values))) for column in rows[item])
        yield Panel(f"{label}: {item}", visual.T[:128].astype(float), audio.T.astype(float))


def _mtm_panels(folder: Path) -> Iterator[Panel]:
    """Show the printed music of a few samples, and the log-mel spectrogram of their sound."""
    import io

    from PIL import Image

    from unisono.media import audio

    # Lyrics stay out of the card: those of some sources may not be passed on.
    engravings = sorted((folder / "engraved").glob("*"))
    engraved = next((path for path in engravings if not parquet.metadata(path).get("engrave_lyrics", True)), None)
    if engraved is None:
        return
    ids = parquet.read(engraved, ["id"]).column("id").to_pylist()
    chosen = ids[:: max(len(ids) // PANELS, 1)][:PANELS]
    pictures = items.rows_of(engraved, ["picture"], chosen)
    sounds = items.rows_of(folder / "audio", ["audio"], chosen)
    for item in chosen:
        if item in pictures and item in sounds:
            with Image.open(io.BytesIO(pictures[item][0]["bytes"].as_py())) as picture:
                sheet = np.asarray(picture.convert("RGB"))
            samples, rate = audio.decode(sounds[item][0]["bytes"].as_py())
            yield Panel(item, sheet, logmel.log_mel(logmel.resample(samples, rate)).T[::-1])


_PANELS = {"vegas": _vegas_panels, "mv10k": _mv10k_panels, "mtm": _mtm_panels}


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
            axes[2 * row, column].set_title(panel.title)
        with replacing(out) as temporary:
            figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
