"""Block ``songs.features.texts``: the extractors of lyrics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unisono.config import Section
from unisono.config.huggingface import Text


class Doc2Vec(Section):
    """Paragraph vectors (gensim)."""

    algorithm: Literal["dbow", "dm"]
    dimensions: int = Field(ge=1, le=2000)
    window: int = Field(ge=1, le=1000)
    min_count: int = Field(ge=1)
    negative: int = Field(ge=1, le=1000)
    sample: float = Field(ge=0, lt=1)
    extra_texts: str
    epochs: int = Field(ge=1, le=10_000)
    seed: int = Field(ge=0, lt=2**32)


class Tfidf(Section):
    """Words weighted by how rare they are, and the directions in which texts differ most (scikit-learn)."""

    dimensions: int = Field(ge=1, le=2000)
    min_texts: int = Field(ge=1)
    sublinear: bool
    seed: int = Field(ge=0, lt=2**32)


class Glove(Section):
    """Mean of ready-made vectors of words: nothing to set."""


class TextExtractors(Section):
    """Which sets are made of the lyrics, and how."""

    doc2vec: Doc2Vec
    tfidf: Tfidf
    glove: Glove
    huggingface_text: Text


#: The extractors that there are.
NAMES = tuple(TextExtractors.model_fields)
