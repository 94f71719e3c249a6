"""The contract of methods: a broken one is refused in one line that names the rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from unisono.errors import UnisonoError
from unisono.models.base import Aligner, Count, Items, Labels, Lengths, Share, Views
from unisono.models.parts import deep
from unisono.testing import RULES, ContractError, check_aligner


class Sound(Aligner):
    """Shift and scale each view by what is learned: keeps every rule."""

    n_components: Count = 2
    shift: Share = 0.5

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        self.arrays_ = {view: self.shift * array.mean(axis=0) for view, array in views.items()}

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return (array - self.arrays_[view])[:, : self.n_components]


class Named(Sound):
    def __init__(self, *, seed: int = 0, **params: Any) -> None:
        super().__init__(seed=seed)


class Unchecked(Sound):
    @classmethod
    def check(cls, params: Any, where: str | None = None) -> dict[str, Any]:
        return {"n_components": 2, "shift": 0.5} | dict(params)


class Illegal(Sound):
    shift = 2.0


class Silent(Sound):
    def fit(self, *args: Any, **options: Any) -> Any:
        super().fit(*args, **options)


class Greedy(Sound):
    def _fit(self, views: Views, *rest: Any) -> None:
        super()._fit(views, *rest)
        views["audio"] -= 1


class Wide(Sound):
    def _transform(self, view: str, *rest: Any) -> np.ndarray:
        return super()._transform(view, *rest)[:, : 1 + (view == "audio")]


class Flat(Sound):
    def _transform(self, *given: Any) -> np.ndarray:
        return super()._transform(*given)[:, 0]


class Double(Sound):
    def transform(self, *given: Any, **options: Any) -> dict[str, np.ndarray]:
        return {view: array.astype(float) for view, array in super().transform(*given, **options).items()}


class Logarithmic(Sound):
    def _transform(self, *given: Any) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.log(super()._transform(*given))


class Relative(Sound):
    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return array[:, :2] - array[:, :2].mean(axis=0)


class Unseeded(Sound):
    def _fit(self, views: Views, *rest: Any) -> None:
        super()._fit(views, *rest)
        self.arrays_["noise"] = np.random.default_rng().standard_normal(3)


class Remembering(Sound):
    times = 0

    def _fit(self, views: Views, *rest: Any) -> None:
        super()._fit(views, *rest)
        self.times += 1
        self.arrays_["times"] = np.array([self.times])


class Peeking(Sound):
    def _fit(self, views: Views, labels: Labels, *rest: Any) -> None:
        super()._fit(views, labels, *rest)
        self.arrays_["labelled"] = np.array([labels is not None])


class Forgetful(Sound):
    def _fit(self, views: Views, *rest: Any) -> None:
        self.means = {view: array.mean(axis=0) for view, array in views.items()}

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return (array - self.means[view])[:, :2]


class Pickled(Sound):
    def save(self, path: Path | str) -> None:
        super().save(path)
        (Path(path) / "extra.pickle").write_bytes(b"")


class Biased(Sound):
    def _score(self, queries: Items, gallery: Items) -> np.ndarray:
        return super()._score(queries, gallery) + np.arange(len(gallery.array))


class Distant(Sound):
    def score(self, *given: Any, **options: Any) -> np.ndarray:
        return -super().score(*given, **options)


class Pairing(Sound):
    def fit(self, views: Any, labels: Labels = None, *, relevance: Any = None, **options: Any) -> Any:
        return super().fit(views, labels, **options)


class Indifferent(Sound):
    """Takes any relation for that of paired rows."""

    relational = True
    n_views = 2

    def _fit_relation(self, views: Views, relevance: Any, *rest: Any) -> None:
        self._fit(views, None, *rest)
        self.arrays_["n"] = np.array([relevance.nnz])


class Padded(Sound):
    sequential = True

    def _fit(self, views: Views, *rest: Any) -> None:
        flat = {view: array if array.ndim == 2 else array.mean(axis=1) for view, array in views.items()}
        super()._fit(flat, *rest)

    def _transform(self, view: str, array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        return super()._transform(view, array if array.ndim == 2 else array.mean(axis=1), None)


class Careless(Sound):
    def fit(self, views: Any, labels: Labels = None, **options: Any) -> Any:
        return super().fit({view: np.nan_to_num(array) for view, array in views.items()}, labels, **options)


class Talking(Sound):
    def _fit(self, views: Views, *rest: Any) -> None:
        super()._fit(views, *rest)
        self.history_ = [{"loss": 1}]  # type: ignore[dict-item]


class Trained(Sound):
    """A training that keeps every rule, and the weight that it has learned."""

    trains_networks = True
    epochs: ClassVar[int] = 4
    kept: ClassVar[bool] = True

    def _fit(self, views: Views, labels: Labels, lengths: Lengths, checkpoint: Path | None) -> None:
        import torch

        super()._fit(views, labels, lengths, checkpoint)
        with deep.seeded(self.seed):
            network = torch.nn.Linear(1, 1)
            optimiser = torch.optim.Adam(network.parameters())

            def run_epoch(number: int) -> dict[str, float]:
                loss = network(torch.rand(3, 1)).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                return {"loss": loss.item()}

            place = checkpoint if self.kept else None
            deep.train(self, network, [optimiser], run_epoch, epochs=self.epochs, checkpoint=place)
        self.arrays_ |= deep.to_arrays(network, "network")


class Restarting(Trained):
    kept = False


class Brief(Trained):
    epochs = 1


class Claiming(Sound):
    trains_networks = True

    def _fit(self, views: Views, *rest: Any) -> None:
        super()._fit(views, *rest)
        self.history_ = [{"loss": 1.0}, {"loss": 0.5}]


BROKEN = [
    (Named, "hyper parameters", "shift is 0.5 after the constructor got 0.25; leave __init__ alone"),
    (Unchecked, "hyper parameters", "an unknown hyper-parameter is accepted"),
    (Illegal, "hyper parameters", "shift: Input should be less than or equal to 1"),
    (Silent, "fit returns the method", "does not return the method itself"),
    (Greedy, "leaves its input", "fit changes its views; 'audio' differs"),
    (Wide, "one width", "views have widths audio 2, lyrics 1, sheet 1"),
    (Flat, "one width", r"view 'audio' has shape \(90,\), expected \(90, k\)"),
    (Double, "float32", "view 'audio' is float64, expected float32"),
    (Logarithmic, "one width", "view 'audio' holds NaN"),
    (Relative, "alone as among others", "first rows of view 'audio'"),
    (Unseeded, "same seed", "views in another order, learns something else; 'noise' differs"),
    (Remembering, "same seed", "fitting an object again learns something else; 'times' differs"),
    (Peeking, "labels count only", "labels change what is learned, but supervised is False; 'labelled' differs"),
    (Forgetful, "saved method loads", "no attribute 'means'"),
    (Pickled, "saved method loads", r"extra\.pickle"),
    (Biased, "score is of its two rows alone", "rows in another order have other scores"),
    (Distant, "score is of its two rows alone", "score is not the cosine of what transform gives"),
    (Pairing, "relation is of rows", "rows of the views do not pair"),
    (Indifferent, "relation is of rows", "rows of a class are not its relation; 'n' differs"),
    (Padded, "padding has no effect", "view 'sheet' is embedded otherwise"),
    (Careless, "bad views are refused", "a fit on NaN is accepted, expected DataError"),
    (Talking, "history has", "the term 'loss' is 1, expected a finite float"),
    (Brief, "history has", "give params with at least two epochs"),
    (Restarting, "interrupted training", "no checkpoint is written"),
    (Claiming, "interrupted training", r"do not run in unisono\.models\.parts\.deep\.train"),
]


@pytest.mark.parametrize(("method", "rule", "words"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_method_is_named_with_its_rule_in_one_line(method: type[Aligner], rule: str, words: str) -> None:
    with pytest.raises(ContractError, match=words) as caught:
        check_aligner(method, {"shift": 0.25} if method is Named else None)
    text = str(caught.value)
    assert text.startswith(f"method 'tests.test_testing:{method.__name__}' breaks the rule '")
    assert rule in text.split("'")[3]
    assert "\n" not in text
    assert isinstance(caught.value, UnisonoError)


def test_sound_methods_pass() -> None:
    check_aligner(Sound, {"shift": 0.25})
    check_aligner(Trained)


def test_every_rule_is_broken_by_some_method() -> None:
    broken = {rule.__name__ for rule in RULES for _, words, _ in BROKEN if words in rule.__name__.replace("_", " ")}
    assert broken == {rule.__name__ for rule in RULES}
