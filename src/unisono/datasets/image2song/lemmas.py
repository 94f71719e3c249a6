"""Words as their lemmas ("roses": rose), and those that say nothing.

**Conventions.** A word is a run of letters, with apostrophes inside, of two letters or more; words of no language have
more than `LONGEST`. Lemmas are those of the package simplemma, in lower case; German ones keep the capital of nouns,
by which alone "Herzen" becomes "Herz". Stop words are scikit-learn's for English, those of the package stop-words for
other languages; of a language without a list the limits of frequency alone decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from unisono.config import nearest
from unisono.datasets.mtm.song import clean
from unisono.errors import ConfigError

#: Longest word, in letters; longer ones are no words.
LONGEST = 40
#: Languages whose nouns begin with a capital.
CAPITALS = ("de",)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_APOSTROPHES = re.compile(r"[\u2019\u02bc`]")


class Lemmas:
    """Lemmas of one language.

    Parameters
    ----------
    language : str
        ISO 639-1.

    Raises
    ------
    ConfigError
        simplemma does not know it.

    Examples
    --------
    >>> Lemmas("en").of("Roses are red, don't you know?")
    ['rose', 'be', 'red', 'do', 'you', 'know']
    >>> Lemmas("de").of("Die Herzen der KINDER")
    ['der', 'Herz', 'der', 'Kind']
    """

    def __init__(self, language: str) -> None:
        from simplemma.strategies.dictionaries.dictionary_factory import SUPPORTED_LANGUAGES

        if language not in SUPPORTED_LANGUAGES:
            raise ConfigError(
                f"image2song.language: simplemma knows no lemmas of {language!r}; "
                f"{nearest(language, SUPPORTED_LANGUAGES)}"
            )
        self.language = language
        self._known: dict[str, str] = {}

    def of(self, text: str) -> list[str]:
        """List the lemmas of a text in its order.

        Parameters
        ----------
        text : str

        Returns
        -------
        list of str
        """
        plain = _APOSTROPHES.sub("'", clean(text))
        return [self._lemma(word) for word in _WORD.findall(plain) if 2 <= len(word) <= LONGEST]

    def distinct(self, texts: Iterable[str]) -> tuple[str, ...]:
        """List the lemmas of several texts, each once, in their order."""
        return tuple(dict.fromkeys(lemma for text in texts for lemma in self.of(text)))

    def _lemma(self, word: str) -> str:
        import simplemma

        if self.language not in CAPITALS:
            word = word.lower()
        elif word.isupper():
            word = word.capitalize()
        if word not in self._known:
            lemma = str(simplemma.lemmatize(word, lang=self.language))
            self._known[word] = lemma if self.language in CAPITALS else lemma.lower()
        return self._known[word]


def stop_words(language: str) -> frozenset[str]:
    """List the words that say nothing, in lower case.

    Parameters
    ----------
    language : str
        ISO 639-1.

    Returns
    -------
    frozenset of str
        Empty where nobody has a list.
    """
    if language == "en":
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        return frozenset(ENGLISH_STOP_WORDS)
    from stop_words import StopWordError, get_stop_words  # type: ignore[import-untyped]

    try:
        return frozenset(map(str.lower, get_stop_words(language)))
    except StopWordError:
        return frozenset()
