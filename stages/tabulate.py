"""Write the result tables and the headline numbers of all experiments of params.yaml."""

from __future__ import annotations

import argparse
from pathlib import Path

from unisono import errors
from unisono.config.experiments import load_experiments
from unisono.config.report import Report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=Path, required=True, help="folder of the experiments' results")
    parser.add_argument("--times", type=Path, required=True, help="folder of the experiments' times")
    parser.add_argument("--tables", type=Path, required=True, help="folder for the tables")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file for the headline numbers")
    args = parser.parse_args()

    from unisono.report import above, above_chance, chunks, index, kinds, layouts, leaderboard, orderings, tables
    from unisono.store.results import read_results

    looks = Report.load()
    runs = read_results(load_experiments(), looks, args.experiments)
    layouts.write(runs, args.tables)
    orderings.write(runs, args.tables)
    above_chance.write(runs, looks.above_chance, args.tables)
    above.write(runs, looks.above, args.tables)
    chunks.write(runs, args.tables)
    kinds.write(runs, args.tables)
    leaderboard.write(runs, looks.leaderboards, args.times, args.tables)
    index.write(runs, args.tables)
    tables.write_headlines(runs, args.metrics)


if __name__ == "__main__":
    errors.run(main)
