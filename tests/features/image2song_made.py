"""A small data set of pictures and songs, dealt and labelled: each thing has its colour and its songs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.datasets.image2song import THINGS, encoded, params
from unisono.config.compute import Compute
from unisono.config.image2song import Image2song
from unisono.datasets.image2song import labelling
from unisono.datasets.image2song.item import TYPES
from unisono.features import pictures_extraction
from unisono.io import parquet

N_THINGS, PER_THING, N_SONGS, DEALS = 4, 6, 24, 2
OTHER = ("sing", "love", "time", "night", "road", "hear", "come", "again", "sweet", "light")
SMALL: dict[str, Any] = {
    "relevance.min_pictures": 2,
    "relevance.min_songs": 1,
    "relevance.max_song_fraction": 1.0,
    "features.words.dimensions": 8,
    "features.words.epochs": 3,
    "features.words.length": 12,
    "features.tags.top_tags": 2,
    "features.pixels.image_size": 8,
}


def section(**changes: Any) -> Image2song:
    """Parameters that suit it; keys with ``__`` for dots."""
    return params(SMALL | {key.replace("__", "."): value for key, value in changes.items()})


def picture(thing: int, number: int) -> bytes:
    """A square in the thing's colour with noise."""
    colours = np.random.default_rng(thing).integers(40, 216, 3)
    noise = np.random.default_rng([thing, number]).integers(-30, 30, (24, 24, 3))
    return encoded((colours + noise).clip(0, 255).astype(np.uint8))


def lemmas(number: int) -> list[str]:
    """Of a song, with one or two things in it."""
    generator = np.random.default_rng([7, number])
    own = [*generator.choice(OTHER, 14), THINGS[number % N_THINGS]]
    return [str(each) for each in generator.permutation([*own, THINGS[(number // 4) % N_THINGS]])]


def rows() -> list[dict[str, Any]]:
    """Samples, pictures first."""
    found = []
    for thing in range(N_THINGS):
        for number in range(PER_THING):
            name = f"p/{thing}{number}"
            keywords = [THINGS[thing], *(["thing"] if number % 2 else [])]
            found.append({"id": name, "part": "image", "group": name, "title": THINGS[thing], "words": keywords,
                          "image": (picture(thing, number), f"{thing}{number}.png"), "text": ""})  # fmt: skip
    for number in range(N_SONGS):
        own = lemmas(number)
        found.append({"id": f"s/{number:02d}", "part": "lyrics", "group": f"s{number}", "title": f"Song {number}",
                      "words": own, "image": (b"", ""), "text": " ".join(own)})  # fmt: skip
    return [{"pair": "", "licence": "", "source": "made", **row} for row in found]


def parts(samples: list[dict[str, Any]]) -> list[list[str]]:
    """Every third picture or song is tested on in the first deal, every fourth in the second."""
    return [["test" if place % n == 0 else "train" for n in (3, 4)] for place, _ in enumerate(samples)]


def build(folder: Path, samples: list[dict[str, Any]] | None = None, own: Image2song | None = None) -> Path:
    """Write samples, divisions and tags; returns the folder."""
    samples = rows() if samples is None else samples
    own = own or section()
    facts = {"dataset": "image2song", "source": "made"}
    for shard, start in enumerate(range(0, len(samples), 20)):
        some = samples[start : start + 20]
        columns = {name: [row[name] for row in some] for name in TYPES}
        parquet.write(
            folder / "samples" / parquet.shard_name(shard), columns, types=TYPES, metadata=facts,
            media={"image": "image"},
        )  # fmt: skip
    parquet.write(
        folder / "divisions" / parquet.shard_name(0),
        {"id": [row["id"] for row in samples], "deals": parts(samples)},
        types={"id": pa.string(), "deals": parquet.strings(DEALS)},
        metadata=facts,
    )
    labelling.label(
        own, samples=folder / "samples", divisions=folder / "divisions", out=folder / "tags", summary=folder / "t.json"
    )
    return folder


def extract(folder: Path, name: str = "pixels", own: Image2song | None = None) -> list[tuple[str, str]]:
    """Extract the pictures of the folder; returns those that were left out."""
    own = own or section()
    return pictures_extraction.extract_folder(
        folder / "samples",
        folder / "pictures" / name,
        folder / "features" / name,
        name=name,
        settings=getattr(own.features, name),
        compute=Compute(executor="serial", scratch=folder / "scratch"),
        downloads=folder / "downloads",
    )
