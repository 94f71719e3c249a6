"""Making a staff reader of a data set's training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unisono.config.mtm import Split, StaffReader
from unisono.datasets import dealing
from unisono.datasets.mtm import groups
from unisono.errors import DataError
from unisono.features import staff_reader
from unisono.features.asmcmr import input as asmcmr_input
from unisono.features.staff_reader import staff, symbols, training
from unisono.io import parquet

#: Samples held in memory at once, drawn at random from more: 0.1 MB each.
MAX_SAMPLES = 4000


def make(
    samples: Path, divisions: Path, pictures: Path, *, params: StaffReader, deal: Split | None = None
) -> staff_reader.Reader:
    """Train a reader on the training part.

    Parameters
    ----------
    samples : Path
        Folder of shards with notes.
    divisions : Path
        Folder of the part of each sample; not read where `deal` is given.
    pictures : Path
        Folder of shards of one engraving. Pictures of other parts are not even decoded.
    params : StaffReader
    deal : Split, optional
        Deal anew by this instead: a reader for each of several deals.

    Returns
    -------
    Reader

    Raises
    ------
    DataError
        A folder is missing or damaged, or no training sample has a picture with a staff.
    ProgramError
        Training diverged.
    """
    found = read_samples(samples, training_ids(samples, divisions, deal), pictures, seed=params.seed)
    steps, batch_size, adapted = training.schedule(
        len(found.strips), steps=params.steps, batch_size=params.batch_size
    )  # fmt: skip
    settings = {"steps": steps, "batch_size": batch_size, "learning_rate": params.learning_rate, "seed": params.seed}
    arrays, losses = training.train(
        found, steps=steps, batch_size=batch_size, learning_rate=params.learning_rate, seed=params.seed
    )
    facts = {name: value for name, value in parquet.metadata(samples).items() if name in ("dataset", "source")}
    return staff_reader.Reader(
        arrays,
        {
            **facts,
            **settings,
            "n_samples": len(found.strips),
            **({"split_seed": deal.seed} if deal else {}),
            **({"adapted": adapted} if adapted else {}),
            "loss": [round(loss, 4) for loss in losses],
        },
    )


def training_ids(samples: Path, divisions: Path, deal: Split | None) -> set[str]:
    """Name the samples of the training part.

    Parameters
    ----------
    samples, divisions, deal
        As for `make`.

    Returns
    -------
    set of str
    """
    if deal is None:
        return {identity for identity, part in dealing.read(divisions).items() if part == "train"}
    present = next(iter(parquet.iterate(samples, batch_size=1))).schema.names
    columns = ["id", "song", "notes", "syllables", *({"text"} & set(present))]
    table = parquet.read(samples, columns)
    parts, _ = groups.deal_samples(table, deal)
    return {identity for identity, part in zip(table["id"].to_pylist(), parts, strict=True) if part == "train"}


def read_samples(samples: Path, ids: set[str], pictures: Path, *, seed: int) -> training.Samples:
    """Read the notes and the strips of some samples.

    Left out are a picture without a staff or too long (`training.MAX_CELLS`), and notes that do not fit it.

    Parameters
    ----------
    samples, pictures : Path
    ids : set of str
        Samples to read; no other picture is decoded.
    seed : int
        Of the draw when there are more than `MAX_SAMPLES`.

    Returns
    -------
    Samples

    Raises
    ------
    DataError
        None is left.
    """
    table = parquet.read(samples, ["id", "notes"])
    known = [identity for identity in table["id"].to_pylist() if identity in ids]
    if len(known) > MAX_SAMPLES:
        drawn = np.random.default_rng(seed).choice(len(known), MAX_SAMPLES, replace=False)
        known = [known[number] for number in np.sort(drawn)]
    wanted = set(known)
    notes = parquet.to_numpy(table["notes"])
    printed = {
        identity: symbols.printed(notes[row])
        for row, identity in enumerate(table["id"].to_pylist())
        if identity in wanted
    }
    strips: dict[str, np.ndarray] = {}
    for batch in parquet.iterate(pictures, ["id", "picture"]):
        for identity, picture in zip(batch["id"].to_pylist(), batch["picture"], strict=True):
            sample = printed.get(identity)
            if sample is None:
                continue
            grey = asmcmr_input.read_picture(picture["bytes"].as_py(), f"{pictures}: {identity}")
            strip, found = staff.strip(grey)
            cells = strip.shape[1] // staff.CELL_PIXELS
            if found and cells <= training.MAX_CELLS and symbols.fits(sample, cells):
                strips[identity] = strip
    complete = [identity for identity in known if identity in strips]
    if not complete:
        raise DataError(
            f"{samples}: no training sample has a picture in {pictures} on which a staff is found; at least one is "
            "needed to train the staff reader (build the pictures again)"
        )
    return training.Samples(
        [strips[identity] for identity in complete],
        [sample for identity in complete if (sample := printed[identity]) is not None],
    )
