"""Scripts that the installed fonts cannot print, and what to install for them.

**Conventions.** A *script* is the first word of a letter's Unicode name ("HANGUL SYLLABLE GA": Hangul). Only letters
and their marks count: text of nothing but signs is never said to be lost.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

#: Debian packages whose fonts LilyPond prints; of the Thai ones the variants without -otf engrave nothing.
PACKAGES = {
    "Han": "fonts-wqy-microhei",
    "Hiragana": "fonts-droid-fallback",
    "Katakana": "fonts-droid-fallback",
    "Hangul": "fonts-droid-fallback",
    "Devanagari": "fonts-lohit-deva",
    "Thai": "fonts-tlwg-loma-otf",
    "Latin": "fonts-urw-base35",
}
#: Scripts that need no page to see whether they are printed.
COMMON = ("Latin", "")


def script(character: str) -> str:
    """Name the script of a letter or mark; empty for what is neither.

    Examples
    --------
    >>> script("中"), script("ร"), script("é"), script("1")
    ('Han', 'Thai', 'Latin', '')
    """
    if unicodedata.category(character)[0] not in "LM":
        return ""
    name = unicodedata.name(character, "").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    return name.partition(" ")[0].replace("CJK", "Han").replace("COMBINING", "").capitalize()


def scripts(text: str) -> dict[str, str]:
    """Give the letters of a text that only some fonts hold, each once, by script."""
    found: dict[str, str] = {}
    for character in sorted(set(text)):
        if not character.isascii() and script(character) not in COMMON:
            found[script(character)] = found.get(script(character), "") + character
    return found


def reason(lost: Iterable[str]) -> str:
    """Say which letters no font can print, and what to install."""
    letters = sorted(lost)
    named = dict.fromkeys(map(script, letters))
    packages = sorted({PACKAGES.get(name, "an OpenType font of that script") for name in named})
    codes = ", ".join(f"U+{ord(letter):04X}" for letter in letters[:3]) + (", ..." if len(letters) > 3 else "")
    return (
        f"no font prints its letters of {', '.join(named)} ({codes}); install {' and '.join(packages)}, then engrave "
        "again with `dvc repro -f engrave_sheet`"
    )
