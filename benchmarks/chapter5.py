"""All experiments of chapter 5 on random features of the published size: time and peak memory of each.

The experiments are those of params.yaml on one data set that stand in a table or figure of chapter 5 (and 4, for
MV-10K), with their variants and seeds, run as their stages run them. What params.yaml scales down for its small default
data is set as published: triplet networks train 20 epochs of as many batches as the variant's label says (400 where it
says nothing). Features are random with ten classes in them: vectors, or sequences of 10 for methods with a time axis.
Each experiment runs in a process of its own; memory is the proportional set size of it and its workers, sampled.

    python benchmarks/chapter5.py                                   # VEGAS: 28,103 clips, all of it
    python benchmarks/chapter5.py --estimate                        # one fold of each setting, and what all would take,
                                                                    # by processor time: works beside other load
    python benchmarks/chapter5.py --dataset mv10k --estimate --without   # 10,000 videos, LSTM-C-CCA too
    python benchmarks/chapter5.py --scale 0.03 --only vegas_cca     # a quick look: fewer items and fewer batches
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import re
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _measure import arguments

from unisono import config, evaluation, models
from unisono.config.compute import Compute
from unisono.config.experiments import Experiment, Variant, load_experiments
from unisono.config.models import load_models
from unisono.config.report import Report
from unisono.datasets.folds import assign_folds
from unisono.datasets.loading import Dataset

ITEMS = {"vegas": 28103, "mv10k": 10000}
CHAPTERS = {"vegas": r"(fig)?5\.", "mv10k": r"(fig)?[45]\."}
WIDTHS = {"audio": 128, "visual": 1024}
CLASSES, FOLDS, FRAMES = 10, 5, 10
#: Seconds between two looks at memory and processor time.
SAMPLE_S = 0.5
#: The schedule of the triplet networks where a variant does not say how many batches (D 5.3.4).
BATCHES, EPOCHS = 400, 20


@dataclass(frozen=True)
class Figures:
    """What one experiment took; `setup_s` is the part of `cpu_s` before the first fit."""

    fits: int
    all_fits: int
    workers: int
    setup_s: float
    wall_s: float
    cpu_s: float = 0.0
    memory_mib: float = 0.0

    @property
    def all_s(self) -> float:
        """Seconds for all fits: measured, or processor time of those measured times the number of fits per worker."""
        if self.fits == self.all_fits:
            return self.wall_s
        per_fit_s = (self.cpu_s - self.setup_s) / self.fits
        return self.setup_s + per_fit_s * self.all_fits / min(self.workers, self.all_fits)


def features(view: str, name: str, labels: np.ndarray, *, sequences: bool) -> np.ndarray:
    """Random features with classes in them: a shared latent of 16 dimensions, mapped to the view's width, and noise."""
    shared, own = np.random.default_rng(0), np.random.default_rng(zlib.crc32(name.encode()))
    latent = 1.5 * shared.standard_normal((CLASSES, 16))[labels] + shared.standard_normal((len(labels), 16))
    signal = latent.astype(np.float32) @ own.standard_normal((16, WIDTHS[view]), dtype=np.float32)
    shape = (len(labels), FRAMES, WIDTHS[view]) if sequences else signal.shape
    array = own.standard_normal(shape, dtype=np.float32)
    array *= 4
    array += signal[:, None] if sequences else signal
    return array


def fabricate(dataset: str, views: dict[str, str], n_items: int, *, sequences: bool, one_fold: bool) -> Dataset:
    """Make a data set of random features; with `one_fold` its first fold is a test split, the only division."""
    labels = np.random.default_rng(1).permutation(np.arange(n_items) % CLASSES)
    folds = assign_folds(n_items, labels, n_folds=FOLDS)
    return Dataset(
        name=dataset,
        source="random features",
        ids=np.arange(n_items).astype(str),
        views={view: features(view, name, labels, sequences=sequences) for view, name in views.items()},
        labels=labels,
        folds=None if one_fold else folds,
        splits=np.where(folds == 0, "test", "train") if one_fold else None,
    )


def published(model: str, variant: Variant, params: dict[str, Any], scale: float) -> dict[str, Any]:
    """Hyper-parameters with the published schedule in place of the one for small data."""
    if not model.startswith("tnn"):
        return params
    label = re.search(r"batches=(\d+)", variant.setting)
    n_batches = int(label[1]) if label else BATCHES
    return {**params, "batches": max(1, round(n_batches * scale)), "epochs": EPOCHS, "min_steps": 0}


