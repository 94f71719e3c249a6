"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.divided import divide
from unisono.io import parquet


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest file first, so that two workers end at about the same time."""
    items.sort(key=lambda item: item.get_closest_marker("pipeline") is None)


@pytest.fixture
def make_mtm(tmp_path: Path) -> Callable[..., Path]:
    """Build a musical ternary data set of fabricated features: 40 songs of 3 samples that share a latent vector.

    `missing` names a feature set that lacks sample ``s01-w00``.
    """

    def build(missing: str = "", snippets: int = 3) -> Path:
        generator = np.random.default_rng(7)
        ids = [f"s{song:02d}-w{window:02d}" for song in range(40) for window in range(3)]
        songs = [identifier[:3] for identifier in ids]
        splits = ["train" if song < "s28" else "validation" if song < "s34" else "test" for song in songs]
        latent = generator.standard_normal((len(ids), 6))
        folder = tmp_path / "data" / "mtm"
        half = len(ids) // 2

        def shards(name: str, columns: dict[str, Any], types: dict[str, Any], facts: dict[str, Any]) -> None:
            for index, rows in enumerate((slice(0, half), slice(half, None))):
                kept = [i for i in range(len(ids))[rows] if not (ids[i] == "s01-w00" and missing == name)]
                parquet.write(
                    folder / name / parquet.shard_name(index),
                    {key: [values[i] for i in kept] for key, values in columns.items()},
                    types=types,
                    metadata={"dataset": "mtm", "source": "fabricated", **facts},
                )

        text = pa.string()
        shards(
            "samples",
            {"id": ids, "song": songs, "split": splits},
            {"id": text, "song": text, "split": text},
            {"n_samples": len(ids)},
        )
        for name, extractor, weights, columns in (
            ("audio", "VGGish", "untrained", {"audio": (20, 16)}),
            ("lyrics", "skip-gram", "trained", {"syllables": (20, 4), "words": (20, 4)}),
            ("sheet", "ASMCMR", "trained", {"sheet": (snippets, 12)}),
            ("sheet_plain", "ASMCMR", "trained", {"sheet_plain": (snippets, 12)}),
        ):
            arrays = {}
            for column, (rows, width) in columns.items():
                signal = latent @ generator.standard_normal((6, width))
                noise = generator.standard_normal((len(ids), rows, width))
                arrays[column] = (signal[:, None] + noise).astype(np.float32)
            types = {"id": text, **{column: parquet.matrix(*shape) for column, shape in columns.items()}}
            facts = {"extractor": extractor, "variant": "", "weights": weights}
            shards(f"features/{name}", {"id": ids, **arrays}, types, facts)
        return divide(folder)

    return build
