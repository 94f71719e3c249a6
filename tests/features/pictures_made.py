"""Small pictures that are the same everywhere."""

from __future__ import annotations

import numpy as np


def waves(side: int) -> np.ndarray:
    """Colours that come and go over the picture at three rates."""
    y, x = np.mgrid[:side, :side] / side
    parts = [np.sin(2 * np.pi * (k + 2) * (x if k % 2 else y) + k) for k in range(3)]
    return np.rint(127.5 + 120 * np.stack(parts, axis=2)).astype(np.uint8)


def disc(side: int) -> np.ndarray:
    """A red disc with a yellow rim on white."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    far = np.hypot(x, y)[..., None]
    rim = np.where(far < 0.4, (250, 220, 20), (255, 255, 255))
    return np.where(far < 0.33, (200, 30, 40), rim).astype(np.uint8)


def noise(side: int) -> np.ndarray:
    """Every colour alike."""
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


PICTURES = {"waves": waves, "disc": disc, "noise": noise}
