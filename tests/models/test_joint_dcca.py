"""Joint DCCA: its network against plain layers, what it finds, which epoch it keeps, and what it refuses."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.models.small import SMALL, resume_after_kill
from unisono import metrics, models
from unisono.cli import main
from unisono.errors import ConfigError, DataError, TrainingError
from unisono.models.parts import objective
from unisono.models.parts.convolutions import ITEMS, POOLS, _statistics, convolutional, first_block
from unisono.testing import check_aligner

#: Settings with which the planted signal is learned within seconds.
SETTINGS: dict[str, Any] = {
    "n_components": 2,
    "layers": {"other": [32, 4]},
    "channels": [6, 8, 8],
    "epochs": 1,
    "min_steps": 60,
    "learning_rate": 0.01,
    "dropout": 0.0,
}


def waves(n: int, n_frames: int = 64, seed: int = 0) -> dict[str, np.ndarray]:
    """Noise with a wave of an item's own frequency, and vectors that hold the frequency; means over time do not."""
    generator = np.random.default_rng(seed)
    frequency = generator.uniform(0.2, 1.2, n)
    sound = 0.3 * generator.standard_normal((n, n_frames, 4))
    phase = generator.uniform(0, 2 * np.pi, n)
    sound += np.sin(frequency[:, None] * np.arange(n_frames) + phase[:, None])[:, :, None]
    words = 0.05 * generator.standard_normal((n, 6))
    words[:, 0] += frequency
    words[:, 1] += frequency**2
    return {"audio": sound.astype(np.float32), "lyrics": words}


def plain(channels: list[int]) -> Any:
    """The stated blocks, each layer on its own."""

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [1, *channels]
            self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(sizes))
            self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in channels)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x[:, None]
            for convolution, norm, pool in zip(self.convolutions, self.norms, POOLS, strict=True):
                x = functional.max_pool2d(functional.relu(norm(convolution(x))), pool)
            return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)

    return Plain()


@pytest.mark.parametrize("shape", [(2 * ITEMS + 1, 20, 67), (3, 5, 70), (2, 4, 64)])
def test_the_network_is_the_plain_one(shape: tuple[int, int, int]) -> None:
    """Outputs, gradients and running statistics in training, and outputs afterwards; rows and columns left over."""
    torch.manual_seed(0)
    scale = np.linspace(-1, 1, shape[1]), np.linspace(0.5, 2, shape[1])
    ours = convolutional([3, 4, 5], head=nn.Identity(), scale=scale).double()
    peer = plain([3, 4, 5]).double()
    for norm in peer.norms:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    ours.load_state_dict(peer.state_dict(), strict=False)
    matrices, slopes = (
        torch.randn(shape[0], shape[2], shape[1], dtype=torch.float64),
        torch.randn(shape[0], 10, dtype=torch.float64),
    )
    scaled = ((matrices - torch.tensor(scale[0]).float()) / torch.tensor(scale[1]).float()).mT
    for _ in range(2):
        for network, given in ((ours, matrices), (peer, scaled)):
            network.zero_grad()
            (network(given) * slopes).sum().backward()
        torch.testing.assert_close(ours(matrices), peer(scaled), rtol=1e-9, atol=1e-9)
    found, expected = dict(ours.named_parameters()), dict(peer.named_parameters())
    assert set(found) == set(expected)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name].grad, weight.grad, rtol=1e-8, atol=1e-9, msg=name)
    buffers = dict(ours.named_buffers())
    for name, buffer in peer.named_buffers():
        torch.testing.assert_close(buffers[name], buffer, msg=name)
    torch.testing.assert_close(ours.eval()(matrices), peer.eval()(scaled), rtol=1e-9, atol=1e-9)


