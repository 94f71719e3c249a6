"""One contract for all methods, then what each must compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from scipy import linalg

from tests.models.small import SMALL
from unisono import metrics, models
from unisono.errors import ConfigError, DataError


def paired_views(n: int = 90, *, views: int = 3, seed: int = 0, width: int | None = None) -> dict[str, np.ndarray]:
    """Views of a shared five-dimensional latent, with noise; one of them with a time axis."""
    generator = np.random.default_rng(seed)
    latent = generator.standard_normal((n, 5))
    made = {}
    for name, own in zip(("audio", "sheet", "lyrics")[:views], (9, 7, 6), strict=False):
        signal = latent @ generator.standard_normal((5, width or own))
        made[name] = (signal + 0.5 * generator.standard_normal(signal.shape)).astype(np.float32)
    made["sheet"] = np.stack([made["sheet"] + shift for shift in (-1, 0, 1)], axis=1).astype(np.float32)
    return made


def suitable(name: str) -> tuple[models.Aligner, dict[str, np.ndarray], np.ndarray]:
    """Return an unfitted method with views and labels it accepts."""
    views = paired_views(views=models.method(name).n_views or 3, width=6 if name == "identity" else None)
    labels = np.array(["dog", "cat", "bee"])[np.arange(90) % 3]
    return models.create(name, seed=1, **SMALL.get(name, {})), views, labels


every_method = pytest.mark.parametrize("name", models.available())


@every_method
def test_transform_gives_one_float32_space_for_any_subset_of_views(name: str) -> None:
    model, views, labels = suitable(name)
    assert model.fit(views, labels) is model
    found = model.transform(views)
    assert set(found) == set(views)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    assert len({array.shape for array in found.values()}) == 1
    assert len(found["audio"]) == 90
    alone = model.transform({"sheet": views["sheet"]})
    np.testing.assert_array_equal(alone["sheet"], found["sheet"])


@every_method
def test_same_seed_same_bytes_whatever_the_order_of_views(name: str, tmp_path: Path) -> None:
    for run in ("one", "two"):
        model, views, labels = suitable(name)
        given = views if run == "one" else dict(reversed(list(views.items())))
        model.fit(given, labels).save(tmp_path / run)
    one, two = ((tmp_path / run / "model.safetensors").read_bytes() for run in ("one", "two"))
    assert one == two


@every_method
def test_save_and_load_give_the_same_embeddings(name: str, tmp_path: Path) -> None:
    model, views, labels = suitable(name)
    model.fit(views, labels).save(tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    assert (loaded.name, loaded.seed, loaded.params) == (name, 1, model.params)
    assert loaded.history_ == model.history_
    for view, array in model.transform(views).items():
        np.testing.assert_array_equal(loaded.transform(views)[view], array)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "model" / "model.safetensors"
    ).read_bytes()


@every_method
def test_padding_is_ignored(name: str) -> None:
    model, views, labels = suitable(name)
    lengths = {"sheet": np.full(90, 3)}
    padded = dict(views, sheet=np.concatenate([views["sheet"], np.full((90, 2, views["sheet"].shape[2]), 7.0)], axis=1))
    plain = model.fit(views, labels).transform(views)
    model, _, _ = suitable(name)
    found = model.fit(padded, labels, lengths=lengths).transform(padded, lengths=lengths)
    for view in views:
        np.testing.assert_allclose(found[view], plain[view], rtol=1e-5, atol=1e-6)


@every_method
def test_bad_views_raise(name: str) -> None:
    model, views, labels = suitable(name)
    with pytest.raises(DataError, match=r"got 1 view \(audio\); at least two"):
        model.fit({"audio": views["audio"]}, labels)
    with pytest.raises(DataError, match="rows of the views do not pair: 'audio' 89"):
        model.fit(dict(views, audio=views["audio"][:89]), labels)
    broken = views["audio"].copy()
    broken[17, 2] = np.nan
    with pytest.raises(DataError, match="view 'audio', row 17: NaN or infinite"):
        model.fit(dict(views, audio=broken), labels)
    with pytest.raises(DataError, match=r"view 'audio': expected shape \(n, d\)"):
        model.fit(dict(views, audio=views["audio"][:, 0]), labels)
    with pytest.raises(DataError, match="view 'audio': expected numbers"):
        model.fit(dict(views, audio=views["audio"].astype(str)), labels)
    with pytest.raises(DataError, match="lengths of view 'sheet', row 4: 9 frames, expected 1 to 3"):
        model.fit(views, labels, lengths={"sheet": np.where(np.arange(90) == 4, 9, 3)})
    with pytest.raises(DataError, match="not fitted"):
        model.transform(views)
    with pytest.raises(DataError, match="not fitted"):
        model.save("nowhere")
    model.fit(views, labels)
    with pytest.raises(DataError, match="view 'adio' was not fitted; did you mean 'audio'"):
        model.transform({"adio": views["audio"]})
    with pytest.raises(DataError, match="view 'audio' is 2 wide, it was fitted with"):
        model.transform({"audio": views["audio"][:, :2]})


@every_method
def test_every_hyper_parameter_has_a_default_and_a_type(name: str) -> None:
    defaults = models.check_params(name, {})
    assert models.create(name).params == defaults
    with pytest.raises(ConfigError, match=f"models.{name}.no_such_thing: unknown parameter"):
        models.check_params(name, {"no_such_thing": 1})


@every_method
def test_docstring_says_what_it_does(name: str) -> None:
    cls = models.method(name)
    assert cls.__doc__
    for parameter in [*models.check_params(name, {}), "seed"]:
        assert f"{parameter} : " in cls.__doc__


def test_unknown_names_and_values_say_what_is_meant() -> None:
    with pytest.raises(ConfigError, match="model 'gccaa': unknown method; did you mean 'gcca'"):
        models.create("gccaa")
    with pytest.raises(ConfigError, match=r"models\.cca\.ridgee: unknown parameter; did you mean 'ridge'"):
        models.create("cca", ridgee=1)
    with pytest.raises(ConfigError, match=r"models\.cca\.n_components: .*greater than or equal to 1 \(got 0\)"):
        models.create("cca", n_components=0)
    with pytest.raises(ConfigError, match=r"here\.ridge: .*number"):
        models.check_params("cca", {"ridge": "much"}, where="here")


def test_damaged_or_foreign_models_raise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file; give the folder"):
        models.load(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(DataError, match="not a saved model, or damaged"):
        models.load(tmp_path)
    file.write_bytes(save({"x": np.zeros(3)}))
    with pytest.raises(DataError, match="not a saved model, or damaged"):
        models.load(tmp_path)
    file.write_bytes(save({"x": np.zeros(3)}, metadata={"unisono": "{}"}))
    with pytest.raises(DataError, match="the header lacks history, name, params, seed, widths"):
        models.load(tmp_path)


def test_failed_save_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, views, _ = suitable("cca")
    model.fit(views).save(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        model.save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_identity_needs_one_width() -> None:
    with pytest.raises(DataError, match=r"views of unequal width \(audio 9, lyrics 6, sheet 7\)"):
        models.create("identity").fit(paired_views())


def test_random_scores_its_exact_expectation() -> None:
    n, labels = 80, np.arange(80) % 10
    views = {"audio": np.zeros((n, 4)), "visual": np.zeros((n, 7))}
    found = []
    for seed in range(60):
        embedded = models.create("random", seed=seed).fit(views).transform(views)
        pair = embedded["audio"], embedded["visual"]
        np.testing.assert_allclose(np.linalg.norm(pair[0], axis=1), 1, rtol=1e-6)
        found.append(
            [
                metrics.mean_average_precision(*pair, labels, labels),
                metrics.recall_at_k(*pair, 10),
                metrics.mean_rank(*pair),
            ]
        )
    expected = [metrics.chance_map(labels, labels), metrics.chance_recall(10, n), metrics.chance_rank(n)]
    deviations = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 3 * deviations).all()


def same_up_to_signs(one: np.ndarray, other: np.ndarray) -> None:
    """Check that columns are equal but for their signs."""
    signs = np.sign(np.sum(one * other, axis=0))
    np.testing.assert_allclose(one, other * signs, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("ridge", [0.0, 0.1, 2.0])
def test_cca_equals_the_generalised_eigenproblem(ridge: float) -> None:
    views = paired_views(views=2)
    model = models.create("cca", n_components=4, ridge=ridge).fit(views)
    X, Y = (a - a.mean(axis=0) for a in (views["audio"].astype(float), views["sheet"].mean(axis=1, dtype=float)))
    p = X.shape[1]
    joint = np.cov(np.hstack([X, Y]).T)
    within = linalg.block_diag(joint[:p, :p], joint[p:, p:])
    for part in (slice(0, p), slice(p, None)):
        within[part, part] += ridge * np.mean(np.diag(joint)[part]) * np.eye(len(joint[part]))
    between = joint.copy()
    between[:p, :p] = between[p:, p:] = 0
    values, vectors = linalg.eigh(between, within)
    values, vectors = values[::-1][:4], vectors[:, ::-1][:, :4] * np.sqrt(2)
    np.testing.assert_allclose(model.correlations_, values, rtol=1e-8)
    same_up_to_signs(model.arrays_["audio.weights"], vectors[:p])
    same_up_to_signs(model.arrays_["sheet.weights"], vectors[p:])
    if ridge == 0:
        embedded = model.transform(views)
        for k in range(4):
            found = np.corrcoef(embedded["audio"][:, k], embedded["sheet"][:, k])[0, 1]
            assert found == pytest.approx(values[k], abs=1e-5)


def test_gcca_equals_the_brute_force_eigenproblem() -> None:
    views = paired_views()
    model = models.create("gcca", n_components=4, ridge=0.3).fit(views)
    centred, total = {}, np.zeros((90, 90))
    for view, array in views.items():
        X = array.astype(float)
        X = X.mean(axis=1) if X.ndim == 3 else X
        X = X - X.mean(axis=0)
        gram = X.T @ X
        inverse = linalg.inv(gram + 0.3 * np.mean(np.diag(gram)) * np.eye(len(gram)))
        centred[view] = (X, inverse)
        total += X @ inverse @ X.T
    values, vectors = linalg.eigh(total)
    values, G = values[::-1][:4], vectors[:, ::-1][:, :4]
    np.testing.assert_allclose(model.arrays_["eigenvalues"], values, rtol=1e-8)
    weights = {view: inverse @ X.T @ G for view, (X, inverse) in centred.items()}
    signs = np.sign(np.sum(weights["audio"] * model.arrays_["audio.weights"], axis=0))
    for view, expected in weights.items():
        np.testing.assert_allclose(model.arrays_[f"{view}.weights"] * signs, expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", ["cca", "gcca"])
def test_linear_methods_find_the_pairs_of_unseen_items(name: str) -> None:
    views = paired_views(300, views=2)
    train = {view: array[:200] for view, array in views.items()}
    test = {view: array[200:] for view, array in views.items()}
    embedded = models.create(name, n_components=5).fit(train).transform(test)
    assert metrics.recall_at_k(embedded["audio"], embedded["sheet"], 1) > 15 * metrics.chance_recall(1, 100)


@pytest.mark.parametrize("name", ["cca", "gcca"])
def test_more_components_than_the_data_have_raise(name: str) -> None:
    views = paired_views(views=2)
    with pytest.raises(ConfigError, match=f"models.{name}.n_components: 8 is more .* at most 7 .*lower n_components"):
        models.create(name, n_components=8).fit(views)
    few = {view: array[:5] for view, array in views.items()}
    with pytest.raises(ConfigError, match="at most 4 "):
        models.create(name, n_components=5).fit(few)


@pytest.mark.parametrize("name", ["cca", "gcca"])
def test_constant_and_dependent_columns(name: str) -> None:
    views = paired_views(views=2)
    for column in (np.full(90, 1e6 / 3), 2 * views["audio"][:, 0] - views["audio"][:, 1]):
        wider = dict(views, audio=np.column_stack([views["audio"], column]))
        with pytest.raises(ConfigError, match=f"{name}, view 'audio': the covariance is singular .*raise ridge"):
            models.create(name, n_components=3, ridge=0).fit(wider)
        assert np.isfinite(models.create(name, n_components=3).fit(wider).transform(wider)["audio"]).all()
    constant = dict(views, audio=np.column_stack([views["audio"] * 10 / 9, np.full(90, 3.0)]))
    embedded = models.create(name, n_components=3).fit(constant).arrays_["audio.weights"]
    np.testing.assert_allclose(embedded[-1], 0, atol=1e-12)


def test_wholly_constant_view_raises() -> None:
    views = dict(paired_views(views=2), audio=np.ones((90, 4)))
    with pytest.raises(ConfigError, match="cca, view 'audio': the covariance is singular"):
        models.create("cca", n_components=2).fit(views)


def test_cca_takes_exactly_two_views() -> None:
    with pytest.raises(ConfigError, match=r"cca: aligns exactly 2 views, got 3 views \(audio, sheet, lyrics\)"):
        models.create("cca", n_components=2).fit(paired_views())
