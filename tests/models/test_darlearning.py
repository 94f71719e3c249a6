"""DARLearning: its losses are the formulas, its generator learns from rewards, and it never holds all pairs."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch.utils._python_dispatch import TorchDispatchMode

from unisono import metrics, models
from unisono.errors import ConfigError, TrainingError
from unisono.models.parts import deep, generative

SMALL: dict[str, Any] = {"layers": {"other": [24, 8]}, "epochs": 4, "batch_size": 20, "n_candidates": 60}


def three_views(n: int = 90, seed: int = 0) -> dict[str, np.ndarray]:
    """Views of a shared five-dimensional latent, with noise; the same maps for every seed and size."""
    generator, maps = np.random.default_rng(seed), np.random.default_rng(7)
    latent = generator.standard_normal((n, 5))
    views = {}
    for view, width in (("audio", 9), ("sheet", 7), ("lyrics", 6)):
        signal = latent @ maps.standard_normal((5, width))
        views[view] = (signal + 0.3 * generator.standard_normal((n, width))).astype(np.float32)
    return views


def make(name: str = "darlearning", **params: Any) -> Any:
    """Make a small model on the CPU."""
    small = {key: value for key, value in SMALL.items() if key in models.check_params(name, {})}
    model = models.create(name, **small | params)
    model.device = "cpu"
    return model


def training(monkeypatch: pytest.MonkeyPatch, n: int = 50, **params: Any) -> generative._Training:
    """Set up a training without running it."""
    kept: list[generative._Training] = []

    def stop(model: Any, networks: Any, optimisers: Any, run_epoch: Any, **settings: Any) -> None:
        kept.append(run_epoch.__self__)

    monkeypatch.setattr(deep, "train", stop)
    make(**params).fit(three_views(n))
    return kept[0]


def distance(kind: str, z: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Distance of a query from a pair, as it is written."""
    if kind == "mean":
        return float(np.sum((z - (x + y) / 2) ** 2))
    return float((np.sum((z - x) ** 2) + np.sum((z - y) ** 2) + np.sum((x - y) ** 2)) / 3)


@pytest.mark.parametrize("kind", ["triple", "mean"])
@pytest.mark.parametrize("truth", ["cca", "pairs"])
def test_phi_and_probabilities_equal_plain_loops(monkeypatch: pytest.MonkeyPatch, kind: str, truth: str) -> None:
    run = training(monkeypatch, distance=kind, truth=truth, neighbours=1, temperature=3.0, margin=0.7)
    rows = torch.tensor([4, 9, 2, 30])
    with torch.no_grad():
        outputs = run.embed("discriminator", rows)
        q, x, y = (output.double().numpy() for output in outputs)
        a, b = torch.tensor([[1, 3], [0, 0], [2, 1], [3, 2]]), torch.tensor([[2, 3], [1, 0], [2, 3], [0, 1]])
        found = run.phi(outputs, rows, a, b).numpy()
        # One neighbour is the item itself, whatever the truth.
        for i, s in itertools.product(range(4), range(2)):
            other = distance(kind, q[i], x[a[i, s]], y[b[i, s]])
            assert found[i, s] == pytest.approx(max(0, 0.7 + distance(kind, q[i], x[i], y[i]) - other), abs=1e-5)

        torch.manual_seed(5)
        log_p, columns, a, b = run.propose(outputs)
        torch.manual_seed(5)
        rows_a, rows_b = (index.numpy() for index in generative.mixed_pairs(4, (60,)))
    energies = [[-distance(kind, q[i], x[c], y[d]) / 3 for c, d in zip(rows_a, rows_b, strict=True)] for i in range(4)]
    np.testing.assert_allclose(log_p.numpy(), log_softmax(energies, axis=1), atol=1e-5)
    np.testing.assert_array_equal(rows_a[columns], a)
    np.testing.assert_array_equal(rows_b[columns], b)


def test_losses_follow_from_phi(monkeypatch: pytest.MonkeyPatch) -> None:
    run = training(monkeypatch, transfer=0.5, neighbours=1)
    rows = torch.arange(20)
    with torch.no_grad():
        torch.manual_seed(1)
        found = run.discriminator_terms(rows)
        torch.manual_seed(1)
        _, _, a, b = run.propose(run.embed("generator", rows))
        outputs = run.embed("discriminator", rows)
        phi = run.phi(outputs, rows, a, b).double().numpy()
    discriminator = 1 / (1 + np.exp(-phi))
    assert found["discriminator"].item() == pytest.approx(-np.log(1 - discriminator).mean(), rel=1e-5)
    transfer = generative.transfer_loss(*outputs).item()
    assert found["discriminator_transfer"].item() == pytest.approx(0.5 * transfer, rel=1e-6)


