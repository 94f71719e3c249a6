"""AGAH: each term of its loss, both sides of its game, its two maps; it learns, is reproducible, resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.small import resume_after_kill, two_views
from unisono import metrics, models
from unisono.errors import TrainingError
from unisono.models import agah
from unisono.models.parts import class_codes, deep

SMALL: dict[str, Any] = {
    "n_components": 4,
    "layers": {"other": [12]},
    "features": 8,
    "epochs": 3,
    "min_steps": 0,
    "batch_size": 20,
}


def small(**params: Any) -> models.Aligner:
    return models.create("agah", **{**SMALL, **params})


def batch(b: int = 12, k: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs of a batch in two views, and classes."""
    generator = torch.Generator().manual_seed(0)
    one, other = (2 * torch.rand(b, k, generator=generator) - 1 for _ in range(2))
    return one, other, torch.arange(b) % 3


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(one @ other / (one.norm() * other.norm()))


def test_it_learns_classes() -> None:
    views, labels = two_views()
    unseen, truth = two_views(seed=1)
    for binary, least in ((False, 0.8), (True, 0.6)):
        values = []
        # With so few units some seeds end at .7.
        for seed in range(3):
            model = small(epochs=20, learning_rate=0.01, binary=binary, n_components=8, seed=seed).fit(views, labels)
            found = model.transform(unseen)
            for query, target in (("audio", "visual"), ("visual", "audio")):
                values.append(metrics.mean_average_precision(found[query], found[target], truth, truth))
        assert np.mean(values) > least


def test_triplet_loss_equals_a_plain_loop() -> None:
    one, other, codes = batch()
    total = 0.0
    for a in range(12):
        for p in range(12):
            for n in range(12):
                if codes[p] == codes[a] != codes[n]:
                    total += max(0.0, 0.3 - cosine(other[a], one[p]) + cosine(other[a], one[n]))
                    total += max(0.0, 0.3 - cosine(one[a], other[p]) + cosine(one[a], other[n]))
    assert float(class_codes.triplet_loss(one, other, codes, 0.3)) == pytest.approx(total, rel=1e-5)
    assert float(class_codes.triplet_loss(one, other, torch.zeros(12, dtype=torch.int64), 0.3)) == 0


def test_other_terms_equal_plain_loops() -> None:
    h, _, codes = batch()
    balance = sum(1 / (1 + np.exp(cosine(row.abs(), torch.ones(5)))) for row in h)
    assert float(class_codes.balance_loss(h)) == pytest.approx(balance, rel=1e-5)
    code_map = torch.where(torch.randn(3, 5, generator=torch.Generator().manual_seed(1)) < 0, -1.0, 1.0)
    total = sum(float(h[i] @ code_map[c] - 5 * (1 if codes[i] == c else -1)) ** 2 for i in range(12) for c in range(3))
    assert float(class_codes.code_map_loss(h, code_map, codes)) == pytest.approx(total, rel=1e-5)
    directions = torch.nn.functional.normalize(torch.randn(3, 5, generator=torch.Generator().manual_seed(2)))
    found = class_codes.attend(h, directions, 0.25)
    for i in range(12):
        mask = [1 / (1 + np.exp(-5 * float(h[i] @ row))) for row in directions]
        mixed = sum(m * row for m, row in zip(mask, directions, strict=True)) / sum(mask)
        torch.testing.assert_close(found[i], 0.75 * h[i] + 0.25 * mixed)


