"""UGACH: its graph, its two losses and its game; it learns, is reproducible, resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.small import resume_after_kill, two_views
from unisono import metrics, models
from unisono.errors import TrainingError
from unisono.models import ugach

SMALL: dict[str, Any] = {
    "n_components": 4,
    "hidden": 12,
    "pretraining_epochs": 2,
    "epochs": 2,
    "min_steps": 0,
    "batch_size": 20,
    "n_candidates": 30,
}


def small(**params: Any) -> models.Aligner:
    return models.create("ugach", **{**SMALL, **params})


def test_it_learns_classes_without_labels() -> None:
    views, _ = two_views()
    model = models.create("ugach", hidden=32, pretraining_epochs=10, epochs=5, batch_size=20, learning_rate=0.01)
    unseen, truth = two_views(seed=1)
    found = model.fit(views).transform(unseen)
    for query, target in (("audio", "visual"), ("visual", "audio")):
        assert metrics.mean_average_precision(found[query], found[target], truth, truth) > 0.6


@pytest.mark.parametrize("block", [7, 1000])
def test_neighbours_equal_brute_force(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ugach, "BLOCK", block)
    array = 1e4 + np.random.default_rng(0).standard_normal((40, 5))
    found = ugach.nearest_rows(array, 6)
    distances = np.linalg.norm(array[:, None] - array, axis=2)
    assert [set(row) for row in found] == [set(row) for row in np.argsort(distances, axis=1)[:, :6]]
    # Among equal rows, each is still its own neighbour.
    assert all(i in row for i, row in enumerate(ugach.nearest_rows(np.ones((9, 3)), 2)))
    assert ugach.nearest_rows(array[:3], 6).shape == (3, 3)


def test_graph_joins_the_neighbours_of_both_views() -> None:
    views, _ = two_views(30)
    graph = ugach.correlation_graph(views, 8)
    assert graph.shape == (30, 8)
    for i, row in enumerate(graph):
        for part, array in zip((row[:4], row[4:]), views.values(), strict=True):
            distances = np.linalg.norm(array - array[i], axis=1)
            assert set(part) == set(np.argsort(distances)[:4])


def test_losses_equal_plain_loops() -> None:
    torch.manual_seed(0)
    query, positive, negative = torch.rand(3, 4), torch.rand(3, 2, 4), torch.rand(3, 2, 4)
    found = ugach.hinge(query, positive, negative, 0.3)
    for i in range(3):
        for j in range(2):
            near, far = (float((query[i] - other[i, j]).pow(2).sum()) for other in (positive, negative))
            assert found[i, j] == pytest.approx(max(0, 0.3 + near - far), abs=1e-6)
    log_p = ugach.log_probabilities(query, positive[:, 0])
    weights = np.array([[np.exp(-float((q - c).pow(2).sum())) for c in positive[:, 0]] for q in query])
    np.testing.assert_allclose(log_p.exp(), weights / weights.sum(1, keepdims=True), rtol=1e-5)


def make_game(**params: Any) -> ugach._Game:
    """Make a game on 100 rows."""
    views, _ = two_views()
    model = small(**params)
    model.widths_ = {view: array.shape[1] for view, array in views.items()}
    assert isinstance(model, ugach.UGACH)
    networks = torch.nn.ModuleDict(
        {
            name: torch.nn.ModuleDict({view: model._network(view, array) for view, array in views.items()})
            for name in ("discriminator", "generator")
        }
    )
    data = [torch.as_tensor(array, dtype=torch.float32) for array in views.values()]
    return ugach._Game(model, networks, data, torch.as_tensor(ugach.correlation_graph(views, 10)))


def gradient(network: torch.nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)


def test_each_player_learns_from_its_own_loss_alone() -> None:
    torch.manual_seed(0)
    game = make_game()
    for name, terms in (
        ("discriminator", game.discriminator_terms(torch.arange(20), by_generator=True)),
        ("generator", game.generator_terms(torch.arange(20))),
    ):
        game.networks.zero_grad()
        terms[name].backward()
        for other, network in game.networks.items():
            for branch in network.values():
                assert (gradient(branch) > 0) == (other == name)


def test_discriminator_gets_no_true_item_as_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    game = make_game(n_samples=8)
    seen: list[torch.Tensor] = []
    hinges = game.hinges

    def spy(rows: torch.Tensor, positives: list[torch.Tensor], negatives: list[torch.Tensor]) -> list[torch.Tensor]:
        for chosen in positives:
            assert all(set(row.tolist()) <= set(game.graph[i].tolist()) for i, row in zip(rows, chosen, strict=True))
        seen.extend(negatives)
        return hinges(rows, positives, negatives)

    monkeypatch.setattr(game, "hinges", spy)
    for by_generator in (False, True):
        game.discriminator_terms(torch.arange(40), by_generator=by_generator)
    # Drawn at random and by the generator, in both directions, eight for each row.
    assert [negatives.shape for negatives in seen] == [(40, 8)] * 4
    for negatives in seen:
        for i, row in enumerate(negatives):
            assert not set(row.tolist()) & set(game.graph[i].tolist())


def test_generator_chooses_what_the_discriminator_thinks_near() -> None:
    torch.manual_seed(0)
    game = make_game(generator_learning_rate=0.01, generator_weight_decay=0, n_samples=8)
    rows = torch.arange(100)

    def distance() -> float:
        """Expected distance, as the discriminator sees it, of what the generator draws."""
        with torch.no_grad():
            p = ugach.log_probabilities(game.embed("generator", 0, rows), game.embed("generator", 1, rows)).exp()
            seen = torch.cdist(game.embed("discriminator", 0, rows), game.embed("discriminator", 1, rows)).square()
        return float((p * seen).sum(1).mean())

    before = distance()
    for number in range(20):
        game._train(1, game.generator_terms, number)
    assert distance() < before - 0.05


def test_learning_rates_decay_by_the_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ugach, "DECAY_STEPS", 7)
    game = make_game()
    seen: list[list[float]] = [[], []]
    for place, optimiser in enumerate(game.optimisers):
        monkeypatch.setattr(
            optimiser,
            "step",
            lambda o=optimiser, s=seen[place]: s.append(o.param_groups[0]["lr"]),
        )
    for number in range(3):
        game.run_epoch(number, 1)
    # Five batches an epoch; three epochs of the discriminator, twice two of the generator.
    for rates, steps in zip(seen, (15, 20), strict=True):
        np.testing.assert_allclose(rates, [1e-3 * 0.9 ** (step // 7) for step in range(steps)])


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_interrupted_training_resumes_to_the_same_result(
    optimiser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, _ = two_views()
    params = {"optimiser": optimiser, "epochs": 4}
    whole = small(**params).fit(views)
    assert [set(terms) for terms in whole.history_] == [{"discriminator"}] * 2 + [
        {"discriminator", "generator", "reward"}
    ] * 4
    ran = resume_after_kill(
        lambda checkpoint: small(**params).fit(views, checkpoint=checkpoint), tmp_path / "kept", monkeypatch
    )
    assert ran == [4, 5]


def test_binary_codes_are_the_signs_of_the_outputs_and_say_how_many_tie() -> None:
    views, _ = two_views()
    real, binary = (small(binary=binary).fit(views) for binary in (False, True))
    outputs, codes = real.transform(views), binary.transform(views)
    for view, array in outputs.items():
        assert -1 < array.min() < 0 < array.max() < 1
        np.testing.assert_array_equal(codes[view], np.where(array < 0, -1, 1))
    assert getattr(real, "note_", None) == ""
    tied = [
        (row[:, None] == row)[~np.eye(100, dtype=bool)].mean()
        for one, other in (("audio", "visual"), ("visual", "audio"))
        for row in codes[one] @ codes[other].T
    ]
    assert float(binary.arrays_["tied"][0]) == pytest.approx(np.mean(tied))
    assert f"about {round(10 * float(binary.arrays_['tied'][0])) * 10} % of" in getattr(binary, "note_", "")


def test_either_network_may_embed() -> None:
    views, _ = two_views()
    one, other = (small(embedding=name).fit(views) for name in ("discriminator", "generator"))
    assert one.history_ == other.history_
    assert not np.allclose(one.transform(views)["audio"], other.transform(views)["audio"])


def test_few_rows_get_more_epochs_before_the_game() -> None:
    views, _ = two_views()
    assert len(small(min_steps=10).fit(views).history_) == 4
    # Five batches an epoch.
    assert len(small(min_steps=11).fit(views).history_) == 5
    assert len(small(min_steps=11, pretraining_epochs=0).fit(views).history_) == 2


def test_fewer_rows_than_neighbours_train() -> None:
    views, _ = two_views(6)
    assert np.isfinite(small().fit(views).transform(views)["audio"]).all()


def test_divergence_stops_with_the_remedy() -> None:
    views, _ = two_views()
    with pytest.raises(TrainingError, match=r"ugach: training diverged in epoch \d.*models\.ugach\.learning_rate"):
        small(optimiser="sgd", learning_rate=1e38, weight_decay=1.0).fit(views)
