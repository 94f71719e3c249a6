"""A model of the Hugging Face hub on lyrics: a sentence encoder, or the part of another model that reads.

It reads the text as it is, by its own tokens; nothing is learnt from the lyrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unisono.config import validate
from unisono.config.huggingface import Text
from unisono.features import huggingface, saved
from unisono.features.huggingface import hub
from unisono.features.huggingface import texts as network

TRAINED = False

_KIND = "huggingface_text"


class Model:
    """The model with its weights.

    Parameters
    ----------
    settings : Text
        As params.yaml has them.
    """

    def __init__(self, settings: Text) -> None:
        self.fetched = hub.fetch(settings)
        # The folder of the hub's cache is another one elsewhere.
        known = {"revision": self.fetched.revision or settings.revision, "sha256": self.fetched.sha256}
        self.settings = settings.model_copy(update=known)
        self._network = network.Extractor(self.fetched)

    @property
    def dimensions(self) -> int:
        """Width of a vector."""
        return self._network.dimensions

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Read texts; see `unisono.features.texts`."""
        return self._network.embed(texts)

    def save(self, path: Path) -> None:
        """Write which model it is; see `unisono.features.texts`."""
        saved.write(path, _KIND, {"settings": self.settings.model_dump(mode="json")}, {})

    def describe(self) -> dict[str, Any]:
        """Name the extractor; see `unisono.features.texts`."""
        found = huggingface.describe(self.fetched)
        return found | {"variant": f"{found['variant']}, pieces of {self._network.length} tokens"}


def fit(texts: Sequence[str], settings: Text) -> Model:
    """Bring the model into the hub's cache; nothing is learnt from the texts. See `unisono.features.texts`."""
    del texts
    return Model(settings)


def load(path: Path) -> Model:
    """Read what `Model.save` wrote, and the model: the same, to the byte; see `unisono.features.texts`."""
    return Model(saved.read(path, _KIND, _settings, stage="embed_lyrics"))


def _settings(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Text:
    del arrays
    found: Text = validate(Text, header["settings"], where="settings")
    return found