def test_gradients_of_the_first_block_equal_finite_differences() -> None:
    torch.manual_seed(0)
    images = torch.randn(5, 5, 9, dtype=torch.float64)
    sizes = (2, 1, 3, 3), (2,), (2,)
    given = [torch.randn(size, dtype=torch.float64).requires_grad_() for size in sizes]

    class Held:
        training, eps, momentum = True, 1e-5, 0.1

        def __init__(self, gain: torch.Tensor, shift: torch.Tensor) -> None:
            self.weight, self.bias = gain, shift
            self.running_mean, self.running_var = torch.zeros(2).double(), torch.ones(2).double()
            self.num_batches_tracked = torch.tensor(0)

    class Weights:
        def __init__(self, weight: torch.Tensor) -> None:
            self.weight = weight

    def whole(weight: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        return first_block(images, Weights(weight), Held(gain, shift), (2, 4))

    assert torch.autograd.gradcheck(whole, given)


def test_single_precision_leaves_the_gradient_of_the_objective_as_it_is() -> None:
    """It is what is left of larger terms; torch's own normalisation with channels last is off by 1e-4 here."""
    maps = (3 + torch.randn(40, 3, 40, 400, dtype=torch.float64)).contiguous(memory_format=torch.channels_last)
    for exact, single in zip(_statistics()(maps), _statistics()(maps.float()), strict=True):
        torch.testing.assert_close(single, exact, rtol=1e-6, atol=0)
    torch.manual_seed(0)
    views = waves(400, n_frames=400)
    network = convolutional([8, 8, 8], head=nn.Linear(16, 4), scale=(np.zeros(4), np.ones(4)))
    found = []
    for dtype in (torch.float64, torch.float32):
        own = network.to(dtype)
        own.zero_grad()
        X, Y = own(torch.tensor(views["audio"], dtype=dtype)), torch.tensor(views["lyrics"])
        objective.correlation(X, Y, objective.one_to_one(Y[:, 0]), ridge=0.1).backward()
        found.append({name: weight.grad.clone().double() for name, weight in own.named_parameters()})
    for name, exact in found[0].items():
        if name != "head.bias":
            assert (found[1][name] - exact).norm() < 5e-3 * exact.norm(), name


def test_places_that_tie_share_their_gradient() -> None:
    """Silence: every place of a window is a maximum, and the gradient is that of one."""
    ours = convolutional([2, 2, 2], head=nn.Identity(), scale=(np.zeros(4), np.ones(4))).double()
    silent = torch.zeros(3, 4, 32, dtype=torch.float64)
    nn.init.ones_(ours.norms[0].bias)
    ours.norms[0](torch.zeros(3, 2, 1, 1).double())
    maps = first_block(silent, ours.convolutions[0], ours.norms[0], (2, 4))
    maps.sum().backward()
    assert ours.norms[0].bias.grad.tolist() == [maps[:, 0].numel()] * 2
    assert torch.isfinite(ours.convolutions[0].weight.grad).all()


@pytest.mark.parametrize("norm", ["trace", "frobenius"])
def test_the_objective_and_its_gradient_are_those_of_numpys_singular_values(norm: objective.Norm) -> None:
    generator = np.random.default_rng(0)
    X = torch.tensor(generator.standard_normal((60, 4)), requires_grad=True)
    Y = torch.tensor(X.detach().numpy()[:, ::-1] + generator.standard_normal((60, 4)), requires_grad=True)
    pairs = objective.one_to_one(torch.zeros(60))

    def naive(X: torch.Tensor, Y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        X, Y = X - X.mean(dim=0), Y - Y.mean(dim=0)
        roots = []
        for H in (X, Y):
            S = H.T @ H / len(H)
            values, vectors = torch.linalg.eigh(S + 0.1 * S.diagonal().mean() * torch.eye(4, dtype=S.dtype))
            roots.append(vectors @ torch.diag(values**-0.5) @ vectors.T)
        T = roots[0] @ (X.T @ Y / len(X)) @ roots[1]
        S = torch.linalg.svd(T)[1]
        return T, S.sum() if norm == "trace" else (S**2).sum().sqrt()

    T, expected = naive(X, Y)
    singular = np.linalg.svd(T.detach().numpy(), compute_uv=False)
    found = objective.correlation(X, Y, pairs, ridge=0.1, norm=norm)
    by_numpy = singular.sum() if norm == "trace" else np.sqrt((singular**2).sum())
    assert found.item() == pytest.approx(by_numpy, abs=1e-10)
    for one, other in zip(torch.autograd.grad(found, (X, Y)), torch.autograd.grad(expected, (X, Y)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-8)


def test_finds_a_frequency_that_no_mean_has_and_nothing_in_shuffled_pairs() -> None:
    train, test = waves(300), waves(100, seed=1)
    found = {}
    for name in ("joint_dcca", "cca", "shuffled"):
        views = dict(train)
        if name == "shuffled":
            views["lyrics"] = train["lyrics"][np.random.default_rng(0).permutation(300)]
        model = models.create(
            "cca" if name == "cca" else "joint_dcca", **({} if name == "cca" else SETTINGS) | {"n_components": 2}
        )
        embedded = model.fit(views).transform(test)
        found[name] = metrics.recall_at_k(embedded["audio"], embedded["lyrics"], 10)
    chance = metrics.chance_recall(10, 100)
    assert found["joint_dcca"] > 3 * chance
    assert abs(found["cca"] - chance) < 0.1
    assert abs(found["shuffled"] - chance) < 0.1


@pytest.mark.parametrize(
    "params", [{"norm": "frobenius"}, {"audio_branch": "recurrent", "units": 16, "min_steps": 120}]
)
def test_variants_learn(params: dict[str, Any]) -> None:
    train, test = waves(300, n_frames=32), waves(100, n_frames=32, seed=1)
    embedded = models.create("joint_dcca", **(SETTINGS | params)).fit(train).transform(test)
    assert metrics.recall_at_k(embedded["audio"], embedded["lyrics"], 10) > 2.5 * metrics.chance_recall(10, 100)


@pytest.mark.parametrize("params", [{"audio_branch": "recurrent", "units": 8}, {"validation": 0.2}])
def test_variants_keep_the_contract(params: dict[str, Any]) -> None:
    check_aligner("joint_dcca", SMALL["joint_dcca"] | params)


@pytest.mark.parametrize("name", ["joint_dcca", "dcca"])
def test_the_epoch_that_held_out_rows_choose_is_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that is cut off at the best epoch ends the same; so does one that was interrupted."""
    views = waves(80, n_frames=24)
    params = SMALL[name] | {"epochs": 8, "validation": 0.25, "learning_rate": 0.03}

    def train(checkpoint: Path | None) -> models.Aligner:
        return models.create(name, **params).fit(views, checkpoint=checkpoint)

    whole = train(None)
    scores = [epoch["validation"] for epoch in whole.history_]
    best = int(np.argmax(scores))
    assert best < 7
    short = models.create(name, **(params | {"epochs": best + 1})).fit(views)
    for key, array in short.arrays_.items():
        np.testing.assert_array_equal(whole.arrays_[key], array)
    assert resume_after_kill(train, tmp_path / "checkpoint", monkeypatch) == [4, 5, 6, 7]


def test_held_out_rows_are_not_trained_on() -> None:
    """The validation's figure can be had from the saved method, and changing held-out vectors changes no weight."""
    views = waves(80, n_frames=24)
    params = SMALL["joint_dcca"] | {"validation": 0.25, "epochs": 1}
    model = models.create("joint_dcca", **params).fit(views)
    held = np.sort(np.random.default_rng(0).permutation(80)[:20])
    embedded = model.transform(views)
    pairs = zip(embedded["audio"][held].T, embedded["lyrics"][held].T, strict=True)
    expected = np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])
    assert model.history_[0]["validation"] == pytest.approx(expected, abs=1e-4)
    for share in (0.01, 0.99):
        with pytest.raises(ConfigError, match=rf"models\.joint_dcca\.validation: {share} of 80 training rows are"):
            models.create("joint_dcca", **(params | {"validation": share})).fit(views)


def test_statistics_are_those_of_all_training_rows_at_the_end() -> None:
    views = waves(60, n_frames=24)
    model: Any = models.create("joint_dcca", **(SMALL["joint_dcca"] | {"batch": 60, "dropout": 0.0})).fit(views)
    sound = views["audio"].astype(np.float64)
    scaled = ((sound - sound.mean(axis=(0, 1))) / sound.std(axis=(0, 1))).transpose(0, 2, 1)
    weights = torch.tensor(model.arrays_["audio.network.convolutions.0.weight"]).double()
    mapped = functional.conv2d(torch.tensor(scaled)[:, None], weights, padding=1)
    mean, variance = mapped.mean(dim=(0, 2, 3)), mapped.var(dim=(0, 2, 3))
    np.testing.assert_allclose(model.arrays_["audio.network.norms.0.running_mean"], mean, atol=1e-5)
    np.testing.assert_allclose(model.arrays_["audio.network.norms.0.running_var"], variance, rtol=1e-4)


def test_shorter_items_are_repeated_and_longer_ones_cut() -> None:
    views = waves(60, n_frames=24)
    lengths = np.where(np.arange(60) % 2, 24, 12)
    repeated = views["audio"].copy()
    repeated[::2, 12:] = repeated[::2, :12]
    junk = np.concatenate([views["audio"], np.full((60, 3, 4), 1e4, np.float32)], axis=1)
    junk[::2, 12:] = -1e4
    made = []
    for audio, counts in ((repeated, None), (junk, {"audio": lengths})):
        model = models.create("joint_dcca", **SMALL["joint_dcca"]).fit(dict(views, audio=audio), lengths=counts)
        made.append(model.transform({"audio": audio}, lengths=counts)["audio"])
        longer = np.concatenate([repeated, repeated], axis=1)
        np.testing.assert_array_equal(model.transform({"audio": longer})["audio"], made[-1])
    np.testing.assert_array_equal(made[0], made[1])


def test_the_view_of_frames_is_told_by_its_shape() -> None:
    views = waves(60, n_frames=24)
    turned = {"a": views["lyrics"], "b": views["audio"]}
    model = models.create("joint_dcca", **SMALL["joint_dcca"]).fit(turned)
    assert model.arrays_["b.frames"].shape == (24,)
    assert models.create("joint_dcca", **SMALL["joint_dcca"]).fit({"a": turned["a"][:, :1], "b": turned["b"]})
    with pytest.raises(DataError, match=r"got a \(60, 6\), b \(60, 4\); give the frames of one view, or use dcca"):
        models.create("joint_dcca").fit({"a": turned["a"], "b": turned["b"].mean(axis=1)})
    with pytest.raises(DataError, match=r"got a \(60, 1, 6\), b \(60, 24, 4\); give one vector per item for one"):
        models.create("joint_dcca").fit({"a": turned["a"][:, None], "b": turned["b"]})
    with pytest.raises(DataError, match=r"view 'b' has shape \(60, 4\), it was fitted on frames"):
        model.transform({"b": turned["b"][:, 0]})


def test_a_matrix_of_one_frame_or_one_column_or_the_wrong_way_round_is_taken() -> None:
    views = waves(60, n_frames=24)
    for audio in (views["audio"][:, :1], views["audio"][:, :, :1], views["audio"].transpose(0, 2, 1)):
        given = dict(views, audio=audio)
        found = models.create("joint_dcca", **SMALL["joint_dcca"]).fit(given).transform(given)
        assert np.isfinite(found["audio"]).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"audio": lambda a: a[:1], "lyrics": lambda a: a[:1]}, DataError, "got 1 training rows"),
        (
            {"audio": lambda a: a[:3], "lyrics": lambda a: a[:3]},
            ConfigError,
            "n_components: 3 is more than .* at most 2",
        ),
        ({"audio": np.zeros_like}, DataError, "all rows of view 'audio' are equal"),
        ({"lyrics": np.ones_like}, DataError, "all rows of view 'lyrics' are equal"),
        ({"audio": lambda a: a[:50]}, DataError, "rows of the views do not pair: 'audio' 50, 'lyrics' 60"),
        ({"audio": lambda a: np.where(a == a[5, 6, 2], np.nan, a)}, DataError, "view 'audio', row 5: NaN or infinite"),
        ({"lyrics": lambda a: np.where(a == a[7, 1], np.inf, a)}, DataError, "view 'lyrics', row 7: NaN or infinite"),
        ({"audio": lambda a: a.astype(str)}, DataError, "view 'audio': expected numbers"),
    ],
)
def test_bad_input_is_one_line(change: dict[str, Any], error: type[Exception], message: str) -> None:
    views = waves(60, n_frames=24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=message) as found:
            models.create("joint_dcca", **SMALL["joint_dcca"]).fit(
                {view: change.get(view, np.asarray)(array) for view, array in views.items()}
            )
    assert "\n" not in str(found.value)


