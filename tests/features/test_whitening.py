"""Whitening against its definition, YouTube-8M's published form, and why test items must not be in the fit."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.errors import ConfigError, DataError
from unisono.features import whitening
from unisono.features.whitening import Whitening


@pytest.fixture
def vectors() -> np.ndarray:
    """Three hundred correlated vectors of 40 numbers, as small as an untrained network's."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(40, 40)) * np.geomspace(1e-3, 1e-6, 40)[:, None]
    return (generator.normal(size=(300, 40)) @ mixing + generator.uniform(0.01, 0.02, 40)).astype(np.float32)


def test_fitted_whitening_is_its_definition(vectors: np.ndarray) -> None:
    fitted = whitening.fit(vectors, components=5, epsilon=0.01)
    covariance = np.cov(vectors.astype(np.float64).T)
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    epsilon = 0.01 * eigenvalues.mean()
    got = fitted.apply(vectors)
    for component in range(5):
        axis, value = eigenvectors[:, -1 - component], eigenvalues[-1 - component]
        expected = (vectors - vectors.mean(axis=0)) @ axis / np.sqrt(value + epsilon)
        assert abs(np.corrcoef(got[:, component], expected)[0, 1]) == pytest.approx(1, abs=1e-4)
        assert got[:, component].var(ddof=1) == pytest.approx(value / (value + epsilon), rel=1e-3)
    assert fitted.components == 5
    assert fitted.facts["n_vectors"] == 300
    np.testing.assert_allclose(np.cov(got.T) - np.diag(np.var(got, axis=0, ddof=1)), 0, atol=1e-3)


def test_epsilon_is_relative_to_the_scale(vectors: np.ndarray) -> None:
    small = whitening.fit(vectors, components=8, epsilon=0.01).apply(vectors)
    large = whitening.fit(vectors * 1000, components=8, epsilon=0.01).apply(vectors * 1000)
    np.testing.assert_allclose(small, large, atol=1e-3)


def test_whitening_that_has_seen_the_test_items_destroys_them() -> None:
    """As many components as items, fitted on them: all items become orthogonal, classes or not."""
    generator = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), 15)
    items = generator.normal(size=(60, 200)) + 2 * generator.normal(size=(4, 200))[labels]
    others = generator.normal(size=(400, 200)) + 2 * generator.normal(size=(4, 200))[generator.integers(0, 4, 400)]

    def margin(features: np.ndarray) -> float:
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        similar = unit @ unit.T
        same = labels[:, None] == labels
        return float(similar[same & ~np.eye(60, dtype=bool)].mean() - similar[~same].mean())

    seen = whitening.fit(items, components=59, epsilon=1e-6).apply(items)
    unseen = whitening.fit(others, components=59, epsilon=0.01).apply(items)
    assert abs(margin(seen)) < 1e-3
    assert margin(unseen) > 0.1


def test_too_many_components_are_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="41 components cannot be fitted on 300 vectors of 40 numbers; ask for 40"):
        whitening.fit(vectors, components=41, epsilon=0.01)
    with pytest.raises(ConfigError, match="ask for 9 or fewer, or hold more clips"):
        whitening.fit(vectors[:10], components=20, epsilon=0.01)
    with pytest.raises(DataError, match="NaN"):
        whitening.fit(np.full((9, 4), np.nan), components=2, epsilon=0.01)
    with pytest.raises(DataError, match="all the same"):
        whitening.fit(np.ones((9, 4)), components=2, epsilon=0.01)


def test_limits_are_youtube8ms() -> None:
    identity = whitening.identity(6)
    values = np.array([[-9, -2, -0.011, 0, 1.234, 9]], dtype=np.float32)
    np.testing.assert_array_equal(identity.apply(values), values)
    np.testing.assert_allclose(identity.apply(values, limits="clipped"), [[-2, -2, -0.011, 0, 1.234, 2]], atol=1e-6)
    steps = np.rint((np.clip(values, -2, 2) + 2) * 255 / 4)
    expected = steps * 4 / 255 + (4 / 512 - 2)
    np.testing.assert_allclose(identity.apply(values, limits="8bit"), expected, atol=1e-6)


