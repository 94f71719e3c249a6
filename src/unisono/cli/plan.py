"""``unisono plan``: what a run would do, take and need, before it is started."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from unisono.errors import DataError


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    plan = commands.add_parser(
        "plan",
        help="say which stages `dvc repro` would run, what they took before, and what they need",
        description="Say which stages `dvc repro` would run, how long they took and how much they wrote when they last "
        "ran, and what they fetch; check tools, files and disk. Changes nothing; ends with status 2 when something is "
        "missing, or a run is under way.",
    )
    plan.add_argument(
        "--params", type=Path, metavar="RECIPE.yaml", help="as if these values (full.yaml) stood in params.yaml"
    )
    plan.add_argument("--check-urls", action="store_true", help="ask every server whether it has the file")
    plan.set_defaults(command=_plan)


def _plan(args: argparse.Namespace) -> None:
    import yaml

    from unisono import config
    from unisono.config.choices import AND, read_from
    from unisono.datasets.base import names
    from unisono.evaluation import recipe
    from unisono.evaluation.params_file import check_params_file
    from unisono.io import text_tables
    from unisono.planning import checks, costs, dag, sizes
    from unisono.store import code, digests

    root = Path()
    config.read_yaml(config.PARAMS_FILE)
    before = after = config.PARAMS_FILE.read_text(encoding="utf-8")
    stages = present = dag.read(root / "dvc.yaml", before)
    dag.refuse_under_way(root.resolve(), present)
    sections = check_params_file()
    if args.params:
        after, sections = recipe.merged(args.params)
        stages = dag.read(root / "dvc.yaml", after)
    start = dag.stale(root.resolve(), present)
    first = {dag.FIRST} & start
    if first:
        # DVC knows what an edit changes only after this stage; it writes what is found here.
        notes = sections["compute"].scratch / "code.json"
        now = code.current(root / "stages", notes=notes, params=digests.digests())
        start = start - first | dag.edited(root, present, now)
    if args.params:
        changed = recipe.differences(yaml.safe_load(before), yaml.safe_load(after))
        first |= {dag.FIRST} if changed else set()
        start |= set(stages) - set(present) | dag.touched(stages, (key for key, *_ in changed))
    todo = sorted(first | set(dag.downstream(stages, start)))
    print(f"{len(todo)} of {len(stages)} stages would run, at most: DVC stops where an output stays the same.")
    if not todo:
        return
    read = {key for name in todo for key in stages[name].params}
    factors = {}
    for name in names():
        count, factors[name] = costs.growth(name, sections[name], root)
        source = AND.join(choice.source for choice in read_from(name, sections[name]))
        print(f"{name}: source {source}, {count if count is not None else 'unknown number of'} items")
    took = [costs.seconds(stages[name], sections["experiments"], factors, root) for name in todo]
    size = [costs.megabytes(stages[name], factors, root) for name in todo]
    rows = [[name, _said(s, "s"), _said(mb, "MB")] for name, s, mb in zip(todo, took, size, strict=True)]
    print("", *text_tables.plain([["stage", "last time", "disk"], *rows], "lrr"), sep="\n")
    print(f"\ntime: {sum(filter(None, took)):.0f} s as measured, and {took.count(None)} stages not measured")
    # DVC's cache holds the same again, where links do not work.
    needed = 2 * sum(filter(None, size))
    print(f"disk: {needed:.0f} MB with DVC's cache, and {size.count(None)} stages not measured")
    found = list(costs.downloads(sections, read))
    print("downloads:" if found else "downloads: none")
    for each in found:
        print(f"  {each.key}: {f'at most {each.megabytes:.0f} MB' if each.megabytes else 'size not known'}  {each.url}")
    built = [name for name in names() if f"{name}.source" in read]
    every = [*checks.tools(sections, {name.partition("@")[0] for name in todo}), *checks.files(sections, built)]
    every += [checks.Check(key, False, text) for key, text in sizes.problems(sections)]
    every += [checks.disk(needed, root), *(checks.url(each.url) for each in found if args.check_urls)]
    print("checks:")
    for check in every:
        print(f"  {'ok     ' if check.ok else 'MISSING'} {check.what}: {check.detail}")
    missing = [check.what for check in every if not check.ok]
    if missing:
        raise DataError(f"{len(missing)} of the checks failed ({', '.join(missing)}); see above, nothing was started")


def _said(value: float | None, unit: str) -> str:
    return "not measured" if value is None else f"{value:.3g} {unit}"