def run(entry: Experiment, params: Path, n_items: int, scale: float, n_seeds: int, estimate: bool, answer: Any) -> None:
    """Run one experiment; in a process of its own, whose session its workers share."""
    os.setsid()
    compute = Compute.load(params)
    defaults = load_models(params).get(entry.model, {})
    sequences = models.method(entry.model).sequential
    made: dict[tuple[tuple[str, str], ...], Dataset] = {}
    settings = []
    for variant in entry.settings:
        views = evaluation.feature_sets(entry.dataset, variant.views)
        key = tuple(views.items())
        if key not in made:
            made[key] = fabricate(entry.dataset, views, n_items, sequences=sequences, one_fold=estimate)
        chosen = published(entry.model, variant, {**defaults, **variant.params}, scale)
        settings.append(evaluation.Setting(variant.setting, made[key], chosen))
    evaluation.warn_in_a_line()
    # Besides the folds, the first setting is fitted on all rows.
    all_fits = len(settings) * FOLDS * n_seeds + 1
    fits = len(settings) if estimate else all_fits
    setup_s = time.process_time()
    result = evaluation.run_settings(
        settings, entry.model, seed=entry.seed, n_seeds=1 if estimate else n_seeds, compute=compute
    )
    answer.put((fits, all_fits, compute.n_workers, setup_s, result.times["wall_s"]))


def usage(session: int) -> tuple[float, float]:
    """Processor time (s) and proportional set size (MiB) of all processes of a session."""
    ticks = kib = 0
    for folder in Path("/proc").glob("[0-9]*"):
        # A process may have ended meanwhile.
        with contextlib.suppress(OSError, IndexError):
            if os.getsid(int(folder.name)) == session:
                # After the name in brackets: the 12th to 15th field are its own time and that of its ended children.
                ticks += sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:15]))
                kib += int((folder / "smaps_rollup").read_text().partition("\nPss:")[2].split()[0])
    return ticks / os.sysconf("SC_CLK_TCK"), kib / 1024


def measured(entry: Experiment, *arguments: Any) -> Figures | None:
    """Run one experiment in a process of its own and watch it; None if it failed."""
    context = multiprocessing.get_context("spawn")
    answer = context.SimpleQueue()
    process = context.Process(target=run, args=(entry, *arguments, answer))
    process.start()
    peaks = (0.0, 0.0)
    while process.is_alive():
        peaks = tuple(map(max, peaks, usage(process.pid)))
        process.join(SAMPLE_S)
    return None if process.exitcode else Figures(*answer.get(), *peaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=list(ITEMS), default="vegas", help="whose experiments")
    parser.add_argument("--items", type=int, help="items (default: as published)")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on items and numbers of batches")
    parser.add_argument("--seeds", type=int, help="seeds of every experiment (default: its own number)")
    parser.add_argument("--without", nargs="*", default=["lstm_c_cca"], help="methods to leave out")
    parser.add_argument("--only", nargs="+", help="keys of experiments (default: all)")
    parser.add_argument("--estimate", action="store_true", help="one fold of each setting; the rest is extrapolated")
    parser.add_argument("--params", type=Path, default=config.PARAMS_FILE, help="the file of experiments")
    args = arguments(parser, scale=0.004, only=["vegas_cca"], seeds=1)
    n_items = round((args.items or ITEMS[args.dataset]) * args.scale)
    entries, looks = load_experiments(args.params), Report.load(args.params)
    for key in set(args.only or ()) - set(entries):
        sys.exit(f"{args.params}: no experiment {key!r}; {config.nearest(key, entries)}")
    chosen = {
        key: entry
        for key, entry in entries.items()
        if entry.dataset == args.dataset
        and any(re.match(CHAPTERS[args.dataset], table) for table in looks.places(key))
        and entry.model not in args.without
        and (args.only is None or key in args.only)
    }
    if not chosen:
        sys.exit(f"{args.params}: no experiment on {args.dataset} stands in a table of this chapter")
    print(
        f"{args.dataset}, {n_items} items of {WIDTHS['audio']} and {WIDTHS['visual']} numbers, {os.cpu_count()} cores"
    )
    print(f"{'experiment':28s}{'fits':>12s}{'time':>11s}{'CPU':>11s}{'all fits':>11s}{'memory':>11s}")
    total_s, started, failed = 0.0, time.perf_counter(), []
    for key, entry in chosen.items():
        figures = measured(entry, args.params, n_items, args.scale, args.seeds or entry.seeds, args.estimate)
        if figures is None:
            failed.append(key)
            print(f"{key:28s}  failed")
            continue
        total_s += figures.all_s
        fits = f"{figures.fits} of {figures.all_fits}"
        seconds = "".join(f"{value:9.1f} s" for value in (figures.wall_s, figures.cpu_s, figures.all_s))
        print(f"{key:28s}{fits:>12s}{seconds}{figures.memory_mib:7.0f} MiB", flush=True)
    what = "estimated" if args.estimate else "measured"
    print(f"together {total_s:.0f} s = {total_s / 3600:.2f} h {what}, in {time.perf_counter() - started:.0f} s")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
