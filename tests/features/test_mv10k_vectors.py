"""From videos to a data set: vectors per view, moods, folds, the emotion model, the figure."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from unisono.config.compute import Compute
from unisono.config.mv10k import Mv10k
from unisono.datasets import dealing
from unisono.datasets.base import dataset_of
from unisono.datasets.loading import load_folder
from unisono.datasets.mv10k import simulated
from unisono.datasets.mv10k.quantisation import dequantise
from unisono.errors import ConfigError, DataError
from unisono.features import chunk_attention, emotion_model, mood_labels, video_vectors
from unisono.io import parquet
from unisono.report import chunk_scores

# Sixty videos make small clusters, which are mended with a warning (tested in test_mv10k_moods.py).
pytestmark = pytest.mark.filterwarnings("ignore:mood .*fewer than:UserWarning")

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
N = 60


def configured(**changes: Any) -> Mv10k:
    """The section of params.yaml with a small network; `changes` by dotted name, dots as two underscores."""
    raw = yaml.safe_load(PARAMS.read_text())["mv10k"]
    small = {"emotion__units": 8, "emotion__attention_units": 8, "emotion__features": 8, "emotion__epochs": 3}
    for name, value in {**small, **changes}.items():
        section, key = name.split("__")
        raw[section][key] = value
    return Mv10k.model_validate(raw)


@pytest.fixture
def compute(tmp_path: Path) -> Compute:
    return Compute(executor="serial", scratch=tmp_path / "scratch")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty short simulated videos, sixty tagged audios, the model and the vectors."""
    folder = tmp_path_factory.mktemp("mv10k")
    world = simulated.World(0, min_frames=27, max_frames=30)
    drawn = [world.video(i) for i in range(N)]
    frames = pa.list_(pa.list_(pa.uint8(), 128))
    types = {"id": pa.string(), "audio": frames, "rgb": pa.list_(pa.list_(pa.uint8(), 1024)), "tag": pa.string()}
    for shard in range(2):
        part = drawn[shard * 30 : shard * 30 + 30]
        columns = {
            "id": [v.id for v in part],
            "audio": [v.audio for v in part],
            "rgb": [v.rgb for v in part],
            "tag": [v.mood for v in part],
        }
        metadata = {"dataset": "mv10k", "source": "simulated"}
        parquet.write(folder / "videos" / parquet.shard_name(shard), columns, types=types, metadata=metadata)
    tagged = [world.tagged(i) for i in range(N)]
    parquet.write(
        folder / "tagged" / parquet.shard_name(0),
        {"id": [v.id for v in tagged], "audio": [v.audio for v in tagged], "tag": [v.mood for v in tagged]},
        types={name: types[name] for name in ("id", "audio", "tag")},
        metadata={"tags": "simulated"},
    )
    compute = Compute(executor="serial", scratch=folder / "scratch")
    config = configured()
    emotion_model.build(config.emotion, compute, tagged=folder / "tagged", out=folder / "model.safetensors")
    video_vectors.extract(
        config.features,
        compute,
        videos=folder / "videos",
        model=folder / "model.safetensors",
        out=folder / "vectors",
    )
    return folder


def label(folder: Path, out: Path, **changes: Any) -> dict[str, Any]:
    """Label and deal."""
    config = configured(**changes)
    facts = mood_labels.build(
        config,
        vectors=folder / "vectors",
        samples=out / "samples",
        features=out / "features",
        table=out / "moods.csv",
    )
    dealing.deal(
        dataset_of("mv10k"), config, samples=out / "samples", out=out / "divisions", summary=out / "divisions.json"
    )
    return facts


