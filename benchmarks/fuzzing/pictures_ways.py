"""Ways into the package for what pictures and their songs are read from: a whole source each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fuzzing import pictures_inputs
from fuzzing.reading import named

#: Settings with which a few pictures and songs are enough.
LITTLE: dict[str, Any] = {
    "songs": {"min_lemmas": 3, "clip_s": 1},
    "relevance": {"min_pictures": 1, "min_songs": 1, "max_song_fraction": 1.0},
    "pictures": {"max_skipped_fraction": 1.0},
}


def build(path: Path, source: str, **changes: Any) -> None:
    """Build the data set from a source, deal and label it: `changes` by block."""
    from unisono.config.image2song import Image2song
    from unisono.datasets import dealing
    from unisono.datasets.base import dataset_of
    from unisono.datasets.image2song import build as building
    from unisono.datasets.image2song import labelling

    raw = Image2song.load().model_dump(mode="json") | {"source": source}
    for block, settings in (*LITTLE.items(), *changes.items()):
        for name, value in settings.items():
            raw[block][name] = raw[block][name] | value if isinstance(value, dict) else value
    section = Image2song.model_validate(raw)
    out = path.with_name("out")
    building.build(
        section, out=out / "samples", audio=out / "audio", skipped=out / "left.csv", summary=out / "built.json"
    )
    options = {"samples": out / "samples", "out": out / "divisions", "summary": out / "dealt.json"}
    dealing.deal(dataset_of("image2song"), section, **options)
    options = {"samples": out / "samples", "divisions": out / "divisions", "out": out / "tags"}
    labelling.label(section, **options, summary=out / "tags.json")


def emoji(path: Path) -> None:
    """Build from a file of keywords, beside poems."""
    poems = path.with_name("poems")
    poems.write_bytes(pictures_inputs.poems()[0])
    block = {"emoji": {"annotations": str(path.parent)}}
    build(path, "emoji", pictures=block, songs={"fortunes": {"location": str(poems)}})


def poems(path: Path) -> None:
    """Build from a file of poems, beside drawings."""
    folder = path.with_name("keywords")
    folder.mkdir()
    (folder / "en.xml").write_bytes(pictures_inputs.keywords()[0])
    block = {"emoji": {"annotations": str(folder)}}
    build(path, "emoji", pictures=block, songs={"fortunes": {"location": str(path)}})


def clipart(path: Path) -> None:
    """Read the keywords of a drawing, one of two."""
    from unisono.config.image2song import OpenClipart

    for number, name in enumerate(("a", "b")):
        for kind in ("png", "svg"):
            path.with_name(kind).mkdir(exist_ok=True)
        path.with_name("png").joinpath(f"{name}.png").write_bytes(pictures_inputs.picture(number))
        content = path.read_bytes() if name == "a" else pictures_inputs.drawing()[0]
        path.with_name("svg").joinpath(f"{name}.svg").write_bytes(content)
    png, svg = str(path.with_name("png")), str(path.with_name("svg"))
    named("datasets.image2song.openclipart.read")(OpenClipart(png=png, svg=svg, left_out=()))


def _good(folder: Path, n: int = 12) -> None:
    for number in range(n):
        (folder / f"p{number}.png").write_bytes(pictures_inputs.picture(number))


def manifest(path: Path) -> None:
    """Build from a list of pictures and songs."""
    _good(path.parent)
    build(path, "manifest", pictures={"manifest": {"list": str(path)}})


def folder(path: Path) -> None:
    """Build from a folder of pictures with lyrics, of which one is the file."""
    for number in range(6):
        path.with_name(f"q{number}.png").write_bytes(pictures_inputs.picture(number))
        path.with_name(f"q{number}.txt").write_text(pictures_inputs.lyric(number), encoding="utf-8")
    path.with_suffix(".txt").write_text(pictures_inputs.lyric(9), encoding="utf-8")
    build(path, "folder", pictures={"folder": {"location": str(path.parent)}})


def shuttersong(path: Path) -> None:
    """Build from JPEG files, one of which is the file, with a list."""
    from fuzzing import inputs

    for number in range(5):
        path.with_name(f"q{number}.jpg").write_bytes(pictures_inputs.picture(number, "JPEG"))
    names = [path.name, *(f"q{number}.jpg" for number in range(5))]
    lines = [("image", "lyric"), *((name, pictures_inputs.lyric(i)) for i, name in enumerate(names))]
    path.with_name("songs.csv").write_bytes(inputs.rows(*lines))
    build(path, "shuttersong", pictures={"shuttersong": {"location": str(path.parent)}})


def shards(path: Path) -> None:
    """Build from ready-made shards."""
    build(path, "parquet", pictures={"parquet": {"location": str(path)}})
