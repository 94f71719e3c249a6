"""A method of the user's own: named by dotted path or entry point, run, kept and loaded."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unisono import cli, models
from unisono.config.experiments import Experiment
from unisono.errors import ConfigError
from unisono.evaluation.checks import check_experiment
from unisono.io import parquet
from unisono.store.code import code_version

OWN = '''
from unisono.models.base import Aligner, Count
from unisono.models.parts.linear import centre


class Own(Aligner):
    """Take the first columns."""

    n_components: Count = 2

    def _fit(self, views, labels, lengths, checkpoint):
        self.arrays_ = {view: centre(array)[1] for view, array in views.items()}

    def _transform(self, view, array, lengths):
        return (array - self.arrays_[view])[:, : self.n_components]


class Unfinished(Aligner):
    pass


MODEL = Own
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a package of methods that is not installed."""
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "own.py").write_text(OWN)
    (package / "plain.py").write_text(OWN.replace("MODEL = Own", ""))
    (package / "broken.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_package"]:
        del sys.modules[name]
    models._entry_points.cache_clear()


VIEWS = {name: np.random.default_rng(7).standard_normal((20, 4)) for name in ("a", "b")}


@pytest.mark.parametrize("name", ["own_package.own", "own_package.own:Own", "own_package.plain:Own"])
def test_a_dotted_name_makes_a_method(folder: Path, name: str) -> None:
    model = models.create(name, n_components=3).fit(VIEWS)
    assert model.transform(VIEWS)["a"].shape == (20, 3)
    assert model.name == f"{name.partition(':')[0]}:Own"
    assert models.check_params(name, {}) == {"standardise": "none", "n_components": 2}
    with pytest.raises(ConfigError, match=r"own.*\.n_component: unknown parameter; did you mean 'n_components'"):
        models.create(name, n_component=3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "own_packages.own",
            "no module named 'own_packages'; modules are looked for where Python does .* current folder",
        ),
        ("own_package.ow", r"no module named 'own_package\.ow'"),
        ("own_package.own:Owm", "has no Owm; name one of its classes, as own_package.own:Own"),
        ("own_package.plain", "has no MODEL; name one of its classes, as own_package.plain:Own"),
        ("own_package.own:Unfinished", "Unfinished does not define _fit, _transform"),
        ("own_package.broken", r"own_package\.broken does not import: SyntaxError: .*broken\.py, line 1"),
        ("os:system", "os:system is no subclass of unisono.models.Aligner"),
        ("json", "json has no MODEL; it holds no subclass of Aligner"),
        ("ccca", "unknown method 'ccca'; did you mean 'c?_?cca'"),
        ("own package", "unknown method 'own package'"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(folder: Path, name: str, words: str) -> None:
    entry = Experiment.model_validate({"dataset": "vegas", "model": name})
    with pytest.raises(ConfigError, match=words) as caught:
        check_experiment("key", entry)
    assert str(caught.value).startswith("experiments.key.model: ")
    assert "\n" not in str(caught.value)


def test_an_entry_of_experiments_may_name_one(folder: Path) -> None:
    given = {"dataset": "vegas", "model": "own_package.own", "params": {"n_components": 3}}
    check_experiment("key", Experiment.model_validate(given))
    given["params"] = {"n_components": 0}
    with pytest.raises(ConfigError, match=r"experiments\.key\.params\.n_components: .*greater than or equal to 1"):
        check_experiment("key", Experiment.model_validate(given))


def test_an_entry_point_is_listed_and_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [importlib.metadata.EntryPoint("ours", "own_package.plain:Own", "unisono.models")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points if group == "unisono.models" else [])
    models._entry_points.cache_clear()
    assert {"ours", "cca"} <= set(models.available())
    assert "own_package.plain" not in sys.modules
    models.create("ours").fit(VIEWS).save(folder / "saved")
    del sys.modules["own_package.plain"]
    # Registered by an installed package, so that its module may be imported.
    assert models.load(folder / "saved").name == "own_package.plain:Own"


def test_loading_imports_nothing_that_a_file_names(folder: Path) -> None:
    saved = models.create("own_package.own").fit(VIEWS)
    saved.save(folder / "saved")
    assert models.load(folder / "saved").name == "own_package.own:Own"
    for name in ("own_package.own", "own_package"):
        del sys.modules[name]
    with pytest.raises(ConfigError, match=r"saved: a model of 'own_package\.own:Own', .* import it first, or give"):
        models.load(folder / "saved")
    assert not [name for name in sys.modules if name.startswith("own_package")]
    loaded = models.load(folder / "saved", method=type(saved))
    np.testing.assert_array_equal(loaded.transform(VIEWS)["a"], saved.transform(VIEWS)["a"])
    with pytest.raises(ConfigError, match=r"a model of 'own_package\.own:Own', not of 'cca'"):
        models.load(folder / "saved", method=models.method("cca"))


def test_what_is_kept_follows_the_module_and_what_it_imports(folder: Path) -> None:
    cls = models.method("own_package.own")
    source = models.source_of(cls)
    assert source == folder / "own_package" / "own.py"
    before = code_version(source)
    source.write_text(OWN.replace("[:, : self", "[:, 1 : self"))
    assert code_version(source) != before
    source.write_text(OWN.replace("import centre", "import centre  # a remark"))
    assert code_version(source) == before
    assert models.source_of(models.method("cca")) == "unisono.models.cca"
    assert code_version("unisono.models.cca") != before


def test_evaluate_runs_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {"id": [str(row) for row in range(20)], **{view: rows.astype("float32") for view, rows in VIEWS.items()}}
    types = {"id": pa.string(), **{view: parquet.vector(4) for view in VIEWS}}
    parquet.write(folder / "features.parquet", columns, types=types, metadata={"dataset": "d", "source": "s"})
    command = ["evaluate", "features.parquet", "--model", "own_package.own", "--param", "n_components=3"]
    cli.main([*command, "--out", "out"])
    found = json.loads((folder / "out" / "metrics.json").read_text())
    assert (found["model"], found["params"]) == ("own_package.own", {"standardise": "columns", "n_components": 3})
    assert models.load(folder / "out" / "model").name == "own_package.own:Own"


def test_the_command_says_which_rule_is_broken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "--check", "own_package.own", "--param", "n_components=3"])
    assert capsys.readouterr().out == "own_package.own: keeps the contract\n"
    (folder / "own_package" / "wide.py").write_text(OWN.replace("array - self", "array[:5] - self"))
    for arguments, words in (
        (["--check", "own_package.wide"], "breaks the rule 'transform gives float32 rows of one width': view 'audio'"),
        (["--check", "own_package.own", "--param", "n_component=3"], "n_component: unknown parameter; did you mean"),
        (["--param", "n_components=3"], "--param: goes with --check METHOD"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(["models", *arguments])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1


def test_hyper_parameters_of_several_methods_may_have_dotted_names(folder: Path) -> None:
    from unisono.cli.evaluate import _params_of

    names = ["own_package.own", "own_package.plain:Own"]
    found = _params_of(names, {"own_package.own.n_components": 3}, standardise="none")
    assert {name: own["n_components"] for name, own in found.items()} == {names[0]: 3, names[1]: 2}
