"""A file or a line of lyrics as the one item of a small data set, taken through the extractors of a built one.

**Conventions.** The query becomes shards like those of its data set (``samples``, ``audio``, ``engraved/<set>``), and
the very functions that the stages call turn these into features, with the settings of ``params.yaml`` and the trained
encoders of the built data set. What a file leaves open is settled so:

- A sound has no notes marked. On MTM it is cut into 20 equal parts, which stand for its 20 notes; at most
  `mtm.SOUND_S` seconds are heard. On VEGAS the first 10 s are heard, as of every clip.
- Of a MIDI file or a score the first 20 notes count: of a MIDI file those of the first instrument with as many, the
  highest where several begin together; of a score those with syllables. They are played by TiMidity++ or printed by
  LilyPond, as those of the data set were.
- A picture is one line of sheet music at about 100 dpi.
- Lyrics on MTM are words divided by blanks, and syllables by hyphens ("Mei-ne See-le"); the first 20 syllables count.
  On songs all words count. The time stamps of a .lrc file are taken out.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config.compute import Compute
from unisono.datasets.base import dataset_of
from unisono.errors import ConfigError, DataError
from unisono.features.query.place import ID, Place
from unisono.io import parquet

__all__ = ["ID", "Extracted", "extract", "kind_of", "view_of"]

#: Kinds of files by suffix.
KINDS: Mapping[str, str] = {
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".aif", ".aiff"), "sound"),
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"), "video"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), "picture"),
    **dict.fromkeys((".mid", ".midi"), "MIDI file"),
    **dict.fromkeys((".musicxml", ".mxl", ".xml"), "score"),
    **dict.fromkeys((".txt", ".lrc"), "text"),
}
#: Largest file that is read, in bytes; sounds are read in part and may be larger.
MAX_BYTES = 512 * 2**20


@dataclass
class Extracted:
    """Features of a query.

    Attributes
    ----------
    view : str
    vectors : np.ndarray [shape=(1, n, d), dtype=float32]
    notes : list of str
        What was settled that the file leaves open.
    """

    view: str
    vectors: np.ndarray
    notes: list[str] = field(default_factory=list)


def kind_of(path: Path) -> str:
    """Say what a file is, by its suffix.

    Raises
    ------
    DataError
        The suffix is unknown.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{path}: unknown kind of file {path.suffix!r}; expected one of {', '.join(KINDS)}")
    return kind


def view_of(kind: str, dataset: str, view: str | None, name: str) -> str:
    """Choose the view in which a file is a query.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    dataset : str
    view : str or None
        What was asked for.
    name : str
        Of the file, for messages.

    Returns
    -------
    str

    Raises
    ------
    DataError
        A file of this kind can be no query on the data set, or not in this view.
    """
    queries = dataset_of(dataset).queries
    legal = queries.get(kind, ())
    if not legal:
        others = ", ".join(queries) or "none, an id only"
        raise DataError(f"{name}: a {kind} cannot be a query on {dataset}; kinds that can: {others}")
    if view is not None and view not in legal:
        raise DataError(f"{name}: a {kind} cannot be a query in the view {view!r}; it can in {' or '.join(legal)}")
    return view or legal[0]


def extract(
    source: Path | str,
    dataset: str,
    *,
    view: str | None,
    sets: Mapping[str, str],
    built: Path,
    folder: Path,
    deal: int = 0,
) -> Extracted:
    """Take a query through the extractors of a data set.

    Parameters
    ----------
    source : Path or str
        A file, or a line of lyrics.
    dataset : {"mtm", "vegas", "songs"}
    view : str or None
        In which it is a query; the kind's usual one by default.
    sets : mapping of str to str
        Feature set by view.
    built : Path
        Folder of the built data set.
    folder : Path
        Empty; the query's small data set is written here.
    deal : int
        Whose features are searched, where each deal has its own.

    Returns
    -------
    Extracted

    Raises
    ------
    DataError
        The file is missing, empty, damaged, silent, blank, too long, or of a kind that the data set does not know.
    ConfigError, ProgramError, DownloadError
        params.yaml, an external program or a published file is missing.
    """
    compute = Compute.load().model_copy(update={"executor": "serial", "scratch": folder / "scratch"})
    if isinstance(source, Path):
        kind = kind_of(source)
        view = view_of(kind, dataset, view, str(source))
        _check_file(source, kind)
    else:
        kind = "text"
        view = view_of(kind, dataset, view, "the line of lyrics")
    readers = _readers(dataset)
    place = Place(folder, built, sets, readers.DOWNLOADS, compute, deal)
    if sets[view] not in readers.feature_sets():
        raise ConfigError(f"{view}: features {sets[view]!r} of {dataset} have no extractor in params.yaml; give an id")
    notes = readers.READERS[kind](source, view, place)
    return Extracted(view, _vectors(folder / "features" / sets[view], sets[view]), notes)


def _check_file(path: Path, kind: str) -> None:
    if path.is_dir():
        raise DataError(f"{path}: a folder; give one file")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path}: an empty file; get it again")
    if kind != "sound" and size > MAX_BYTES:
        raise DataError(f"{path}: {size:,} bytes, more than the {MAX_BYTES:,} that are read; cut out what you mean")


def _vectors(features: Path, name: str) -> np.ndarray:
    """Read the one row of features as the loader would."""
    from unisono.datasets.columns import is_vectors, to_view

    table = parquet.read(features)
    columns = [column for column in table.column_names if is_vectors(table.schema.field(column).type)]
    vectors: np.ndarray = np.concatenate([to_view(table.column(column), where=name)[0] for column in columns], axis=-1)
    if "n_frames" in table.column_names:
        vectors = vectors[:, : table.column("n_frames")[0].as_py()]
    return vectors


def _readers(dataset: str) -> Any:
    """Import what turns files into features of a data set: ``READERS`` by kind, ``DOWNLOADS``, ``feature_sets``."""
    return importlib.import_module(f"{__name__}.{dataset}")
