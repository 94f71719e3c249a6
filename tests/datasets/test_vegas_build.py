"""VEGAS from files to samples: what is kept, what is left out and why, and that an interruption leaves no trace."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest

from unisono.config.compute import Compute
from unisono.config.vegas import Vegas
from unisono.datasets.vegas import build as clips
from unisono.errors import DataError
from unisono.io import parquet
from unisono.media import mp4

ROOT = Path(__file__).resolve().parents[2]
Build = Callable[..., dict[str, Any]]


def movie(seconds: float = 1.6, level: int = 90, *, sound: bool = True) -> bytes:
    """A grey video of 10 frames/s with a noise."""
    pictures = [np.full((48, 64, 3), level, dtype=np.uint8)] * round(10 * seconds)
    noise = np.random.default_rng(level).uniform(-0.3, 0.3, round(16_000 * seconds)).astype(np.float32)
    return mp4.encode(pictures, 10, noise if sound else noise[:0], 16_000)


GOOD = [movie(level=20 * i) for i in range(6)]


def settings(source: str, n_folds: int = 2, shard_size: int = 3, **changes: Any) -> Vegas:
    vegas = Vegas.load(ROOT / "params.yaml")
    section = {key: getattr(vegas.clips, key).model_copy(update=value) for key, value in changes.items()}
    part = vegas.clips.model_copy(update={"shard_size": shard_size, **section})
    folds = vegas.folds.model_copy(update={"n": n_folds})
    return vegas.model_copy(update={"source": source, "clips": part, "folds": folds})


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build into tmp_path; the user's own files lie in tmp_path/raw."""

    def run(vegas: Vegas, **compute: Any) -> dict[str, Any]:
        return clips.build(
            vegas,
            Compute(**{"executor": "serial", "scratch": tmp_path / "scratch", **compute}),
            raw=tmp_path / "raw",
            out=tmp_path / "samples",
            skipped=tmp_path / "skipped.csv",
            summary=tmp_path / "summary.json",
            status=tmp_path / "status.csv",
        )

    return run