def test_bad_settings_are_one_line() -> None:
    for params, message in (
        ({"channels": [4, 4]}, "channels"),
        ({"audio_branch": "transformer"}, "audio_branch"),
        ({"validation": 1.0}, "validation"),
        ({"norm": "nuclear"}, "norm"),
    ):
        with pytest.raises(ConfigError, match=rf"models\.joint_dcca\.{message}"):
            models.create("joint_dcca", **params)
    model = models.create("joint_dcca", **(SMALL["joint_dcca"] | {"learning_rate": 1e30, "epochs": 20}))
    with pytest.raises(TrainingError, match=r"joint_dcca: training diverged .*lower models\.joint_dcca\.learning_rate"):
        model.fit(waves(60, 24))


@pytest.mark.parametrize("precision", ["single", "double"])
def test_precision_of_dccas_networks(precision: str) -> None:
    generator = np.random.default_rng(0)
    views = {"a": generator.standard_normal((60, 5)), "b": generator.standard_normal((60, 4))}
    model = models.create("dcca", **(SMALL["dcca"] | {"precision": precision})).fit(views)
    weights = model.arrays_["a.network.1.weight"]
    assert weights.dtype == {"single": np.float32, "double": np.float64}[precision]
    assert np.isfinite(model.transform(views)["b"]).all()


def test_evaluate_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views = waves(60, n_frames=24)
    table = pa.table(
        {
            "id": [f"song{row}" for row in range(60)],
            "audio": pa.array(views["audio"].tolist(), pa.list_(pa.list_(pa.float32(), 4))),
            "lyrics": pa.array(views["lyrics"].tolist(), pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, tmp_path / "songs.parquet")
    arguments = ["evaluate", str(tmp_path / "songs.parquet"), "--model", "joint_dcca", "--folds", "2"]
    arguments += ["--out", str(tmp_path / "out"), "--param", "n_components=3", "layers={other: [16, 6]}", "epochs=2"]
    assert main([*arguments, "channels=[4, 6, 8]", "min_steps=0"]) in (0, None)
    assert "audio->lyrics" in capsys.readouterr().out
    assert models.load(tmp_path / "out" / "model").name == "joint_dcca"
    flat = table.set_column(1, "audio", pa.array(views["audio"].mean(axis=1).tolist(), pa.list_(pa.float32())))
    pq.write_table(flat, tmp_path / "songs.parquet")
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main([*arguments, "min_steps=0"]))
    assert stopped.value.code not in (0, None)
    assert "one view of frames (n, T, d) and one of vectors" in capsys.readouterr().err
