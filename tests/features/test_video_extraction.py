"""From clips in shards to one vector a second: rows, padding, whitening, what is left out."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.divided import divide
from unisono.config.compute import Compute
from unisono.config.extractors import NAMES, Extractors
from unisono.config.vegas import Vegas
from unisono.datasets.loading import load_folder
from unisono.errors import ConfigError, DataError, DownloadError
from unisono.features import clips, inception, logmel, musicnn, vggish, video_extraction, whitening
from unisono.features.clips import vggish as vggish_clips
from unisono.io import parquet
from unisono.media import mp4, video
from unisono.store.shards import Shard

ROOT = Path(__file__).resolve().parents[2]
THIN = [(h, w, i // 16 or i, o // 16) for h, w, i, o in inception.kernel_shapes()]
THIN_VGGISH = {layer: max(2, width // 32) for layer, width in vggish.WIDTHS.items()} | {"fc2": 128}
UNTRAINED, UNTRAINED_VGGISH = inception.untrained, vggish.untrained


@pytest.fixture(autouse=True)
def _thin_networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks of a fraction of the width, so that a test takes no seconds."""
    monkeypatch.setattr(inception, "untrained", lambda seed: UNTRAINED(seed, THIN))
    monkeypatch.setattr(vggish, "untrained", lambda seed: UNTRAINED_VGGISH(seed, THIN_VGGISH))
    video_extraction._extractor.cache_clear()
    yield
    video_extraction._extractor.cache_clear()


def settings(name: str, **replaced: Any) -> Any:
    """A section of params.yaml with other values; ``whitening__x`` for those of the whitening."""
    section = getattr(Vegas.load(ROOT / "params.yaml").features, name).model_dump()
    section["batch_size"] = 4
    section["whitening"] |= {"components": 3}
    for key, value in replaced.items():
        outer, _, inner = key.partition("__")
        if inner:
            section[outer][inner] = value
        else:
            section[outer] = value
    return Extractors.model_fields[name].annotation.model_validate(section)


def clip(seed: int, length_s: float) -> bytes:
    """A coloured pattern that moves, and noise: an MP4 file."""
    generator = np.random.default_rng(seed)
    picture = np.kron(generator.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    frames = [np.roll(picture, 3 * k, axis=1) for k in range(round(length_s * 10))]
    sound = generator.normal(0, 0.1, round(length_s * 16000)).astype(np.float32)
    return mp4.encode(frames, 10, sound, 16000)


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[int, bytes]]:
    """Fold and file by id: eight clips of 1.2 to 4 s, three of them outside the folds, and one of 12 s."""
    lengths = [2.0, 1.2, 3.5, 4.0, 2.5, 3.0, 2.0, 4.0]
    found = {f"c{i}": (-1 if i % 3 == 2 else i % 2, clip(i, length)) for i, length in enumerate(lengths)}
    return found | {"long": (0, clip(20, 12.0))}


@pytest.fixture
def samples(tmp_path: Path, made: dict[str, tuple[int, bytes]]) -> Path:
    """The clips in two shards, with one that is no video."""
    return write(tmp_path / "vegas" / "samples", made | {"broken": (1, b"<html>404</html>")})


def write(folder: Path, rows: dict[str, tuple[int, bytes]]) -> Path:
    names = list(rows)
    for index, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :])):
        parquet.write(
            folder / parquet.shard_name(index),
            {
                "id": part,
                "label": ["dog"] * len(part),
                "fold": [rows[name][0] for name in part],
                "video": [(rows[name][1], f"{name}.mp4") for name in part],
            },
            types={"id": pa.string(), "label": pa.string(), "fold": pa.int32(), "video": parquet.MEDIA},
            metadata={"dataset": "vegas", "source": "test"},
        )
    divide(folder.parent)
    return folder


def compute(folder: Path) -> Compute:
    return Compute(executor="serial", scratch=folder / "scratch")