def put(folder: Path, name: str, data: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def fill(folder: Path) -> None:
    """Three dogs and three drums that pass."""
    for index, data in enumerate(GOOD):
        put(folder, f"{'dog' if index < 3 else 'drum'}/videos/video_{index:05d}.mp4", data)


def skipped(tmp_path: Path) -> dict[str, str]:
    with (tmp_path / "skipped.csv").open(encoding="utf-8") as file:
        return {row["item"]: row["reason"] for row in csv.DictReader(file)}


def test_good_clips_are_kept_and_bad_ones_listed_with_their_reasons(build: Build, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    fill(raw)
    bad = {
        "half": (GOOD[0][: len(GOOD[0]) // 2], "damaged"),
        "mute": (movie(sound=False), "no audio track"),
        "short": (movie(0.9), "expected more than 1 s"),
        "text": (b"404 not found" * 40, "not a video file"),
        "empty": (b"", "empty"),
    }
    for name, (data, _) in bad.items():
        put(raw, f"dog/videos/{name}.mp4", data)
    put(raw, "stray.mp4", GOOD[0])
    facts = build(settings("archive"))
    table = parquet.read(tmp_path / "samples")
    assert table.schema.names == ["id", "label", "duration_s", "video"]
    assert table["id"].to_pylist() == [f"dog_video_{i:05d}" for i in range(3)] + [
        f"drum_video_{i:05d}" for i in range(3, 6)
    ]
    assert [row["bytes"] for row in table["video"].to_pylist()] == GOOD
    assert table["duration_s"].to_pylist() == pytest.approx([1.6] * 6, abs=0.05)
    reasons = skipped(tmp_path)
    assert set(reasons) == {"stray.mp4"} | {f"dog_{name}" for name in bad}
    for name, (_, reason) in bad.items():
        assert reason in reasons[f"dog_{name}"]
    assert facts["classes"] == {"dog": 3, "drum": 3}
    assert facts["n_skipped"] == 6
    assert json.loads((tmp_path / "summary.json").read_text()) == facts
    assert parquet.metadata(tmp_path / "samples") == {"dataset": "vegas", "source": "archive"}
    assert (tmp_path / "status.csv").read_text() == "id,youtube_id,start_s,end_s,label,status,reason\n"


def test_an_archive_by_url_gives_the_same_bytes(build: Build, tmp_path: Path) -> None:
    fill(tmp_path / "raw")
    build(settings("archive"))
    first = {path.name: path.read_bytes() for path in parquet.shards(tmp_path / "samples")}
    packed = tmp_path / "v.zip"
    with zipfile.ZipFile(packed, "w") as target:
        for path in sorted((tmp_path / "raw").rglob("*.mp4")):
            target.write(path, path.relative_to(tmp_path / "raw"))
    build(settings("archive", archive={"location": packed.as_uri()}), executor="process", workers=2)
    assert {path.name: path.read_bytes() for path in parquet.shards(tmp_path / "samples")} == first
    assert not [path for path in (tmp_path / "scratch").rglob("part-*") if path.is_file()]


def test_a_run_that_stops_midway_leaves_the_old_samples_and_goes_on(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "raw")
    build(settings("archive"))
    first = {path.name: path.read_bytes() for path in parquet.shards(tmp_path / "samples")}
    decoded: list[str] = []
    checked = clips._checked

    def stop_at_the_fourth(row: Any, *limits: float) -> Any:
        decoded.append(row["id"])
        if len(decoded) == 4:
            raise KeyboardInterrupt
        return checked(row, *limits)

    monkeypatch.setattr(clips, "_checked", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        build(settings("archive"))
    assert {path.name: path.read_bytes() for path in parquet.shards(tmp_path / "samples")} == first
    shutil.rmtree(tmp_path / "samples")
    build(settings("archive"))
    assert decoded[4:] == [f"drum_video_{i:05d}" for i in (3, 4, 5)]  # the finished shard is not decoded again
    assert {path.name: path.read_bytes() for path in parquet.shards(tmp_path / "samples")} == first


def test_two_clips_of_one_id_are_refused(build: Build, tmp_path: Path) -> None:
    fill(tmp_path / "raw")
    put(tmp_path / "raw", "dog/videos/video_00000.mkv", GOOD[0])
    with pytest.raises(DataError, match="both have the id 'dog_video_00000'"):
        build(settings("archive"))


def test_nothing_left_is_an_error(build: Build, tmp_path: Path) -> None:
    put(tmp_path / "raw", "dog/a.mp4", b"nothing")
    with pytest.raises(DataError, match="no clip is left"):
        build(settings("archive"))


def shards(folder: Path, folds: list[int] | None = None, ids: list[str] | None = None) -> None:
    """Ready-made shards of two clips each."""
    for index in range(3):
        rows = slice(2 * index, 2 * index + 2)
        columns: dict[str, Any] = {
            "id": (ids or [f"c{i}" for i in range(6)])[rows],
            "label": ["a", "b", "a", "b", "a", "b"][rows],
            "video": [(data, "x.mp4") for data in GOOD[rows]],
        }
        types = {"id": pa.string(), "label": pa.string(), "video": parquet.MEDIA}
        if folds is not None:
            columns["fold"], types["fold"] = folds[rows], pa.int64()
        parquet.write(folder / parquet.shard_name(index), columns, types=types)


def test_ready_made_shards_keep_their_folds(build: Build, tmp_path: Path) -> None:
    shards(tmp_path / "raw", folds=[0, 0, 1, 1, -1, -1])
    facts = build(settings("parquet"))
    table = parquet.read(tmp_path / "samples")
    assert table["fold"].to_pylist() == [0, 0, 1, 1, -1, -1]
    assert facts["n_clips"] == 6
    assert parquet.metadata(tmp_path / "samples")["source"] == "parquet"


def test_shards_left_without_a_clip_are_dropped(build: Build, tmp_path: Path) -> None:
    fill(tmp_path / "raw")
    for i in range(3):
        put(tmp_path / "raw", f"cat/videos/{i}.mp4", b"nothing")
    facts = build(settings("archive"))
    assert (facts["n_clips"], facts["n_skipped"]) == (6, 3)
    assert [path.name for path in parquet.shards(tmp_path / "samples")] == [parquet.shard_name(i) for i in range(2)]
    assert parquet.read(tmp_path / "samples").num_rows == 6


def test_ready_made_shards_that_do_not_fit_are_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        build(settings("parquet"))
    shards(tmp_path / "raw", ids=["a", "b", "c", "a", "e", "f"])
    with pytest.raises(DataError, match=r"part-00001.parquet: id 'a' is also in .*part-00000"):
        build(settings("parquet"))
    parquet.write(tmp_path / "raw" / "part-00001.parquet", {"id": ["x"]}, types={"id": pa.string()})
    with pytest.raises(DataError, match="has no column 'label'"):
        build(settings("parquet"))


def h5(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def test_published_features_become_samples_with_features(build: Build, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path = tmp_path / "raw" / "vegas_feature.h5"
    arrays = {
        f"{view}_{part}": generator.standard_normal((n, width)).astype(np.float32)
        for view, width in (("audio", 128), ("visual", 1024))
        for part, n in (("train", 8), ("test", 4))
    }
    h5(path, lab_train=np.arange(8) % 2, lab_test=np.arange(4) % 2, **arrays)
    facts = build(settings("features", features={"location": str(path)}))
    assert facts["n_clips"] == 12
    assert facts["layout"] == "A"
    table = parquet.read(tmp_path / "samples")
    assert table.schema.names == ["id", "label", "split", "audio", "visual"]
    np.testing.assert_array_equal(
        np.concatenate(parquet.to_numpy(table["visual"])),
        np.concatenate([arrays["visual_train"], arrays["visual_test"]]),
    )
    assert parquet.metadata(tmp_path / "samples")["scales"]["audio"] == "other"
    assert skipped(tmp_path) == {}


def test_published_folders_bring_their_folds(build: Build, tmp_path: Path) -> None:
    raw = tmp_path / "raw"

    def npy(name: str, array: Any) -> None:
        file = io.BytesIO()
        np.save(file, array)
        put(raw, name, file.getvalue())

    generator = np.random.default_rng(0)
    for i in range(4):
        npy(f"vgg/dog_video_{i}.npy", generator.integers(0, 256, (3 + i, 128)).astype(np.uint8))
        npy(f"inception/dog_video_{i}.npy", generator.integers(0, 256, (3 + i, 1024)).astype(np.uint8))
        npy(f"VEGAS_classes/dog_video_{i}.npy", 2)
    facts = build(settings("features"))
    assert "fold" not in parquet.read(tmp_path / "samples").column_names
    assert facts["scales"] == {"audio": "8-bit", "visual": "8-bit"}
    assert [len(row) for row in parquet.to_numpy(parquet.read(tmp_path / "samples")["audio"])] == [3, 4, 5, 6]
    put(raw, "folds/0.txt", b"dog_video_0\ndog_video_1\n")
    put(raw, "folds/1.txt", b"dog_video_2\ndog_video_3\n")
    build(settings("features"))
    assert parquet.read(tmp_path / "samples")["fold"].to_pylist() == [0, 0, 1, 1]