def test_critic_loss_has_the_gradient_penalty() -> None:
    real, fake, _ = batch()
    mixing = torch.rand(12, 5, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(0)
    for hidden in ([], [7], [7, 6]):
        critic = deep.perceptron(5, [*hidden, 1], hidden="relu", last="linear").double()
        loss, distance = class_codes.critic_loss(critic, real.double(), fake.double(), mixing.double())
        found = torch.autograd.grad(loss, list(critic.parameters()), allow_unused=True)
        # By a graph of the backward pass, as in the papers' codes.
        between = (mixing * real + (1 - mixing) * fake).double().requires_grad_()
        (gradients,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = sum((row.norm() - 1).square() for row in gradients) / 12
        expected = sum(critic(f) - critic(r) for f, r in zip(fake.double(), real.double(), strict=True))[0] / 12
        torch.testing.assert_close(distance, expected)
        torch.testing.assert_close(loss, expected + 10 * penalty)
        wanted = torch.autograd.grad(expected + 10 * penalty, list(critic.parameters()), allow_unused=True)
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_every_bit_of_the_code_map_is_the_best_given_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.arange(30) % 3
    outputs = [torch.randn(30, 4, generator=generator) for _ in range(2)]
    start = torch.where(torch.randn(3, 4, generator=generator) < 0, -1.0, 1.0)

    def value(code_map: torch.Tensor) -> float:
        return sum(float(class_codes.code_map_loss(torch.where(h < 0, -1.0, 1.0), code_map, codes)) for h in outputs)

    expected = start.clone()
    for bit in range(4):
        for c in range(3):
            tried = []
            for sign in (-1.0, 1.0):
                expected[c, bit] = sign
                tried.append(value(expected))
            expected[c, bit] = -1.0 if tried[0] < tried[1] else 1.0
    found = class_codes.update_code_map(start, outputs, codes)
    torch.testing.assert_close(found, expected)
    assert value(found) <= value(start)


def make_training(**params: Any) -> agah._Training:
    views, labels = two_views()
    model = small(**params)
    assert isinstance(model, agah.AGAH)
    networks = torch.nn.ModuleDict(model._networks(views, 4))
    data = {view: torch.as_tensor(array, dtype=torch.float32) for view, array in views.items()}
    return agah._Training(model, networks, data, torch.as_tensor(labels))


def gradient(network: torch.nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)


def test_both_sides_of_the_game_receive_gradients() -> None:
    torch.manual_seed(0)
    training = make_training()
    rows = torch.arange(40)
    bodies, critics = training.networks["hash"].bodies, training.networks["critics"]
    embedded = [training.networks["hash"](view, array[rows])[1:] for view, array in training.data.items()]
    features, outputs = ([pair[i] for pair in embedded] for i in (0, 1))
    training.critic_terms([f.detach() for f in features])["critics"].backward()
    assert all(gradient(critic) > 0 for critic in critics.values())
    assert all(gradient(body) == 0 for body in bodies.values())
    training.terms(features, outputs, torch.as_tensor(training.codes[rows]))["adversary"][1].backward()
    assert all(gradient(body) > 0 for body in bodies.values())


def test_critics_and_networks_pull_in_opposite_directions() -> None:
    torch.manual_seed(0)
    training = make_training(learning_rate=0.01)
    rows = torch.arange(100)

    def distance() -> float:
        features = [training.networks["hash"](view, array)[1].detach() for view, array in training.data.items()]
        return float(training.critic_terms(features)["critics_distance"].detach())

    before = distance()
    for _ in range(10):
        features = [training.networks["hash"](view, array)[1].detach() for view, array in training.data.items()]
        training.optimisers[1].zero_grad()
        training.critic_terms(features)["critics"].backward()
        training.optimisers[1].step()
    trained = distance()
    assert trained > before
    for _ in range(10):
        embedded = [training.networks["hash"](view, array[rows])[1:] for view, array in training.data.items()]
        terms = training.terms([f for f, _ in embedded], [h for _, h in embedded], training.codes)
        training.optimisers[0].zero_grad()
        terms["adversary"][1].backward()
        training.optimisers[0].step()
    assert distance() < trained


def test_maps_are_made_from_all_rows_and_kept() -> None:
    views, labels = two_views()
    torch.manual_seed(0)
    training = make_training()
    training.refresh()
    network = training.networks["hash"].eval()
    means = torch.stack(
        [
            sum((network(view, array)[0][training.codes == c].sum(0) for view, array in training.data.items()))
            for c in range(4)
        ]
    )
    torch.testing.assert_close(network.feature_map, torch.nn.functional.normalize(means))
    model = small().fit(views, labels)
    assert set(np.unique(model.arrays_["hash.code_map"])) <= {-1.0, 1.0}
    np.testing.assert_allclose(np.linalg.norm(model.arrays_["hash.feature_map"], axis=1), 1, rtol=1e-5)


def test_an_item_embeds_alike_in_any_batch() -> None:
    views, labels = two_views()
    model = small().fit(views, labels)
    whole = model.transform(views)["audio"]
    np.testing.assert_allclose(
        model.transform({"audio": views["audio"][7:9]})["audio"], whole[7:9], rtol=1e-5, atol=1e-7
    )


def test_history_has_every_term_and_the_loss_is_their_weighted_sum() -> None:
    views, labels = two_views()
    weights = {"balance": 2.0, "code_map": 0.5, "quantisation": 0.3, "adversary": 0.7, "label": 0.2}
    model = small(**weights).fit(views, labels)
    for terms in model.history_:
        assert set(terms) == {"loss", "triplet", *weights, "critics", "critics_distance"}
        expected = terms["triplet"] + sum(weight * terms[name] for name, weight in weights.items())
        assert terms["loss"] == pytest.approx(expected, rel=1e-5)
    assert "label" not in small().fit(views, labels).history_[0]


def test_same_seed_same_result_other_seed_another() -> None:
    views, labels = two_views()
    one, two, other = (small(seed=seed).fit(views, labels) for seed in (0, 0, 5))
    assert one.history_ == two.history_ != other.history_


def test_interrupted_training_resumes_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views, labels = two_views()
    ran = resume_after_kill(
        lambda checkpoint: small(epochs=6).fit(views, labels, checkpoint=checkpoint), tmp_path / "kept", monkeypatch
    )
    assert ran == [4, 5]


def test_binary_codes_are_the_signs_of_the_outputs() -> None:
    views, labels = two_views()
    real, binary = (small(binary=binary).fit(views, labels) for binary in (False, True))
    codes = binary.transform(views)
    for view, array in real.transform(views).items():
        np.testing.assert_array_equal(codes[view], np.where(array < 0, -1, 1))
    assert "of the pairs of scores tie" in getattr(binary, "note_", "")
    assert getattr(real, "note_", None) == ""


def test_few_rows_get_more_epochs() -> None:
    views, labels = two_views()
    assert len(small(min_steps=15).fit(views, labels).history_) == 3
    # Five batches an epoch.
    assert len(small(min_steps=16).fit(views, labels).history_) == 4


def test_learning_rate_falls_with_the_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agah, "DECAY_EPOCHS", 2)
    training = make_training()
    found = []
    for number in range(5):
        training.run_epoch(number, torch.arange(100).view(5, 20))
        found.append([optimiser.param_groups[0]["lr"] for optimiser in training.optimisers])
    np.testing.assert_allclose(found, [[1e-2 * factor] * 2 for factor in (1, 1, 0.6, 0.6, 0.36)])


def test_divergence_stops_with_the_remedy() -> None:
    views, labels = two_views()
    with pytest.raises(TrainingError, match=r"agah: training diverged in epoch \d.*models\.agah\.learning_rate"):
        small(learning_rate=1e30).fit(views, labels)