def run(samples: Path, name: str, view: str, section: Any) -> list[tuple[str, str]]:
    """Fit and extract into the data set's folder."""
    folder = samples.parent
    options: dict[str, Any] = {"name": name, "settings": section, "downloads": folder / "raw"}
    options["compute"] = compute(folder)
    options["outside"] = folder / "divisions" / "outside.parquet"
    fitted = folder / "models" / f"{view}.safetensors"
    video_extraction.fit_whitening(samples, fitted, **options)
    return video_extraction.extract_folder(samples, folder / "features" / view, view=view, fitted=fitted, **options)


def test_both_views_of_a_data_set(samples: Path, made: dict[str, tuple[int, bytes]]) -> None:
    for name, view in (("inception", "visual"), ("vggish", "audio")):
        skipped = run(samples, name, view, settings(name))
        assert [item for item, _ in skipped] == ["broken"]
        assert "not a video file" in skipped[0][1]
    data = load_folder(samples.parent)
    inside = [name for name, (fold, _) in made.items() if fold >= 0]
    assert data.ids.tolist() == inside
    assert data.dropped == {"audio": 1, "visual": 1}
    for view in ("audio", "visual"):
        values, lengths = data.views[view], data.lengths[view]
        assert values.shape == (len(inside), 10, 3)
        assert np.abs(values).max() <= 2
        for row, length in zip(values, lengths, strict=True):
            assert row[:length].any(axis=1).all()
            assert not row[length:].any()
    frames = [min(len(video.frames(made[name][1])), 10) for name in inside]
    assert data.lengths["visual"].tolist() == frames
    assert data.lengths["visual"].max() == 10, "of 12 s the first 10 are used"
    facts = data.metadata["visual"]
    assert facts["source"] == "test"
    assert (facts["extractor"], facts["weights"], facts["components"]) == ("inception", "untrained", 3)
    assert facts["n_clips"] == 2
    assert facts["whitening"] == "fitted on clips outside every fold"


def test_features_are_the_networks_own_whitened(samples: Path, made: dict[str, tuple[int, bytes]]) -> None:
    section = settings("inception")
    run(samples, "inception", "visual", section)
    extractor = inception.Extractor.from_weights(UNTRAINED(0, THIN), batch_size=4)
    vectors = {name: extractor.embed(extractor.resize(video.frames(data)[:10])) for name, (_, data) in made.items()}
    outside = np.concatenate([vectors[name] for name, (fold, _) in made.items() if fold < 0])
    fitted = whitening.fit(outside, components=3, epsilon=0.01)
    table = parquet.read(samples.parent / "features" / "visual")
    got = dict(zip(table.column("id").to_pylist(), parquet.to_numpy(table.column("visual")), strict=True))
    assert set(got) == {name for name, (fold, _) in made.items() if fold >= 0}
    for name, rows in got.items():
        expected = fitted.apply(vectors[name], limits="clipped")
        np.testing.assert_array_equal(rows[: len(expected)], expected)


def test_result_depends_neither_on_the_sharding_nor_on_the_run(
    samples: Path, tmp_path: Path, made: dict[str, tuple[int, bytes]]
) -> None:
    section = settings("vggish")
    run(samples, "vggish", "audio", section)
    folder = samples.parent / "features" / "audio"
    first = {path.name: path.read_bytes() for path in parquet.shards(folder)}
    run(samples, "vggish", "audio", section)
    assert {path.name: path.read_bytes() for path in parquet.shards(folder)} == first
    other = write(tmp_path / "other" / "samples", {k: made[k] for k in sorted(made, reverse=True)})
    fitted = samples.parent / "models" / "audio.safetensors"
    video_extraction.extract_folder(
        other,
        tmp_path / "other" / "features" / "audio",
        outside=tmp_path / "other" / "divisions" / "outside.parquet",
        view="audio",
        name="vggish",
        settings=section,
        fitted=fitted,
        compute=compute(tmp_path),
        downloads=tmp_path,
    )
    tables = [parquet.read(path) for path in (folder, tmp_path / "other" / "features" / "audio")]
    rows = [
        dict(zip(table.column("id").to_pylist(), parquet.to_numpy(table.column("audio")), strict=True))
        for table in tables
    ]
    for name, expected in rows[0].items():
        np.testing.assert_array_equal(rows[1][name], expected)


