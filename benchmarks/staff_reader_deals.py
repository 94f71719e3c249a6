"""Sheet music, sound and lyrics in five deals of the songs, the staff reader trained anew on each deal's training part.

    python benchmarks/staff_reader_deals.py                       # about a quarter of an hour on one core
    python benchmarks/staff_reader_deals.py --deals 1 --out /tmp  # one deal

Run it in a project whose default run is complete. Every deal is one of `mtm.split` with another seed (70/15/15, by
song); readers and features are kept in .unisono/study, so that an interrupted run goes on. Beside the product's table,
whose test songs are dealt anew while its encoders stay, this one says that nothing depends on which songs a reader has
seen. Test pictures are also rescaled and blurred, which reader and CCA have not met.

Pairs that are printed alike *and* sound alike cannot be told apart: ties count as the product counts them (a pair of
twins is found half), and once as found.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from unisono import metrics, models
from unisono.config.compute import Compute
from unisono.config.mtm import Mtm
from unisono.datasets.loading import load_folder
from unisono.datasets.mtm import groups
from unisono.features import staff_reader
from unisono.features.asmcmr import input as asmcmr_input
from unisono.features.staff_reader import extraction, making, rows
from unisono.io import parquet
from unisono.io.text_tables import markdown, write_csv

#: What is done to test pictures, and at which scale.
CHANGES = {"as printed": 1.0, "x .8": 0.8, "x 1.25": 1.25, "blurred": 1.0}
COLUMNS = ("deal", "pictures", "direction", "r1", "r1_twins", "r10", "median_rank", "pool")
#: Of sound and sheet music; lyrics take the method's defaults.
SOUND = {"ridge": 0.01, "power": 2.0}


def changed(picture: np.ndarray, what: str) -> np.ndarray:
    """Rescale or blur a picture."""
    image = Image.fromarray(picture)
    if what == "blurred":
        return np.asarray(image.filter(ImageFilter.GaussianBlur(1)))
    size = tuple(round(side * CHANGES[what]) for side in image.size)
    return picture if what == "as printed" else np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def directions(
    found: dict[str, np.ndarray], train: np.ndarray, test: np.ndarray, sheet: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the scores of every direction: `sheet` are the rows of the test pictures, changed or not."""
    for other, params in (("lyrics", {}), ("audio", SOUND)):
        model = models.create("local_cca", **params)
        model.fit({other: found[other][train], "sheet": found["sheet"][train]})
        scores = model.score({other: found[other][test]}, {"sheet": sheet})
        yield f"{other}->sheet", scores
        yield f"sheet->{other}", scores.T


def measure(scores: np.ndarray) -> list[float]:
    """Compute R@1, R@1 where a tie counts as found, R@10 and the median rank."""
    own = metrics.relevance.measure(scores, np.eye(len(scores), dtype=bool), ks=(1, 10))
    best = scores >= scores.max(axis=1, keepdims=True)
    return [own.recalls[0], float(np.diag(best).mean()), own.recalls[1], float(np.median(own.ranks))]


def deal(seed: int, data: Path, work: Path) -> Iterator[list[object]]:
    """Train a reader, read all pictures and yield the rows of a deal."""
    params = Mtm.load()
    split = params.split.model_copy(update={"seed": seed})
    pictures = data / "engraved" / "sheet_plain"
    reader = work / f"reader{seed}.safetensors"
    if not reader.is_file():
        made = making.make(
            data / "samples", data / "divisions", pictures, params=params.features.staff_reader, deal=split
        )
        made.save(reader)
    extraction.extract(pictures, reader, work / f"features{seed}", compute=Compute(workers=1))
    table = parquet.read(data / "samples", ["id", "song", "notes", "syllables"])
    part_of = dict(zip(table["id"].to_pylist(), groups.deal_samples(table, split)[0], strict=True))
    loaded = load_folder(data, views={"audio": "audio", "lyrics": "lyrics_syllables"})
    own = parquet.read(work / f"features{seed}", ["id", extraction.NAME])
    values = dict(zip(own["id"].to_pylist(), own[extraction.NAME].to_pylist(), strict=True))
    found = loaded.views | {"sheet": np.array([values[item] for item in loaded.ids], np.float32)}
    parts = np.array([part_of[item] for item in loaded.ids])
    train, test = (np.flatnonzero(parts == name) for name in ("train", "test"))
    compute = staff_reader.apply(staff_reader.Reader.load(reader))
    printed = parquet.read(pictures, ["id", "picture"])
    wanted = {item: place for place, item in enumerate(loaded.ids[test])}
    read = {what: np.zeros((len(test), *found["sheet"].shape[1:]), np.float32) for what in CHANGES}
    for item, picture in zip(printed["id"].to_pylist(), printed["picture"].to_pylist(), strict=True):
        if item in wanted:
            grey = asmcmr_input.read_picture(picture["bytes"], item)
            for what in CHANGES:
                read[what][wanted[item]] = rows.features(compute, changed(grey, what), extraction.N_ROWS)[0]
    for what, sheet in read.items():
        for direction, scores in directions(found, train, test, sheet):
            yield [seed, what, direction, *measure(scores), len(test)]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/mtm"))
    parser.add_argument("--out", type=Path, default=Path("results/studies/staff_reader"))
    parser.add_argument("--deals", type=int, default=5)
    args = parser.parse_args()
    work = Path(".unisono/study")
    work.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for seed in range(args.deals):
        for line in deal(seed, args.data, work):
            lines.append(line)
            print(*(f"{value:.3f}" if isinstance(value, float) else value for value in line), flush=True)
    write_csv(args.out / "deals.csv", COLUMNS, lines)
    with (args.out / "deals.csv").open(encoding="utf-8", newline="") as file:
        kept = list(csv.DictReader(file))
    names = list(dict.fromkeys(row["direction"] for row in kept))
    printed = [["Test pictures", *(f"{name.replace('->', ' → ')} (R@1 / with twins / R@10 / MedR)" for name in names)]]
    for what in CHANGES:
        cells = [what]
        for name in names:
            own = [row for row in kept if (row["pictures"], row["direction"]) == (what, name)]
            mean = {column: np.mean([float(row[column]) for row in own]) for column in COLUMNS[3:7]}
            cells.append(
                f"{100 * mean['r1']:.1f} / {100 * mean['r1_twins']:.1f} / {100 * mean['r10']:.1f} / "
                f"{mean['median_rank']:.1f}"
            )
        printed.append(cells)
    table = markdown(printed, "l" + "r" * len(names))
    text = (
        f"# Sheet music read note by note, in {args.deals} deals of the songs\n\n{table}\n\n"
        "- Note-level CCA of the staff reader's rows (sheet music without lyrics) with VGGish of the sound and with "
        "seven numbers a syllable. In each deal the reader was trained on the training part alone. Source: music21.\n"
        "- *with twins*: an item that is printed like the right one and sounds like it counts as found.\n"
    )
    (args.out / "deals.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
