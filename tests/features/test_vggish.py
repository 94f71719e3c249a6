"""The network against a plain oracle; its weights, PCA and failures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.features import vggish

THIN = {layer: max(2, width // 32) for layer, width in vggish.WIDTHS.items()}


def write_checkpoint(path: Path, weights: Mapping[str, np.ndarray]) -> Path:
    """Write a real checkpoint in the old one-file format, as the published one is."""
    from unisono.features.tf_runtime import tensorflow

    v1 = tensorflow().compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        variables = {f"vggish/{k}": v1.get_variable(k, initializer=v) for k, v in weights.items()}
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(variables, write_version=v1.train.SaverDef.V1)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)
    return path


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """Weights of a network a 32nd as wide, with biases that are not zero."""
    drawn = vggish.untrained(3, THIN)
    generator = np.random.default_rng(4)
    return {k: v + generator.normal(0, 0.1, v.shape).astype(np.float32) for k, v in drawn.items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, np.ndarray]) -> Path:
    """The thin network as a checkpoint."""
    return write_checkpoint(tmp_path_factory.mktemp("vggish") / "vggish_model.ckpt", weights)


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    """Nineteen patches of noise in the range of log-mel."""
    return np.random.default_rng(5).normal(-1, 2, (19, 96, 64)).astype(np.float32)


def oracle(patch: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The network written as its definition, in float64, for one patch."""
    values = patch.astype(np.float64)[..., None]
    convolutions = ["conv1", "P", "conv2", "P", "conv3/conv3_1", "conv3/conv3_2", "P"]
    convolutions += ["conv4/conv4_1", "conv4/conv4_2", "P"]
    for layer in convolutions:
        if layer == "P":
            height, width, channels = values.shape
            values = values.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
            continue
        padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        values = np.einsum("hwcij,ijco->hwo", windows, weights[f"{layer}/weights"])
        values = np.maximum(values + weights[f"{layer}/biases"], 0)
    values = values.reshape(-1)
    for layer in ("fc1/fc1_1", "fc1/fc1_2"):
        values = np.maximum(values @ weights[f"{layer}/weights"] + weights[f"{layer}/biases"], 0)
    return values @ weights["fc2/weights"] + weights["fc2/biases"]


def test_network_has_the_published_size() -> None:
    shapes = vggish.variable_shapes()
    assert shapes["fc1/fc1_1/weights"] == (12288, 4096)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 72_141_184


def test_equals_the_definition(weights: dict[str, np.ndarray], patches: np.ndarray) -> None:
    got = vggish.Extractor(weights, batch_size=4).embed(patches[:6])
    np.testing.assert_allclose(got, [oracle(patch, weights) for patch in patches[:6]], rtol=1e-4, atol=1e-4)
    assert got.dtype == np.float32
    assert (got < 0).any(), "the output is taken before any activation"


def test_a_patch_gives_the_same_bytes_in_any_company(weights: dict[str, np.ndarray], patches: np.ndarray) -> None:
    extractor = vggish.Extractor(weights, batch_size=8)
    together = extractor.embed(patches)
    order = np.random.default_rng(0).permutation(len(patches))
    np.testing.assert_array_equal(extractor.embed(patches[order]), together[order])
    np.testing.assert_array_equal(extractor.embed(patches[13:14]), together[13:14])
    assert extractor.embed(patches[:0]).shape == (0, THIN["fc2"])


def test_full_network_untrained_hears_differences_and_keeps_its_bytes(patches: np.ndarray) -> None:
    extractor = vggish.Extractor(vggish.untrained(0), batch_size=16)
    together = extractor.embed(patches)
    assert together.shape == (19, 128)
    assert np.linalg.matrix_rank(together) == 19
    np.testing.assert_array_equal(extractor.embed(patches[::-1]), together[::-1])
    np.testing.assert_array_equal(extractor.embed(patches[18:]), together[18:])


def test_untrained_is_seeded_he_normal() -> None:
    first = vggish.untrained(0, THIN)
    again, other = vggish.untrained(0, THIN), vggish.untrained(1, THIN)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    kernel = first["fc1/fc1_1/weights"]
    assert not np.array_equal(kernel, other["fc1/fc1_1/weights"])
    assert kernel.std() == pytest.approx(np.sqrt(2 / kernel.shape[0]), rel=0.02)
    assert not first["conv1/biases"].any()
    # Known values: numpy's stream of this seed, whatever the version of TensorFlow.
    expected = np.random.default_rng(0).standard_normal(2, dtype=np.float32) * np.sqrt(np.float32(2 / 9))
    np.testing.assert_allclose(first["conv1/weights"].ravel()[:2], expected, rtol=1e-6)


def test_other_shapes_are_refused(weights: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"\(n, 96, 64\), got \(2, 64, 96\)"):
        vggish.Extractor(weights, batch_size=2).embed(np.zeros((2, 64, 96), dtype=np.float32))


def test_checkpoint_is_read_by_the_names_of_its_variables(checkpoint: Path, weights: dict[str, np.ndarray]) -> None:
    loaded = vggish.load_checkpoint(checkpoint, THIN)
    assert list(loaded) == list(vggish.variable_shapes(THIN))
    for name, value in weights.items():
        np.testing.assert_array_equal(loaded[name], value)


