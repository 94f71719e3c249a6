"""Small pictures and songs: parameters, pictures, and sources made of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from unisono.config.image2song import Image2song

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
#: Things of which pictures and songs are made.
THINGS = ("cat", "dog", "house", "moon", "river", "horse", "flower", "bread")
FILLING = ("words that nobody sings twice come here again", "because songs need some length anyway")


def params(changes: dict[str, Any] | None = None) -> Image2song:
    """The shipped parameters with some changed, by dotted key below ``image2song``."""
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["image2song"]
    for key, value in (changes or {}).items():
        section = raw
        *path, last = key.split(".")
        for part in path:
            section = section[part]
        section[last] = value
    return Image2song.model_validate(raw)


def pixels(seed: int, side: int = 32) -> np.ndarray:
    """Colours (side, side, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file."""
    made = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(made, kind, **options)
    return made.getvalue()


def lyric(number: int, *things: str) -> str:
    """A text of 24 words with some things in it; no two begin alike."""
    drawn = np.random.default_rng(number).permutation(" ".join(FILLING).split())
    own = ["".join(np.random.default_rng([number, i]).choice(list("abcdefghij"), 6)) for i in range(10)]
    return " ".join([*own, *drawn, *things])


def manifest(folder: Path, n: int = 8, *, tags: bool = True, split: bool = False, **more: str) -> Path:
    """A list of songs with two pictures each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(2 * n):
        song, thing = number // 2, THINGS[number // 2 % len(THINGS)]
        (folder / f"p{number:02d}.png").write_bytes(encoded(pixels(number)))
        row = {"image": f"p{number:02d}.png", "lyric": lyric(song, thing), "song": f"s{song}"}
        row |= {"tags": f"{thing};a thing"} if tags else {}
        row |= {"split": "test" if song % 3 == 0 else "train"} if split else {}
        rows.append(row | more)
    return write(folder / "pictures.csv", rows)


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV of some rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def cldr(folder: Path, entries: dict[str, str], language: str = "en", head: str = "") -> Path:
    """A file of CLDR's annotations: by character its keywords."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(
        f'<annotation cp="{text}">{words}</annotation><annotation cp="{text}" type="tts">{words.split("|")[0]}'
        "</annotation>"
        for text, words in entries.items()
    )
    path = folder / f"{language}.xml"
    path.write_text(f'<?xml version="1.0"?>{head}<ldml><annotations>{lines}</annotations></ldml>', encoding="utf-8")
    return path


def fortunes(path: Path, n: int = 12) -> Path:
    """A file of texts, each with two things."""
    texts = [f'{lyric(i, THINGS[i % 8], THINGS[(i + 3) % 8])}\n\t\t-- Somebody, "Song {i}"\n' for i in range(n)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("%\n".join(texts), encoding="utf-8")
    return path
