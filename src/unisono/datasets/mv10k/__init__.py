"""MV-10K: music videos of YouTube-8M, filtered from its shards (D 3.1.1)."""

from __future__ import annotations

from unisono.config import mv10k
from unisono.datasets.base import DataSet


class Mv10k(DataSet):
    """Music videos, labelled by mood."""

    name = "mv10k"
    settings = mv10k.Mv10k


DATASET = Mv10k()
