"""Queries on image2song: a picture of any kind or some words, through the functions of its stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from unisono.config.image2song import Image2song
from unisono.errors import ConfigError, DataError
from unisono.features.query.place import ID, Place
from unisono.io import parquet

#: Longest text that is read, in bytes.
MAX_BYTES = 2**20
#: Sets that follow from the tags of a picture, and those that follow from lyrics.
PICTURE_SETS = ("tags", "probabilities", "tag_vectors", "commonness")
LYRIC_SETS = ("bag", "has", "word_means", "word_vectors", "n_words", "word_means_masked", "word_vectors_masked",
              "n_words_masked")  # fmt: skip
#: Sets that no file has: the tags of a picture are in its data set alone.
KNOWN_ONLY = ("true_tags", "true_tag_vectors")
#: Tags that are told.
TOLD = 5


def _picture(source: Path, view: str, place: Place) -> list[str]:
    from unisono.media import plain

    section, name = Image2song.load(), place.sets[view]
    if name in KNOWN_ONLY:
        raise DataError(
            f"{source}: features {name!r} are keywords, which a picture of your own does not have; choose a --method "
            "whose experiment is on tags"
        )
    if name in LYRIC_SETS:
        raise ConfigError(f"{view}: features {name!r} are of lyrics; correct the experiment's views in params.yaml")
    content = source.read_bytes()
    # As build_image2song does.
    image = plain.plain(content, str(source), max_side=section.pictures.max_side)
    made, suffix = plain.encode(image, like=content)
    parquet.write(
        place.folder / "samples" / parquet.shard_name(0),
        {"id": [ID], "part": ["image"], "title": [""], "words": [[]], "text": [""],
         "image": [(made, f"query{suffix}")]},
        types={"id": pa.string(), "part": pa.string(), "title": pa.string(), "words": pa.list_(pa.string()),
               "text": pa.string(), "image": parquet.MEDIA},
    )  # fmt: skip
    if name not in PICTURE_SETS:
        _extract(name, place)
        return []
    return _tagged(name, section.features.tags.set, place, str(source))


def _extract(name: str, place: Place) -> None:
    from unisono.features import pictures_extraction

    pictures_extraction.extract_folder(
        place.folder / "samples",
        place.folder / "pictures" / name,
        place.folder / "features" / name,
        name=name,
        settings=getattr(Image2song.load().features, name),
        compute=place.compute,
        downloads=place.downloads,
    )


def _tagged(name: str, extractor: str, place: Place, where: str) -> list[str]:
    """Write the set that follows from a picture's tags, and tell the likeliest."""
    from unisono.features.image2song import predictor, tagging, words
    from unisono.features.image2song.deals import FILE
    from unisono.features.pictures import PARTS

    _extract(extractor, place)
    parts = parquet.to_numpy(parquet.read(place.folder / "pictures" / extractor, [PARTS])[PARTS])
    learnt = predictor.load(place.built / "models" / "tags" / extractor / f"deal{place.deal}" / FILE)
    scores = learnt.scores(parts)
    weights = tagging.kept(scores, Image2song.load().features.tags.top_tags)
    if not weights.any():
        raise DataError(f"{where}: no tag of the data set fits it, so that there is nothing to search by")
    if name == "tags":
        row = weights
    elif name == "probabilities":
        row = learnt.probabilities(scores)
    else:
        model = words.load(place.built / "models" / "words" / f"deal{place.deal}" / FILE)
        row = model.of_pictures(weights)[0 if name == "tag_vectors" else 1]
    _write(name, row[0], place)
    chances = learnt.probabilities(scores)[0]
    order = np.argsort(-scores[0], kind="stable")[:TOLD]
    told = ", ".join(f"{learnt.vocabulary[tag]} {chances[tag]:.0%}" for tag in order)
    return [f"its likeliest tags: {told}"]


def _text(source: Path | str, view: str, place: Place) -> list[str]:
    from unisono.datasets.image2song.lemmas import Lemmas
    from unisono.datasets.songs import lyrics
    from unisono.features.image2song import words
    from unisono.features.image2song.deals import FILE

    section, name = Image2song.load(), place.sets[view]
    if name not in LYRIC_SETS:
        raise ConfigError(f"{view}: features {name!r} are of no lyrics; correct the experiment's views in params.yaml")
    where, text = (str(source), "") if isinstance(source, Path) else ("the line of lyrics", source)
    if isinstance(source, Path):
        with source.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DataError(f"{source}: more than the {MAX_BYTES:,} bytes of text that are read; cut out what you mean")
        try:
            text = lyrics.decode(content)
        except DataError as error:
            raise DataError(f"{source}: {error}") from None
    lemmas = Lemmas(section.language).of(lyrics.plain(text))
    model = words.load(place.built / "models" / "words" / f"deal{place.deal}" / FILE)
    made = model.of_lyric(lemmas)
    row = made[name]
    if not row.any():
        what = "tags" if name in ("bag", "has") else "words"
        raise DataError(
            f"{where}: none of its {len(lemmas)} words is among the {what} of the data set, so that there is nothing "
            "to search by; take more words, in the language of the data set"
        )
    frames = int(made[name.replace("word_vectors", "n_frames")]) if name.startswith("word_vectors") else None
    _write(name, row, place, frames=frames)
    held = [word for word, tag in zip(model.vocabulary, made["has"], strict=True) if tag]
    return [f"tags in it: {', '.join(held)}" if held else "none of the data set's tags is in it"]


def _write(name: str, row: np.ndarray, place: Place, *, frames: int | None = None) -> None:
    """Write the one row of a set, ending in zeros where other deals have more tags."""
    from unisono.features.image2song import deals

    kind = parquet.schema(place.built / "features" / name).field(name).type
    while pa.types.is_fixed_size_list(kind.value_type):
        kind = kind.value_type
    padding = [(0, 0)] * (row.ndim - 1) + [(0, max(0, kind.list_size - row.shape[-1]))]
    columns = {name: np.pad(row, padding)[None].astype(np.float32)}
    if frames is not None:
        columns["n_frames"] = np.array([frames], dtype=np.int32)
    deals.write(place.folder / "features" / name, [ID], columns, {})


def feature_sets() -> set[str]:
    """Name the feature sets that have an extractor here."""
    return {*Image2song.load().features.sets, *PICTURE_SETS, *LYRIC_SETS, *KNOWN_ONLY}


#: Folder in which the stages keep weights.
DOWNLOADS = Path("data/raw/extractors")
#: By kind of file.
READERS = {"picture": _picture, "text": _text}
