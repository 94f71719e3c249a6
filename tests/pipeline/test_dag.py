"""dvc.yaml as data: what every stage declares is what it uses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono.datasets.base import names
from unisono.report import layouts
from unisono.store import code

ROOT = Path(__file__).resolve().parents[2]
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def lookup(key: str) -> Any:
    """Return the value at a dotted key of params.yaml, or raise KeyError."""
    value: Any = PARAMS
    for part in key.split("."):
        value = value[part]
    return value


def substitute(value: Any, context: dict[str, Any]) -> Any:
    """Fill in DVC's ${...} from `context`, else from params.yaml."""
    if isinstance(value, dict):
        return {substitute(k, context): substitute(v, context) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(part, context) for part in value]
    if isinstance(value, str):
        return re.sub(r"\$\{([^}]+)\}", lambda m: str(context[m[1]] if m[1] in context else lookup(m[1])), value)
    return value


def resolved() -> dict[str, dict[str, Any]]:
    """Return every stage of the DAG with its foreach unrolled, by its DVC name."""
    stages: dict[str, dict[str, Any]] = {}
    for name, stage in DVC["stages"].items():
        if "foreach" not in stage:
            stages[name] = substitute(stage, {})
            continue
        items = stage["foreach"] if isinstance(stage["foreach"], dict) else lookup(stage["foreach"][2:-1])
        for key, item in items.items() if isinstance(items, dict) else zip(items, items, strict=True):
            fields = {f"item.{k}": v for k, v in item.items()} if isinstance(item, dict) else {"item": item}
            context = {"key": key, **fields}
            stages[f"{name}@{key}"] = substitute(stage["do"], context)
    return stages


STAGES = resolved()


#: Stages that import a package whose modules are imported by name, and import none by name themselves.
NOT_RUN = {
    *(("models", stage) for stage in ("plot_example", "plot_spaces", "write_data_card", "write_report", "tabulate")),
    *(("datasets", stage) for stage in ("extract_songs", "embed_lyrics")),
    *(("texts", stage) for stage in ("train_tags", "embed_words", "plot_image2song")),
    ("picture_extractors", "train_tags"),
}

FINGERPRINTS = code.fingerprints(ROOT / "stages")


def paths(entries: list[Any]) -> list[str]:
    """Return the paths of a `deps` or `outs` list, whose entries may carry options."""
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


@pytest.mark.parametrize("name", sorted(STAGES.keys() - {"fingerprint"}))
def test_code_deps_are_fingerprints_of_the_stage_and_of_what_it_imports_by_name(name: str) -> None:
    stage = STAGES[name]
    words = shlex.split(stage["cmd"])
    script = words[len(words) - words[::-1].index("-m")].rpartition(".")[2]
    deps = paths(stage["deps"])
    assert [dep for dep in deps if dep.startswith(("src/", "stages/"))] == []
    own = {dep.removeprefix("data/code/") for dep in deps if dep.startswith("data/code/")}
    assert own <= {*FINGERPRINTS, *code.KINDS}
    # How work is run changes no result; neither does what BY_NAME says of none.
    closure = {code._name(path) for path in code.import_closure(ROOT / "stages" / f"{script}.py")}
    own_dataset = {f"datasets/{name}/__init__.py" for name in names()}
    imported = {
        kind
        for module, kind in code.BY_NAME.items()
        if kind
        and {f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"}
        & {f"unisono/{path}" for path in closure}
        # A stage that imports its data set by a statement has it in its own fingerprint.
        and not (kind == "datasets" and own_dataset & closure)
    }
    runs = {kind for kind in imported if (kind, script) not in NOT_RUN}
    assert own == {f"stages/{script}"} | {dep for dep in own if dep.partition("/")[0] in runs}
    assert {dep.partition("/")[0] for dep in own} == {"stages", *runs}


def test_the_first_stage_watches_all_code_and_what_it_counts() -> None:
    raw = [f"data/raw/{name}" for name in ("mtm", "vegas", "mv10k", "songs", "image2song")]
    assert paths(STAGES["fingerprint"]["deps"]) == ["src/unisono", "stages", "params.yaml", *raw]


@pytest.mark.parametrize("name", STAGES)
def test_params_exist(name: str) -> None:
    for key in STAGES[name].get("params", []):
        lookup(key)


@pytest.mark.parametrize("name", STAGES)
def test_inputs_are_made_by_a_stage_or_are_in_git(name: str) -> None:
    made = [Path(out) for stage in STAGES.values() for out in paths(stage.get("outs", []) + stage.get("metrics", []))]
    for dep in map(Path, paths(STAGES[name]["deps"])):
        if dep.parts[0] == "data" and dep.parts[:2] != ("data", "raw"):
            assert any(dep == out or out in dep.parents or dep in out.parents for out in made), dep


@pytest.mark.parametrize("name", DVC["stages"])
def test_every_stage_says_what_it_does(name: str) -> None:
    stage = DVC["stages"][name]
    text = stage.get("do", stage).get("desc", "")
    assert text.endswith("."), name
    assert len(text) > 20, name


def test_every_result_table_is_declared() -> None:
    names = {f"results/tables/table_{number.replace('.', '_')}" for number in layouts.LAYOUTS}
    assert {f"{name}.{end}" for name in names for end in ("csv", "md")} <= set(paths(STAGES["tabulate"]["outs"]))


def test_compute_invalidates_nothing() -> None:
    assert not [key for stage in STAGES.values() for key in stage.get("params", []) if key.startswith("compute")]


def test_every_parameter_has_a_comment_above_it() -> None:
    bare = []
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        stripped = line.strip()
        leaf = re.match(r"^[A-Za-z0-9_]+: +\S", stripped) or re.match(r"^[A-Za-z0-9_]+:$", stripped) is None
        if not stripped or stripped.startswith(("#", "-")) or not re.match(r"^[A-Za-z0-9_]+:", stripped):
            continue
        # Entries of a list of experiments, of titles and of tables are described above the list.
        entry = line.startswith("    ") and _section(lines, number) in ("experiments:", "report:")
        if leaf and not entry and not lines[number - 1].strip().startswith("#"):
            bare.append(stripped)
    assert bare == []


def _section(lines: list[str], number: int) -> str:
    """Return the top-level line that `lines[number]` is under."""
    return next(line for line in reversed(lines[: number + 1]) if line and line[0].isalpha())


def test_caches_of_python_are_no_inputs() -> None:
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8")


def test_nothing_is_sent_to_anyone() -> None:
    assert "analytics = false" in (ROOT / ".dvc" / "config").read_text(encoding="utf-8")


def test_artifacts_name_every_trained_model_of_the_result_tables() -> None:
    made = [Path(out) for stage in STAGES.values() for out in paths(stage.get("outs", []))]
    named = {Path(artifact["path"]) for artifact in DVC["artifacts"].values()}
    assert [path for path in named if not any(out == path or out in path.parents for out in made)] == []
    tables = PARAMS["report"]["tables"]
    expected = {
        Path("results/experiments", key, "model")
        for key in [
            *(*tables["5.2"], *tables["6.2"], "songs_pretrain_cca", "songs_pretrain_dcca", "songs_joint"),
            *("image2song_attention", "image2song_expected"),
        ]
        if "variants" not in (entry := PARAMS["experiments"][key]) and entry["model"] != "random"
    }
    assert expected == {path for path in named if path.parts[0] == "results"}
