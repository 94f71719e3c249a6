"""From audio shards to one vector per note."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.config.compute import Compute
from unisono.config.mtm import VGGish
from unisono.errors import DataError, DownloadError
from unisono.features import logmel, vggish
from unisono.features.vggish import extraction as vggish_extraction
from unisono.io import parquet
from unisono.media import audio
from unisono.store.shards import Shard

THIN = {layer: max(2, width // 32) for layer, width in vggish.WIDTHS.items()} | {"fc2": 128}
UNTRAINED = vggish.untrained
SETTINGS: dict[str, Any] = {
    "weights": "untrained",
    "checkpoint": "",
    "pca": "",
    "postprocess": "none",
    "hop_s": 0.96,
    "seed": 0,
    "batch_size": 16,
}


@pytest.fixture(autouse=True)
def _thin_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A 32nd of the network's width, so that a test takes no seconds."""
    monkeypatch.setattr(vggish, "untrained", lambda seed: UNTRAINED(seed, THIN))
    vggish_extraction._extractor.cache_clear()
    yield
    vggish_extraction._extractor.cache_clear()


def sample(seed: int, rate: int = 16000) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Twenty decaying tones of 0.25 to 2 s as FLAC, with their onsets and offsets."""
    generator = np.random.default_rng(seed)
    lengths = generator.choice([0.25, 0.5, 1.0, 2.0], 20)
    onsets = np.cumsum(lengths) - lengths
    t = np.arange(round((lengths.sum() + 0.5) * rate)) / rate
    sound = np.zeros_like(t)
    for onset, pitch in zip(onsets, generator.integers(50, 80, 20), strict=True):
        after = np.maximum(t - onset, 0)
        sound += 0.2 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * after) * np.exp(-3 * after)
    return audio.encode_flac(sound, rate), onsets, onsets + lengths


def write_audio(path: Path, seeds: list[int], **replaced: Any) -> Path:
    """Write an audio shard; `replaced` columns stand in for the made ones."""
    rows = [sample(seed) for seed in seeds]
    columns = {
        "id": [f"song{seed}-w00" for seed in seeds],
        "audio": [(data, "x.flac") for data, _, _ in rows],
        "onsets": [onsets for _, onsets, _ in rows],
        "offsets": [offsets for _, _, offsets in rows],
    } | replaced
    parquet.write(
        path,
        columns,
        types={
            "id": parquet.pa.string(),
            "audio": parquet.MEDIA,
            "onsets": parquet.vector(len(columns["onsets"][0]) if rows else 20),
            "offsets": parquet.vector(len(columns["offsets"][0]) if rows else 20),
        },
        metadata={"dataset": "mtm", "source": "test", "sample_rate": 16000},
        media={"audio": "audio"},
    )
    return path


def extract(path: Path, destination: Path, **settings: Any) -> np.ndarray:
    """Run the shard function and read back what it wrote."""
    section = VGGish(**SETTINGS | settings)
    params = {"settings": section.model_dump_json(), "metadata": {}}
    vggish_extraction.extract(Shard(path.name, (path,)), destination, params)
    return np.asarray(parquet.to_numpy(parquet.read(destination).column("audio")))


@pytest.mark.parametrize(
    "length_s, hop_s, n",
    [
        (0.0, 0.96, 1),
        (0.96, 0.96, 1),
        (1.9, 0.96, 1),
        (1.92, 0.96, 2),
        (4.0, 0.96, 4),
        (1.999, 1.0, 1),
        (2.0, 1.0, 2),
        (1.0, 0.25, 4),
    ],
)
def test_patches_of_a_note(length_s: float, hop_s: float, n: int) -> None:
    onsets = np.array([7.123456, 9.0], dtype=np.float32)
    offsets = (onsets + np.array([length_s, 0.1])).astype(np.float32)
    starts, counts = vggish_extraction.note_starts(onsets, offsets, hop_s=hop_s)
    assert counts.tolist() == [n, 1]
    assert starts.tolist() == [113975 + k * round(hop_s * 16000) for k in range(n)] + [144000]


def test_a_note_is_the_mean_of_its_patches() -> None:
    extractor = vggish.Extractor(UNTRAINED(0, THIN), batch_size=4)
    patches = np.random.default_rng(0).normal(size=(6, 96, 64)).astype(np.float32)
    embedded = extractor.embed(patches)
    got = vggish_extraction.note_features(extractor, patches, np.array([1, 3, 2]))
    expected = [embedded[0], embedded[1:4].mean(axis=0), embedded[4:].mean(axis=0)]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_shard_holds_the_notes_of_each_sample(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "part-00000.parquet", [0, 1])
    got = extract(path, tmp_path / "out.parquet")
    assert got.shape == (2, 20, 128)
    extractor = vggish.Extractor(UNTRAINED(0, THIN), batch_size=16)
    for row, seed in enumerate([0, 1]):
        data, onsets, offsets = sample(seed)
        samples, _ = audio.decode(data)
        for note in range(20):
            count = max(1, int((offsets[note] - onsets[note]) / 0.96))
            starts = round(onsets[note] * 16000) + np.arange(count) * 15360
            expected = extractor.embed(logmel.patches_at(samples, starts)).mean(axis=0)
            np.testing.assert_allclose(got[row, note], expected, atol=1e-5)
    assert parquet.read(tmp_path / "out.parquet").column("id").to_pylist() == ["song0-w00", "song1-w00"]


def test_result_depends_neither_on_the_sharding_nor_on_the_run(tmp_path: Path) -> None:
    together = write_audio(tmp_path / "together.parquet", [0, 1, 2])
    alone = write_audio(tmp_path / "alone.parquet", [2])
    first, single = extract(together, tmp_path / "a"), extract(alone, tmp_path / "b")
    np.testing.assert_array_equal(first[2], single[0])
    extract(together, tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_another_rate_gives_nearly_the_same_features(tmp_path: Path) -> None:
    plain = extract(write_audio(tmp_path / "16.parquet", [0]), tmp_path / "a")
    sound = [(sample(0, rate=44100)[0], "x.flac")]
    other = extract(write_audio(tmp_path / "44.parquet", [0], audio=sound), tmp_path / "b")
    assert np.corrcoef(plain.ravel(), other.ravel())[0, 1] > 0.99


def test_pretrained_network_and_pca_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = UNTRAINED(7, THIN)
    pca = (np.eye(128, dtype=np.float32) * 0.5, np.ones(128, dtype=np.float32))
    monkeypatch.setattr(vggish, "load_checkpoint", {Path("mine.ckpt"): weights}.__getitem__)
    monkeypatch.setattr(vggish, "load_pca", {Path("mine.npz"): pca}.__getitem__)
    path = write_audio(tmp_path / "part-00000.parquet", [0])
    got = extract(
        path, tmp_path / "out", weights="pretrained", checkpoint="mine.ckpt", pca="mine.npz", postprocess="pca_8bit"
    )
    data, onsets, offsets = sample(0)
    shortest = np.argmin(offsets - onsets)  # has one patch
    patches = logmel.patches_at(audio.decode(data)[0], np.rint(onsets[[shortest]] * 16000))
    extractor = vggish.Extractor(weights, pca=pca, eight_bit=True, batch_size=16)
    np.testing.assert_array_equal(got[0, shortest], extractor.embed(patches)[0])


def test_stage_ends_in_one_line_without_audio(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stages.extract_vggish", "--audio", str(tmp_path / "none"), "--out", str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "none: no such folder" in done.stderr


def test_empty_shard(tmp_path: Path) -> None:
    assert extract(write_audio(tmp_path / "none.parquet", []), tmp_path / "out").shape == (0, 20, 128)


def test_bad_rows_are_named(tmp_path: Path) -> None:
    _, onsets, offsets = sample(0)
    late, backwards = onsets.copy(), offsets.copy()
    late[19] = 1000
    backwards[3] = onsets[3] - 0.1
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "text": ({"audio": [(b"not a sound", "x.flac")]}, "sample song0-w00: not a readable sound file"),
        "late": ({"onsets": [late]}, "sample song0-w00: note 19 lasts from 1000.000"),
        "backwards": ({"offsets": [backwards]}, "sample song0-w00: note 3 lasts"),
        "nan": ({"onsets": [np.full(20, np.nan)]}, "sample song0-w00: note 0 lasts from nan"),
        "narrow": ({"onsets": [onsets[:5]]}, "must be 20 numbers"),
    }
    for name, (replaced, message) in cases.items():
        path = write_audio(tmp_path / f"{name}.parquet", [0], **replaced)
        with pytest.raises(DataError, match=rf"{name}\.parquet: .*{message}"):
            extract(path, tmp_path / "out")


def test_folder_and_metadata(tmp_path: Path) -> None:
    for index in range(2):
        write_audio(tmp_path / "audio" / parquet.shard_name(index), [index])
    compute = Compute(executor="serial", scratch=tmp_path / "scratch")
    rows = vggish_extraction.extract_folder(
        tmp_path / "audio",
        tmp_path / "features",
        settings=VGGish(**SETTINGS),
        compute=compute,
        downloads=tmp_path / "downloads",
    )
    assert rows == [1, 1]
    assert parquet.read(tmp_path / "features").column("id").to_pylist() == ["song0-w00", "song1-w00"]
    assert parquet.metadata(tmp_path / "features") == {
        "dataset": "mtm",
        "source": "test",
        "extractor": "vggish",
        "variant": "before activation, no PCA, hop 0.96 s",
        "weights": "untrained",
        "seed": 0,
    }


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server over a folder with a checkpoint and a PCA file; gives its address."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "vggish_model.ckpt").write_bytes(b"the published network")
    (folder / "vggish_pca_params.npz").write_bytes(b"the published PCA")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_published_files_come_by_url_and_checksum(server: str, tmp_path: Path) -> None:
    checksum = hashlib.sha256(b"the published network").hexdigest()
    settings = VGGish(
        **SETTINGS
        | {
            "weights": "pretrained",
            "checkpoint": f"{server}/vggish_model.ckpt",
            "checkpoint_sha256": checksum,
            "pca": f"{server}/vggish_pca_params.npz",
            "postprocess": "pca_8bit",
        }
    )
    local = vggish_extraction.fetch_weights(settings, tmp_path / "downloads")
    assert Path(local.checkpoint).read_bytes() == b"the published network"
    assert Path(local.pca).read_bytes() == b"the published PCA"
    assert local.pca_sha256 == hashlib.sha256(b"the published PCA").hexdigest()
    assert vggish_extraction.describe(local) == {
        "extractor": "vggish",
        "variant": "before activation, PCA, 8 bits, hop 0.96 s",
        "weights": "pretrained",
        "checkpoint_sha256": checksum,
    }
    wrong = settings.model_copy(update={"checkpoint_sha256": "0" * 64})
    with pytest.raises(DownloadError):
        vggish_extraction.fetch_weights(wrong, tmp_path / "other")
    assert not list((tmp_path / "other").glob("*.ckpt"))


def test_local_paths_are_used_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "mine.ckpt").write_bytes(b"x")
    settings = VGGish(**SETTINGS | {"weights": "pretrained", "checkpoint": str(tmp_path / "mine.ckpt")})
    local = vggish_extraction.fetch_weights(settings, tmp_path / "downloads")
    assert Path(local.checkpoint).read_bytes() == b"x"
    missing = settings.model_copy(update={"checkpoint": str(tmp_path / "none.ckpt")})
    with pytest.raises(DownloadError, match=r"none\.ckpt"):
        vggish_extraction.fetch_weights(missing, tmp_path / "downloads")


def test_untrained_needs_no_file(tmp_path: Path) -> None:
    settings = VGGish(**SETTINGS | {"checkpoint": "http://127.0.0.1:9/x.ckpt"})
    assert vggish_extraction.fetch_weights(settings, tmp_path) == settings
