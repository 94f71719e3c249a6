"""Inception V3 against Keras' own network, its two kinds of weights, and its failures."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.features import frozen_graph, inception
from unisono.features.tf_runtime import tensorflow

# A sixteenth of every number of channels (all are multiples of 16), but for the three colours.
THIN = [(h, w, i // 16 or i, o // 16) for h, w, i, o in inception.kernel_shapes()]


def write_h5(path: Path, weights: Mapping[str, np.ndarray], *, first: int = 1) -> Path:
    """Write weights in the layout of Keras' published files, whose layers are numbered as they were made."""
    import h5py

    names = {"kernel": "conv2d", "beta": "batch_normalization", "mean": "", "variance": ""}
    keras = {"kernel": "kernel:0", "beta": "beta:0", "mean": "moving_mean:0", "variance": "moving_variance:0"}
    with h5py.File(path, "w") as file:
        for name, array in weights.items():
            index, kind = int(name[5:7]) + first - 1, name[8:]
            layer = f"{names[kind] or 'batch_normalization'}_{index}"
            file.create_dataset(f"{layer}/{layer}/{keras[kind]}", data=array)
        file.attrs["layer_names"] = [name.encode() for name in file]
    return path


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    """A thin network whose batch normalisation does something."""
    generator = np.random.default_rng(1)
    drawn = inception.untrained(0, THIN)
    for name, value in drawn.items():
        if not name.endswith("kernel"):
            drawn[name] = (value + generator.uniform(0, 0.2, value.shape)).astype(np.float32)
    return drawn


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Five pictures of smooth noise."""
    coarse = np.random.default_rng(2).integers(0, 256, (5, 13, 13, 3), dtype=np.uint8)
    return inception.resize(coarse, "keras")


def test_network_is_keras_own(pictures: np.ndarray) -> None:
    layers = tensorflow().keras.layers
    model = tensorflow().keras.applications.InceptionV3(
        weights=None, include_top=False, pooling="avg", input_shape=(299, 299, 3)
    )
    generator = np.random.default_rng(3)
    weights = inception.untrained(0)
    for name, value in weights.items():
        if not name.endswith("kernel"):
            weights[name] = (value + generator.uniform(0, 0.1, value.shape)).astype(np.float32)

    def made(kind: Any) -> list[Any]:
        # Keras lists layers by depth; their names count them as they were made.
        found = [layer for layer in model.layers if isinstance(layer, kind)]
        return sorted(found, key=lambda layer: int((layer.name + "_0").split("_")[1 if kind is layers.Conv2D else 2]))

    convolutions, normalisations = made(layers.Conv2D), made(layers.BatchNormalization)
    assert len(convolutions) == len(normalisations) == 94
    for index, (conv, norm) in enumerate(zip(convolutions, normalisations, strict=True), start=1):
        conv.set_weights([weights[f"conv_{index:02d}/kernel"]])
        norm.set_weights([weights[f"conv_{index:02d}/{kind}"] for kind in ("beta", "mean", "variance")])
    assert model.count_params() == sum(value.size for value in weights.values()) == 21_802_784
    scaled = tensorflow().keras.applications.inception_v3.preprocess_input(pictures[:2].astype(np.float32))
    expected = model(scaled, training=False).numpy()
    got = inception.Extractor.from_weights(weights, batch_size=2).embed(pictures[:2])
    assert got.shape == (2, inception.DIMENSIONS)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_a_frame_gives_the_same_bytes_in_any_company(weights: dict[str, np.ndarray], pictures: np.ndarray) -> None:
    extractor = inception.Extractor.from_weights(weights, batch_size=2)
    together = extractor.embed(pictures)
    assert together.shape == (5, 128)
    assert (together >= 0).all()
    np.testing.assert_array_equal(extractor.embed(pictures[::-1]), together[::-1])
    np.testing.assert_array_equal(extractor.embed(pictures[4:]), together[4:])
    assert extractor.embed(pictures[:0]).shape == (0, 128)


def test_untrained_is_seeded_glorot_uniform() -> None:
    first, again, other = inception.untrained(0, THIN), inception.untrained(0, THIN), inception.untrained(1, THIN)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
        assert value.dtype == np.float32
    kernel = inception.untrained(0)["conv_94/kernel"]
    assert kernel.shape == (1, 1, 2048, 192)
    limit = np.sqrt(6 / (2048 + 192))
    assert np.abs(kernel).max() == pytest.approx(limit, rel=1e-3)
    assert kernel.var() == pytest.approx(limit**2 / 3, rel=0.02)
    assert not np.array_equal(first["conv_01/kernel"], other["conv_01/kernel"])


def test_untrained_is_the_same_in_another_process() -> None:
    code = (
        "from unisono.features import inception; import hashlib;"
        "print(hashlib.sha256(inception.untrained(5, [(3, 3, 3, 2)])['conv_01/kernel'].tobytes()).hexdigest())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout


@pytest.mark.parametrize("first", [1, 95])
def test_published_h5_is_read_in_the_order_of_making(
    tmp_path: Path, weights: dict[str, np.ndarray], first: int
) -> None:
    loaded = inception.load_h5(write_h5(tmp_path / "w.h5", weights, first=first), THIN)
    assert set(loaded) == set(weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(loaded[name], value)


def test_h5_that_keras_itself_wrote(tmp_path: Path) -> None:
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    layers = tensorflow().keras.layers
    inputs = layers.Input((9, 9, 3))
    values = inputs
    for width in (4, 5):
        values = layers.Conv2D(width, 3, use_bias=False)(values)
        values = layers.BatchNormalization(scale=False)(values)
    model = tensorflow().keras.Model(inputs, values)
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    loaded = inception.load_h5(tmp_path / "keras.h5", [(3, 3, 3, 4), (3, 3, 4, 5)])
    np.testing.assert_array_equal(loaded["conv_02/kernel"], model.layers[3].get_weights()[0])
    np.testing.assert_array_equal(loaded["conv_01/variance"], model.layers[2].get_weights()[2])


def test_bad_h5_files(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="no such file"):
        inception.load_h5(tmp_path / "none.h5", THIN)
    for name, data in {"text": b"<html>404</html>", "empty": b""}.items():
        (tmp_path / f"{name}.h5").write_bytes(data)
        with pytest.raises(DataError, match=rf"{name}\.h5: not an HDF5 file"):
            inception.load_h5(tmp_path / f"{name}.h5", THIN)
    fewer = {name: value for name, value in weights.items() if not name.startswith("conv_94")}
    with pytest.raises(DataError, match="93 convolutions and 93 normalisations, not 94"):
        inception.load_h5(write_h5(tmp_path / "fewer.h5", fewer), THIN)
    path = write_h5(tmp_path / "nan.h5", weights | {"conv_07/beta": weights["conv_07/beta"] * np.nan})
    with pytest.raises(DataError, match=r"conv_07/beta is .* finite"):
        inception.load_h5(path, THIN)
    path = write_h5(tmp_path / "other.h5", weights)
    with pytest.raises(DataError, match=r"conv_01/beta is \(2,\), expected \(32,\)"):
        inception.load_h5(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"other\.h5: not an HDF5 file or damaged"):
        inception.load_h5(path, THIN)


def small_graph(kernel: np.ndarray, *, name: str = "pool_3/_reshape") -> bytes:
    """A small frozen graph with the tensors of the real one: one picture at a time, resized and scaled inside."""
    v1 = tensorflow().compat.v1
    with v1.Graph().as_default() as graph:
        decoded = v1.placeholder(v1.uint8, (None, None, 3), name="DecodeJpeg")
        expanded = v1.expand_dims(v1.cast(decoded, v1.float32, name="Cast"), 0, name="ExpandDims")
        resized = v1.image.resize_bilinear(expanded, (299, 299), name="ResizeBilinear")
        scaled = v1.multiply(v1.subtract(resized, 128.0, name="Sub"), 1 / 128, name="Mul")
        values = v1.nn.relu(
            v1.nn.conv2d(scaled, v1.constant(kernel), strides=32, padding="VALID"), name="mixed_10/join"
        )
        pooled = v1.nn.avg_pool2d(values, ksize=9, strides=1, padding="VALID", name="pool_3")
        v1.reshape(pooled, v1.constant([1, kernel.shape[3]]), name=name)
        return bytes(graph.as_graph_def().SerializeToString())


def graph_archive(path: Path, data: bytes) -> Path:
    """The archive around the graph, with the other files that it holds."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"LICENSE": b"x", "classify_image_graph_def.pb": data}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_frozen_graph_is_fed_as_its_authors_did(tmp_path: Path) -> None:
    kernel = np.random.default_rng(4).normal(0, 0.1, (32, 32, 3, 6)).astype(np.float32)
    graph = frozen_graph.read(graph_archive(tmp_path / "inception-2015-12-05.tgz", small_graph(kernel)))
    frames = np.random.default_rng(5).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8)
    extractor = inception.Extractor.from_graph(graph, batch_size=2)
    assert extractor.dimensions == 6
    got = extractor.embed(extractor.resize(frames))
    # The oracle runs the graph from end to end, a picture at a time.
    v1 = tensorflow().compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        definition = v1.GraphDef()
        definition.ParseFromString(graph)
        v1.import_graph_def(definition, name="")
        expected = [session.run("pool_3/_reshape:0", {"DecodeJpeg:0": frame})[0] for frame in frames]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_bad_graphs(tmp_path: Path) -> None:
    kernel = np.ones((32, 32, 3, 2), dtype=np.float32)
    with pytest.raises(DataError, match="has no ResizeBilinear and pool_3/_reshape"):
        inception.Extractor.from_graph(small_graph(kernel, name="softmax"), batch_size=1)
    with pytest.raises(DataError, match="frozen graph is damaged"):
        inception.Extractor.from_graph(small_graph(kernel)[:1000], batch_size=1)
    path = tmp_path / "graph.tgz"
    path.write_bytes(b"not an archive")
    with pytest.raises(DataError, match=r"graph\.tgz: not the archive"):
        frozen_graph.read(path)
    with tarfile.open(tmp_path / "empty.tgz", "w:gz"):
        pass
    with pytest.raises(DataError, match=r"empty\.tgz: holds no \.pb file"):
        frozen_graph.read(tmp_path / "empty.tgz")


def test_resizing_averages_what_it_covers() -> None:
    lines = np.zeros((1, 598, 598, 3), dtype=np.uint8)
    lines[:, :, ::2] = 200
    smooth = inception.resize(lines, "keras")
    assert smooth.shape == (1, 299, 299, 3)
    assert np.ptp(smooth[:, 5:-5, 5:-5].astype(int)) <= 1, "antialiasing turns fine lines into grey"
    assert abs(int(smooth[0, 100, 100, 0]) - 100) <= 1
    # As in 2015: every second column is taken as it is.
    assert set(np.unique(inception.resize(lines, "youtube8m"))) == {200.0}


def test_other_shapes_are_refused(weights: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"got \(2, 10, 10\) of uint8"):
        inception.resize(np.zeros((2, 10, 10), dtype=np.uint8), "keras")
    with pytest.raises(DataError, match="float64"):
        inception.resize(np.zeros((2, 10, 10, 3)), "keras")
    with pytest.raises(DataError, match=r"expected pictures of shape \(n, 299, 299, 3\)"):
        inception.Extractor.from_weights(weights, batch_size=1).embed(np.zeros((1, 224, 224, 3), dtype=np.uint8))