def test_transfer_is_the_divergence_from_source_to_pair() -> None:
    generator = np.random.default_rng(0)
    z, x, y = (3 * generator.standard_normal((6, 5)) for _ in range(3))

    def divergence(one: np.ndarray, other: np.ndarray) -> float:
        p, q = softmax(one, axis=1), softmax(other, axis=1)
        return float(
            np.mean([sum(a * np.log(a / b) for a, b in zip(*row, strict=True)) for row in zip(p, q, strict=True)])
        )

    found = generative.transfer_loss(*(torch.tensor(array) for array in (z, x, y))).item()
    assert found == pytest.approx(divergence(z, x) + divergence(z, y))
    assert abs(found - divergence(x, z) - divergence(y, z)) > 0.1
    assert generative.transfer_loss(*[torch.tensor(z)] * 3).item() == pytest.approx(0, abs=1e-12)


def test_policy_gradient_is_unbiased() -> None:
    """Its expectation over all ways to draw two of five candidates is the gradient of the expected reward."""
    torch.manual_seed(0)
    scores = torch.randn(1, 5, dtype=torch.float64, requires_grad=True)
    rewards = torch.rand(1, 5, dtype=torch.float64)
    log_p = scores.log_softmax(1)
    (exact,) = torch.autograd.grad(-(log_p.exp() * rewards).sum(), scores, retain_graph=True)
    expected = torch.zeros_like(scores)
    for pair in itertools.product(range(5), repeat=2):
        chosen = torch.tensor([pair])
        loss = generative.policy_gradient(log_p, chosen, rewards[:, list(pair)])
        (gradient,) = torch.autograd.grad(loss, scores, retain_graph=True)
        expected += log_p.detach().exp()[0, list(pair)].prod() * gradient
    torch.testing.assert_close(expected, exact)


def test_draws_follow_the_probabilities() -> None:
    torch.manual_seed(0)
    p = torch.tensor([[0.5, 0.2, 0.0, 0.3], [0.0, 0.0, 0.1, 0.9]])
    drawn = generative.draw(p.log(), 20_000)
    found = torch.stack([(drawn == column).float().mean(1) for column in range(4)], dim=1)
    torch.testing.assert_close(found, p, atol=0.015, rtol=0)
    assert (found[p == 0] == 0).all()


def test_generator_and_discriminator_both_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    run = training(monkeypatch, transfer=0.0)
    rows = torch.arange(20)
    networks = {"generator": run.generator_terms, "discriminator": run.discriminator_terms}
    for name, terms in networks.items():
        run.networks.zero_grad(set_to_none=True)
        torch.stack(list(terms(rows).values())).sum().backward()
        for network in networks:
            gradients = [parameter.grad for parameter in run.networks[network].parameters()]
            if network == name:
                assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)
            else:
                assert all(gradient is None for gradient in gradients)


