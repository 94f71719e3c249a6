"""Songs as two matrices of features that someone else made: a row of sound and a row of words for each song."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unisono.datasets.columns import to_labels
from unisono.datasets.songs.song import Piece
from unisono.errors import DataError
from unisono.io import archive, parquet, unpickle

#: Columns: those that are needed, and others.
NEEDED = ("id", "audio", "lyrics")
OTHERS = ("label", "song", "kind")
#: The views of the data set.
VIEWS = ("audio", "lyrics")
#: Largest array, in bytes.
MAX_BYTES = 8 * 2**30


def read(location: Path) -> list[Piece]:
    """Read features.

    Parameters
    ----------
    location : Path
        A ``.npz`` file without pickles, or Parquet (a file or a folder): ``id`` (n,) of unique texts, ``audio`` and
        ``lyrics`` (n, d) of numbers and, if there, ``label``, ``song`` (songs that share it are dealt together) and
        ``kind`` (what else could explain a hit), all (n,).

    Returns
    -------
    list of Piece
        Their files are the ids.

    Raises
    ------
    DataError
        It is missing or damaged, lacks a column, or a number is not finite.
    """
    columns = _npz(location) if location.suffix.lower() == ".npz" else _parquet(location)
    vectors = {view: _matrix(columns[view], f"{location}: {view}") for view in VIEWS}
    ids = list(map(str, columns["id"]))
    for name, values in {**columns, **vectors}.items():
        if len(values) != len(ids):
            raise DataError(f"{location}: {name} has {len(values)} rows and id {len(ids)}; both have one for each song")
    if not ids:
        raise DataError(f"{location}: no rows; expected {', '.join(NEEDED)}")
    pieces = []
    for row, identifier in enumerate(ids):
        text: dict[str, Any] = {name: str(columns[name][row]) for name in OTHERS if name in columns}
        pieces.append(Piece(identifier, identifier, "", vectors={v: vectors[v][row] for v in VIEWS}, **text))
    return pieces


def _npz(path: Path) -> dict[str, Any]:
    """Read the arrays of a ``.npz`` file; pickled ones are refused."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a .npz or .parquet with {', '.join(NEEDED)}")
    try:
        found = {
            name: unpickle.load_npy(content, name=f"{path}: {name}")
            for member, content in archive.zip_members(path, max_member_bytes=MAX_BYTES)
            if (name := member.removesuffix(".npy")) in (*NEEDED, *OTHERS)
        }
    except DataError as error:
        raise DataError(f"{error}; write it with numpy.savez") from None
    _check_names(list(found), path)
    for name, array in found.items():
        if array.dtype.hasobject or array.ndim != (2 if name in VIEWS else 1):
            expected = "numbers (n, d)" if name in VIEWS else "texts (n,)"
            raise DataError(f"{path}: {name} is {array.dtype} of shape {array.shape}, expected {expected}")
    return found


def _parquet(location: Path) -> dict[str, Any]:
    """Read the columns of Parquet files."""
    files = parquet.given(location)
    names = parquet.schema(files).names
    _check_names(names, location)
    wanted = [name for name in (*NEEDED, *OTHERS) if name in names]
    parquet.check_size(files, wanted)
    table = parquet.read(files, wanted)
    return {
        name: parquet.to_numpy(table[name]) if name in VIEWS else to_labels(table[name], f"{location}: {name}")
        for name in wanted
    }


def _check_names(names: list[str], location: Path) -> None:
    for name in NEEDED:
        if name not in names:
            raise DataError(f"{location}: has no {name!r}; expected {', '.join(NEEDED)} (data/README.md)")


def _matrix(values: Any, where: str) -> np.ndarray:
    """Check a matrix of numbers."""
    try:
        matrix = np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError):
        raise DataError(f"{where}: rows of different lengths, or no numbers; expected (n, d)") from None
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise DataError(f"{where}: shape {matrix.shape}, expected (n, d)")
    if not np.isfinite(matrix).all():
        row = int(np.argmin(np.isfinite(matrix).all(axis=1)))
        raise DataError(f"{where}: row {row} holds NaN or infinity; fill or drop it")
    return matrix


def types(piece: Piece) -> Mapping[str, Any]:
    """Give the types of the columns of its vectors."""
    return {view: parquet.vector(len(vector)) for view, vector in piece.vectors.items()}
