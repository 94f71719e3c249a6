"""Models that hear: one vector for each window of a sound."""

from __future__ import annotations

import numpy as np

from unisono.config.huggingface import Audio
from unisono.errors import ConfigError
from unisono.features import logmel
from unisono.features.huggingface.network import Network, blaming


class Extractor:
    """A model with its weights and its way of hearing.

    Parameters
    ----------
    settings : Audio
        From `unisono.features.huggingface.hub.fetch`.

    Attributes
    ----------
    rate : int
        Of the sound that the model hears, in Hz.
    dimensions : int
        Width of a vector.
    """

    def __init__(self, settings: Audio) -> None:
        self.network, self.batch_size = Network(settings), settings.batch_size
        with blaming(settings.model, "reading how it hears"):
            from transformers import AutoFeatureExtractor

            self._hearing = AutoFeatureExtractor.from_pretrained(
                self.network.folder, config=self.network.config, local_files_only=True, trust_remote_code=False
            )
            self.rate = int(self._hearing.sampling_rate)
        longest = getattr(self._hearing, "nb_max_samples", None) or getattr(self._hearing, "n_samples", None)
        self._window = round(settings.window_s * self.rate)
        if longest and self._window > longest:
            raise ConfigError(
                f"window_s: {settings.window_s:g} s are more than the {longest / self.rate:g} s that {settings.model} "
                "hears at a time; lower it"
            )
        self.dimensions = self.embed(np.zeros((1, self._window), dtype=np.float32)).shape[1]

    def windows(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Cut a sound into windows.

        Parameters
        ----------
        samples : np.ndarray [shape=(s,), dtype=float32]
            Mono, in -1 ... 1.
        rate : int
            In Hz.

        Returns
        -------
        np.ndarray [shape=(n, w), dtype=float32]
            At the model's rate, one after the other. A window of which less than half is left at the end is not made,
            but for the first; what lies beyond the end is silence.
        """
        own = logmel.resample(samples, rate, self.rate)
        n = max(1, (len(own) + self._window // 2) // self._window)
        padded = np.zeros(n * self._window, dtype=np.float32)
        padded[: len(own)] = own[: len(padded)]
        return padded.reshape(n, self._window)

    def embed(self, windows: np.ndarray) -> np.ndarray:
        """Embed windows (n, w): (n, dimensions) float32, each on its own."""
        found = []
        for start in range(0, len(windows), self.batch_size):
            batch = list(windows[start : start + self.batch_size])
            with blaming(self.network.model, "hearing"):
                inputs = self._hearing(batch, sampling_rate=self.rate, return_tensors="pt")
            found.append(self.network.apply(inputs))
        return np.concatenate(found)
