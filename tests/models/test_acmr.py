"""ACMR, and what it shares with UCAL: every term of the loss, who receives which gradient, reproducible training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.small import resume_after_kill, two_views
from unisono import metrics, models
from unisono.errors import ConfigError, DataError, TrainingError
from unisono.models import acmr
from unisono.models.parts import deep, modality

SMALL = {"layers": {"audio": [12, 4], "other": [16, 4]}, "epochs": 3, "min_steps": 0, "batch_size": 20}

every = pytest.mark.parametrize("name", ["acmr", "ucal"])


def make_batch(n: int = 9, *, classes: int = 3, seed: int = 0) -> modality.Batch:
    """A batch in float64, whose rows have classes in random order."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(n, 5, generator=generator).double(), torch.randn(n, 7, generator=generator).double()
    embedded = torch.randn(n, 4, generator=generator).double(), torch.randn(n, 4, generator=generator).double()
    return modality.Batch(inputs, embedded, torch.randint(classes, (n,), generator=generator))


def layer(width: int, outputs: int) -> torch.nn.Linear:
    """A random dense layer in float64."""
    with deep.seeded(3):
        return torch.nn.Linear(width, outputs).double()


def log_softmax(values: np.ndarray) -> np.ndarray:
    """Of one row, in plain numpy."""
    shifted = values - values.max()
    return shifted - np.log(np.exp(shifted).sum())


def test_label_term_equals_a_loop() -> None:
    batch, classifier = make_batch(), layer(4, 3)
    weight, bias = classifier.weight.detach().numpy(), classifier.bias.detach().numpy()
    total = 0.0
    for embedded in batch.embedded:
        for row, code in zip(embedded.numpy(), batch.codes.tolist(), strict=True):
            total -= log_softmax(weight @ row + bias)[code] / len(batch.codes)
    assert acmr.label_loss(classifier, batch).item() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("positives", ["class", "pair"])
@pytest.mark.parametrize("pull", [1.0, 5.0])
@pytest.mark.parametrize("margin", [0.1, 6.0])
def test_triplet_term_equals_a_loop(positives: Any, pull: float, margin: float) -> None:
    batch = make_batch()
    codes = batch.codes.tolist()
    total = 0.0
    for view in (0, 1):
        features, anchors, others = (
            part[index].numpy()
            for part, index in ((batch.inputs, view), (batch.embedded, view), (batch.embedded, 1 - view))
        )
        terms = []
        for i, code in enumerate(codes):
            cosines = {
                n: features[i] @ features[n] / np.linalg.norm(features[i]) / np.linalg.norm(features[n])
                for n in range(len(codes))
                if codes[n] != code
            }
            negative = max(cosines, key=cosines.__getitem__)
            for p in range(len(codes)):
                if p == i if positives == "pair" else codes[p] == code:
                    near = 0.5 * np.sum((anchors[i] - others[p]) ** 2)
                    far = 0.5 * np.sum((anchors[i] - others[negative]) ** 2)
                    terms.append(max(0.0, margin + pull * near - far))
        total += np.mean(terms)
    found = acmr.triplet_loss(batch, positives=positives, pull=pull, margin=margin).item()
    assert found == pytest.approx(total, rel=1e-9)
    assert total > 0


def test_triplet_term_of_one_class_is_zero() -> None:
    batch = make_batch(classes=1)
    assert acmr.triplet_loss(batch, positives="class", pull=1, margin=1).item() == 0


def test_modality_term_equals_a_loop() -> None:
    batch, classifier = make_batch(), layer(4, 2)
    weight, bias = classifier.weight.detach().numpy(), classifier.bias.detach().numpy()
    values = [
        -log_softmax(weight @ row + bias)[view] for view, rows in enumerate(batch.embedded) for row in rows.numpy()
    ]
    found = modality.modality_loss(classifier, *batch.embedded, 0.3).item()
    assert found == pytest.approx(np.mean(values), rel=1e-12)
    blind = layer(4, 2)
    torch.nn.init.zeros_(blind.weight)
    torch.nn.init.zeros_(blind.bias)
    assert modality.modality_loss(blind, *batch.embedded, 1).item() == pytest.approx(math.log(2))


def test_weights_term_equals_a_loop_and_leaves_biases_and_scales_out() -> None:
    with deep.seeded(0):
        networks = [
            deep.perceptron(width, [5, 4], dropout=0.1, scale=(np.full(width, 9.0), np.full(width, 7.0)))
            for width in (3, 6)
        ]
    for network in networks:
        torch.nn.init.ones_(network[1].bias)
    total = sum((network[place].weight.detach().numpy() ** 2).sum() for network in networks for place in (1, 4))
    assert modality.squared_weights(networks).item() == pytest.approx(total, rel=1e-6)


