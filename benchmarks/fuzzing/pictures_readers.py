"""The readers of what pictures and their songs are read from."""

from __future__ import annotations

from fuzzing import pictures_inputs, pictures_ways
from fuzzing.reading import Reader

_BUILD = (
    "urllib3",
    "pydantic",
    "yaml",
    "scipy.sparse.csgraph",
    "sklearn.feature_extraction.text",
    "simplemma",
    "PIL.ImageOps",
    "PIL.ImageFont",
    "tqdm",
    "soundfile",
    "av",
    "scipy.signal",
    "charset_normalizer",
    "pyarrow.parquet",
    "pyarrow.compute",
)
_BUILT = ("datasets.image2song.sources.read",)

READERS: dict[str, Reader] = {
    "keywords of drawings": Reader(
        pictures_inputs.drawing,
        "drawing.svg",
        "keywords",
        pictures_ways.clipart,
        ("datasets.image2song.openclipart.read", "datasets.image2song.markup.parse"),
        _BUILD,
    ),
    "lists of pictures": Reader(
        pictures_inputs.manifest,
        "pictures.csv",
        "picture list",
        pictures_ways.manifest,
        ("datasets.image2song.own.manifest", *_BUILT),
        _BUILD,
    ),
    "pictures with lyrics": Reader(
        pictures_inputs.pictures,
        "picture.png",
        "picture",
        pictures_ways.folder,
        ("datasets.image2song.own.folder",),
        _BUILD,
    ),
    "pictures with clips": Reader(
        pictures_inputs.with_clip,
        "picture.jpg",
        "picture with a clip",
        pictures_ways.shuttersong,
        ("datasets.image2song.shuttersong.read",),
        _BUILD,
    ),
    "ready-made pictures": Reader(
        pictures_inputs.shards,
        "part-00000.parquet",
        "parquet",
        pictures_ways.shards,
        ("datasets.image2song.ready.read",),
        _BUILD,
    ),
    "keywords of emoji": Reader(
        pictures_inputs.keywords,
        "en.xml",
        "keywords",
        pictures_ways.emoji,
        ("datasets.image2song.emoji.read",),
        _BUILD,
    ),
    "poems": Reader(
        pictures_inputs.poems,
        "songs-poems",
        "poems",
        pictures_ways.poems,
        ("datasets.image2song.fortunes.read",),
        _BUILD,
    ),
}
