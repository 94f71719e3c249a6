"""One contract for all methods, then what each must compute."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from scipy import linalg

from tests.models.small import SMALL, two_views
from unisono import metrics, models
from unisono.errors import ConfigError, DataError, MachineError
from unisono.models.parts import deep, saved
from unisono.testing import check_aligner, example_views


@pytest.mark.parametrize("name", models.available())
def test_every_method_keeps_the_contract(name: str) -> None:
    views = example_views(width=6) if name in {"identity", "overlap"} else None
    if models.method(name).n_views == 2 and views:
        views = dict(list(views.items())[:2])
    check_aligner(name, SMALL.get(name), views=views)
    described = inspect.getdoc(models.method(name)) or ""
    for parameter in [*models.check_params(name, {}), "seed"]:
        assert re.search(rf"^(\w+, )?{parameter}(, \w+)? : ", described, re.MULTILINE), parameter


def test_messages_about_views_name_view_row_and_shape() -> None:
    views = example_views()
    model = models.create("gcca", n_components=3)
    with pytest.raises(DataError, match=r"got 1 view \(audio\); at least two"):
        model.fit({"audio": views["audio"]})
    with pytest.raises(DataError, match="rows of the views do not pair: 'audio' 89"):
        model.fit(dict(views, audio=views["audio"][:89]))
    broken = views["audio"].copy()
    broken[17, 2] = np.nan
    with pytest.raises(DataError, match="view 'audio', row 17: NaN or infinite"):
        model.fit(dict(views, audio=broken))
    with pytest.raises(DataError, match=r"view 'audio': expected shape \(n, d\)"):
        model.fit(dict(views, audio=views["audio"][:, 0]))
    with pytest.raises(DataError, match="view 'audio': expected numbers"):
        model.fit(dict(views, audio=views["audio"].astype(str)))
    with pytest.raises(DataError, match="lengths of view 'sheet', row 4: 9 frames, expected 1 to 3"):
        model.fit(views, lengths={"sheet": np.where(np.arange(90) == 4, 9, 3)})
    with pytest.raises(DataError, match="not fitted"):
        model.transform(views)
    with pytest.raises(DataError, match="not fitted"):
        model.save("nowhere")
    model.fit(views)
    with pytest.raises(DataError, match="view 'adio' was not fitted; did you mean 'audio'"):
        model.transform({"adio": views["audio"]})
    with pytest.raises(DataError, match="view 'audio' is 2 wide, it was fitted with"):
        model.transform({"audio": views["audio"][:, :2]})


def test_hyper_parameters_are_inherited_and_shown() -> None:
    cls = models.method("c_dcca")
    shown = inspect.signature(cls).parameters
    assert list(shown) == [*models.check_params("c_dcca", {}), "seed"]
    assert shown["n_components"].default == 10
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in shown.values())
    # Declared by three classes; a default changed by an assignment stays where it was declared.
    assert {"n_components", "norm", "layers", "beta"} <= set(shown)
    assert list(models.check_params("ucal", {})) == [*list(models.check_params("acmr", {}))[:10], "moments"]
    assert models.check_params("ucal", {})["weight_decay"] == 0.03
    described = inspect.getdoc(cls) or ""
    places = [described.index(f"\n{name} : ") for name in shown]
    assert places == sorted(places)
    assert described.index("References") > places[-1]
    with pytest.raises(ConfigError, match=r"models\.c_dcca\.rigde: unknown parameter; did you mean 'ridge'"):
        cls(rigde=1)  # type: ignore[call-arg]


def test_unknown_names_and_values_say_what_is_meant() -> None:
    with pytest.raises(ConfigError, match="model: unknown method 'gccaa'; did you mean 'gcca'"):
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
    with pytest.raises(DataError, match="not a saved model"):
        models.load(tmp_path)
    file.write_bytes(save({"x": np.zeros(3)}, metadata={"unisono": "{}"}))
    with pytest.raises(DataError, match="the header lacks history, name, params, seed, widths"):
        models.load(tmp_path)


def test_a_folder_of_models_names_them(tmp_path: Path) -> None:
    """An experiment's folder has a model for every pair of views."""
    views = {view: np.random.default_rng(0).standard_normal((20, 3)) for view in ("audio", "sheet")}
    model = models.create("cca", n_components=1).fit(views)
    for pair in ("audio-sheet", "audio-lyrics"):
        model.save(tmp_path / "model" / pair)
    with pytest.raises(
        DataError, match="holds a model for each of audio-lyrics, audio-sheet; give one of these folders"
    ):
        models.load(tmp_path / "model")
    assert models.load(tmp_path / "model/audio-sheet").name == "cca"


