"""dvc.yaml as data: what every stage declares is what it uses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono.datasets.base import dataset_of, names
from unisono.report import layouts
from unisono.store import code, digests

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
#: Most lines of params.yaml that a stage keeps in dvc.lock under its own `params`, and most lines of that file.
MOST_PARAMS, MOST_LINES = 9, 3000


#: Stages that import a package whose modules are imported by name, and import none by name themselves.
NOT_RUN = {
    *(("models", stage) for stage in ("plot_example", "plot_spaces", "write_data_card", "write_report")),
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
    own = {dep.removeprefix("data/code/") for dep in deps if dep.startswith("data/code/") and not digests.keys_of(dep)}
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


def read_by(name: str) -> set[str]:
    """Return the keys of params.yaml on which a stage depends: its own `params`, and those of digests."""
    stage = STAGES[name]
    return {*stage.get("params", []), *(key for dep in paths(stage["deps"]) for key in digests.keys_of(dep))}


@pytest.mark.parametrize("name", STAGES)
def test_params_exist(name: str) -> None:
    for key in read_by(name):
        lookup(key)


def n_lines(name: str) -> int:
    """Count the lines that all which a stage reads of params.yaml would take in dvc.lock."""
    values = {key: lookup(key) for key in read_by(name)}
    return len(yaml.safe_dump(values, default_flow_style=False, width=10_000).splitlines()) if values else 0


@pytest.mark.parametrize("name", DVC["stages"])
def test_few_params_stand_in_the_lock_and_many_as_one_digest(name: str) -> None:
    entries = [key for key in STAGES if key.partition("@")[0] == name]
    many = max(map(n_lines, entries)) > MOST_PARAMS
    for key in entries:
        found = [dep for dep in paths(STAGES[key]["deps"]) if digests.keys_of(dep)]
        assert len(found) == many, f"{key}: more than {MOST_PARAMS} lines are a digest, fewer are `params`"
        assert not (many and STAGES[key].get("params"))


def test_the_first_stage_writes_every_digest_that_a_stage_depends_on() -> None:
    written = digests.digests(ROOT / "dvc.yaml", ROOT / "params.yaml")
    deps = {dep for stage in STAGES.values() for dep in paths(stage["deps"])}
    wanted = {dep.removeprefix(digests.FOLDER) for dep in deps if digests.keys_of(dep)}
    assert wanted <= set(written)
    assert len(wanted) > 10


def test_the_lock_stays_short() -> None:
    # DVC reads and writes it whole at every stage: 3,000 lines cost a second each time.
    assert len((ROOT / "dvc.lock").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


#: Sections by what reads them in a stage's script, and the stages that read more than they depend on: a change of an
#: experiment changes its results, on which the report depends.
READERS = {
    "load_experiments": "experiments",
    "load_models": "models",
    "Report": "report",
    **{dataset_of(name).settings.__name__: name for name in names()},
}
BY_RESULTS = {
    ("experiments", name)
    for name in ("tabulate", "plot_curves", "plot_spaces", "plot_example", "plot_image2song", "write_report")
}


@pytest.mark.parametrize("name", sorted(STAGES.keys() - {"fingerprint"}))
def test_a_stage_depends_on_the_sections_that_its_script_reads(name: str) -> None:
    script = re.findall(r"-m stages\.(\w+)", STAGES[name]["cmd"])[-1]
    calls = re.findall(r"\b(\w+)(?:\.load)?\(\)", (ROOT / "stages" / f"{script}.py").read_text(encoding="utf-8"))
    sections = {READERS[call] for call in calls if call in READERS}
    if script == "deal":
        # The settings of the data set that is asked for.
        sections = {name.partition("@")[2]}
    declared = {key.partition(".")[0] for key in read_by(name)}
    assert declared == {section for section in sections if (section, script) not in BY_RESULTS}


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
    assert not [key for name in STAGES for key in read_by(name) if key.startswith("compute")]


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