def test_checkpoint_without_a_variable(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    fewer = {name: value for name, value in weights.items() if name != "conv4/conv4_1/biases"}
    path = write_checkpoint(tmp_path / "fewer.ckpt", fewer)
    with pytest.raises(DataError, match=r"fewer.ckpt: has no variable vggish/conv4/conv4_1/biases"):
        vggish.load_checkpoint(path, THIN)


def test_checkpoint_of_another_shape(checkpoint: Path) -> None:
    with pytest.raises(DataError, match=r"variable vggish/conv1/weights has shape \(3, 3, 1, 2\), not .*64"):
        vggish.load_checkpoint(checkpoint)


def test_checkpoint_with_nan(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    path = write_checkpoint(tmp_path / "nan.ckpt", weights | {"fc2/biases": np.full(4, np.nan, np.float32)})
    with pytest.raises(DataError, match="variable vggish/fc2/biases holds NaN"):
        vggish.load_checkpoint(path, THIN)


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped"])
def test_damaged_checkpoint(checkpoint: Path, tmp_path: Path, damage: str) -> None:
    data = checkpoint.read_bytes()
    middle = len(data) // 2
    path = tmp_path / "damaged.ckpt"
    path.write_bytes(
        {
            "empty": b"",
            "text": b"<html>404</html>" * 100,
            "truncated": data[:middle],
            "flipped": data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :],
        }[damage]
    )
    with pytest.raises(DataError, match=r"damaged.ckpt: .*(damaged|cannot be read).*untrained"):
        vggish.load_checkpoint(path, THIN)


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such checkpoint"):
        vggish.load_checkpoint(tmp_path / "none.ckpt", THIN)


@pytest.fixture
def pca(tmp_path: Path) -> Path:
    """A PCA file in the published layout: the means as a column."""
    generator = np.random.default_rng(6)
    path = tmp_path / "pca.npz"
    vectors = generator.normal(0, 0.2, (128, 128)).astype(np.float32)
    np.savez(path, pca_eigen_vectors=vectors, pca_means=generator.normal(size=(128, 1)).astype(np.float32))
    return path


def test_pca_and_eight_bits(pca: Path) -> None:
    vectors, means = vggish.load_pca(pca)
    embeddings = np.random.default_rng(7).normal(size=(3, 128)).astype(np.float32)
    whitened = vggish.postprocess(embeddings, vectors, means, eight_bit=False)
    coarse = vggish.postprocess(embeddings, vectors, means, eight_bit=True)
    for i in range(3):
        for k in range(128):
            x = sum(float(vectors[k, j]) * float(embeddings[i, j] - means[j]) for j in range(128))
            assert whitened[i, k] == pytest.approx(x, abs=1e-4)
            assert abs(coarse[i, k] - (min(max(x, -2), 2) + 2) * 255 / 4) <= 0.5 + 1e-2
    assert set(np.unique(coarse)) <= set(range(256))
    assert {0.0, 255.0} <= set(np.unique(coarse))


def test_extractor_applies_the_pca(pca: Path) -> None:
    weights = vggish.untrained(0, THIN | {"fc2": 128})
    patches = np.random.default_rng(8).normal(size=(3, 96, 64)).astype(np.float32)
    raw = vggish.Extractor(weights, batch_size=4).embed(patches)
    vectors, means = vggish.load_pca(pca)
    got = vggish.Extractor(weights, pca=(vectors, means), eight_bit=True, batch_size=4).embed(patches)
    np.testing.assert_array_equal(got, vggish.postprocess(raw, vectors, means, eight_bit=True))


def test_bad_pca_files(tmp_path: Path) -> None:
    square, line = np.eye(128), np.zeros(128)
    cases = {
        "keys": ({"pca_eigen_vectors": square}, "has no array pca_means"),
        "shape": ({"pca_eigen_vectors": square[:5], "pca_means": line}, r"\(5, 128\), expected \(128, 128\)"),
        "nan": ({"pca_eigen_vectors": square * np.nan, "pca_means": line}, "finite"),
        "pickle": ({"pca_eigen_vectors": np.array([{}], dtype=object), "pca_means": line}, "is object"),
    }
    for name, (arrays, message) in cases.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(DataError, match=message):
            vggish.load_pca(tmp_path / f"{name}.npz")
    np.save(tmp_path / "single.npy", square)
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "keys.npz").read_bytes()[:3000])
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("single.npy", "text.npz", "cut.npz", "empty.npz"):
        with pytest.raises(DataError, match=f"{name}: not the archive that its name says, or damaged"):
            vggish.load_pca(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        vggish.load_pca(tmp_path / "none.npz")


def test_tensorflow_is_imported_late_and_quietly() -> None:
    code = (
        "import sys; from unisono.features import vggish, tf_runtime;"
        "assert 'tensorflow' not in sys.modules;"
        "tf = tf_runtime.tensorflow(); tf.function(lambda x: x + 1)(tf.constant(1.0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
