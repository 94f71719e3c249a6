"""YouTube-8M's 8-bit numbers and the reals they stand for.

References
----------
.. [1] google/youtube-8m: utils.py, ``Dequantize``.
"""

from __future__ import annotations

import numpy as np

#: Range of the reals: whitened features are clipped to it.
LOW, HIGH = -2.0, 2.0


def dequantise(values: np.ndarray) -> np.ndarray:
    """Turn 8-bit numbers into reals: ``x * 4/255 + (4/512 - 2)``.

    Parameters
    ----------
    values : np.ndarray [shape=(...), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(...), dtype=float32]
        Between -1.992 and 2.008: the published offset of half a bin is kept as it is.
    """
    scale = (HIGH - LOW) / 255
    return (values.astype(np.float64) * scale + ((HIGH - LOW) / 512 + LOW)).astype(np.float32)


def quantise(values: np.ndarray) -> np.ndarray:
    """Turn reals into 8-bit numbers: ``round((clip(x, -2, 2) + 2) * 255/4)``.

    Parameters
    ----------
    values : np.ndarray [shape=(...)]

    Returns
    -------
    np.ndarray [shape=(...), dtype=uint8]
    """
    return np.rint((np.clip(values, LOW, HIGH) - LOW) * (255 / (HIGH - LOW))).astype(np.uint8)
