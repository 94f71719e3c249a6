"""Hyper-parameters chosen from a grid, for every part by its training rows alone.

**Conventions.** The candidates are all combinations of a grid's values, the last name varying fastest. For every part
(and space) each is tried on inner folds of the training rows (`unisono.evaluation.trying` says how, and by what), a
closed form on all four of them, a network on one that holds a quarter: it trains once. The best takes the place of the
setting's own values; of equals the first. Trials are fits like others: kept, done in parallel, and made again where
what they depend on is another. The model that is fitted to all rows takes what was best in the mean over the parts.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unisono import models
from unisono.config import nearest
from unisono.errors import ConfigError, DataError
from unisono.evaluation.fitting import Outcome
from unisono.evaluation.planning import ALL, Choice, Place, Plan, Setting
from unisono.evaluation.trying import MERIT, said
from unisono.models.parts.declared import schema

#: Most candidates of a grid.
MOST = 200

#: What an experiment says: true, the method's grid; or values by hyper-parameter.
Tune = bool | Mapping[str, Sequence[Any]]


def candidates(
    model: str, tune: Tune, *, fixed: Mapping[str, Any] | None = None, where: str = "tune"
) -> tuple[dict[str, Any], ...]:
    """List what is tried.

    Parameters
    ----------
    model : str
        As for `unisono.models.method`.
    tune : bool or mapping of str to sequence
        True: the method's own grid. Otherwise a grid; False is none.
    fixed : mapping of str to object, optional
        Hyper-parameters that are given: the method's own grid leaves them alone.
    where : str
        What stands before a hyper-parameter's name in messages.

    Returns
    -------
    tuple of dict of str to object
        Checked values in place of those of the setting; none where there is nothing to try.

    Raises
    ------
    ConfigError
        The method learns nothing; a hyper-parameter is unknown (with the nearest legal name), fixed, or has no values
        or an illegal one; more than `MOST` candidates.

    Examples
    --------
    >>> candidates("cca", {"ridge": [1, 0.1]})
    ({'ridge': 1.0}, {'ridge': 0.1})
    """
    cls = models.method(model)
    given = dict(fixed or {})
    if isinstance(tune, bool):
        grid = {name: values for name, values in cls.grid.items() if tune and name not in given}
    else:
        grid = dict(tune)
        _check(cls, grid, given, where)
    if math.prod(map(len, grid.values())) > MOST:
        sizes = " x ".join(str(len(values)) for values in grid.values())
        raise ConfigError(f"{where}: {sizes} candidates, at most {MOST} can be tried; give fewer values")
    checked = {
        name: [models.check_params(model, {name: value}, where=where)[name] for value in values]
        for name, values in grid.items()
    }
    found = [dict(zip(checked, values, strict=True)) for values in itertools.product(*checked.values())]
    return tuple(each for at, each in enumerate(found) if each and each not in found[:at])


def _check(cls: type[models.Aligner], grid: Mapping[str, Any], fixed: Mapping[str, Any], where: str) -> None:
    """Check what a user gives for a grid, but for the values."""
    name = models.base.name_of(cls)
    if not cls.trained:
        raise ConfigError(f"{where}: {name} learns nothing, so nothing can be chosen by training rows; leave tune out")
    if not grid:
        raise ConfigError(f"{where}: no hyper-parameter; give values of some, or true for the grid of {name}")
    legal = schema(cls).model_fields
    for parameter, values in grid.items():
        if parameter not in legal:
            raise ConfigError(f"{where}.{parameter}: unknown parameter; {nearest(str(parameter), legal)}")
        if parameter in fixed:
            raise ConfigError(f"{where}.{parameter}: params give {fixed[parameter]!r}; leave one of the two out")
        if not values:
            raise ConfigError(f"{where}.{parameter}: got no values; list those to try, as [0.1, 1.0]")


def applied(setting: Setting, model: str, tune: Tune, *, fixed: Mapping[str, Any], where: str = "tune") -> Setting:
    """Give a setting the candidates of `candidates`; of a single one the values, since there is nothing to choose."""
    found = candidates(model, tune, fixed=fixed, where=where)
    if len(found) > 1:
        return replace(setting, candidates=found)
    if tune is False:
        return setting
    told = f"one candidate ({said(found[0])}), taken as it is" if found else f"{model} has no grid; nothing was chosen"
    params = {**setting.params, **(found[0] if found else {})}
    return replace(setting, params=params, notes=(*setting.notes, f"tune: {told}"))


def beside(
    params: Mapping[str, Mapping[str, Any]], fixed: Mapping[str, Iterable[str]], *, tune: bool
) -> Iterator[tuple[str, str, Mapping[str, Any], Tune]]:
    """Yield methods as they are given and, if wanted, after each the same with its grid.

    Parameters
    ----------
    params : mapping of str to mapping
        By method its hyper-parameters.
    fixed : mapping of str to iterable of str
        By method those of them that the grid leaves alone.
    tune : bool

    Yields
    ------
    name, method, params, tune
        The name is the method's, or ``<method>-tuned``.
    """
    for method, own in params.items():
        yield method, method, own, False
        given = set(fixed.get(method, ()))
        grid = {name: values for name, values in models.method(method).grid.items() if tune and name not in given}
        if grid:
            yield f"{method}-tuned", method, {name: own[name] for name in own if name not in grid}, grid


def settle(plan: Plan, outcomes: Mapping[Path, Outcome]) -> None:
    """Turn drafts into jobs, with what their trials have chosen.

    Parameters
    ----------
    plan : Plan
        Of which all trials are done.
    outcomes : mapping of Path to Outcome
        By the folder of a trial.

    Raises
    ------
    DataError
        No candidate of a fit can be trained; the message has the reason of the first.
    """
    for place, trials in plan.trials.items():
        found = [outcomes[trial.folder] for trial in trials]
        merits = tuple(_mean(outcome.scores[MERIT]) for outcome in found)
        reasons = tuple(" ".join(outcome.notes) for outcome in found)
        if max(merits) == -math.inf:
            raise DataError(f"tune: none of {len(trials)} candidates can be trained: {trials[0]}: {reasons[0]}")
        plan.choices[place] = Choice(merits.index(max(merits)), merits, reasons)
    for place in [each for each in plan.drafts if each.part == ALL]:
        over = [
            choice.merits
            for each, choice in plan.choices.items()
            if (each.setting, each.seed, each.space) == (place.setting, place.seed, place.space)
        ]
        merits = tuple(float(value) for value in np.mean(over, axis=0))
        if max(merits) == -math.inf:
            # None could be trained on every part.
            merits = over[0]
        plan.choices[place] = Choice(merits.index(max(merits)), merits, ("",) * len(merits))
    for place, draft in plan.drafts.items():
        setting = plan.settings[place.setting]
        chosen = setting.candidates[plan.choices[place].number]
        plan.jobs[place] = draft.with_params({**setting.params, **chosen})
    plan.drafts.clear()


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else -math.inf


def criterion(plan: Plan, number: int) -> str:
    """Name what a setting's candidates are compared by: ``map`` or ``mean_log_rank``."""
    dataset = plan.settings[number].dataset
    by_pair = dataset.labels is None or dataset.kinds is not None
    return "mean_log_rank" if by_pair and dataset.tags is None else "map"