def test_audio_vectors_by_hand() -> None:
    audio = np.arange(27, dtype=np.float32)[:, None]
    scores = np.array([0, 0, 0.1, 0, 0.5, 0, 0.2, 0.2, 0])
    vectors = video_vectors.audio_vectors(audio, scores, selections=[(1, 3), (3, 9)], chunk_s=3, seed=[0])
    assert vectors["audio"] == 13
    assert vectors["audio_1_3"] == np.arange(9, 18).mean()
    assert vectors["audio_3_9"] == np.mean([12, 13, 14, 18, 19, 20, 21, 22, 23])
    assert vectors["random_1_3"] in (4, 13, 22)
    again = video_vectors.audio_vectors(audio, scores, selections=[(1, 3), (3, 9)], chunk_s=3, seed=[0])
    assert again == vectors


def test_visual_vector() -> None:
    rgb = np.array([[1, 5], [3, 1]], dtype=np.float32)
    assert video_vectors.visual_vector(rgb, "max").tolist() == [3, 5]
    assert video_vectors.visual_vector(rgb, "mean").tolist() == [2, 3]


def test_sequence_averages_equal_parts() -> None:
    frames = np.arange(7, dtype=np.float32)[:, None] * [1, 10]
    found = video_vectors.sequence(frames, 3)
    np.testing.assert_array_equal(found, [[1, 10], [3.5, 35], [5.5, 55]])  # frames 0-2, 3-4, 5-6
    np.testing.assert_array_equal(video_vectors.sequence(frames, 7), frames)
    with pytest.raises(DataError, match="7 frames cannot be cut into 8 parts"):
        video_vectors.sequence(frames, 8)


def test_vectors_of_simulated_videos(built: Path) -> None:
    table = parquet.read(built / "vectors")
    views = [f"{name}_{k}_{c}" for k, c in ((1, 3), (2, 6), (3, 9)) for name in ("audio", "random")]
    sequences = ("audio_sequence", "visual_sequence")
    others = ("id", "tag", "audio", "visual", "emotion", "moods", "scores")
    assert set(table.column_names) == {*views, *sequences, *others}
    video = simulated.World(0, min_frames=27, max_frames=30).video(40)
    row = table["id"].to_pylist().index(video.id)
    np.testing.assert_allclose(parquet.to_numpy(table["audio"])[row], dequantise(video.audio).mean(0), atol=1e-5)
    np.testing.assert_array_equal(parquet.to_numpy(table["visual"])[row], dequantise(video.rgb).max(0))
    scores = parquet.to_numpy(table["scores"])[row]
    kept = chunk_attention.select_chunks(scores, keep=2, chunks=6)
    frames = chunk_attention.chunk_frames(len(video.audio), kept, chunks=6, chunk_s=3)
    np.testing.assert_allclose(
        parquet.to_numpy(table["audio_2_6"])[row], dequantise(video.audio)[frames].mean(0), atol=1e-5
    )
    for name, frames in zip(sequences, (video.audio, video.rgb), strict=True):
        means = [dequantise(part).mean(0) for part in np.array_split(frames, 10)]
        assert table.schema.field(name).type == parquet.matrix(10, frames.shape[1])
        np.testing.assert_allclose(parquet.to_numpy(table[name])[row], means, atol=1e-5)
    facts = parquet.metadata(built / "vectors")
    assert facts["sequence"] == 10
    assert (facts["source"], facts["extractor"], facts["weights"]) == ("simulated", "chunk attention", "trained")


