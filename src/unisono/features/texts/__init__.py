"""How each extractor turns lyrics into vectors: one module per extractor, loaded by name.

**Conventions.** A module ``unisono.features.texts.<name>`` has

- ``TRAINED``: whether it learns from texts, and so is trained again on every deal's training part,
- ``fit(texts, settings)``: a `TextModel` that has learnt from these texts and nothing else,
- ``load(path)``: a `TextModel` that was saved.

A text is what it is: `unisono.features.texts.words` takes it apart, the same for all. The vector of a text depends on
that text and the model alone, not on the others or their order. A text without a word that the model knows has the
zero vector.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class TextModel(Protocol):
    """An extractor that has learnt."""

    @property
    def dimensions(self) -> int:
        """Width of a vector."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Turn texts into vectors [shape=(n, dimensions), dtype=float32]."""

    def save(self, path: Path) -> None:
        """Write a safetensors file with a JSON header; the same model gives the same bytes."""

    def describe(self) -> dict[str, Any]:
        """Name extractor, variant and weights, and what was ``adapted`` to few texts, for the metadata."""


def module(name: str) -> Any:
    """Import the module of an extractor.

    Parameters
    ----------
    name : {"doc2vec", "tfidf", "glove", "huggingface_text"}
    """
    return importlib.import_module(f"{__name__}.{name}")