def test_strength_follows_its_closed_form() -> None:
    found = [modality.strength(epoch, 50) for epoch in range(50)]
    assert found[0] == 0
    assert found == sorted(found)
    assert found[25] == pytest.approx((1 - math.exp(-5)) / (1 + math.exp(-5)))
    assert found[49] == pytest.approx(math.tanh(10 * 49 / 50 / 2))


def test_reversal_changes_the_sign_of_the_gradient_only() -> None:
    x = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = modality.reverse(x, 0.25)
    torch.testing.assert_close(y, x)
    (y**2).sum().backward()
    torch.testing.assert_close(x.grad, -0.25 * 2 * x.detach())


def test_modality_classifier_descends_while_embeddings_ascend() -> None:
    one, other = (x.requires_grad_() for x in make_batch().embedded)
    classifier = layer(4, 2)
    plain = torch.nn.functional.cross_entropy(classifier(torch.cat([one, other])), torch.arange(2).repeat_interleave(9))
    expected = torch.autograd.grad(plain, [one, other, classifier.weight, classifier.bias])
    loss = modality.modality_loss(classifier, one, other, 0.7)
    found = torch.autograd.grad(loss, [one, other, classifier.weight, classifier.bias])
    for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        torch.testing.assert_close(ours, -0.7 * theirs if place < 2 else theirs)


class Stop(Exception):
    """Raised in place of an optimiser's step."""


def gradients(name: str, monkeypatch: pytest.MonkeyPatch, **params: Any) -> dict[str, np.ndarray]:
    """Gradients of all parts in the first step, with the reversed gradient at full strength from the start."""
    found: dict[str, np.ndarray] = {}

    def catch(model: Any, networks: torch.nn.Module, optimisers: Any, run_epoch: Any, **rest: Any) -> None:
        networks.train()

        def step(*arguments: Any) -> None:
            for key, parameter in networks.named_parameters():
                assert parameter.grad is not None, f"{key} receives no gradient"
                found[key] = parameter.grad.numpy().copy()
            raise Stop

        optimisers[0].step = step
        run_epoch(0)

    with monkeypatch.context() as patch:
        patch.setattr(modality, "strength", lambda epoch, epochs: 1.0)
        patch.setattr(deep, "train", catch)
        views, labels = two_views(noise=0.6)
        with pytest.raises(Stop):
            models.create(name, **SMALL | params).fit(views, labels)
    return found