def _shown(criterion: str, merit: float) -> float | None:
    """Give the value of a criterion; None of a candidate that cannot be trained."""
    if merit == -math.inf:
        return None
    return -merit if criterion == "mean_log_rank" else merit


def content(plan: Plan, number: int) -> dict[str, Any]:
    """Fill in what ``metrics.json`` says of the tuning of a setting; nothing where there was none.

    Returns
    -------
    dict of str to object
        ``criterion``; ``inner_folds`` and how many of them are ``held_out``, each the least of all parts;
        ``candidates``, how many, and their ``grid``; ``chosen``, a list of ``seed``, ``fold``, ``space`` (where there
        are several), ``params`` and ``value``; ``kept_model``, by space (or ``model``) what the model that is fitted
        to all rows takes.
    """
    places = _places(plan, number)
    if not places:
        return {}
    setting = plan.settings[number]
    by = criterion(plan, number)
    chosen = []
    for place in places:
        choice = plan.choices[place]
        space = {"space": place.space} if place.space else {}
        where = {"seed": place.seed, "fold": plan.parts[number, place.seed][place.part].fold, **space}
        value = _shown(by, choice.merits[choice.number])
        chosen.append({**where, "params": dict(setting.candidates[choice.number]), "value": value})
    folds = [int(plan.arrays[f"{plan.trials[place][0].part}/inner"].max()) + 1 for place in places]
    kept = {place.space: place for place in plan.choices if place.setting == number and place.part == ALL}
    found = {
        "criterion": by,
        "inner_folds": min(folds),
        "held_out": min(plan.trials[place][0].n_held_out for place in places),
        "candidates": len(setting.candidates),
        "grid": {name: _distinct([each[name] for each in setting.candidates]) for name in setting.candidates[0]},
        "chosen": chosen,
    }
    if kept:
        found["kept_model"] = {
            space or "model": dict(setting.candidates[plan.choices[place].number]) for space, place in kept.items()
        }
    return found


