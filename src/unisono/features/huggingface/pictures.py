"""Models that see: one vector for each picture."""

from __future__ import annotations

import numpy as np

from unisono.config.huggingface import Image
from unisono.features.huggingface.network import Network, blaming

#: Side of the squares that models see which do not say it, in pixels.
USUAL_SIDE = 224


class Extractor:
    """A model with its weights and its way of seeing.

    Parameters
    ----------
    settings : Image
        From `unisono.features.huggingface.hub.fetch`.

    Attributes
    ----------
    side : int
        Height and width of the squares that the model is given, in pixels.
    dimensions : int
        Width of a vector.
    """

    def __init__(self, settings: Image) -> None:
        self.network, self.batch_size = Network(settings), settings.batch_size
        with blaming(settings.model, "reading how it sees"):
            from transformers import AutoImageProcessor

            # The one that gives the same numbers whatever else is installed.
            self._seeing = AutoImageProcessor.from_pretrained(
                self.network.folder,
                config=self.network.config,
                backend="pil",
                local_files_only=True,
                trust_remote_code=False,
            )
            size = dict(self._seeing.size or {})
        self.side = max(int(size.get(key) or 0) for key in ("height", "width", "shortest_edge")) or USUAL_SIDE
        self.dimensions = self.embed(self.prepare(np.zeros((1, self.side, self.side, 3), dtype=np.uint8))).shape[1]

    def prepare(self, pictures: np.ndarray) -> np.ndarray:
        """Bring pictures (n, side, side, 3) of uint8 to what the network takes: (n, 3, h, w) float32."""
        with blaming(self.network.model, "seeing"):
            inputs = self._seeing(list(pictures), return_tensors="np", input_data_format="channels_last")
            found: np.ndarray = np.asarray(inputs["pixel_values"], dtype=np.float32)
        return found

    def embed(self, prepared: np.ndarray) -> np.ndarray:
        """Embed what `prepare` made: (n, dimensions) float32, each on its own."""
        import torch

        found = []
        for start in range(0, len(prepared), self.batch_size):
            batch = torch.from_numpy(np.ascontiguousarray(prepared[start : start + self.batch_size]))
            found.append(self.network.apply({"pixel_values": batch}))
        return np.concatenate(found)
