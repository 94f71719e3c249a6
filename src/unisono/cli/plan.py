"""``unisono plan``: what a run would do, take and need, before it is started."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unisono.config.compute import Compute
from unisono.errors import DataError


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    plan = commands.add_parser(
        "plan",
        help="say which stages `dvc repro` would run, and what they take: time, disk, downloads, tools",
        description="Say which stages `dvc repro` would run and roughly how long, how much disk and which downloads "
        "that means, and check tools, files and disk. Changes nothing; ends with status 2 when something is missing.",
    )
    plan.add_argument(
        "--params", type=Path, metavar="RECIPE.yaml", help="as if these values (full.yaml) stood in params.yaml"
    )
    plan.add_argument("--check-urls", action="store_true", help="ask every server whether it has the file")
    plan.set_defaults(command=_plan)


def _plan(args: argparse.Namespace) -> None:
    import yaml

    from unisono import config
    from unisono.evaluation.params_file import check_params_file
    from unisono.planning import costs, dag, recipe

    root = Path()
    # The whole file is validated first, as a run would.
    check_params_file()
    before = config.read_yaml(config.PARAMS_FILE)
    after = yaml.safe_load(recipe.merged(args.params)) if args.params else before
    stages = dag.read(root / "dvc.yaml", after)
    start = dag.stale(root) | (set(stages) - set(dag.read(root / "dvc.yaml", before)))
    start |= dag.touched(stages, [key for key, _, _ in recipe.differences(before, after)])
    todo = dag.downstream(stages, start)
    print(f"{len(todo)} of {len(stages)} stages would run, at most: DVC stops where an output stays the same.")
    if not todo:
        return
    items = {dataset: costs.n_items(dataset, after, root) for dataset in ("mtm", "vegas", "mv10k")}
    seconds = {name: costs.stage_seconds(name, after, before, items, root) for name in todo}
    megabytes = {name: costs.stage_megabytes(name, after, items) for name in todo}
    kinds = {name.partition("@")[0] for name in todo}
    downloads = list(costs.downloads(after, kinds))
    for line in _stages(todo, seconds, megabytes):
        print(line)
    for dataset, count in items.items():
        print(
            f"{dataset}: source {after[dataset]['source']}, {count if count is not None else 'unknown number of'} items"
        )
    needed = _totals(seconds, megabytes, downloads, Compute.load().n_workers)
    missing = _checks(after, kinds, needed, downloads if args.check_urls else [], root)
    if missing:
        raise DataError(f"{len(missing)} of the checks failed ({', '.join(missing)}); see above, nothing was started")


def _stages(
    todo: Sequence[str], seconds: Mapping[str, float | None], megabytes: Mapping[str, float | None]
) -> list[str]:
    """Write a line per kind of stage: name, how many, time of one core, disk."""
    groups: dict[str, list[str]] = {}
    for name in todo:
        groups.setdefault(name.partition("@")[0], []).append(name)
    lines = [f"\n{'stage':24s}{'runs':>5s}{'one core':>12s}{'disk':>12s}"]
    for kind, names in groups.items():
        time = _sum(seconds[name] for name in names)
        size = _sum(megabytes[name] for name in names)
        lines.append(f"{kind:24s}{len(names):5d}{_duration(time):>12s}{_size(size):>12s}")
    return [*lines, ""]


def _sum(values: Any) -> float | None:
    """Add up; one unknown value makes the sum unknown."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _totals(
    seconds: Mapping[str, float | None],
    megabytes: Mapping[str, float | None],
    downloads: Sequence[Any],
    workers: int,
) -> float:
    """Print the sums; return the disk needed in MB."""
    from unisono.planning import costs

    known = [value for value in seconds.values() if value is not None]
    unknown = len(seconds) - len(known)
    more = f", and {unknown} stages of unknown length" if unknown else ""
    print(f"\ntime: about {_duration(sum(known))} of one core{more}; {workers} workers share it. An estimate, from")
    print("  earlier runs where there are any, else from rough rates: expect a factor of two or three.")
    fetched = sum(each.megabytes for each in downloads)
    written = costs.CACHE * sum(value for value in megabytes.values() if value is not None)
    # Shards of YouTube-8M are read as a stream and forgotten: what stays is what is written.
    kept = sum(each.megabytes for each in downloads if not each.note)
    print(f"disk: about {_size(written + kept)}, with DVC's cache")
    print("downloads: none" if not downloads else "downloads:")
    for each in downloads:
        print(
            f"  {each.key}: {_size(each.megabytes or None)}  {each.url}" + (f"\n    {each.note}" if each.note else "")
        )
    if fetched:
        hours = _duration(fetched * 8 / costs.MEGABITS_PER_S)
        print(f"  together at most {_size(fetched)}: {hours} at {costs.MEGABITS_PER_S} Mbit/s")
    return written + kept


def _checks(
    params: Mapping[str, Any], kinds: set[str], megabytes: float, downloads: Sequence[Any], root: Path
) -> list[str]:
    """Print every check; return the names of those that failed."""
    from unisono.planning import checks

    found = [*checks.tools(params, kinds), *checks.files(params, kinds), checks.disk(megabytes, root)]
    found += [checks.url(address) for address in dict.fromkeys(each.url for each in downloads)]
    print("checks:")
    for check in found:
        print(f"  {'ok     ' if check.ok else 'MISSING'} {check.what}: {check.detail}")
    return [check.what for check in found if not check.ok]


def _duration(seconds: float | None) -> str:
    """Write a duration with one unit.

    Examples
    --------
    >>> _duration(90), _duration(9000), _duration(None)
    ('90 s', '2.5 h', '?')
    """
    if seconds is None:
        return "?"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 86_400:.3g} days"


def _size(megabytes: float | None) -> str:
    """Write a size with one unit.

    Examples
    --------
    >>> _size(3.14159), _size(2500), _size(None)
    ('3.14 MB', '2.5 GB', '?')
    """
    if megabytes is None:
        return "?"
    if megabytes < 1000:
        return f"{megabytes:.3g} MB"
    return f"{megabytes / 1000:.3g} GB" if megabytes < 1e6 else f"{megabytes / 1e6:.3g} TB"