def test_labels_folds_and_views(built: Path, tmp_path: Path) -> None:
    facts = label(built, tmp_path)
    assert (facts["labels"], facts["seeds"]) == ("k-means on emotion features", "chosen by the emotion model")
    assert 0 < facts["purity"] <= 1
    data = load_folder(tmp_path, views={"audio": "audio_3_9", "visual": "visual"})
    assert (len(data), data.source) == (N, "simulated")
    assert data.views["audio"].shape == (N, 128)
    assert data.views["visual"].shape == (N, 1024)
    sequences = load_folder(tmp_path, views={"audio": "audio_sequence", "visual": "visual_sequence"})
    assert sequences.views["audio"].shape == (N, 10, 128)
    assert sequences.views["visual"].shape == (N, 10, 1024)
    assert sequences.ids.tolist() == data.ids.tolist()
    assert not sequences.lengths
    assert set(data.labels.tolist()) <= set(simulated.MOODS)
    assert np.ptp(np.bincount(data.folds)) <= 1
    for mood in set(data.labels.tolist()):
        assert np.ptp(np.bincount(data.folds[data.labels == mood], minlength=5)) <= 1
    rows = list(csv.DictReader((tmp_path / "moods.csv").open()))
    assert sum(int(row["videos"]) for row in rows) == N
    assert all(len(row["seeds"].split()) == 3 for row in rows)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    label(built, tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}