def _distinct(values: Sequence[Any]) -> list[Any]:
    return [value for at, value in enumerate(values) if value not in values[:at]]


def _places(plan: Plan, number: int) -> list[Place]:
    return [place for place in plan.trials if place.setting == number]


def rows(plan: Plan, number: int) -> list[tuple[Any, ...]]:
    """List every candidate of every fit of a setting, in columns `COLUMNS`."""
    setting, by = plan.settings[number], criterion(plan, number)
    found: list[tuple[Any, ...]] = []
    for place in _places(plan, number):
        choice = plan.choices[place]
        fold = plan.parts[number, place.seed][place.part].fold
        at = (setting.label, place.seed, fold, place.space)
        for position, (merit, reason) in enumerate(zip(choice.merits, choice.reasons, strict=True)):
            value = _shown(by, merit)
            cells = ("" if value is None else f"{value:.6f}", int(position == choice.number), reason)
            found.append((*at, said(setting.candidates[position]), by, *cells))
    return found


#: Of ``tuning.csv``.
COLUMNS = ("setting", "seed", "fold", "space", "candidate", "criterion", "value", "chosen", "reason")


def notes(plan: Plan, number: int) -> list[str]:
    """Say which candidates cannot be trained, each reason once."""
    setting = plan.settings[number]
    found: dict[str, dict[str, None]] = {}
    for place in _places(plan, number):
        for position, reason in enumerate(plan.choices[place].reasons):
            if reason:
                found.setdefault(reason, {})[said(setting.candidates[position])] = None
    return [
        f"tune: {len(failed)} of {len(setting.candidates)} candidates cannot be trained (as {next(iter(failed))}): "
        f"{reason}"
        for reason, failed in found.items()
    ]


def lines(metrics: Mapping[str, Any], times: Mapping[str, float]) -> list[str]:
    """Say on a line for every setting what was chosen.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json``.
    times : mapping of str to float
        `unisono.evaluation.results.Result.times`; what was kept has the time that it took.
    """
    names = {"map": "MAP", "mean_log_rank": "mean log rank of the own pair"}
    found = []
    for variant in metrics.get("variants", [metrics]):
        if "tuned" in variant:
            tuned = variant["tuned"]
            counts = Counter(said(each["params"]) for each in tuned["chosen"])
            listed = ", ".join(f"{text} ({n} of {len(tuned['chosen'])})" for text, n in counts.most_common())
            label = f"{variant['setting']}: " if "setting" in variant else ""
            found.append(
                f"{label}{tuned['candidates']} candidates by {names[tuned['criterion']]} on {tuned['held_out']} of "
                f"{tuned['inner_folds']} inner folds: {listed}"
            )
    if found:
        found[-1] += f"; {times['tune_s']:.0f} s"
    return found
