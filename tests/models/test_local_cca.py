"""Note-level CCA: one CCA of all rows, whatever is summed up in place of listing them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unisono import metrics, models
from unisono.errors import ConfigError, DataError
from unisono.models.parts import contexts
from unisono.models.parts.linear import closed_cca

N, T = 60, 6


def songs(n: int = N, rows: int = T, *, seed: int = 0, noise: float = 0.5) -> dict[str, np.ndarray]:
    """Two views of sequences, 5 and 4 wide, of the same three numbers a row."""
    generator = np.random.default_rng(seed)
    latent = generator.standard_normal((n, rows, 3))
    made = {}
    for view, width in (("audio", 5), ("sheet", 4)):
        signal = latent @ np.random.default_rng(width).standard_normal((3, width))
        made[view] = 3 + signal + noise * generator.standard_normal(signal.shape)
    return made


def explicit(array: np.ndarray, lengths: np.ndarray, context: int, *, centred: bool = False) -> np.ndarray:
    """List every row among its neighbours, by plain loops [shape=(number of real rows, (2c + 1) d)]."""
    items = [item[:length] for item, length in zip(array, lengths, strict=True)]
    if centred:
        items = [item - item.mean(axis=0) for item in items]
    rows = np.concatenate(items)
    listed = []
    for item in items:
        scaled = (item - rows.mean(axis=0)) / rows.std(axis=0)
        for t in range(len(item)):
            near = range(t - context, t + context + 1)
            listed.append(np.concatenate([scaled[s] if 0 <= s < len(item) else np.zeros(len(scaled[0])) for s in near]))
    return np.array(listed)


@pytest.mark.parametrize("centre", ["none", "item"])
@pytest.mark.parametrize("context", [0, 1, 2, 5])
@pytest.mark.parametrize("padded", [False, True])
def test_the_shared_cca_is_that_of_the_list_of_all_rows(context: int, padded: bool, centre: Any) -> None:
    views = songs()
    lengths = np.random.default_rng(1).integers(2, T + 1, N) if padded else np.full(N, T)
    lengths[0] = T
    given = dict.fromkeys(views, lengths) if padded else None
    listed = {view: explicit(array, lengths, context, centred=centre == "item") for view, array in views.items()}
    means, S, *weights = closed_cca("list", listed, 4 * (2 * context + 1), 0.03)
    # Where all rows of an item are in a context, and sum to zero, four components are nothing.
    S = S[S > 1e-9]
    weights = [W[:, : len(S)] for W in weights]
    model = models.create("local_cca", context=context, power=2, centre=centre).fit(views, lengths=given)
    np.testing.assert_allclose(model.correlations_, S, atol=1e-10)
    found = model.transform(views, lengths=given)
    real = np.arange(T) < lengths[:, None]
    for view, mean, W in zip(views, means, weights, strict=True):
        expected = np.zeros((N, T, len(S)))
        expected[real] = (listed[view] - mean) @ (W * S**2)
        assert found[view].dtype == np.float32
        np.testing.assert_allclose(found[view], expected.reshape(N, -1), atol=1e-5)
        # In double precision, before an embedding is rounded.
        exact = model._transform(view, views[view], lengths if padded else None)
        np.testing.assert_allclose(model.arrays_[f"{view}.weights"], W * S**2, atol=1e-8)
        np.testing.assert_allclose(exact, expected.reshape(N, -1), atol=1e-5)


def test_blocks_and_wide_views_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    views = songs()
    # 80 columns of rank 5 and little else: as PCA leaves them.
    views["audio"] = views["audio"] @ generator.standard_normal((5, 80)) + 0.1 * generator.standard_normal((N, T, 80))
    whole = models.create("local_cca").fit(views)
    assert whole.arrays_["audio.columns"].shape == (80, 64)
    rows = explicit(views["audio"], np.full(N, T), 0)
    _, _, V = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    turned = rows @ V[:64].T
    scores = turned / turned.std(axis=0)
    mapped = (views["audio"].reshape(-1, 80) - whole.arrays_["audio.mean"]) @ whole.arrays_["audio.columns"]
    np.testing.assert_allclose(np.abs(np.corrcoef(scores.T, mapped.T)[:64, 64:].diagonal()), 1, atol=1e-6)
    monkeypatch.setattr(contexts, "BLOCK", 500)
    pieces = models.create("local_cca").fit(views)
    np.testing.assert_allclose(pieces.correlations_, whole.correlations_, atol=1e-10)
    for view, found in pieces.transform(views).items():
        np.testing.assert_allclose(np.abs(found), np.abs(whole.transform(views)[view]), atol=1e-4)


def test_single_rows_without_neighbours_have_the_space_of_cca() -> None:
    views = {view: array[:, 0] for view, array in songs(200).items()}
    ours = models.create("local_cca", ridge=0.03, power=1).fit(views)
    cca = models.create("cca", n_components=4, ridge=0.03, scale="correlation", standardise="columns").fit(views)
    np.testing.assert_allclose(ours.correlations_, cca.correlations_, atol=1e-9)
    np.testing.assert_allclose(ours.score(*({v: a} for v, a in views.items())),
                               cca.score(*({v: a} for v, a in views.items())), atol=1e-5)  # fmt: skip
    # A time axis of one row, and neighbours that are not there, are the same.
    rows = {view: array[:, None] for view, array in views.items()}
    again = models.create("local_cca", context=4).fit(rows)
    for view, found in again.transform(rows).items():
        np.testing.assert_allclose(found, ours.transform(views)[view], atol=1e-5)


def test_order_in_time_counts_where_a_mean_is_blind() -> None:
    views = songs(300, 8)
    generator = np.random.default_rng(2)
    # Every item has the same rows in an order of its own: all means are the same but for the noise.
    pool = generator.standard_normal((8, 3))
    latent = np.stack([pool[generator.permutation(8)] for _ in range(300)])
    for view, array in views.items():
        width = array.shape[-1]
        signal = latent @ np.random.default_rng(width).standard_normal((3, width))
        views[view] = signal + 0.3 * generator.standard_normal(array.shape)
    recalls = {}
    for name, params in (("cca", {"n_components": 4}), ("local_cca", {})):
        model = models.create(name, **params).fit({view: array[:200] for view, array in views.items()})
        found = model.transform({view: array[200:] for view, array in views.items()})
        recalls[name] = metrics.recall_at_k(*found.values(), 1)
    assert recalls["cca"] < 0.1
    assert recalls["local_cca"] > 0.95


def test_shuffled_pairs_are_at_chance() -> None:
    values = []
    for seed in range(6):
        views = songs(240, seed=seed)
        order = np.random.default_rng(seed).permutation(200)
        train = {"audio": views["audio"][:200], "sheet": views["sheet"][:200][order]}
        model = models.create("local_cca").fit(train)
        found = model.transform({view: array[200:] for view, array in views.items()})
        values.append(np.mean(metrics.ranks(*found.values())))
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - metrics.chance_rank(40)) < 3 * error


def test_a_ten_of_snippets_stands_for_twenty_notes() -> None:
    views = songs(rows=4)
    halves = {"audio": views["audio"], "sheet": views["sheet"][:, ::2]}
    doubled = {"audio": views["audio"], "sheet": np.repeat(halves["sheet"], 2, axis=1)}
    model, same = (models.create("local_cca").fit(each) for each in (halves, doubled))
    for view, found in model.transform(halves).items():
        np.testing.assert_array_equal(found, same.transform(doubled)[view])
    # One vector an item stands beside every row.
    still = {"audio": views["audio"], "sheet": views["sheet"][:, 0]}
    model, same = (
        models.create("local_cca").fit({**still, "sheet": sheet})
        for sheet in (still["sheet"], np.repeat(still["sheet"][:, None], 4, axis=1))
    )
    np.testing.assert_allclose(model.correlations_, same.correlations_, atol=1e-12)


def test_sequences_of_unequal_length_are_told_with_their_numbers() -> None:
    views = songs()
    with pytest.raises(DataError, match=r"an item has 6 rows in view 'audio' and 4 rows in view 'sheet'; expected as"):
        models.create("local_cca").fit({**views, "sheet": views["sheet"][:, :4]})
    lengths = {"audio": np.full(N, T), "sheet": np.full(N, T)}
    lengths["audio"][3], lengths["sheet"][7] = 2, 5
    with pytest.raises(DataError, match=r"row 3: an item has 2 rows in view 'audio' and 6 rows in view 'sheet'"):
        models.create("local_cca").fit(views, lengths=lengths)
    model = models.create("local_cca").fit(views)
    longer = np.concatenate([views["audio"], views["audio"]], axis=1)
    with pytest.raises(DataError, match="view 'audio' has 12 rows an item, fitted were 6; give 6 or fewer"):
        model.transform({"audio": longer})
    with pytest.raises(DataError, match="view 'audio' has no time axis, it was fitted with 6 rows an item"):
        model.transform({"audio": views["audio"][:, 0]})


def test_what_an_item_lacks_is_zero_and_a_short_query_is_a_beginning() -> None:
    views = songs()
    model = models.create("local_cca", context=1).fit(views)
    whole = model.transform({"audio": views["audio"]})["audio"].reshape(N, T, -1)
    short = model.transform({"audio": views["audio"][:, :4]})["audio"].reshape(N, T, -1)
    np.testing.assert_allclose(short[:, :3], whole[:, :3], atol=1e-6)
    assert not short[:, 4:].any()
    padded = model.transform({"audio": views["audio"]}, lengths={"audio": np.full(N, 4)})["audio"]
    np.testing.assert_array_equal(padded.reshape(N, T, -1), short)
    # What stands in the padding is not seen.
    views["audio"][:, 4:] = 1e6
    again = model.transform({"audio": views["audio"]}, lengths={"audio": np.full(N, 4)})["audio"]
    np.testing.assert_array_equal(again, padded)


def test_a_saved_model_loads_with_its_lengths(tmp_path: Path) -> None:
    views = {"audio": songs()["audio"], "sheet": songs()["sheet"][:, ::3]}
    model = models.create("local_cca", centre="item", ridge=0.1).fit(views)
    model.save(tmp_path)
    loaded = models.load(tmp_path)
    for view, found in loaded.transform(views).items():
        np.testing.assert_array_equal(found, model.transform(views)[view])


def test_hostile_values_end_in_one_line_or_in_finite_numbers() -> None:
    views = songs()
    constant = {**views, "audio": views["audio"].copy()}
    constant["audio"][:, :, 2] = 0.1
    # The same in all rows of an item: nothing is left of it without the item's mean.
    constant["audio"][:, :, 1] = np.linspace(1, 2, N)[:, None]
    for centre in ("none", "item"):
        model = models.create("local_cca", centre=centre).fit(constant)
        assert np.isfinite(model.transform(constant)["audio"]).all()
        assert model.arrays_["audio.columns"][2, 2] == 0
        assert (model.arrays_["audio.columns"][1, 1] == 0) == (centre == "item")
    # The scale of a column has no effect, as long as squares are finite.
    scaled = {**views, "audio": views["audio"] * np.array([1e150, 1e-150, 1, 1, 1])}
    expected = models.create("local_cca").fit(views).correlations_
    np.testing.assert_allclose(models.create("local_cca").fit(scaled).correlations_, expected, atol=1e-9)
    with pytest.raises(DataError, match="view 'audio': values are so large that their squares are infinite"):
        models.create("local_cca").fit({**views, "audio": views["audio"] * 1e200})
    for width in (5, 80):
        with pytest.raises(ConfigError, match="view 'audio': every column is constant; remove the view or repair it"):
            models.create("local_cca").fit({**views, "audio": np.ones((N, T, width))})
    still = np.repeat(views["audio"][:, :1], T, axis=1)
    with pytest.raises(ConfigError, match="view 'audio': every column is constant within its items; remove"):
        models.create("local_cca", centre="item").fit({**views, "audio": still})
    with pytest.raises(ConfigError, match=r"centre: item leaves nothing of view 'sheet', whose items have one row"):
        models.create("local_cca", centre="item").fit({**views, "sheet": views["sheet"][:, 0]})
    with pytest.raises(ConfigError, match=r"models\.local_cca\.context"):
        models.create("local_cca", context=-1)
    few = {view: array[:2] for view, array in views.items()}
    assert np.isfinite(models.create("local_cca").fit(few).transform(few)["sheet"]).all()


def test_every_candidate_of_the_grid_is_legal_and_the_default_is_one() -> None:
    cls = models.method("local_cca")
    grid: dict[str, Any] = dict(cls.grid)  # type: ignore[attr-defined]
    for name, values in grid.items():
        assert models.check_params("local_cca", {})[name] in values
        for value in values:
            models.check_params("local_cca", {name: value})
    assert np.prod([len(values) for values in grid.values()]) <= 18
