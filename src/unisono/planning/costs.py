"""What a run takes, as earlier runs measured it, and what it fetches.

**Conventions.** Nothing is modelled: seconds are those of the last run of the same command (`unisono.errors.TIMES`,
``results/timing`` for experiments), megabytes those of what lies there now, both times the growth in items of the data
set. What never ran is not known. Sizes of downloads are upper bounds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unisono.config import Section
from unisono.config.choices import read_from
from unisono.config.sources import Source
from unisono.datasets.base import names
from unisono.errors import DataError, time_file
from unisono.io import parquet
from unisono.planning.dag import Stage


class Download(NamedTuple):
    """A file that a run fetches: its key of params.yaml, its address, and its size in MB, 0 where it is not known."""

    key: str
    url: str
    megabytes: float


def growth(name: str, section: Any, root: Path) -> tuple[int | None, float]:
    """Say how many items a data set will have, and how many times as many as now (1 where that is not known)."""
    counts = [choice.chosen.n_items() for choice in read_from(name, section)]
    wanted = None if None in counts else sum(filter(None, counts))
    try:
        here = parquet.read(root / "data" / name / "samples", ["id"]).num_rows
    except DataError:
        return wanted, 1.0
    return (wanted, wanted / here) if wanted else (here, 1.0)


def seconds(stage: Stage, entries: Mapping[str, Any], factors: Mapping[str, float], root: Path) -> float | None:
    """Say what a stage took when it last ran, grown with its data set; None where nobody measured it."""
    try:
        if stage.name == "run_experiments":
            took = {key: _read(root / "results" / "timing" / f"{key}.json") for key in entries}
            if any(entry.tune is not False and "tune_s" not in took[key] for key, entry in entries.items()):
                # It ran, but was not tuned then.
                return None
            return sum(float(took[key]["wall_s"]) * factors.get(entry.dataset, 1.0) for key, entry in entries.items())
        return float(_read(root / time_file(stage.command))["seconds"]) * _factor(stage, factors)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def megabytes(stage: Stage, factors: Mapping[str, float], root: Path) -> float | None:
    """Say how large a stage's outputs are, grown with its data set; None where one is not there."""
    places = [root / out for out in stage.outs]
    if not all(place.exists() for place in places):
        return None
    found = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in found) / 1e6 * _factor(stage, factors)


def downloads(sections: Mapping[str, Any], params: Iterable[str]) -> Iterator[Download]:
    """Yield what stages that read these parameters fetch: the chosen sources, and the published files asked for."""
    wanted = tuple(f"{key}." for key in params)
    for name in names():
        section = sections[name]
        found: list[tuple[str, str, float]] = []
        for choice in read_from(name, section):
            source = f"{choice.block}.{choice.source}"
            found += [(source, place, choice.chosen.megabytes) for place in choice.chosen.places]
        source = f"{name}.{section.block}.{section.source}"
        found += [(key, url, 0.0) for key, url in _published(section, name) if not key.startswith(source)]
        if section.chosen.has_features:
            found = [each for each in found if not each[0].startswith(f"{name}.features.")]
        for key, url, size in found:
            if url.startswith("http") and f"{key}.".startswith(wanted):
                yield Download(key, url.replace("{partition}", "train"), size)


def _published(block: Section, at: str) -> Iterator[tuple[str, str]]:
    """Yield key and value of the texts below a block that its settings ask for."""
    asked = {"weights": "pretrained", "method": "published", "rule": "no_other_vertical"}
    wanted = all(getattr(block, name, value) == value for name, value in asked.items())
    sets = getattr(block, "sets", {})
    used = set(sets.values() if isinstance(sets, Mapping) else sets)
    for name, value in block:
        if isinstance(value, Source) or (used and isinstance(value, Section) and name not in used):
            continue
        if isinstance(value, Section):
            yield from _published(value, f"{at}.{name}")
        # Of several networks the variant is taken.
        elif isinstance(value, str) and wanted and getattr(block, "variant", name) == name:
            yield f"{at}.{name}", value


def _factor(stage: Stage, factors: Mapping[str, float]) -> float:
    parts = stage.outs[0].split("/") if stage.outs else [""]
    return factors.get(parts[1], 1.0) if parts[0] == "data" else 1.0


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
