"""Fit and score one experiment of params.yaml: a method on a data set."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from unisono import config, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", required=True, help="key of the experiment in params.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder of the built data set")
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics, embeddings, curves and model")
    parser.add_argument("--times", type=Path, required=True, help="JSON file for the times, which nothing tracks")
    args = parser.parse_args()
    entries = config.load("experiments")
    if args.key not in entries:
        raise errors.ConfigError(f"experiments.{args.key}: no such experiment; {config.nearest(args.key, entries)}")
    experiment = entries[args.key]
    defaults = config.load("models").get(experiment.model, {})

    compute = config.load("compute")

    from unisono import evaluation
    from unisono.datasets.loading import load_folder

    evaluation.warn_in_a_line()
    evaluation.prepare(experiment.model, compute)
    load = functools.cache(lambda views: load_folder(args.data, views=dict(views)))
    settings = [
        evaluation.Setting(
            each.setting,
            load(tuple(evaluation.feature_sets(experiment.dataset, each.views).items())),
            {**defaults, **each.params},
        )
        for each in experiment.settings
    ]
    result = evaluation.run_settings(
        settings,
        experiment.model,
        seed=experiment.seed,
        n_seeds=experiment.seeds,
        compute=compute,
        scratch=compute.scratch / "experiments" / args.key,
    )
    evaluation.write(result, args.out)
    evaluation.write_times(result, args.times)


if __name__ == "__main__":
    errors.run(main)
