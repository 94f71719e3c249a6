"""Models that read: one vector for each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unisono.config.huggingface import Text
from unisono.errors import DataError
from unisono.features.huggingface.network import Network, blaming

#: Letters of a text that are read, and pieces of it.
MAX_LETTERS, MAX_PIECES = 1_000_000, 64
#: Tokens that some models keep for themselves beyond the places that they name.
_KEPT = 2


class Extractor:
    """A model with its weights and its way of reading.

    Parameters
    ----------
    settings : Text
        From `unisono.features.huggingface.hub.fetch`.

    Attributes
    ----------
    dimensions : int
        Width of a vector.
    length : int
        Most tokens of a piece.
    """

    def __init__(self, settings: Text) -> None:
        self.network, self.batch_size = Network(settings), settings.batch_size
        with blaming(settings.model, "reading how it reads"):
            from transformers import AutoTokenizer

            self._reading = AutoTokenizer.from_pretrained(
                self.network.folder, config=self.network.config, local_files_only=True, trust_remote_code=False
            )
            if not self._reading.is_fast:
                raise DataError(f"{settings.model}: has no tokenizer.json; take another model")
            inner = getattr(self.network.config, "text_config", None) or self.network.config
            places = getattr(inner, "max_position_embeddings", None)
            self.length = min(
                settings.max_tokens, self._reading.model_max_length, places - _KEPT if places else settings.max_tokens
            )
            self._reading.pad_token = self._reading.pad_token or self._reading.eos_token
        self.dimensions = self._apply([self._pieces("a")[0]]).shape[1]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Parameters
        ----------
        texts : sequence of str

        Returns
        -------
        np.ndarray [shape=(n, dimensions), dtype=float32]
            Long texts are read in pieces of `length` tokens, at most `MAX_PIECES`, whose vectors are averaged by their
            tokens. A text without letters has the zero vector.
        """
        pieces, owners = [], []
        for owner, text in enumerate(texts):
            found = self._pieces(text) if text.strip() else []
            pieces += found
            owners += [owner] * len(found)
        sums = np.zeros((len(texts), self.dimensions))
        weights = np.zeros(len(texts))
        # Pieces of like length stand side by side, so that little is padded.
        order = sorted(range(len(pieces)), key=lambda piece: -len(pieces[piece]["input_ids"]))
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            for piece, vector in zip(batch, self._apply([pieces[piece] for piece in batch]), strict=True):
                n = len(pieces[piece]["input_ids"])
                sums[owners[piece]] += n * vector.astype(np.float64)
                weights[owners[piece]] += n
        return (sums / np.maximum(weights, 1)[:, None]).astype(np.float32)

    def _pieces(self, text: str) -> list[dict[str, list[int]]]:
        """Cut a text into pieces of tokens."""
        with blaming(self.network.model, "reading"):
            found = self._reading(
                text[:MAX_LETTERS], truncation=True, max_length=self.length, return_overflowing_tokens=True
            )
            names = [name for name in found if name in self._reading.model_input_names]
            n = min(len(found["input_ids"]), MAX_PIECES)
            return [{name: found[name][piece] for name in names} for piece in range(n)]

    def _apply(self, pieces: Sequence[dict[str, list[int]]]) -> np.ndarray:
        with blaming(self.network.model, "reading"):
            inputs = self._reading.pad(list(pieces), return_tensors="pt")
        return self.network.apply(inputs)
