"""Small settings for MV-10K, shared by its tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from unisono.config.mv10k import Mv10k

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
#: Fewest and most frames of a video that passes.
FRAMES = (12, 15)


def configured(**changes: Any) -> Mv10k:
    """The section of params.yaml with small videos; `changes` by dotted name, dots as two underscores."""
    raw = yaml.safe_load(PARAMS.read_text())["mv10k"]
    small = {
        "videos__min_frames": FRAMES[0],
        "videos__max_frames": FRAMES[1],
        "videos__shard_size": 8,
        "videos__simulated__videos": 20,
        "videos__simulated__rejected": 8,
        "videos__simulated__tagged": 10,
        "videos__youtube8m__max_videos": 10,
        "videos__youtube8m__shards_per_group": 2,
        "videos__youtube8m__partitions": ["train"],
    }
    for name, value in {**small, **changes}.items():
        *path, key = name.split("__")
        section = raw
        for part in path:
            section = section[part]
        section[key] = value
    return Mv10k.model_validate(raw)


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
