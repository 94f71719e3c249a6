"""musicnn: the published numbers, the package as it is found, altered, of another version or missing."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.features import musicnn
from unisono.features.musicnn import package

RATE = musicnn.SAMPLE_RATE
REFERENCE = Path(__file__).with_name("musicnn_reference.npz")
INSTALL = "pip install --no-deps musicnn==0.1.0"


def installed() -> Path:
    """Folder of the installed package; skips where there is none."""
    try:
        return Path(str(metadata.distribution("musicnn").locate_file("musicnn")))
    except metadata.PackageNotFoundError:
        pytest.skip(f"needs the package with the weights: {INSTALL}")


def chord(t: np.ndarray) -> np.ndarray:
    return np.sum([np.sin(2 * np.pi * f * t) for f in (220.0, 277.18, 329.63, 440.0)], axis=0) / 8


def noise(t: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.3, 0.3, len(t))


def chorale(t: np.ndarray) -> np.ndarray:
    """Four voices with six partials each, a chord every .75 s that dies away."""
    sound = np.zeros(len(t))
    chords = ((48, 55, 64, 72), (53, 57, 65, 72), (55, 59, 62, 74), (48, 55, 64, 76))
    for index in range(-(-len(t) // 12_000)):
        part = slice(12_000 * index, 12_000 * (index + 1))
        since = t[part] - 0.75 * index
        for pitch in chords[index % 4]:
            f = 440 * 2 ** ((pitch - 69) / 12)
            partials = [np.sin(2 * np.pi * k * f * since) / k for k in range(1, 7)]
            sound[part] += np.sum(partials, axis=0) * np.exp(-1.5 * since) / 12
    return sound


SOUNDS = {"chord": chord, "noise": noise, "chorale": chorale}


def sound(name: str) -> np.ndarray:
    """7 s with the steps of 16 bits."""
    steps = np.rint(SOUNDS[name](np.arange(7 * RATE) / RATE) * 32_768)
    return (np.clip(steps, -32_768, 32_767) / 32_768).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["MSD", "MTT"])
def trained(request: pytest.FixtureRequest) -> tuple[str, dict[str, np.ndarray]]:
    installed()
    return request.param, package.read(request.param)


@pytest.mark.parametrize("name", SOUNDS)
def test_the_published_numbers(trained: tuple[str, dict[str, np.ndarray]], name: str) -> None:
    """From samples to features as the package itself makes them.

    The reference is what `musicnn.extractor.extractor`, unaltered, gave for these sounds as 16-bit WAV files, with the
    checkpoints in the package, in the surroundings that it was made for: Python 3.7.16, TensorFlow 1.15.5, numpy
    1.16.6, librosa 0.7.2. Only its setting BATCH_SIZE was 16 in place of 1: with 1 its loop repeats the penultimate
    numbers of the first patch for all that follow. Penultimate numbers and tags agree to 1e-4 (measured: 1.2e-5). The
    pools, of the chorale alone and up to 131, agree to 1e-3: of the mel powers, which are rounded to half precision,
    today's librosa puts one in 20,000 on the neighbouring number, which shows in a maximum that is not normalised yet;
    from the reference's own spectrogram they agreed to 1.4e-4.
    """
    variant, weights = trained
    made = musicnn.patches(sound(name), RATE)
    assert made.shape == (2, 187, 96)
    with np.load(REFERENCE, allow_pickle=False) as reference:
        expected = {key.rsplit("/", 1)[1]: reference[key] for key in reference if key.startswith(f"{variant}/{name}/")}
    assert {"penultimate", "tags"} <= set(expected)
    for output, values in expected.items():
        found = musicnn.Extractor(weights, output=output).embed(made)
        assert found.shape == values.shape == (2, musicnn.OUTPUTS[output])
        np.testing.assert_allclose(found, values, rtol=0, atol=1e-3 if output.endswith("pool") else 1e-4)
    if name == "chorale":
        pools = musicnn.Extractor(weights, output="pools").embed(made)
        both = np.concatenate([expected["mean_pool"], expected["max_pool"]], axis=1)
        np.testing.assert_allclose(pools, both, rtol=0, atol=1e-3)


def plainly(weights: Mapping[str, np.ndarray], patches: np.ndarray) -> np.ndarray:
    """The network written down layer by layer, in double precision: nothing is folded, no filter is left out."""
    import torch
    import torch.nn.functional as F

    def numbered(name: str, index: int) -> str:
        return f"{name}_{index}" if index else name

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(weights[name].astype(np.float64))

    def normalised(values: torch.Tensor, index: int) -> torch.Tensor:
        name = numbered("batch_normalization", index)
        parts = [tensor(f"{name}/{part}") for part in ("moving_mean", "moving_variance", "gamma", "beta")]
        return F.batch_norm(values, *parts, training=False, eps=1e-3)

    def convolved(values: torch.Tensor, index: int, *, before: int, after: int) -> torch.Tensor:
        kernel = tensor(f"{numbered('conv2d', index)}/kernel").permute(3, 2, 0, 1)
        padded = F.pad(values, (0, 0, before, after))
        return normalised(F.relu(F.conv2d(padded, kernel, tensor(f"{numbered('conv2d', index)}/bias"))), index + 1)

    values = normalised(torch.from_numpy(patches.astype(np.float64))[:, None], 0)
    paddings = [(3, 3), (3, 3), (63, 64), (31, 32), (15, 16)]
    front = [
        convolved(values, index, before=before, after=after).amax(dim=3)
        for index, (before, after) in enumerate(paddings)
    ]
    parts = [torch.cat(front, dim=1).transpose(1, 2)[:, None]]
    for index in range(5, 8):
        made = convolved(parts[-1], index, before=3, after=3).permute(0, 3, 2, 1)
        parts.append(made + parts[-1] if index > 5 else made)
    whole = torch.cat(parts, dim=3)[:, 0]
    pooled = torch.stack([whole.amax(dim=1), whole.mean(dim=1)], dim=2).flatten(1)
    dense = F.relu(normalised(pooled, 9) @ tensor("dense/kernel") + tensor("dense/bias"))
    return normalised(dense, 10).numpy()


def test_folding_and_leaving_out_change_nothing(trained: tuple[str, dict[str, np.ndarray]]) -> None:
    _, weights = trained
    heard = musicnn.patches(np.concatenate([sound("chorale"), 3 * sound("noise")]), RATE)
    extractor = musicnn.Extractor(weights)
    alive = sum(len(block.alive) for block in extractor._front)
    assert alive < musicnn.N_FRONT / 1.5, "many published filters are constants"
    np.testing.assert_allclose(extractor.embed(heard), plainly(weights, heard), atol=3e-5)


def test_an_untrained_network_is_whole_and_repeatable() -> None:
    """Random weights, some scales negative: a maximum becomes the least of what is normalised."""
    weights = musicnn.untrained(3)
    assert {name: array.shape for name, array in weights.items()} == musicnn.variable_shapes()
    trained = [array.size for name, array in weights.items() if "moving" not in name]
    assert sum(trained) == 787_159, "the 787 thousand of the paper's repository"
    for index in range(1, 6):
        weights[f"batch_normalization_{index}/gamma"][::2] = -0.5
        weights[f"batch_normalization_{index}/beta"][::3] = 0.25
    extractor = musicnn.Extractor(weights)
    assert [len(block.alive) for block in extractor._front] == [204, 204, 51, 51, 51]
    patch = musicnn.patches(sound("chorale"), RATE)[:1]
    expected = plainly(weights, patch)
    np.testing.assert_allclose(extractor.embed(patch), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    other = musicnn.untrained(4)["dense/kernel"]
    assert not np.array_equal(musicnn.untrained(3)["dense/kernel"], other)
    np.testing.assert_array_equal(musicnn.untrained(4)["dense/kernel"], other)


def test_the_spectrogram_has_the_papers_form() -> None:
    assert musicnn.log_mel(np.zeros(480_000)).shape == (1876, 96)
    assert not musicnn.log_mel(np.zeros(480_000)).any()
    assert musicnn.log_mel(np.zeros(256)).shape == (0, 96)
    # A tone of full scale stays far below what half precision can hold.
    loud = musicnn.log_mel(np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE))
    assert np.isfinite(loud).all()
    assert 6 < loud.max() < musicnn.LOUDEST


@pytest.mark.parametrize(
    ("length_s", "hop_s", "count"), [(30, 3.0, 10), (30, 1.5, 19), (30, 6.0, 5), (3, 3.0, 1), (2.9, 3.0, 0), (0, 3, 0)]
)
def test_patches_are_whole(length_s: float, hop_s: float, count: int) -> None:
    assert len(musicnn.patches(np.zeros(round(length_s * RATE)), RATE, hop_s=hop_s)) == count


def test_a_patch_has_its_numbers_whatever_is_beside_it() -> None:
    extractor = musicnn.Extractor(musicnn.untrained(0), batch_size=2)
    heard = musicnn.patches(np.concatenate([sound("chorale"), sound("noise")]), RATE)
    together = extractor.embed(heard)
    assert len(together) == 4
    alone = np.concatenate([extractor.embed(one[None]) for one in heard])
    np.testing.assert_allclose(alone, together, atol=1e-4)
    np.testing.assert_array_equal(extractor.embed(heard), together)


def test_patches_of_another_shape() -> None:
    extractor = musicnn.Extractor(musicnn.untrained(0))
    with pytest.raises(DataError, match=r"expected log-mel patches of shape \(n, 187, 96\), got \(1, 96, 64\)"):
        extractor.embed(np.zeros((1, 96, 64), dtype=np.float32))


def make_wheel(path: Path, version: str = "0.1.0", **replaced: bytes | None) -> Path:
    """A wheel with the files of the installed package that matter; `replaced` by the end of their names."""
    folder = installed()
    contents = {"musicnn/__init__.py": b"raise SystemExit('code of the package was run')"}
    contents[f"musicnn-{version}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nVersion: {version}\n".encode()
    for end in package.FILES:
        given = replaced.get(end.strip(".").partition("-")[0], (folder / "MSD_musicnn" / end).read_bytes())
        if given is not None:
            contents[f"musicnn/MSD_musicnn/{end}"] = given
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def test_a_wheel_by_its_path(tmp_path: Path) -> None:
    weights = package.read("MSD", str(make_wheel(tmp_path / "musicnn-0.1.0-py3-none-any.whl")))
    expected = package.read("MSD")
    assert {name: array.shape for name, array in weights.items()} == musicnn.variable_shapes()
    for name, array in weights.items():
        np.testing.assert_array_equal(array, expected[name])


def test_the_folder_of_its_files() -> None:
    assert set(package.read("MTT", str(installed()))) == set(musicnn.variable_shapes())


def test_a_package_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path / "musicnn-0.2.0-py3-none-any.whl", version="0.2.0")
    with pytest.raises(DataError, match=rf"musicnn-0\.2\.0.*version 0\.2\.0, expected 0\.1\.0; {INSTALL}"):
        package.read("MSD", str(wheel))
    found = tmp_path / "site" / "musicnn-0.3.0.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: musicnn\nVersion: 0.3.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(found.parent))
    with pytest.raises(DataError, match=rf"installed package musicnn: version 0\.3\.0.*{INSTALL}"):
        package.read("MSD")


@pytest.mark.parametrize("part", ["data", "index"])
def test_altered_weights(tmp_path: Path, part: str) -> None:
    (end,) = [end for end in package.FILES if end.startswith(f".{part}")]
    content = bytearray((installed() / "MSD_musicnn" / end).read_bytes())
    content[1000] ^= 1
    digest = hashlib.sha256(content).hexdigest()
    wheel = make_wheel(tmp_path / "musicnn-0.1.0-py3-none-any.whl", **{part: bytes(content)})
    with pytest.raises(DataError, match=rf"MSD_musicnn/{end} has SHA-256 {digest}.*altered or damaged: {INSTALL}"):
        package.read("MSD", str(wheel))


def test_a_wheel_without_the_weights(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "musicnn-0.1.0-py3-none-any.whl", data=None)
    with pytest.raises(DataError, match=rf"has no MSD_musicnn/\.data-00000-of-00001; {INSTALL}"):
        package.read("MSD", str(wheel))


def test_a_file_that_is_no_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "musicnn-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match="not the archive that its name says"):
        package.read("MSD", str(wheel))
    with pytest.raises(DataError, match=r"nothing\.whl"):
        package.read("MSD", str(tmp_path / "nothing.whl"))


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(DataError, match=rf"the package musicnn.* is not installed; {INSTALL}"):
        package.read("MSD")


def test_no_code_of_the_package_is_imported(trained: tuple[str, dict[str, np.ndarray]]) -> None:
    assert "musicnn" not in sys.modules
