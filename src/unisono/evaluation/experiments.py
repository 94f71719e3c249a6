"""The experiments of params.yaml: which are run, on what, and where their results go."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.config import nearest
from unisono.config.compute import Compute
from unisono.config.experiments import Experiment
from unisono.datasets.loading import Dataset, load_folder
from unisono.errors import ConfigError, UnisonoError
from unisono.evaluation import tuning
from unisono.evaluation.adapting import adapt
from unisono.evaluation.checks import check_experiment
from unisono.evaluation.divisions import dealt_anew, feature_sets
from unisono.evaluation.planning import Setting
from unisono.evaluation.running import Request, run_requests
from unisono.evaluation.writing import write, write_times
from unisono.store import fits


def run_experiments(
    entries: Mapping[str, Experiment],
    defaults: Mapping[str, Mapping[str, Any]],
    *,
    keys: Sequence[str] | None = None,
    data: Path,
    out: Path,
    times: Path,
    compute: Compute,
) -> None:
    """Run experiments and write the results of each as soon as it is done.

    Fits that an earlier run has done, with the same code, parameters and data, are not done again. Results of
    experiments that are not in `entries` are removed from `out`, and fits that nothing has needed for
    ``compute.keep_days`` from the store, unless only some experiments are run.

    Parameters
    ----------
    entries : mapping of str to Experiment
        Section ``experiments``.
    defaults : mapping of str to mapping
        Section ``models``: hyper-parameters by method.
    keys : sequence of str, optional
        The experiments that are run; all by default.
    data : Path
        Holds the built data sets.
    out : Path
        ``<out>/<key>/`` gets what `unisono.evaluation.write` writes.
    times : Path
        ``<times>/<key>.json`` gets the times.
    compute : Compute

    Raises
    ------
    ConfigError
        A key, or what an experiment says, is unknown; the message has the nearest legal one.
    SystemExit
        With status 2 if an experiment failed: a line says which and why; all others are written.
    """
    for key in keys or ():
        if key not in entries:
            raise ConfigError(f"experiments.{key}: no such experiment; {nearest(key, entries)}")
    wanted = list(entries) if keys is None else list(keys)
    for key in wanted:
        check_experiment(key, entries[key])

    @functools.cache
    def load(dataset: str, views: tuple[tuple[str, str], ...], division: str, deals: int) -> Dataset:
        loaded = load_folder(data / dataset, views=dict(views), division=division)
        return dealt_anew(loaded, deals, where=f"experiments: deals of {dataset}")

    failed = 0

    def fail(key: str, error: BaseException) -> None:
        nonlocal failed
        if not isinstance(error, UnisonoError):
            raise error
        failed += 1
        print(f"error: experiments.{key}: {' '.join(str(error).split())}", file=sys.stderr)

    requests = []
    for key in wanted:
        try:
            requests.append(_request(key, entries[key], defaults, load))
        except UnisonoError as error:
            fail(key, error)
    used: set[str] = set()
    n_done = failed
    unexpected: BaseException | None = None
    with fits.opened(fits.home(compute.scratch)) as store:
        for ended in run_requests(requests, compute=compute, folder=store, description="experiments"):
            key = ended.request.key
            used.update(ended.fits)
            n_done += 1
            if ended.result is None:
                try:
                    fail(key, ended.error or RuntimeError(key))
                except Exception as error:
                    unexpected = unexpected or error
                continue
            write(ended.result, out / key)
            if entries[key].tune is not False:
                # Also where there was nothing to choose: `unisono plan` asks whether it was measured.
                ended.result.times.setdefault("tune_s", 0.0)
            write_times(ended.result, times / f"{key}.json")
            done = len(ended.fits) - ended.n_kept
            made = f"{done} of {len(ended.fits)} fits made" if done else f"its {len(ended.fits)} fits were kept"
            print(f"experiment {n_done} of {len(wanted)}: {key}, {made}", flush=True)
            for line in tuning.lines(ended.result.metrics, ended.result.times):
                print(f"tuned: experiments.{key}: {line}", flush=True)
        if keys is None and not failed and not unexpected:
            for path in out.iterdir():
                if path.name not in entries:
                    shutil.rmtree(path)
            fits.collect(store, used, days=compute.keep_days)
    if unexpected:
        raise unexpected
    if failed:
        raise SystemExit(2)


def _request(
    key: str,
    entry: Experiment,
    defaults: Mapping[str, Mapping[str, Any]],
    load: Callable[[str, tuple[tuple[str, str], ...], str, int], Dataset],
) -> Request:
    settings = [
        Setting(
            each.setting,
            load(entry.dataset, tuple(feature_sets(entry.dataset, each.views).items()), each.division, entry.deals),
            {**defaults.get(entry.model, {}), **each.params},
            ranking=each.ranking or "cosine",
        )
        for each in entry.settings
    ]
    adapted = adapt(settings, entry.model, seeds=range(entry.seed, entry.seed + entry.seeds))
    for note in dict.fromkeys(note for setting in adapted for note in setting.notes):
        print(f"note: experiments.{key}: {note}")
    fixed = {each.setting: each.params for each in entry.settings}
    tuned = [
        tuning.applied(each, entry.model, entry.tune, fixed=fixed[each.label], where=f"experiments.{key}.tune")
        for each in adapted
    ]
    return Request(key, entry.model, tuned, seed=entry.seed, n_seeds=entry.seeds)
