"""Experiments of params.yaml on few data: components that the training rows cannot have.

**Conventions.** Where n_components is a method's setting it is lowered to what the data allow, and the result says so.
Where it is what a sweep varies, a value that cannot be had is left out: run with another one it would be no point of
the sweep. Nothing is changed where all can be had. What is wrong on data of any size (more components than a view is
wide or a network has outputs) stays an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from unisono import models
from unisono.evaluation.divisions import divide
from unisono.evaluation.planning import Setting
from unisono.models.parts.correlation import DeepCorrelation
from unisono.models.parts.kernel import KernelAligner
from unisono.models.parts.linear import CanonicalAligner, LinearAligner


def most_components(setting: Setting, model: str, wanted: int, *, seeds: Sequence[int]) -> int | None:
    """Say how many components the rows of a setting's data allow.

    Parameters
    ----------
    setting : Setting
    model : str
    wanted : int
        Components asked for.
    seeds : sequence of int
        Of the divisions.

    Returns
    -------
    int or None
        By the smallest training part of all seeds and, for linear methods, the narrowest view whose features are
        fewer than was asked for; None where it does not matter, or more are asked for than other views are wide.
    """
    cls = models.method(model)
    linear, others = (LinearAligner, CanonicalAligner), (KernelAligner, DeepCorrelation)
    if not issubclass(cls, (*linear, *others)):
        return None
    parts = [part for seed in seeds for part in divide(setting.dataset, seed=seed, trained=cls.trained)]
    rows = min(len(part.train) for part in parts)
    if issubclass(cls, others):
        return rows - 1
    facts = setting.dataset.metadata
    widths = {view: array.shape[-1] for view, array in setting.dataset.views.items()}
    narrowed = {view for view in widths if {"adapted", "components"} <= facts.get(view, {}).keys()}
    if wanted > min([widths[view] for view in widths.keys() - narrowed], default=wanted):
        return None
    return min([rows - 1, *(widths[view] for view in narrowed)])


def adapt(settings: Sequence[Setting], model: str, *, seeds: Sequence[int]) -> list[Setting]:
    """Lower n_components, or leave out points of a sweep, where the data do not allow them.

    Parameters
    ----------
    settings : sequence of Setting
    model : str
    seeds : sequence of int

    Returns
    -------
    list of Setting
        At least one; `Setting.notes` say what was done.
    """
    usual = getattr(models.method(model), "n_components", None)
    wanted = [setting.params.get("n_components", usual) for setting in settings]
    if usual is None:
        return list(settings)
    most = [most_components(each, model, n, seeds=seeds) for each, n in zip(settings, wanted, strict=True)]
    over = [limit is not None and n > max(limit, 1) for n, limit in zip(wanted, most, strict=True)]
    if not any(over):
        return list(settings)
    swept = len(set(wanted)) > 1
    kept = [at for at in range(len(settings)) if not (swept and over[at])] or [wanted.index(min(wanted))]
    allowed = min(limit for limit in most if limit is not None)
    left_out = [settings[at].label for at in range(len(settings)) if at not in kept]
    found = []
    for at in kept:
        notes = []
        if left_out:
            notes.append(f"{', '.join(left_out)} left out, since these data allow {allowed} components")
        params = dict(settings[at].params)
        if over[at]:
            params["n_components"] = most[at]
            notes.append(
                f"n_components: {most[at]} in place of {wanted[at]}, the most that training rows and features allow"
            )
        found.append(replace(settings[at], params=params, notes=tuple(notes)))
    return found
