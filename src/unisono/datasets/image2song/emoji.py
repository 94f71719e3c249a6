"""Emoji of a colour font with the keywords of Unicode's CLDR.

**Conventions.** Each character that CLDR names is drawn by Pillow, with its colours, in the middle of a white square.
One that the font lacks is drawn as a blank, or as whatever the font draws for a character that nobody has: it is left
out and counted, and so is a joined sequence that the font draws as its parts. Drawings that differ in who is shown, by
their names (man, woman, person, a tone of skin, ...), or in the hour of a clock, are one series.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from unisono.config.image2song import CLDR, FONT, Emoji
from unisono.datasets.image2song import markup, packages
from unisono.datasets.image2song.item import Found, Left, Picture
from unisono.datasets.mtm.song import clean
from unisono.errors import DataError, pass_machine
from unisono.media import plain

#: Largest font, in bytes; Debian's has 10 MB.
MAX_FONT_BYTES = 128 * 2**20
#: A character that no font has.
NOBODYS = "\U0010ffff"
#: Times the size of the font that one drawing may be wide: two side by side are a sequence that was not joined.
WIDEST = 1.75
#: Longest text that CLDR annotates, in characters.
MAX_CHARACTERS = 32
#: Words of an English name that say who is shown, or the hour of a clock.
_WHO = re.compile(
    r"\b(?:m[ae]n|wom[ae]n|persons?|people|boys?|girls?|adults?|mx|mrs|"
    r"(?:light|dark|medium(?:-light|-dark)?)(?= skin tone)|"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?= o.clock|-thirty))\b"
)


def read(source: Emoji, language: str) -> Found:
    """Draw all emoji that have keywords.

    Parameters
    ----------
    source : Emoji
    language : str
        ISO 639-1, of the keywords.

    Returns
    -------
    Found

    Raises
    ------
    DataError
        The font or the keywords are missing or damaged, or nothing can be drawn.
    """
    keywords, names = keywords_of(Path(source.annotations) / f"{language}.xml")
    english = Path(source.annotations) / "en.xml"
    names_en = keywords_of(english)[1] if language != "en" and english.is_file() else names
    drawer = _Drawer(Path(source.font), source.size_px)
    pictures, left = [], []
    for text, words in keywords.items():
        name = names.get(text, "") or words[0]
        code = "-".join(f"{ord(character):x}" for character in text)
        content = drawer.draw(text)
        if isinstance(content, str):
            left.append(Left(f"emoji/{code}", "no glyph", content))
            continue
        series = series_of(names_en.get(text, name))
        pictures.append(Picture(f"emoji/{code}", name, content, words, series, plain=True))
    if not pictures:
        raise DataError(
            f"{source.font}: draws none of the {len(keywords)} emoji; apt-get install {FONT}, or correct "
            "image2song.pictures.emoji.font"
        )
    versions = {package: packages.version(package) for package in (FONT, CLDR)}
    told = [
        f"{len(pictures)} of the {len(keywords)} characters that CLDR names are drawn ({FONT} {versions[FONT]}, {CLDR} "
        f"{versions[CLDR]}, {language})"
    ]
    return Found(pictures, left=left, licences={"emoji": source.licence}, told=told, facts=versions)


def keywords_of(path: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Read the keywords and names of characters.

    Parameters
    ----------
    path : Path
        An XML file of CLDR's ``annotations``.

    Returns
    -------
    keywords : dict of str to tuple of str
    names : dict of str to str

    Raises
    ------
    DataError
        It is missing, damaged, or holds no keywords.
    """
    if path.parent.is_dir() and not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("??.xml"))) or "none"
        raise DataError(
            f"{path}: no keywords in that language; apt-get install {CLDR}, or set image2song.language to another "
            f"({known})"
        )
    root = markup.parse(packages.content(path, CLDR, markup.MAX_BYTES), str(path))
    keywords: dict[str, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    for entry in root.iter("annotation"):
        text, said = entry.get("cp") or "", "".join(entry.itertext())
        if not text or len(text) > MAX_CHARACTERS:
            continue
        if entry.get("type") == "tts":
            names[text] = clean(said[:1000])
        else:
            words = tuple(filter(None, (clean(word) for word in said[:10_000].split("|"))))
            if words:
                keywords[text] = words
    if not keywords:
        raise DataError(
            f"{path}: holds no <annotation> with keywords, as CLDR's files do; apt-get install {CLDR}, or correct "
            "image2song.pictures.emoji.annotations"
        )
    return keywords, names


def series_of(name: str) -> str:
    """Give what drawings share that differ in who is shown.

    Examples
    --------
    >>> series_of("woman running"), series_of("three o’clock"), series_of("dark skin tone"), series_of("man")
    ('running', 'o’clock', 'skin tone', 'man')
    """
    plain_name = name.lower()
    return " ".join(re.sub(r"[:,&]", " ", _WHO.sub("", plain_name)).split()) or plain_name


class _Drawer:
    """Draws single characters."""

    def __init__(self, path: Path, size_px: int) -> None:
        from PIL import ImageFont

        packages.content(path, FONT, MAX_FONT_BYTES)
        try:
            self.font: Any = ImageFont.truetype(str(path), size_px)
        except (OSError, ValueError) as error:
            pass_machine(error)
            raise DataError(
                f"{path}: no font that Pillow reads at image2song.pictures.emoji.size_px {size_px} ({error}); Noto's "
                f"has 109 alone; apt-get install {FONT}"
            ) from None
        self.size_px, self.path = size_px, path
        self.absent = self._drawn(NOBODYS).tobytes()

    def draw(self, text: str) -> bytes | str:
        """Draw a text as PNG, or say why it cannot be."""
        drawing = self._drawn(text)
        box = drawing.getchannel("A").getbbox()
        if box is None or drawing.tobytes() == self.absent:
            return "the font lacks it"
        if box[2] - box[0] > WIDEST * self.size_px:
            return "the font draws it as several"
        return plain.encode(plain.on_white(drawing))[0]

    def _drawn(self, text: str) -> Any:
        from PIL import Image, ImageDraw

        image = Image.new("RGBA", (4 * self.size_px, 2 * self.size_px))
        try:
            ImageDraw.Draw(image).text(
                (self.size_px // 8, self.size_px // 8), text, font=self.font, embedded_color=True
            )
        except (OSError, ValueError) as error:
            pass_machine(error)
            raise DataError(f"{self.path}: cannot be drawn with ({error}); apt-get install {FONT}") from None
        return image
