"""The tags of every item in every deal, and what there is to know of them: ``data/image2song/tags``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.image2song import Image2song
from unisono.datasets import dealing
from unisono.datasets.image2song import relevance
from unisono.errors import DataError
from unisono.io import files, parquet

#: Types of the columns: numbers of tags, a list for each deal.
TAGS = pa.list_(pa.list_(pa.int32()))
#: Tags that are named as the commonest.
COMMONEST = 10


def label(section: Image2song, *, samples: Path, divisions: Path, out: Path, summary: Path) -> dict[str, Any]:
    """Write the tags of every item.

    Parameters
    ----------
    section : Image2song
    samples, divisions : Path
        Folders of shards.
    out : Path
        Folder of the shard: ``id``, ``tags`` (D lists: which items fit) and ``keywords`` (D lists: the words that
        pictures show and songs hold; the same but where items pair). Its metadata name both by deal: ``vocabulary``,
        ``keyword_vocabulary``; and the ``rule``.
    summary : Path
        JSON of what is returned.

    Returns
    -------
    dict
        ``rule``; by deal tags, pictures, songs and what fits; ``told`` for the card.

    Raises
    ------
    DataError
        Samples or divisions are missing, damaged or do not fit together, or no word is a tag.
    """
    table = parquet.read(samples, ["id", *relevance.COLUMNS])
    ids = [str(value) for value in table["id"].to_pylist()]
    parts = _parts(divisions, ids)
    items = relevance.Items(table)
    named: list[list[list[str]]] = [[], []]
    columns: list[list[list[list[int]]]] = [[], []]
    by_deal = []
    for part in parts.T:
        for kind, find in enumerate((items.tags, items.keywords)):
            names, tags = find(part == "train", section.relevance)
            named[kind].append(names)
            columns[kind].append(tags)
        if not named[0][-1]:
            raise DataError(f"{divisions}: a deal has no tag; deal again (`dvc repro`), or change image2song.relevance")
        by_deal.append(_counted(columns[0][-1], named[0][-1], items, part))
    everything = np.full(len(ids), "train")
    whole_names, whole_tags = items.tags(everything == "train", section.relevance)
    facts = {
        "dataset": "image2song",
        "source": str(parquet.metadata(samples).get("source", "unknown")),
        "rule": relevance.PAIR if items.paired else relevance.KEYWORD,
        "deals": by_deal,
        "over_all": _counted(whole_tags, whole_names, items, everything),
    }
    facts["told"] = list(_told(facts, section))
    kept = {name: facts[name] for name in ("dataset", "source", "rule", "told")}
    metadata = {**kept, "vocabulary": named[0], "keyword_vocabulary": named[1]}
    with files.replacing_folder(out) as fresh:
        lists = [pa.array([list(own) for own in zip(*tags, strict=True)], TAGS) for tags in columns]
        types = {"id": pa.string(), "tags": TAGS, "keywords": TAGS}
        rows = {"id": ids, "tags": lists[0], "keywords": lists[1]}
        parquet.write(fresh / parquet.shard_name(0), rows, types=types, metadata=metadata)
    with files.replacing(summary) as temporary:
        temporary.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def of_items(folder: Path, wanted: Iterable[str]) -> dict[str, list[str]]:
    """Name the keywords that items have in the first deal.

    Parameters
    ----------
    folder : Path
        ``data/image2song/tags``; where it is missing or damaged nothing is named.
    wanted : iterable of str
        Ids.

    Returns
    -------
    dict of str to list of str
    """
    try:
        vocabulary = parquet.metadata(folder).get("keyword_vocabulary") or [[]]
        table = parquet.read(folder, ["id", "keywords"])
        ids, found = (parquet.to_list(table[name], f"{folder}: {name}") for name in ("id", "keywords"))
    except DataError:
        return {}
    chosen = set(wanted)
    rows = ((item, deals[0]) for item, deals in zip(ids, found, strict=True) if item in chosen)
    return {item: [str(vocabulary[0][tag]) for tag in own if 0 <= tag < len(vocabulary[0])] for item, own in rows}


def _parts(divisions: Path, ids: Sequence[str]) -> np.ndarray:
    """Read the part of every item in every deal; a split is one deal."""
    dealt = dealing.read(divisions)
    unknown = next((item for item in dealt if item not in set(ids)), None) if len(dealt) > len(ids) else None
    if unknown is not None or any(isinstance(value, int) for value in dealt.values()):
        raise DataError(f"{divisions}: divides other items; deal again (`dvc repro`)")
    first = next(iter(dealt.values()))
    width = len(first) if isinstance(first, list) else 1
    rows = [dealt.get(item, [""] * width) for item in ids]
    return np.array([row if isinstance(row, list) else [row] for row in rows], dtype="<U10")


def _counted(
    tags: Sequence[Sequence[int]], names: Sequence[str], items: relevance.Items, part: np.ndarray
) -> dict[str, Any]:
    """Count what a deal holds, and what fits among its test items (among all where nothing is tested on)."""
    matrix = relevance.matrix(tags, len(names))
    tagged = np.asarray(matrix.sum(axis=1)).ravel() > 0
    pictures = items.pictures & (part != "") & tagged
    asked = part == "test" if (part == "test").any() else part != ""
    here, there = np.flatnonzero(pictures & asked), np.flatnonzero(~items.pictures & asked)
    fits = (matrix[here] @ matrix[there].T) > 0
    per_picture, per_song = (np.asarray(fits.sum(axis=axis)).ravel() for axis in (1, 0))
    counts = np.asarray(matrix[np.flatnonzero(pictures)].sum(axis=0)).ravel()
    commonest = sorted(range(len(names)), key=lambda tag: (-counts[tag], names[tag]))[:COMMONEST]
    shown = np.asarray(matrix[np.flatnonzero(pictures)].sum(axis=0)).ravel() > 0
    fitting = np.asarray(matrix[np.flatnonzero(~items.pictures)][:, shown].sum(axis=1)).ravel() > 0
    return {
        "n_tags": len(names),
        "n_pictures": {name: int((pictures & (part == name)).sum()) for name in ("train", "validation", "test")},
        "n_songs": {name: int((~items.pictures & (part == name)).sum()) for name in ("train", "validation", "test")},
        "tags_per_picture": round(float(counts.sum() / max(pictures.sum(), 1)), 3),
        "songs_with_a_picture": int(fitting.sum()),
        "pool": {
            "pictures": len(here),
            "songs": len(there),
            "picture_queries": int((per_picture > 0).sum()),
            "song_queries": int((per_song > 0).sum()),
            "songs_per_picture": round(float(per_picture[per_picture > 0].mean()) if per_picture.any() else 0.0, 2),
            "pictures_per_song": round(float(per_song[per_song > 0].mean()) if per_song.any() else 0.0, 2),
            "density": round(float(fits.sum() / max(fits.shape[0] * fits.shape[1], 1)), 5),
        },
        "commonest": [names[tag] for tag in commonest] if not items.paired else [],
    }


def _told(facts: Mapping[str, Any], section: Image2song) -> Iterator[str]:
    """Say what a reader of the card is to know."""
    deals = facts["deals"]

    def each(*path: str) -> str:
        values = []
        for deal in deals:
            value: Any = deal
            for key in path:
                value = value[key]
            values.append(value)
        return ", ".join(f"{value:g}" for value in values)

    limits = section.relevance
    if facts["rule"] == relevance.PAIR:
        yield "A picture fits the song that it came with, and no other"
    else:
        yield (
            "A picture fits a song where they share a tag: a word that is a keyword of the one and a lemma of the "
            f"other. Tags are keywords of {limits.min_pictures} or more pictures and lemmas of {limits.min_songs} or "
            f"more songs, of at most {limits.max_song_fraction:.0%} of them, in the training part of the deal alone, "
            "and no stop words"
        )
        yield (
            "So a bag of words on the true tags of a picture finds all that fits and nothing else, by construction: it "
            "checks the task and is no competitor"
        )
        yield f"Tags by deal: {each('n_tags')}; commonest in the first: {', '.join(deals[0]['commonest'])}"
    yield (
        f"Tested on by deal: {each('pool', 'pictures')} pictures and {each('pool', 'songs')} songs; of these fit "
        f"something: {each('pool', 'picture_queries')} pictures and {each('pool', 'song_queries')} songs; density of "
        f"what fits: {each('pool', 'density')}"
    )
    whole = facts["over_all"]
    yield (
        f"Over all pictures and songs, without a division, {whole['pool']['pictures']} pictures and "
        f"{whole['songs_with_a_picture']} songs would have one of {whole['n_tags']} tags"
    )