def test_annotated_seeds_from_a_table(built: Path, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.csv"
    seeds.write_text("id,mood\n" + "".join(f"v{i:06d},{simulated.MOODS[i % 10]}\n" for i in range(30)))
    facts = label(built, tmp_path, moods__seeds=str(seeds))
    assert facts["seeds"] == "annotated"
    rows = {row["mood"]: row["seeds"] for row in csv.DictReader((tmp_path / "moods.csv").open())}
    assert rows["angry"] == "v000000 v000010 v000020"


def write_vectors(folder: Path, **columns: list[Any]) -> Path:
    """Vectors as they come from published features."""
    n = len(columns["label"])
    kinds = {"label": pa.string(), "fold": pa.int32(), "split": pa.string()}
    rng = np.random.default_rng(0)
    vectors = {"audio": rng.normal(size=(n, 128)), "visual": rng.normal(size=(n, 1024))}
    types = {"id": pa.string(), **{name: kinds[name] for name in columns}}
    types |= {"audio": parquet.vector(128), "visual": parquet.vector(1024)}
    path = folder / "vectors" / parquet.shard_name(0)
    everything = {"id": [f"{i:03d}" for i in range(n)], **columns, **vectors}
    parquet.write(path, everything, types=types, metadata={"dataset": "mv10k", "source": "features"})
    return folder


def test_published_labels_folds_and_splits_are_kept(tmp_path: Path) -> None:
    labels = ["x", "y"] * 5
    label(write_vectors(tmp_path / "a", label=labels, fold=[i // 5 for i in range(10)]), tmp_path / "a")
    data = load_folder(tmp_path / "a")
    assert data.labels.tolist() == labels
    assert data.folds.tolist() == [0] * 5 + [1] * 5
    splits = ["train"] * 8 + ["test"] * 2
    label(write_vectors(tmp_path / "b", label=labels, split=splits), tmp_path / "b")
    data = load_folder(tmp_path / "b")
    assert data.splits.tolist() == splits
    assert data.folds is None
    label(write_vectors(tmp_path / "c", label=labels), tmp_path / "c")
    assert np.bincount(load_folder(tmp_path / "c").folds).tolist() == [2] * 5


def test_a_published_class_smaller_than_the_folds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="class 'z' has 3 items for folds, fewer than the 5 folds"):
        label(write_vectors(tmp_path, label=["x"] * 7 + ["z"] * 3), tmp_path)


def test_published_vectors_have_no_chunks(tmp_path: Path, compute: Compute) -> None:
    """One frame per video: whole audio and visual, sequences of it, an untrained model, no figure of scores."""
    videos = tmp_path / "videos" / parquet.shard_name(0)
    columns = {"id": ["a", "b"], "audio": np.ones((2, 1, 128)), "rgb": np.ones((2, 1, 1024)), "label": ["x", "y"]}
    types = {"id": pa.string(), "audio": parquet.matrix(None, 128), "rgb": parquet.matrix(None, 1024)}
    parquet.write(videos, columns, types={**types, "label": pa.string()}, metadata={"source": "features"})
    tagged = tmp_path / "tagged" / parquet.shard_name(0)
    parquet.write(tagged, {"audio": [], "tag": []}, types={"audio": types["audio"], "tag": pa.string()})
    config = configured()
    model = emotion_model.build(config.emotion, compute, tagged=tagged.parent, out=tmp_path / "model")
    assert model.facts["weights"] == "untrained"
    out = tmp_path / "vectors"
    video_vectors.extract(config.features, compute, videos=videos.parent, model=tmp_path / "model", out=out)
    table = parquet.read(out)
    assert table.column_names == ["id", "label", "audio", "visual", "audio_sequence", "visual_sequence"]
    assert table.schema.field("visual_sequence").type == parquet.matrix(1, 1024)
    assert parquet.metadata(out)["sequence"] == 1
    # No scores: the pipeline goes on, with a figure that says why it is empty.
    chunk_scores.from_vectors(out, config, out=tmp_path / "figure")
    assert (tmp_path / "figure.csv").read_text(encoding="utf-8") == "start_s,score\n"
    assert "no scores" in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_moods_need_a_trained_model(built: Path, tmp_path: Path, compute: Compute) -> None:
    empty = tmp_path / "tagged" / parquet.shard_name(0)
    parquet.write(empty, {"audio": [], "tag": []}, types={"audio": parquet.matrix(None, 128), "tag": pa.string()})
    config = configured()
    emotion_model.build(config.emotion, compute, tagged=empty.parent, out=tmp_path / "model")
    out = tmp_path / "vectors"
    video_vectors.extract(config.features, compute, videos=built / "videos", model=tmp_path / "model", out=out)
    with pytest.raises(ConfigError, match=r"mv10k\.emotion\.tags: no tagged audios"):
        label(tmp_path, tmp_path)


def test_a_model_from_a_file(built: Path, tmp_path: Path, compute: Compute) -> None:
    config = configured(emotion__weights="pretrained", emotion__location=str(built / "model.safetensors"))
    model = emotion_model.build(config.emotion, compute, tagged=built / "tagged", out=tmp_path / "model")
    assert model.facts["weights"] == "pretrained"
    trained = chunk_attention.Model.load(built / "model.safetensors")
    for name, array in trained.arrays.items():
        np.testing.assert_array_equal(chunk_attention.Model.load(tmp_path / "model").arrays[name], array)


def test_a_song_too_short_is_named(built: Path, tmp_path: Path, compute: Compute) -> None:
    videos = tmp_path / "videos" / parquet.shard_name(0)
    columns = {"id": ["tiny"], "audio": np.ones((1, 8, 128)), "rgb": np.ones((1, 8, 1024))}
    types = {"id": pa.string(), "audio": parquet.matrix(None, 128), "rgb": parquet.matrix(None, 1024)}
    parquet.write(videos, columns, types=types)
    with pytest.raises(DataError, match=r"tiny: .*2 scored chunks cannot be cut into 3 parts"):
        video_vectors.extract(
            configured().features,
            compute,
            videos=videos.parent,
            model=built / "model.safetensors",
            out=tmp_path / "vectors",
        )


def test_a_video_shorter_than_its_sequence_is_named(built: Path, tmp_path: Path, compute: Compute) -> None:
    config = configured(features__sequence=28, features__selections=[])
    with pytest.raises(DataError, match=r"v\d+: 27 frames cannot be cut into 28 parts; leave it out or change mv10k"):
        video_vectors.extract(
            config.features,
            compute,
            videos=built / "videos",
            model=built / "model.safetensors",
            out=tmp_path / "vectors",
        )


def test_figure_of_scores(built: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        chunk_scores.from_vectors(built / "vectors", configured(), out=tmp_path / name)
    for suffix in (".png", ".svg", ".csv"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [int(row["start_s"]) for row in rows] == [3 * i for i in range(len(rows))]
    assert abs(sum(float(row["score"]) for row in rows) - 1) < 1e-4