def test_saved_whitening_comes_back(tmp_path: Path, vectors: np.ndarray) -> None:
    fitted = whitening.fit(vectors, components=7, epsilon=0.01)
    fitted.save(tmp_path / "w.safetensors")
    loaded = Whitening.load(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(loaded.apply(vectors), fitted.apply(vectors))
    assert loaded.facts == fitted.facts
    fitted.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "w.safetensors").read_bytes()
    with pytest.raises(DataError, match=r"for vectors of 40 numbers, got \(2, 39\)"):
        loaded.apply(vectors[:2, :39])


def test_bad_whitening_files(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"mean": np.zeros(3, np.float32), "projection": np.zeros((4, 2), np.float32)}, tmp_path / "fit")
    save_file({"mean": np.zeros(3, np.float32)}, tmp_path / "part")
    (tmp_path / "text").write_text("no tensors")
    for name, message in {
        "fit": "do not fit",
        "part": "not a whitening",
        "text": "not a whitening",
        "none": "no such file",
    }.items():
        with pytest.raises(DataError, match=rf"{name}: .*{message}"):
            Whitening.load(tmp_path / name)


def youtube8m(path: Path, arrays: dict[str, Any]) -> Path:
    """The published archive in small: matrices as they are laid out there."""
    with tarfile.open(path, "w:gz") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array, allow_pickle=True)
            info = tarfile.TarInfo(f"yt8m_pca/{name}.npy")
            info.size = data.tell()
            data.seek(0)
            archive.addfile(info, data)
    return path


@pytest.fixture
def matrices() -> dict[str, np.ndarray]:
    """A mean, eigenvalues in a column, one eigenvector a row: 1,100 numbers wide."""
    generator = np.random.default_rng(2)
    return {
        "mean": generator.uniform(0, 1, (1100, 1)).astype(np.float32),
        "eigenvals": np.sort(generator.uniform(0, 1, (1100, 1)), axis=0)[::-1].astype(np.float32),
        "eigenvecs": np.linalg.qr(generator.normal(size=(1100, 1100)))[0].astype(np.float32),
    }


def test_published_matrices_of_youtube8m(tmp_path: Path, matrices: dict[str, np.ndarray]) -> None:
    published = whitening.load_youtube8m(youtube8m(tmp_path / "yt8m_pca.tgz", matrices))
    assert published.components == 1024
    features = np.random.default_rng(3).uniform(0, 1, (2, 1100)).astype(np.float32)
    # The published code, in its own words.
    mean, eigenvalues = matrices["mean"][:, 0], matrices["eigenvals"][:1024, 0]
    expected = (features - mean) @ matrices["eigenvecs"].T[:, :1024] / np.sqrt(eigenvalues + 1e-4)
    np.testing.assert_allclose(published.apply(features), expected, rtol=1e-3, atol=1e-3)
    assert published.facts["whitening"] == "published by YouTube-8M"


def test_bad_archives_of_matrices(tmp_path: Path, matrices: dict[str, np.ndarray]) -> None:
    def refused(message: str, **replaced: Any) -> None:
        path = youtube8m(tmp_path / "pca.tgz", {k: v for k, v in (matrices | replaced).items() if v is not None})
        with pytest.raises(DataError, match=message):
            whitening.load_youtube8m(path)

    refused("holds no eigenvals.npy; give yt8m_pca.tgz", eigenvals=None)
    refused("mean.npy is not a matrix", mean=np.zeros(1100, np.float32))
    refused("eigenvecs.npy is not a matrix of finite", eigenvecs=matrices["eigenvecs"] * np.nan)
    refused("do not fit", eigenvecs=matrices["eigenvecs"][:, :900])
    refused("do not fit", eigenvals=-matrices["eigenvals"])


def test_no_pickle_in_an_archive_is_run(tmp_path: Path, matrices: dict[str, np.ndarray]) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "harmed",))

    harmful = np.empty((1, 1), dtype=object)
    harmful[0, 0] = Harmful()
    with pytest.raises(DataError, match="could run code"):
        whitening.load_youtube8m(youtube8m(tmp_path / "pca.tgz", matrices | {"mean": harmful}))
    assert not (tmp_path / "harmed").exists()