def test_generator_comes_to_propose_what_is_rewarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The discriminator stays as it is; the reward that the generator can expect of it rises."""
    run = training(monkeypatch, transfer=0.0, truth="pairs", learning_rate=0.01, temperature=1.0)
    rows = torch.arange(20)

    def reward() -> float:
        with torch.no_grad():
            outputs = run.embed("discriminator", rows)
            torch.manual_seed(3)
            phis = [run.phi(outputs, rows, *run.propose(run.embed("generator", rows))[2:]) for _ in range(20)]
        return torch.nn.functional.softplus(torch.stack(phis)).mean().item()

    before = reward()
    for _ in range(60):
        loss = run.generator_terms(rows)["generator"]
        run.optimisers[1].zero_grad()
        loss.backward()
        run.optimisers[1].step()
    assert reward() > 1.2 * before


def test_nearest_pairs_equal_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {view: three_views(70)[view] for view in ("audio", "sheet")}
    embedded = models.create("cca", n_components=7, ridge=0.1, scale="none").fit(pair).transform(pair)
    places = (embedded["audio"] + embedded["sheet"]) / 2
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    expected = np.argsort(-places @ places.T, axis=1)[:, :5]
    monkeypatch.setattr(generative, "BLOCK", 16)
    found = generative.nearest_pairs("it", pair, 5)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(expected, axis=1))
    assert (found == np.arange(70)[:, None]).any(axis=1).all()
    assert generative.nearest_pairs("it", {view: array[:4] for view, array in pair.items()}, 9).shape == (4, 4)


def test_memory_is_linear_in_the_number_of_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generative, "BLOCK", 64)
    peaks = []
    for n in (500, 2000):
        pair = {view: three_views(n)[view] for view in ("audio", "sheet")}
        tracemalloc.start()
        generative.nearest_pairs("it", pair, 5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 6 * peaks[0]
    assert peaks[1] < 2000**2

    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            sizes.append(result.numel() if isinstance(result, torch.Tensor) else 0)
            return result

    run = training(monkeypatch, n=400, n_candidates=100)
    with Sizes():
        run.run_epoch(0)
    assert max(sizes) <= 400 * 9


def test_finds_the_pairs_of_unseen_items_in_all_directions() -> None:
    views, test = three_views(300), three_views(100, seed=1)
    embedded = make(epochs=10, learning_rate=0.003).fit(views).transform(test)
    for query, target in itertools.permutations(views, 2):
        assert metrics.recall_at_k(embedded[query], embedded[target], 10) > 0.35


@pytest.mark.slow
def test_shuffled_pairs_fall_to_chance() -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(8):
        generator = np.random.default_rng(seed)
        views = {view: array[generator.permutation(150)] for view, array in three_views(150, seed).items()}
        embedded = make(seed=seed, learning_rate=0.003).fit(views).transform(three_views(60, 100 + seed))
        for pair in itertools.combinations(views, 2):
            found.setdefault(pair, []).append(metrics.mean_rank(*(embedded[view] for view in pair)))
    for ranks in found.values():
        error = np.std(ranks, ddof=1) / np.sqrt(len(ranks))
        assert abs(np.mean(ranks) - metrics.chance_rank(60)) < 3 * error


def test_switched_off_it_is_its_baselines() -> None:
    views = three_views()
    for name, off in (
        ("baseline_gan", {"transfer": 0.0, "truth": "pairs"}),
        ("baseline", {"transfer": 0.0, "truth": "pairs", "adversarial": False}),
    ):
        one, other = make(name).fit(views), make(**off).fit(views)
        assert one.history_ == other.history_
        for view, array in one.transform(views).items():
            np.testing.assert_array_equal(other.transform(views)[view], array)
    full = make().fit(views)
    assert set(full.history_[0]) == {"generator", "generator_transfer", "discriminator", "discriminator_transfer"}
    assert not np.array_equal(
        full.transform(views)["audio"], make(embedding="generator").fit(views).transform(views)["audio"]
    )


@pytest.mark.parametrize("name", ["baseline", "baseline_gan", "darlearning"])
def test_killed_training_resumes_to_the_same_result(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "CHECKPOINT_S", 0.0)
    views, settings = three_views(), {"seed": 3, "decay_every": 2}
    whole = make(name, **settings).fit(views)
    checkpoint = tmp_path / "checkpoint"
    run_epoch = generative._Training.run_epoch

    def killed(self: Any, number: int) -> dict[str, float]:
        if number == 3:
            raise KeyboardInterrupt
        return run_epoch(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(generative._Training, "run_epoch", killed)
        with pytest.raises(KeyboardInterrupt):
            make(name, **settings).fit(views, checkpoint=checkpoint)
    assert checkpoint.is_file()
    resumed = make(name, **settings).fit(views, checkpoint=checkpoint)
    assert not checkpoint.exists()
    assert resumed.history_ == whole.history_
    for key, array in whole.arrays_.items():
        np.testing.assert_array_equal(resumed.arrays_[key], array)


def test_learning_rate_steps_down_to_its_floor() -> None:
    model = make(decay_every=2, learning_rate_floor=2e-5)
    found = [generative.learning_rate(model, epoch) for epoch in (0, 1, 2, 3, 4, 29)]
    assert found == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 2e-5, 2e-5])
    assert generative.learning_rate(make(), 29) == 1e-3


def test_any_views_with_a_source_among_them() -> None:
    views = dict(zip(("one", "two.b", "type"), three_views().values(), strict=True))
    with pytest.raises(ConfigError, match=r"models\.darlearning\.source_view: 'lyrics' is none of the views \(one, "):
        make().fit(views)
    assert make(source_view="two.b").fit(views).transform(views)["type"].shape == (90, 8)


def test_wrong_views_and_settings_raise() -> None:
    views = three_views()
    with pytest.raises(ConfigError, match=r"darlearning: aligns .* three in all, got 2 \(audio, lyrics\)"):
        make().fit({view: views[view] for view in ("audio", "lyrics")})
    with pytest.raises(ConfigError, match=r"models\.darlearning\.layers: the last widths differ \(audio 5, lyrics 4"):
        make(layers={"audio": [5], "other": [4]}).fit(views)
    with pytest.raises(ConfigError, match=r"models\.darlearning\.embedding: 'generator', but adversarial is false"):
        make(adversarial=False, embedding="generator")
    with pytest.raises(ConfigError, match=r"models\.darlearning\.n_samples: .*greater than or equal to 2"):
        make(n_samples=1)


def test_divergence_raises() -> None:
    views = {view: array * np.float32(1e30) for view, array in three_views().items()}
    views["audio"][0] = 3e38
    with pytest.raises(TrainingError, match=r"darlearning: training diverged in epoch \d, .* is nan"):
        make(learning_rate=1e308).fit(views)
