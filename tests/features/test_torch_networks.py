"""SoundNet and I3D: shapes of their layers as published, weights in the published names, bad files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono.errors import DataError
from unisono.features import i3d, soundnet, torch_weights


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shapes_of(forward: Any, network: Any, data: Any) -> dict[str, tuple[int, ...]]:
    """The shape of every layer's output, without the batch."""
    import torch

    found: dict[str, tuple[int, ...]] = {}
    with torch.inference_mode():
        forward(network, data, lambda name, values: found.__setitem__(name, tuple(values.shape[1:])))
    return found


@pytest.fixture(scope="module")
def sound_network() -> Any:
    network = soundnet.build()
    torch_weights.draw(network, 0)
    return network


@pytest.fixture(scope="module")
def video_network() -> Any:
    network = i3d.build()
    torch_weights.draw(network, 0)
    return network


def test_soundnet_has_the_published_layers(sound_network: Any) -> None:
    import torch

    sound = torch.zeros(1, soundnet.SAMPLES)
    found = shapes_of(soundnet.forward, sound_network, sound)
    # Table 1 of the paper, 20 s of sound; its 220,050 and 27,506 for the first two do not lead to its own third.
    assert found == {
        "conv1": (16, 220501),
        "pool1": (16, 27562),
        "conv2": (32, 13782),
        "pool2": (32, 1722),
        "conv3": (64, 862),
        "conv4": (128, 432),
        "conv5": (256, 217),
        "pool5": (256, 54),
        "conv6": (512, 28),
        "conv7": (1024, 15),
    }
    with torch.inference_mode():
        objects, scenes = soundnet.forward(sound_network, sound)
    assert objects.shape == (1, 1000, 4)
    assert scenes.shape == (1, 401, 4)
    assert sound_network["conv1"].weight.shape == (16, 1, 64)


def test_soundnet_hears_short_sounds_again_and_again(sound_network: Any) -> None:
    short = np.random.default_rng(0).normal(0, 0.1, 30000).astype(np.float32)
    filled = soundnet.repeated(short)
    assert filled.shape == (441000,)
    np.testing.assert_array_equal(filled[30000:60000], short)
    features = soundnet.Extractor(sound_network, batch_size=1).embed(np.stack([filled, soundnet.repeated(short * 0.5)]))
    assert features.shape == (2, 401)
    assert np.isfinite(features).all()
    assert not np.allclose(features[0], features[1])


def test_i3d_has_the_published_layers(video_network: Any) -> None:
    import torch

    found = shapes_of(i3d.forward, video_network, torch.zeros(1, 3, 16, 224, 224))
    # Figure 3 of the paper: strides of 2 in space five times, in time three times.
    assert found == {
        "Conv3d_1a_7x7": (64, 8, 112, 112),
        "Conv3d_2b_1x1": (64, 8, 56, 56),
        "Conv3d_2c_3x3": (192, 8, 56, 56),
        "Mixed_3b": (256, 8, 28, 28),
        "Mixed_3c": (480, 8, 28, 28),
        "Mixed_4b": (512, 4, 14, 14),
        "Mixed_4c": (512, 4, 14, 14),
        "Mixed_4d": (512, 4, 14, 14),
        "Mixed_4e": (528, 4, 14, 14),
        "Mixed_4f": (832, 4, 14, 14),
        "Mixed_5b": (832, 2, 7, 7),
        "Mixed_5c": (1024, 2, 7, 7),
        "average": (1024, 1, 1, 1),
        "logits": (400, 1, 1, 1),
    }


def test_i3d_pads_as_tensorflow_does(video_network: Any) -> None:
    import torch

    from unisono.features.tf_runtime import tensorflow

    tf = tensorflow()
    values = np.random.default_rng(1).normal(size=(1, 3, 9, 30, 31)).astype(np.float32)
    unit = video_network["Conv3d_1a_7x7"]
    kernel = unit["conv3d"].weight.detach().numpy().transpose(2, 3, 4, 1, 0)
    channels_last = values.transpose(0, 2, 3, 4, 1)
    expected = tf.nn.conv3d(channels_last, kernel, strides=(1, 2, 2, 2, 1), padding="SAME") / np.sqrt(1 + i3d.EPSILON)
    with torch.inference_mode():
        got = i3d._unit(unit, torch.from_numpy(values)).numpy()
        pooled = i3d._max_pool(torch.from_numpy(got), (1, 3, 3), (1, 2, 2)).numpy()
    expected = np.maximum(expected.numpy(), 0)
    np.testing.assert_allclose(got.transpose(0, 2, 3, 4, 1), expected, atol=1e-4)
    expected = tf.nn.max_pool3d(expected, (1, 1, 3, 3, 1), (1, 1, 2, 2, 1), "SAME")
    np.testing.assert_allclose(pooled.transpose(0, 2, 3, 4, 1), expected.numpy(), atol=1e-4)