@pytest.mark.parametrize(
    "length_s, hop_s, n",
    [(0.01, 0.96, 1), (0.96, 0.96, 1), (1.43, 0.96, 1), (1.45, 0.96, 2), (10.0, 0.96, 10), (10.0, 1.0, 10),
     (60.0, 0.96, 10), (2.0, 0.25, 7)],
)  # fmt: skip
def test_patches_of_a_clip(length_s: float, hop_s: float, n: int) -> None:
    starts = vggish_clips.starts(round(length_s * 16000), hop_s=hop_s)
    assert starts.tolist() == [k * round(hop_s * 16000) for k in range(n)]


def test_sound_of_a_clip_is_cut_into_seconds(made: dict[str, tuple[int, bytes]]) -> None:
    data = made["c3"][1]
    section = settings("vggish", hop_s=1.0)
    rows = clips.module("vggish").create(section).rows(data)
    samples = video.sound(data, 16000)
    assert rows.shape == (4, 96, 64)
    np.testing.assert_allclose(rows[2], logmel.patches_at(samples, np.array([32000]))[0], atol=1e-5)
    # The last second has less than a patch's 0.975 s left: silence follows.
    tail = np.pad(samples[48000:], (0, 16000))[: logmel.PATCH_SAMPLES]
    np.testing.assert_allclose(rows[3], logmel.log_mel(tail), atol=1e-5)


def test_the_next_clips_are_decoded_while_the_network_works() -> None:
    """A clip is decoded in another thread than the network runs in, and at the same time."""
    events: list[tuple[str, float]] = []

    class Slow:
        dimensions, batch_size = 1, 1

        def rows(self, clip: bytes) -> np.ndarray:
            assert threading.current_thread() is not threading.main_thread()
            time.sleep(0.02)
            events.append(("decoded", time.monotonic()))
            return np.full((1, 1), float(clip), dtype=np.float32)

        def embed(self, rows: np.ndarray) -> np.ndarray:
            events.append(("begins", time.monotonic()))
            time.sleep(0.05)
            events.append(("ends", time.monotonic()))
            return rows

    ids, vectors, skipped = video_extraction.embed_clips(Slow(), ((str(i), b"%d" % i) for i in range(6)))
    assert ids == [str(i) for i in range(6)]
    assert [float(rows[0, 0]) for rows in vectors] == [0, 1, 2, 3, 4, 5]
    assert skipped == []
    begun = [at for what, at in events if what == "begins"]
    ended = [at for what, at in events if what == "ends"]
    decoded = [at for what, at in events if what == "decoded"]
    assert any(begin < at < end for begin, end in zip(begun, ended, strict=True) for at in decoded)


def test_the_network_works_in_full_batches_across_clips() -> None:
    sizes: list[int] = []

    class Counting:
        dimensions, batch_size = 2, 4

        def rows(self, clip: bytes) -> np.ndarray:
            if not clip:
                raise DataError("nothing in it")
            return np.full((len(clip), 2), len(clip), dtype=np.float32)

        def embed(self, rows: np.ndarray) -> np.ndarray:
            sizes.append(len(rows))
            return rows

    stored = iter([("a", b"xxx"), ("b", b""), ("c", b"xx"), ("d", b"x"), ("e", b"xxxxxx")])
    ids, vectors, skipped = video_extraction.embed_clips(Counting(), stored)
    assert sizes == [4, 8]
    assert [len(rows) for rows in vectors] == [3, 2, 1, 6]
    assert all((rows == len(rows)).all() for rows in vectors)
    assert ids == ["a", "c", "d", "e"]
    assert skipped == [("b", "nothing in it")]
    assert video_extraction.embed_clips(Counting(), iter([])) == ([], [], [])


def test_no_clip_outside_the_folds(tmp_path: Path, made: dict[str, tuple[int, bytes]]) -> None:
    inside = {name: row for name, row in made.items() if row[0] >= 0}
    samples = write(tmp_path / "samples", inside)
    with pytest.raises(
        ConfigError, match=r"no clip that can be decoded lies outside the folds, .* vegas\.features\.vggish\.whitening"
    ):
        run(samples, "vggish", "audio", settings("vggish"))


