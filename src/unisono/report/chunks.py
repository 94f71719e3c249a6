"""Whether selected chunks of a song find its mood as the whole does (Table 4.1), beside a random choice of chunks."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.io.files import replacing
from unisono.io.text_tables import markdown
from unisono.report import orderings, tables
from unisono.store.results import Run

COLUMNS = (
    "dataset", "method", "chunks", "selected", "random", "whole", "chance", "selected_minus_whole", "low", "high",
    "within", "selected_minus_random", "random_low", "random_high", "source", "pool",
)  # fmt: skip

#: The dissertation's direction: a part of the audio finds whole videos.
DIRECTION = "audio->visual"
#: How far selected chunks may be from the whole audio, in MAP.
TOLERANCE = 0.05

_SELECTED = "k/chunks="


def rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Compare chunks with the whole audio, method by method.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments; those of Table 4.1, and random choices of chunks, count.

    Returns
    -------
    list of dict
        Keys are `COLUMNS`, one per method and number of chunks; fractions, differences with their 95 % interval over
        folds, empty where something has not been run.

    Raises
    ------
    DataError
        The parts of a run are missing.
    """
    by_method: dict[tuple[str, str], dict[str, Run]] = {}
    labelled = [(run, label) for run, _, label in tables.standing("4.1", runs)]
    labelled += [(run, run.label) for run in runs if run.label.startswith(tables.RANDOM_CHUNKS)]
    for run, label in labelled:
        by_method.setdefault((run.result["dataset"], run.title), {})[label] = run
    found = []
    for (dataset, method), own in by_method.items():
        for label in [label for label in own if label.startswith(_SELECTED)]:
            chosen, chunks = own[label], label.removeprefix(_SELECTED)
            whole, control = own.get("mean"), own.get(tables.RANDOM_CHUNKS + chunks)
            row: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {
                "dataset": dataset,
                "method": method,
                "chunks": chunks,
                "selected": _mean(chosen),
                "chance": chosen.result[DIRECTION]["chance"]["map"],
                "source": chosen.result["source"],
                "pool": chosen.result[DIRECTION]["pool"],
            }
            if whole is not None:
                against = orderings.compare(_parts(chosen), _parts(whole))
                near = abs(float(against["difference"])) <= TOLERANCE
                row |= {"whole": _mean(whole), "selected_minus_whole": against["difference"]}
                row |= {"low": against["low"], "high": against["high"], "within": "yes" if near else "no"}
            if control is not None:
                against = orderings.compare(_parts(chosen), _parts(control))
                row |= {"random": _mean(control), "selected_minus_random": against["difference"]}
                row |= {"random_low": against["low"], "random_high": against["high"]}
            found.append(row)
    return found


def write(runs: Sequence[Run], folder: Path) -> None:
    """Write ``chunks.csv`` and ``chunks.md``.

    Parameters
    ----------
    runs : sequence of unisono.store.results.Run
        Of all experiments.
    folder : Path

    Raises
    ------
    DataError
        The parts of a run are missing, or a file cannot be written.
    """
    found = rows(runs)
    tables.write_csv(folder / "chunks.csv", COLUMNS, map(tables.rounded, found))
    with replacing(folder / "chunks.md") as temporary:
        temporary.write_text(to_markdown(found), encoding="utf-8")


def to_markdown(found: Iterable[Mapping[str, Any]]) -> str:
    """Lay `rows` out for a reader.

    Parameters
    ----------
    found : iterable of mapping

    Returns
    -------
    str
    """
    found = list(found)
    lines = [["Method", "Chunks", "Selected", "Random", "Whole", "Chance", "Selected - whole", "within 5 points",
              "Selected - random"]]  # fmt: skip
    for row in found:
        lines.append([
            row["method"],
            row["chunks"],
            *(orderings.percent(row[name]) for name in ("selected", "random", "whole", "chance")),
            orderings.difference(row["selected_minus_whole"], row["low"], row["high"]),
            row["within"],
            orderings.difference(row["selected_minus_random"], row["random_low"], row["random_high"]),
        ])  # fmt: skip
    sources = dict.fromkeys(f"source **{row['source']}**, pool {row['pool']}" for row in found)
    remarks = [
        "MAP in per cent, audio → visual. `1/3`: the best of three equal chunks by the emotion model's attention; "
        "`random`: as many chunks by lot; `whole`: all of the audio (`mean` in Table 4.1).",
        "Differences in points, in pairs of the same test fold, with the 95 % t interval over folds.",
        *(f"{source}." for source in sources),
    ]
    return (
        "# Selected chunks of audio against the whole, and against chunks chosen at random\n\n"
        + markdown(lines, "llrrrrrlr")
        + "\n\n"
        + "\n".join(f"- {remark}" for remark in remarks)
        + "\n"
    )


def _parts(run: Run) -> dict[tuple[int, int], float]:
    return {part: values[DIRECTION] for part, values in run.parts("map").items()}


def _mean(run: Run) -> float:
    return statistics.fmean(_parts(run).values())