def test_failed_save_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.create("cca", n_components=3).fit(example_views(2))
    model.save(tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MachineError, match="No space left on device"):
        model.save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_full_disk_ends_a_training_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(deep, "CHECKPOINT_S", 0)
    with pytest.raises(MachineError, match="No space left on device"):
        models.create("dcca", n_components=2, epochs=2).fit(example_views(2), checkpoint=tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


def test_identity_needs_one_width() -> None:
    with pytest.raises(DataError, match=r"views of unequal width \(audio 9, lyrics 6, sheet 7\)"):
        models.create("identity").fit(example_views())


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
    views = example_views(2)
    model = models.create("cca", n_components=4, ridge=ridge, scale="none").fit(views)
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
    views = example_views()
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
    views = example_views(2, n_items=300)
    train = {view: array[:200] for view, array in views.items()}
    test = {view: array[200:] for view, array in views.items()}
    embedded = models.create(name, n_components=5).fit(train).transform(test)
    assert metrics.recall_at_k(embedded["audio"], embedded["sheet"], 1) > 15 * metrics.chance_recall(1, 100)


@pytest.mark.parametrize("name", ["cca", "gcca"])
def test_more_components_than_the_data_have_raise(name: str) -> None:
    views = example_views(2)
    with pytest.raises(ConfigError, match=f"models.{name}.n_components: 8 is more .* at most 7 .*lower n_components"):
        models.create(name, n_components=8).fit(views)
    few = {view: array[:5] for view, array in views.items()}
    with pytest.raises(ConfigError, match="at most 4 "):
        models.create(name, n_components=5).fit(few)


@pytest.mark.parametrize("name", ["cca", "gcca"])
def test_constant_and_dependent_columns(name: str) -> None:
    views = example_views(2)
    for column in (np.full(90, 1e6 / 3), 2 * views["audio"][:, 0] - views["audio"][:, 1]):
        wider = dict(views, audio=np.column_stack([views["audio"], column]))
        with pytest.raises(ConfigError, match=f"{name}, view 'audio': the covariance is singular .*raise ridge"):
            models.create(name, n_components=3, ridge=0).fit(wider)
        assert np.isfinite(models.create(name, n_components=3).fit(wider).transform(wider)["audio"]).all()
    constant = dict(views, audio=np.column_stack([views["audio"] * 10 / 9, np.full(90, 3.0)]))
    embedded = models.create(name, n_components=3).fit(constant).arrays_["audio.weights"]
    np.testing.assert_allclose(embedded[-1], 0, atol=1e-12)


def test_wholly_constant_view_raises() -> None:
    views = dict(example_views(2), audio=np.ones((90, 4)))
    with pytest.raises(ConfigError, match="cca, view 'audio': the covariance is singular"):
        models.create("cca", n_components=2).fit(views)


def test_cca_takes_exactly_two_views() -> None:
    with pytest.raises(ConfigError, match=r"cca: aligns exactly 2 views, got 3 views \(audio, sheet, lyrics\)"):
        models.create("cca", n_components=2).fit(example_views())


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "x"},
        {"seed": -1},
        {"seed": True},
        {"params": None},
        {"widths": {"a": "x"}},
        {"widths": {"a": 0}},
        {"widths": {}},
        {"widths": [1]},
        {"history": 3},
        {"history": [1]},
        {"name": 3},
        None,
    ],
)
def test_a_foreign_header_is_one_line(tmp_path: Path, changes: dict[str, object] | None) -> None:
    from safetensors.numpy import save_file

    good = {"name": "identity", "seed": 0, "params": {}, "widths": {"a": 2, "b": 2}, "history": []}
    header = None if changes is None else {**good, **changes}
    save_file({"x": np.ones(2, np.float32)}, tmp_path / "model.safetensors", {"unisono": json.dumps(header)})
    with pytest.raises(DataError, match="not a saved model"):
        models.load(tmp_path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    header = {"name": "identity", "seed": 0, "params": {}, "widths": {"a": 2, "b": 2}, "history": []}
    weights = {"x": np.array([1, np.nan], np.float32)}
    save_file(weights, tmp_path / "model.safetensors", {"unisono": json.dumps(header)})
    with pytest.raises(DataError, match="NaN"):
        models.load(tmp_path)


@pytest.mark.parametrize("name", ["cca", "c_kcca", "tnn", "agah"])
@pytest.mark.parametrize("damage", ["missing", "twice as long", "none"])
def test_arrays_that_do_not_belong_together_are_one_line(tmp_path: Path, name: str, damage: str) -> None:
    views, labels = two_views()
    models.create(name, **SMALL[name]).fit(views, labels).save(tmp_path)
    header, arrays = saved.read(tmp_path)
    largest = max((key for key in arrays if arrays[key].ndim == 2), key=lambda key: arrays[key].size)
    if damage == "none":
        arrays = {}
    elif damage == "missing":
        del arrays[largest]
    else:
        arrays[largest] = np.concatenate([arrays[largest], arrays[largest]])
    saved.write(tmp_path, header, arrays)
    with pytest.raises(DataError, match=f"its arrays are not those of a fitted {name} .*; fit it again"):
        models.load(tmp_path)


def test_a_header_that_claims_a_wide_view_is_refused_before_it_is_made(tmp_path: Path) -> None:
    header = {"name": "identity", "seed": 0, "params": {}, "widths": {"a": 2**40, "b": 2}, "history": []}
    saved.write(tmp_path, header, {"x": np.ones(2, np.float32)})
    with pytest.raises(DataError, match=r"claims \d+ bytes"):
        models.load(tmp_path)
