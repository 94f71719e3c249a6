"""The console command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unisono import __version__, models
from unisono.cli import main


def written(path: Path, **changes: Any) -> Path:
    """Write 50 items of two related views in two classes, with some columns replaced; None drops one."""
    generator = np.random.default_rng(0)
    latent = generator.standard_normal((50, 4))
    columns: dict[str, Any] = {"id": [f"i{i}" for i in range(50)], "label": ["dog", "cat"] * 25}
    for name, width in (("audio", 6), ("visual", 9)):
        signal = latent @ generator.standard_normal((4, width))
        columns[name] = (signal + 0.3 * generator.standard_normal(signal.shape)).tolist()
    columns |= changes
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)
    return path


def failing(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must end with status 2 and one line on standard error; return the line."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_evaluate_writes_metrics_embeddings_and_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = written(tmp_path / "f.parquet"), tmp_path / "out"
    main(["evaluate", str(path), "--model", "cca", "--param", "n_components=3", "ridge=1e-2", "--out", str(out)])
    content = json.loads((out / "metrics.json").read_text())
    assert (content["params"]["n_components"], content["params"]["ridge"]) == (3, 0.01)
    assert content["n_folds"] == 5
    assert content["audio->visual"]["map"] > content["audio->visual"]["chance"]["map"]
    assert pq.read_table(out / "embeddings.parquet").column_names == ["id", "label", "fold", "audio", "visual"]
    assert models.load(out / "model").name == "cca"
    printed = capsys.readouterr().out
    assert "cca on f.parquet: 50 items, 40 for training, 5 folds" in printed
    assert "audio->visual" in printed
    assert "chance" in printed
    # Folds of ten items in two classes.
    assert re.search(r"audio->visual +0\.\d+ ± 0\.\d+†", printed)
    assert "\n† few items or classes in the pool: a random order has a MAP above 50 %" in printed
    assert "\n† the pool has at most 10 items, so that R@10 is 100 % in any order" in printed
    assert "R@5 is" not in printed


def test_evaluate_prints_default_and_tuned_and_keeps_groups_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs = [f"song{row // 5}" for row in range(50)]
    path, out = written(tmp_path / "f.parquet", group=songs), tmp_path / "out"
    main(["evaluate", str(path), "--model", "c_cca", "--tune", "--param", "n_components=1", "--out", str(out)])
    printed = capsys.readouterr().out
    assert "2 methods on f.parquet: mean average precision of 50 queries, 5 folds" in printed
    assert re.search(r"\nc_cca +0", printed)
    assert re.search(r"\nc_cca-tuned +0", printed)
    assert re.search(r"\ntuned: c_cca-tuned: 14 candidates by MAP on 4 of 4 inner folds: ridge=[\d.]+;scale=", printed)
    tuned = json.loads((out / "c_cca-tuned" / "metrics.json").read_text())["tuned"]
    assert set(tuned["grid"]) == {"ridge", "scale"}
    found = pq.read_table(out / "c_cca-tuned" / "embeddings.parquet").to_pydict()
    pairs = {(songs[int(i[1:])], fold) for i, fold in zip(found["id"], found["fold"], strict=True)}
    assert len(pairs) == len(set(songs))
    assert (out / "c_cca-tuned" / "tuning.csv").is_file()

    # What there is of songs is too little to hold one out.
    line = failing(
        capsys, "evaluate", written(path, group=["a"] * 25 + ["b"] * 25), "--model", "cca", "--tune", "--out", out
    )
    assert "folds: got 5, expected 2 to 2, the number of groups" in line


def test_identity_scores_the_embeddings_that_evaluate_wrote(tmp_path: Path) -> None:
    path = written(tmp_path / "f.parquet")
    main(["evaluate", str(path), "--model", "cca", "--param", "n_components=3", "--out", str(tmp_path / "one")])
    embeddings = tmp_path / "one" / "embeddings.parquet"
    main(["evaluate", str(embeddings), "--model", "identity", "--out", str(tmp_path / "two")])
    one, two = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("one", "two"))
    assert one["audio->visual"] == two["audio->visual"]
    assert two["n_train"] == 0


def test_several_methods_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = written(tmp_path / "f.parquet"), tmp_path / "out"
    main(["evaluate", str(path), "--model", "random,cca,identity", "--param", "cca.n_components=3", "--out", str(out)])
    printed = capsys.readouterr().out
    assert "2 methods on f.parquet: mean average precision of 50 queries, 5 folds" in printed
    assert "not run: identity: " in printed
    assert re.search(r"cca +0\.\d+† +0\.\d+† +0\.\d+† +best", printed)
    assert "\n† few items or classes in the pool" in printed
    assert "† few items or classes in the pool" in (out / "comparison.md").read_text(encoding="utf-8")
    assert json.loads((out / "cca" / "metrics.json").read_text())["params"]["n_components"] == 3
    assert {path.name for path in out.iterdir()} == {"cca", "random", "comparison.csv", "comparison.md"}


def test_a_given_split_decides_what_is_fitted(tmp_path: Path) -> None:
    split = ["train"] * 30 + ["test"] * 20
    path = written(tmp_path / "f.parquet", split=split, label=None)
    main(["evaluate", str(path), "--model", "cca", "--param", "n_components=3", "--out", str(tmp_path / "out")])
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (content["n_train"], content["n_folds"], content["audio->visual"]["pool"]) == (30, 1, 20)
    assert "map" not in content["audio->visual"]
    embedded = pq.read_table(tmp_path / "out" / "embeddings.parquet")
    assert embedded.column("id").to_pylist() == [f"i{i}" for i in range(30, 50)]


def test_views_are_chosen_and_seed_and_folds_obeyed(tmp_path: Path) -> None:
    path = written(tmp_path / "f.parquet", other=[[1.0 * i, 2.0] for i in range(50)])
    arguments = ["evaluate", str(path), "--model", "random", "--views", "visual,audio", "--folds", "3", "--seed", "4"]
    main([*arguments, "--param", "n_components=7", "--out", str(tmp_path / "out")])
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [key for key in content if "->" in key] == ["visual->audio", "audio->visual"]
    assert (content["n_folds"], content["seed"]) == (3, 4)


@pytest.mark.parametrize(
    "changes, options, message",
    [
        ({}, "--model gccaa", "model: unknown method 'gccaa'; did you mean 'gcca'?"),
        ({}, "--model cca --param rigde=1", "--param.rigde: unknown parameter; did you mean 'ridge'?"),
        ({}, "--model cca --param ridge", "--param: got 'ridge', expected NAME=VALUE"),
        ({}, "--model cca --param ridge=1 ridge=2", "--param: 'ridge' is given twice"),
        ({}, "--model cca --param ridge=[", "--param: ridge='[' is not a value"),
        ({}, "--model cca --param ridge=-1", "greater than or equal to 0 (got -1)"),
        ({}, "--model cca --param n_components=7", "7 is more than these data have: at most 6"),
        ({}, "--model cca --views audio", "at least two views"),
        ({}, "--model cca --views audio,visul", "no view 'visul'; did you mean 'visual'?"),
        ({}, "--model cca --folds 1", "folds: got 1, expected 2 to 25"),
        ({}, "--model cca --seed -1", "--seed: got -1, expected 0 or more"),
        ({}, "--model identity", "views of unequal width (audio 6, visual 9)"),
        ({"visual": None}, "--model cca", "at least two views"),
        ({"id": ["x"] * 50}, "--model cca", "id 'x' occurs twice, in rows 0 and 1"),
        ({"id": None}, "--model cca", "no column 'id'"),
        ({"label": ["dog"] * 50}, "--model cca", "label: all rows are dog"),
        ({"audio": [[float("nan")]] * 50}, "--model cca", "audio: row 0 holds NaN"),
        ({"fold": [0, 1] * 25}, "--model cca --folds 3", "has folds of its own"),
        ({"label": None}, "--model c_cca", "learns from labels, and there are none; add a label column"),
        ({"audio": [[1.0] * 6] * 49 + [[1.0] * 5]}, "--model cca", "audio: row 49 is 5 wide, row 0 6"),
        ({}, "--model cca,gccaa", "model: unknown method 'gccaa'; did you mean 'gcca'?"),
        ({}, "--model ,", "--model: got ',', expected a method"),
        ({}, "--model cca,random --param ridge=1", "got 'ridge' for 2 methods, expected METHOD.NAME=VALUE"),
        ({}, "--model cca,random --param gcca.ridge=1", "'gcca.ridge' names a method that is not run"),
        ({}, "--model cca,random --param cca.rigde=1", "--param cca.rigde: unknown parameter; did you mean 'ridge'?"),
        ({}, "--model cca,random --views audio", "at least two views"),
        ({"id": ["x"] * 50}, "--model cca,random", "id 'x' occurs twice"),
        ({"label": None}, "--model c_cca,identity", "none of 2 methods can run"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], options: str, message: str
) -> None:
    path = written(tmp_path / "f.parquet", **changes)
    line = failing(capsys, "evaluate", path, *options.split(), "--out", tmp_path / "out")
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_supervised_method_without_labels_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.method("cca"), "supervised", True)
    path = written(tmp_path / "f.parquet", label=None)
    line = failing(capsys, "evaluate", path, "--model", "cca", "--out", tmp_path / "out")
    assert "cca: learns from labels, and there are none; add a label column" in line


def test_bad_files_and_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "no such file" in failing(capsys, "evaluate", tmp_path / "no.parquet", "--model", "cca", "--out", out)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    assert "not a Parquet file" in failing(capsys, "evaluate", tmp_path / "bad.parquet", "--model", "cca", "--out", out)
    path = written(tmp_path / "f.parquet")
    out.write_text("a file")
    line = failing(capsys, "evaluate", path, "--model", "random", "--out", out)
    assert "cannot be written" in line
    assert out.read_text() == "a file"
    assert "--out" in failing(capsys, "evaluate", path, "--model", "cca")
    assert "COMMAND" in failing(capsys)
    assert "unrecognized arguments: --bogus" in failing(
        capsys, "evaluate", path, "--model", "cca", "--out", out, "--bogus"
    )


def test_version_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"unisono {__version__}"
    main(["models"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == models.available()
    assert all(len(line.split()) > 3 for line in lines)


def test_one_import_is_enough_for_a_line_of_the_documentation() -> None:
    code = "import unisono; print(unisono.models.create('cca').name, unisono.metrics.chance_rank(3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "cca 2.0\n"