def test_few_vectors_outside_the_folds_give_fewer_components(samples: Path) -> None:
    run(samples, "vggish", "audio", settings("vggish", whitening__components=99))
    facts = load_folder(samples.parent, views={"audio": "audio"}).metadata["audio"]
    assert facts["components"] == facts["n_vectors"] - 1 < 99
    assert facts["adapted"] == (
        f"vegas.features.vggish.whitening.components: {facts['components']} in place of 99, since "
        f"{facts['n_vectors']} vectors lie outside the folds"
    )


def test_whitening_of_another_network_is_refused(samples: Path) -> None:
    run(samples, "vggish", "audio", settings("vggish"))
    other = whitening.identity(7)
    other.save(samples.parent / "models" / "other.safetensors")
    with pytest.raises(DataError, match="for vectors of 7 numbers"):
        video_extraction.extract_folder(
            samples,
            samples.parent / "features" / "audio",
            outside=None,
            view="audio",
            name="vggish",
            settings=settings("vggish"),
            fitted=samples.parent / "models" / "other.safetensors",
            compute=compute(samples.parent),
            downloads=samples.parent,
        )


def test_without_whitening(samples: Path) -> None:
    section = settings("vggish", whitening__method="none", whitening__limits="unlimited")
    run(samples, "vggish", "audio", section)
    table = parquet.read(samples.parent / "features" / "audio")
    assert parquet.to_numpy(table.column("audio")).shape[1:] == (10, 128)
    assert parquet.metadata(samples.parent / "features" / "audio")["whitening"] == "none"


