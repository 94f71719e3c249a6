"""Features of lyrics: a model for every deal, trained on that deal's training part alone.

**Conventions.** Samples hold ``id`` and ``text``. Divisions hold ``id`` and ``deals``, a fixed-size list of the part
that the item has in each of D deals: ``train``, ``validation``, ``test``, or nothing where it is left out of that deal.
For every deal a model learns from the texts whose entry is ``train``, and all items are embedded with each: features
are ``id`` and a column of shape (D, d). What needs no training has one vector an item, (d,).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.datasets import dealing
from unisono.errors import DataError, pass_machine
from unisono.features import brought, texts
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.store.executors import fixed_threads

#: Name of a model's file.
FILE = "model.safetensors"
#: Largest file of extra text, and all of them, in bytes.
MAX_FILE, MAX_TOTAL = 4 * 2**20, 2**30


def extract(
    samples: Path,
    divisions: Path,
    out: Path,
    models: Path,
    settings: Any,
    extra_texts: Path | None = None,
    *,
    name: str,
    view: str,
) -> str:
    """Write a set of vectors of lyrics, and the models that made it.

    Parameters
    ----------
    samples : Path
        Folder of shards with ``id`` and ``text``. Where the source brings vectors of its own (``lyrics``), these are
        the set.
    divisions : Path
        Folder of shards with ``id`` and ``deals``. An item that is not there is left out of all deals.
    out : Path
        Folder of the shard to write.
    models : Path
        Folder for ``deal<i>/model.safetensors`` of every deal; for what is not trained, ``model.safetensors``.
    settings : Section
        Of the extractor, see `unisono.config.text_extractors`.
    extra_texts : Path, optional
        Folder of more texts to learn from in every deal, see `read_folder`.
    name : str
        Of the extractor.
    view : str
        Name of the column.

    Returns
    -------
    str
        What was adapted to few texts; empty where nothing was.

    Raises
    ------
    DataError
        Samples or divisions are missing, damaged or do not fit together, or a deal trains on no word.
    MissingExtra
        A package that the extractor needs is not installed.
    """
    if brought.hand_on(samples, out, column="lyrics", view=view):
        with replacing_folder(models):
            return ""
    made = texts.module(name)
    table = parquet.read(samples, ["id", "text"])
    ids, lyrics = (parquet.to_list(table[column], str(samples)) for column in ("id", "text"))
    identifier, count = Counter(ids).most_common(1)[0] if ids else ("", 0)
    if count > 1:
        raise DataError(f"{samples}: id {identifier!r} occurs {count} times; ids must be unique")
    if not all(isinstance(text, str) for text in lyrics):
        raise DataError(f"{samples}: column text is {table.schema.field('text').type}, expected texts without nulls")
    more = read_folder(extra_texts) if extra_texts and made.TRAINED else []
    # Sums of many threads depend on how many there are.
    with fixed_threads(1):
        if made.TRAINED:
            parts = read_deals(divisions, ids)
            trained_on = [[text for text, own in zip(lyrics, deal, strict=True) if own == "train"] for deal in parts.T]
            fitted, adapted = _fit(made, [[*own, *more] for own in trained_on], settings, divisions)
        else:
            fitted, adapted = [made.fit(lyrics, settings)], ""
        vectors = _stacked([model.embed(lyrics) for model in fitted])
    facts = {key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")}
    facts |= fitted[0].describe() | ({"adapted": adapted} if adapted else {})
    facts["without_known_word"] = int((~vectors.any(axis=2)).sum(axis=0).max(initial=0))
    kind = parquet.vector(vectors.shape[2])
    if made.TRAINED:
        facts |= {"per_deal": True, "n_extra_texts": len(more)}
        kind = parquet.matrix(len(fitted), vectors.shape[2])
    else:
        vectors = vectors[:, 0]
    with replacing_folder(models) as fresh:
        for number, model in enumerate(fitted):
            model.save(fresh / f"deal{number}" / FILE if made.TRAINED else fresh / FILE)
    with replacing_folder(out) as fresh:
        columns = {"id": ids, view: vectors}
        parquet.write(fresh / parquet.shard_name(0), columns, types={"id": pa.string(), view: kind}, metadata=facts)
    return adapted


def _fit(
    made: Any, trained_on: Sequence[Sequence[str]], settings: Any, divisions: Path
) -> tuple[list[texts.TextModel], str]:
    """Train a model a deal; say what was adapted to few texts."""
    fitted = []
    for number, own in enumerate(trained_on):
        try:
            fitted.append(made.fit(own, settings))
        except DataError as error:
            raise DataError(f"{divisions}: deal {number}: {error}") from None
    notes = {number: note for number, model in enumerate(fitted) if (note := model.describe().get("adapted", ""))}
    if not notes:
        return fitted, ""
    first, said = next(iter(notes.items()))
    return fitted, f"in {len(notes)} of {len(fitted)} deals, as in deal {first}: {said}"


def _stacked(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Put the vectors of all deals side by side (n, D, d); narrower ones, of deals with few texts, end in zeros."""
    width = max(each.shape[1] for each in vectors)
    return np.stack([np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in vectors], axis=1)


def read_deals(divisions: Path, ids: Sequence[str]) -> np.ndarray:
    """Read the part that every item has in every deal; a split is one deal, and so is each fold.

    Parameters
    ----------
    divisions : Path
        Folder of shards with ``id`` and ``deals``, ``split`` or ``fold``.
    ids : sequence of str
        Of the items.

    Returns
    -------
    np.ndarray [shape=(n, D), dtype=object]
        ``train``, ``validation``, ``test`` or nothing.

    Raises
    ------
    DataError
        It is missing, damaged or none; an item stands there twice, or is not among `ids`.
    """
    found = dealing.read(divisions)
    if len(found) < parquet.read(divisions, ["id"]).num_rows:
        raise DataError(f"{divisions}: an id is there twice; deal again (`dvc repro`)")
    folds = sorted({value for value in found.values() if isinstance(value, int)})
    row = {identifier: place for place, identifier in enumerate(ids)}
    width = max((len(value) for value in found.values() if isinstance(value, list)), default=len(folds) or 1)
    parts = np.full((len(ids), width), "", dtype=object)
    for identifier, value in found.items():
        if identifier not in row:
            raise DataError(f"{divisions}: id {identifier!r} is no sample; deal again (`dvc repro`)")
        if isinstance(value, int):
            parts[row[identifier]] = ["test" if value == fold else "train" for fold in folds]
        else:
            parts[row[identifier]] = value
    return parts


def read_folder(folder: Path) -> list[str]:
    """Read a user's own texts to learn from.

    Parameters
    ----------
    folder : Path
        With ``.txt`` files at any depth, in UTF-8; a file is a text.

    Returns
    -------
    list of str
        In the order of their paths.

    Raises
    ------
    DataError
        There is no such folder, no file in it, one that is no UTF-8, or one or all are too large.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".txt" and path.is_file())
    if not paths:
        raise DataError(f"{folder}: no such folder, or no .txt file in it; correct extra_texts, or leave it empty")
    found, total = [], 0
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError(f"{path}: not UTF-8; save it as such") from None
        except OSError as error:
            pass_machine(error)
            raise DataError(f"{path}: cannot be read: {error.strerror or error}; check permissions") from None
        total += len(content)
        if len(content) > MAX_FILE:
            raise DataError(f"{path}: larger than {MAX_FILE // 2**20} MiB; divide it, a file is one text")
        if total > MAX_TOTAL:
            raise DataError(f"{folder}: holds more than {MAX_TOTAL // 2**30} GiB of text; give less of it")
        found.append(text)
    return found