def test_i3d_sees_the_middle() -> None:
    frames = np.zeros((2, 100, 200, 3), dtype=np.uint8)
    frames[:, :, 60:140] = 255
    got = i3d.cropped(frames)
    assert got.shape == (2, 224, 224, 3)
    assert got[0, 112].mean() > 200, "the white middle fills most of the crop"
    tall = i3d.cropped(np.zeros((1, 500, 90, 3), dtype=np.uint8))
    assert tall.shape == (1, 224, 224, 3)


def test_drawn_weights_are_seeded_he_normal() -> None:
    first, again = soundnet.build(), soundnet.build()
    torch_weights.draw(first, 3)
    torch_weights.draw(again, 3)
    for (name, value), other in zip(first.state_dict().items(), again.state_dict().values(), strict=True):
        assert (value == other).all(), name
    kernel = first["conv7"].weight.detach().numpy()
    assert kernel.std() == pytest.approx(np.sqrt(2 / (512 * 4)), rel=0.01)
    assert (first["batchnorm1"].running_var == 1).all()
    assert not first["conv1"].bias.any()


@pytest.fixture(scope="module")
def small() -> Any:
    """A network of one layer, with weights."""
    from torch import nn

    network = nn.ModuleDict({"conv1": nn.Conv1d(2, 3, 4), "batchnorm1": nn.BatchNorm1d(3)}).eval()
    torch_weights.draw(network, 1)
    return network


@pytest.mark.parametrize("layout", ["plain", "wrapped", "flat", "safetensors"])
def test_published_state_dicts_are_read(tmp_path: Path, small: Any, layout: str) -> None:
    import torch
    from safetensors.torch import save_file
    from torch import nn

    state = {name: value for name, value in small.state_dict().items() if "num" not in name}
    path = tmp_path / ("w.safetensors" if layout == "safetensors" else "w.pth")
    if layout == "safetensors":
        save_file(state, path)
    elif layout == "wrapped":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}, path)
    elif layout == "flat":  # a convolution over (time, 1), as SoundNet's ports have it
        torch.save(state | {"conv1.weight": state["conv1.weight"][..., None]}, path)
    else:
        torch.save(state, path)
    other = nn.ModuleDict({"conv1": nn.Conv1d(2, 3, 4), "batchnorm1": nn.BatchNorm1d(3)})
    torch_weights.load(path, other)
    for name, value in state.items():
        assert torch.equal(other.state_dict()[name], value), name


def test_bad_state_dicts(tmp_path: Path, small: Any) -> None:
    import torch

    state = dict(small.state_dict())

    def refused(message: str, path: Path) -> None:
        with pytest.raises(DataError, match=message):
            torch_weights.load(path, small)

    refused("no such file", tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("<html>404</html>")
    refused(r"text\.pth: not a state dict or damaged", tmp_path / "text.pth")
    (tmp_path / "text.safetensors").write_text("<html>404</html>")
    refused(r"text\.safetensors: not a state dict or damaged", tmp_path / "text.safetensors")
    torch.save(state, tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:500])
    refused(r"cut\.pth: not a state dict or damaged", tmp_path / "cut.pth")
    torch.save({"conv1.weight": state["conv1.weight"]}, tmp_path / "part.pth")
    refused(r"part\.pth: has no tensor conv1\.bias", tmp_path / "part.pth")
    torch.save(state | {"conv1.weight": torch.zeros(3, 2, 5)}, tmp_path / "size.pth")
    refused(r"conv1\.weight is \(3, 2, 5\), expected \(3, 2, 4\)", tmp_path / "size.pth")
    torch.save(state | {"conv1.bias": torch.full((3,), torch.nan)}, tmp_path / "nan.pth")
    refused(r"conv1\.bias is \(3,\), expected \(3,\) finite", tmp_path / "nan.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    refused("has no tensor", tmp_path / "list.pth")


class Harmful:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_no_pickle_is_run(tmp_path: Path, small: Any) -> None:
    import torch

    torch.save({"conv1.weight": Harmful(tmp_path / "harmed")}, tmp_path / "harmful.pth")
    with pytest.raises(DataError, match=r"harmful\.pth: not a state dict"):
        torch_weights.load(tmp_path / "harmful.pth", small)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("kind", ["float8", "sparse", "meta", "complex"])
def test_tensors_that_are_no_plain_floats_are_refused(kind: str, tmp_path: Path) -> None:
    import torch

    network = torch.nn.Linear(2, 2)
    weight = network.weight.detach()
    odd = {
        "float8": weight.to(torch.float8_e4m3fn),
        "sparse": weight.to_sparse(),
        "meta": weight.to("meta"),
        "complex": weight.to(torch.complex64),
    }[kind]
    torch.save({**network.state_dict(), "weight": odd}, tmp_path / "w.pt")
    with pytest.raises(DataError, match=r"w\.pt: (weight holds .* expected plain floats|not a state dict)"):
        torch_weights.load(tmp_path / "w.pt", network)