@every
def test_reversed_gradient_reaches_both_networks_and_every_part_is_trained(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without, plain, double = (gradients(name, monkeypatch, adversary=weight) for weight in (0.0, 1.0, 2.0))
    parts = {"views.audio", "views.visual", "modality"} | ({"heads.label"} if name == "acmr" else set())
    assert {part for part in parts for key in plain if key.startswith(part)} == parts
    for key, gradient in plain.items():
        assert np.abs(gradient).max() > 0, f"{key} has no gradient"
        if key.startswith("views."):
            # The adversary's share is there, and is proportional to its weight.
            share = gradient - without[key]
            assert np.abs(share).max() > 1e-6, f"{key}: the reversed gradient does not arrive"
            np.testing.assert_allclose(double[key] - without[key], 2 * share, rtol=1e-2, atol=1e-5)
        else:
            # The classifiers learn as if they were alone.
            np.testing.assert_array_equal(gradient, without[key])


def test_every_weight_scales_its_own_term(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"label": 0.0, "triplet": 0.0, "adversary": 0.0, "weight_decay": 0.0}
    for key, gradient in gradients("acmr", monkeypatch, **nothing).items():
        assert key.startswith("modality") or np.abs(gradient).max() == 0
    for term in ("label", "triplet", "weight_decay"):
        one, three = (gradients("acmr", monkeypatch, **nothing | {term: weight}) for weight in (1.0, 3.0))
        for key, gradient in one.items():
            if not key.startswith("modality"):
                np.testing.assert_allclose(three[key], 3 * gradient, rtol=1e-4, atol=1e-5)
        assert np.abs(one["views.audio.1.weight"]).max() > 0


@every
def test_history_has_every_term_and_they_add_up(name: str) -> None:
    views, labels = two_views(noise=0.6)
    model = models.create(name, **SMALL | {"adversary": 0.5}).fit(views, labels)
    own = {"acmr": {"label": 1.0, "triplet": 0.3}, "ucal": {"pair": 1.0, "moments": 1.0}}[name]
    defaults = models.check_params(name, {})
    weights = {key: defaults.get(key, weight) for key, weight in own.items()} | {"weights": defaults["weight_decay"]}
    for epoch, terms in enumerate(model.history_):
        assert set(terms) == {"loss", *weights, "modality", "reversal"}
        assert terms["reversal"] == 0.5 * modality.strength(epoch, 3)
        total = sum(weight * terms[key] for key, weight in weights.items()) - terms["reversal"] * terms["modality"]
        assert terms["loss"] == pytest.approx(total, rel=1e-5)


@every
def test_trains_the_same_way_twice(name: str) -> None:
    views, labels = two_views(noise=0.6)
    one, two = (models.create(name, **SMALL).fit(views, labels) for _ in range(2))
    assert one.history_ == two.history_
    for key, array in one.arrays_.items():
        np.testing.assert_array_equal(two.arrays_[key], array)
    assert models.create(name, **SMALL, seed=5).fit(views, labels).history_ != one.history_


@every
def test_interrupted_training_resumes_to_the_same_result(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, labels = two_views(noise=0.6)
    longer = SMALL | {"epochs": 6}
    ran = resume_after_kill(
        lambda checkpoint: models.create(name, **longer).fit(views, labels, checkpoint=checkpoint),
        tmp_path / "kept",
        monkeypatch,
    )
    # The weights after the last step are checked too.
    assert ran == [4, 5, 5]


@every
def test_divergence_stops_with_the_remedy(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(TrainingError, match=rf"{name}: training diverged in epoch 1.*models\.{name}\.learning_rate"):
        models.create(name, **SMALL, learning_rate=1e38).fit(views, labels)
    # In the last step, after which no loss is computed.
    once = SMALL | {"epochs": 1, "batch_size": 100, "learning_rate": 1e38}
    with pytest.raises(TrainingError, match=rf"{name}: training diverged in epoch 1, weights is inf"):
        models.create(name, **once).fit(views, labels)


@every
def test_few_rows_get_more_epochs(name: str) -> None:
    views, labels = two_views(noise=0.6)
    # Five batches of 20 an epoch.
    for min_steps, epochs in ((0, 3), (15, 3), (16, 4)):
        model = models.create(name, **SMALL | {"min_steps": min_steps}).fit(views, labels)
        assert len(model.history_) == epochs
    # A batch is never larger than there are rows.
    few = {view: array[:7] for view, array in views.items()}
    assert len(models.create(name, **SMALL).fit(few, labels[:7]).history_) == 3


@every
def test_layers_that_do_not_fit_raise(name: str) -> None:
    views, labels = two_views(noise=0.6)
    with pytest.raises(ConfigError, match=rf"models\.{name}\.layers: the last widths differ \(audio 3, visual 4\)"):
        models.create(name, layers={"audio": [5, 3], "other": [5, 4]}).fit(views, labels)
    with pytest.raises(ConfigError, match=rf"models\.{name}\.layers: no widths for view 'visual'"):
        models.create(name, layers={"audio": [5, 3]}).fit(views, labels)


@every
def test_default_is_ten_dimensional(name: str) -> None:
    defaults = models.check_params(name, {})
    assert {widths[-1] for widths in defaults["layers"].values()} == {10}


def test_finds_the_class_of_unseen_items() -> None:
    views, labels = two_views(noise=0.6)
    test, truth = two_views(seed=1, noise=0.6)
    found = models.create("acmr", **SMALL | {"min_steps": 300}).fit(views, labels).transform(test)
    for query, target in (("audio", "visual"), ("visual", "audio")):
        assert metrics.mean_average_precision(found[query], found[target], truth, truth) > 0.8
    for array in found.values():
        assert np.abs(array).max() <= 1


def test_labels_are_needed() -> None:
    views, _ = two_views(noise=0.6)
    with pytest.raises(DataError, match="acmr: learns from labels, and there are none"):
        models.create("acmr", **SMALL).fit(views)


def test_adversary_makes_the_views_hard_to_tell_apart() -> None:
    views, labels = two_views(noise=0.6)
    quick = SMALL | {"min_steps": 200, "learning_rate": 0.01}
    without, against = (
        models.create("acmr", **quick, adversary=weight).fit(views, labels).history_[-1] for weight in (0.0, 3.0)
    )
    # log 2 = .693 is a classifier that guesses.
    assert without["modality"] < 0.65 < 0.67 < against["modality"]