def test_pretrained_weights_and_pca_come_by_path_and_checksum(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = UNTRAINED_VGGISH(9, THIN_VGGISH)
    (tmp_path / "mine.ckpt").write_bytes(b"the published network")
    monkeypatch.setattr(vggish, "load_checkpoint", lambda path: {b"the published network": network}[path.read_bytes()])
    generator = np.random.default_rng(6)
    vectors = generator.normal(size=(128, 128)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", pca_eigen_vectors=vectors, pca_means=np.zeros((128, 1), np.float32))
    section = settings(
        "vggish",
        weights="pretrained",
        checkpoint=str(tmp_path / "mine.ckpt"),
        checkpoint_sha256=hashlib.sha256(b"the published network").hexdigest(),
        whitening__method="published",
        whitening__location=str(tmp_path / "mine.npz"),
        whitening__limits="unlimited",
    )
    run(samples, "vggish", "audio", section)
    facts = parquet.metadata(samples.parent / "features" / "audio")
    assert facts["whitening"] == "published with VGGish"
    assert facts["sha256"] == section.checkpoint_sha256
    table = parquet.read(samples.parent / "features" / "audio")
    first = table.column("id")[0].as_py()
    (data,) = (clip for path in parquet.shards(samples) for _, clip in video_extraction._stored(path, [first]))
    made = vggish_clips.Clips(vggish.Extractor(network, batch_size=4), hop_s=0.96)
    expected = made.embed(made.rows(data)) @ vectors.T
    got = parquet.to_numpy(table.column("audio"))[0, : len(expected)]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    video_extraction._extractor.cache_clear()
    with pytest.raises(DownloadError):
        run(samples, "vggish", "audio", section.model_copy(update={"checkpoint_sha256": "0" * 64}))


@pytest.mark.parametrize(
    "name, replaced, message",
    [
        ("inception", {"whitening__method": "published"}, "the network that it was fitted for"),
        ("inception", {"whitening__method": "published", "weights": "pretrained"}, "variant: youtube8m"),
        ("vggish", {"whitening__method": "published"}, "weights: pretrained alone"),
        ("i3d", {"whitening__method": "published"}, "no published whitening"),
        ("efficientnet_lite0", {"whitening__method": "published"}, "no published whitening"),
        ("huggingface_audio", {"whitening__method": "published"}, "no published whitening"),
        ("soundnet", {"whitening__components": 0}, "components"),
    ],
)
def test_published_matrices_go_with_their_network_alone(name: str, replaced: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(name, **replaced)
    fine = settings("inception", whitening__method="published", weights="pretrained", variant="youtube8m")
    assert fine.whitening.method == "published"


def test_the_graph_of_2015_cannot_be_untrained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="youtube8m is a frozen, trained graph"):
        clips.module("inception").fetch(settings("inception", variant="youtube8m"), tmp_path)


def test_every_extractor_takes_a_clip(made: dict[str, tuple[int, bytes]], tmp_path: Path) -> None:
    """Rows of one clip of 1.2 s, their number at most N_ROWS, through each network that is made untrained."""
    data = made["c1"][1]
    shapes = {
        "inception": (2, 299, 299, 3),
        "vggish": (1, 96, 64),
        "soundnet": (1, 441000),
        "i3d": (2, 25, 224, 224, 3),
        "efficientnet_lite0": (2, 224, 224, 3),
        "musicnn": (1, 187, 96),
    }
    assert {*shapes, "huggingface_audio", "huggingface_image"} == set(NAMES)
    for name, shape in shapes.items():
        module, section = clips.module(name), settings(name, batch_size=1, weights="untrained")
        extractor = module.create(module.fetch(section, tmp_path))
        rows = extractor.rows(data)
        assert rows.shape == shape
        assert len(rows) <= module.N_ROWS
        vectors = extractor.embed(rows[:1])
        assert vectors.shape == (1, extractor.dimensions)
        assert np.isfinite(vectors).all()
        facts = module.describe(section)
        assert (facts["extractor"], facts["weights"], facts["seed"]) == (name, "untrained", 0)


def test_musicnn_hears_three_seconds_every_second(made: dict[str, tuple[int, bytes]], tmp_path: Path) -> None:
    """Rows of a clip of 12 s, of which the first 10 are heard: patches at 0, 1, ... 7 s, as songs have them."""
    data = made["long"][1]
    module, section = clips.module("musicnn"), settings("musicnn", weights="untrained", hop_s=1.0)
    rows = module.create(module.fetch(section, tmp_path)).rows(data)
    sound = video.sound(data, 16_000)[:160_000]
    np.testing.assert_array_equal(rows, musicnn.patches(sound, 16_000, hop_s=1.0))
    assert len(rows) == 8


def test_empty_shard(tmp_path: Path) -> None:
    source = tmp_path / "part-00000.parquet"
    types = {"id": pa.string(), "video": parquet.MEDIA}
    parquet.write(source, {"id": [], "video": []}, types=types)
    whitening.identity(128).save(tmp_path / "w")
    params = {"name": "vggish", "settings": settings("vggish").model_dump_json(), "view": "audio", "metadata": {}}
    shard = Shard(source.name, (source, tmp_path / "w"), extra={"ids": []})
    assert video_extraction.extract(shard, tmp_path / "out", params) == []
    assert parquet.to_numpy(parquet.read(tmp_path / "out").column("audio")).shape == (0, 10, 128)


def test_published_features_are_passed_on(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    views = {"audio": 128, "visual": 1024}
    rows = {
        view: [generator.normal(size=(n, width)).astype(np.float32) for n in (2, 7)] for view, width in views.items()
    }
    types = {view: parquet.matrix(None, width) for view, width in views.items()}
    parquet.write(
        tmp_path / "samples" / "part-00000.parquet",
        {"id": ["a", "b"], "label": ["x", "y"], "fold": [0, 1], **rows},
        types={"id": pa.string(), "label": pa.string(), "fold": pa.int32(), **types},
        metadata={"dataset": "vegas", "source": "features", "layout": "D", "scales": {"audio": "8 bits"}},
    )
    divide(tmp_path)
    assert run(tmp_path / "samples", "vggish", "audio", settings("vggish")) == []
    assert run(tmp_path / "samples", "inception", "visual", settings("inception")) == []
    data = load_folder(tmp_path)
    assert data.views["visual"].shape == (2, 7, 1024)
    assert data.lengths["audio"].tolist() == [2, 7]
    np.testing.assert_array_equal(data.views["audio"][0, :2], rows["audio"][0])
    assert data.metadata["audio"]["variant"] == "as published, layout D, 8 bits"
    with pytest.raises(DataError, match="has neither videos nor a column 'i3d'; its columns: id, label, fold, audio"):
        run(tmp_path / "samples", "i3d", "i3d", settings("i3d"))
