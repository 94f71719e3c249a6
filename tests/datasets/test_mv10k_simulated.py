"""Simulated videos and tagged audios of MV-10K."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tests.datasets.mv10k import FRAMES, configured, content
from unisono.config.compute import Compute
from unisono.datasets.mv10k import build, simulated, tagged
from unisono.io import parquet


def test_simulated(tmp_path: Path, compute: Compute) -> None:
    out, table = tmp_path / "videos", tmp_path / "shards.csv"
    build.from_records(configured(), compute, out=out, table=table)
    assert [path.name for path in parquet.shards(out)] == [parquet.shard_name(i) for i in range(3)]
    videos = parquet.read(out)
    assert videos.column_names == ["id", "n_frames", "audio", "rgb", "tag"]
    assert sorted(videos["id"].to_pylist()) == [f"v{i:06d}" for i in range(20)]
    assert sorted(videos["tag"].to_pylist()) == sorted(2 * simulated.MOODS)
    world = simulated.World(0, min_frames=FRAMES[0], max_frames=FRAMES[1])
    rgb, audio = parquet.to_numpy(videos["rgb"]), parquet.to_numpy(videos["audio"])
    for row, identifier in enumerate(videos["id"].to_pylist()):
        expected = world.video(int(identifier[1:]))
        np.testing.assert_array_equal(rgb[row], expected.rgb)
        np.testing.assert_array_equal(audio[row], expected.audio)
        assert rgb[row].dtype == np.uint8
        assert videos["n_frames"][row].as_py() == len(expected.rgb)
    facts = parquet.metadata(out)
    assert (facts["dataset"], facts["source"], facts["rule"]) == ("mv10k", "simulated", "only_label")
    rejected = dict.fromkeys(simulated.FAILURES, 2)
    assert facts["counts"] == {"seen": 28, "accepted": 20, **rejected, "duplicate_id": 0, "surplus": 0}
    (row_,) = csv.DictReader(table.open())
    assert row_["shard"] == "simulated0000.tfrecord"
    assert {name: int(row_[name]) for name in facts["counts"]} == facts["counts"]
    assert not list(compute.scratch.rglob("*.*"))


def test_other_rule_and_workers_give_the_same_videos(tmp_path: Path, compute: Compute) -> None:
    build.from_records(configured(), compute, out=tmp_path / "a", table=tmp_path / "a.csv")
    two = Compute(workers=2, scratch=tmp_path / "other")
    build.from_records(configured(), two, out=tmp_path / "b", table=tmp_path / "b.csv")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    other = configured(videos__rule="no_other_vertical")
    build.from_records(other, compute, out=tmp_path / "c", table=tmp_path / "c.csv")
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "c.csv").read_text()


def test_simulated_tagged_set_is_apart_from_the_videos(tmp_path: Path, compute: Compute) -> None:
    assert tagged.build(configured(), compute, videos=tmp_path / "videos", out=tmp_path / "tagged") == 10
    table = parquet.read(tmp_path / "tagged")
    assert table.column_names == ["id", "audio", "tag"]
    assert sorted(table["tag"].to_pylist()) == sorted(simulated.MOODS)
    assert not any(identifier.startswith("v") for identifier in table["id"].to_pylist())
