"""What a run would do: stages, costs, downloads, checks."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono import cli
from unisono.datasets import sources
from unisono.errors import ProgramError
from unisono.planning import checks, costs, dag, recipe

ROOT = Path(__file__).resolve().parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
STAGES = dag.read(ROOT / "dvc.yaml", PARAMS)


@pytest.fixture(scope="module")
def full() -> dict[str, Any]:
    """The parameters with the full recipe's values."""
    return yaml.safe_load(recipe.merged(ROOT / "full.yaml", ROOT / "params.yaml"))


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that has one file of 1,500,000 bytes, and another one only for GET."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def answer(self, found: bool) -> None:
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", "1500000" if found else "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            if self.path == "/get":
                self.send_response(405)
                self.end_headers()
            else:
                self.answer(self.path == "/there")

        def do_GET(self) -> None:
            self.answer(True)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_stages_are_unrolled_and_an_edit_reaches_what_follows() -> None:
    assert STAGES["extract_video@audio"].outs[0] == "data/vegas/features/audio"
    start = dag.touched(STAGES, ["mtm.engravings.sheet_plain.engrave_lyrics"])
    assert start == {"engrave_sheet@sheet_plain"}
    reached = dag.downstream(STAGES, start)
    assert {"extract_asmcmr@sheet_plain", "run_experiment@mtm_cca", "tabulate"} <= set(reached)
    assert not [name for name in reached if name.startswith(("run_experiment@vegas", "render_audio"))]
    assert dag.touched(STAGES, ["compute.workers"]) == set()


def test_every_rate_is_of_a_stage_that_exists() -> None:
    assert set(costs.RATES) <= {name.partition("@")[0] for name in STAGES}


def test_the_full_recipe_costs_more_and_names_its_downloads(full: dict[str, Any], tmp_path: Path) -> None:
    kinds = {name.partition("@")[0] for name in STAGES}
    small = {name: costs.n_items(name, PARAMS, tmp_path) for name in sources.SOURCES}
    large = {name: costs.n_items(name, full, tmp_path) for name in sources.SOURCES}
    assert small == {"mtm": 902, "vegas": 600, "mv10k": 300}
    assert large == {"mtm": 14454, "vegas": 28103, "mv10k": 10000}
    for name in STAGES:
        before = costs.stage_seconds(name, PARAMS, PARAMS, small, tmp_path)
        after = costs.stage_seconds(name, full, PARAMS, large, tmp_path)
        assert before is not None
        assert after is not None
        assert 0 < before < 2 * 3600, name
        if name == "run_experiment@vegas_tnn_c_cca":
            assert after > 2 * before
    assert list(costs.downloads(PARAMS, kinds)) == []
    found = {each.key for each in costs.downloads(full, kinds)}
    assert {"mtm.source lmd", "mtm.features.vggish.checkpoint", "mv10k.videos.youtube8m.mirrors"} <= found
    # Published features need no network.
    assert not [key for key in found if key.startswith("vegas")]


def test_a_measured_time_is_scaled(tmp_path: Path) -> None:
    for name, content in (
        ("timing/mtm_cca.json", {"wall_s": 7.0}),
        ("experiments/mtm_cca/metrics.json", {"n_items": 902}),
    ):
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    items = {"mtm": 902, "vegas": 1, "mv10k": 1}
    assert costs.stage_seconds("run_experiment@mtm_cca", PARAMS, PARAMS, items, tmp_path) == pytest.approx(7.0)
    items["mtm"] = 14454
    assert (costs.stage_seconds("run_experiment@mtm_cca", PARAMS, PARAMS, items, tmp_path) or 0) > 14


def test_addresses_are_asked(address: str) -> None:
    assert checks.url(f"{address}/there") == (f"{address}/there", True, "1.5 MB")
    assert checks.url(f"{address}/get").ok
    gone = checks.url(f"{address}/gone")
    assert not gone.ok
    assert "404" in gone.detail
    assert not checks.url("http://127.0.0.1:1/x").ok


def test_what_is_missing_is_named(full: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = {check.what for check in checks.tools(PARAMS, {"render_audio", "engrave_sheet", "build_vegas"})}
    assert {"timidity", "lilypond", "espeak-ng"} <= failed
    found = {check.what: check for check in checks.files(full, {"build_vegas", "build_mv10k"})}
    assert not found["vegas.source features"].ok
    assert "data/raw/vegas does not exist" in found["vegas.source features"].detail
    assert not found["mv10k.emotion.tags"].ok
    assert not checks.disk(1e12, tmp_path).ok
    assert checks.disk(0.001, tmp_path).ok


def test_dvc_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        return subprocess.CompletedProcess(args, 255, "", "ERROR: Unable to acquire lock")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(ProgramError, match="Unable to acquire lock"):
        dag.stale(tmp_path)


def test_plan_ends_with_status_2_when_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("params.yaml", "dvc.yaml", "full.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dag, "stale", lambda root: set())
    cli.main(["plan"])
    assert capsys.readouterr().out.startswith(f"0 of {len(STAGES)} stages would run")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["plan", "--params", "full.yaml"])
    said = capsys.readouterr()
    assert "build_mv10k" in said.out
    assert "MISSING vegas.source features" in said.out
    assert "TB" in said.out
    assert said.err.startswith("error: ")
    assert "nothing was started" in said.err
    assert (tmp_path / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_sources_are_listed_and_the_chosen_one_is_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    cli.main(["sources", "--dataset", "mtm"])
    said = capsys.readouterr().out
    assert "\n* music21 " in said
    assert "  lmd " in said
    assert "at hand: to be fetched" in said
    assert "vegas" not in said


@pytest.mark.parametrize("dataset", sources.SOURCES)
def test_the_list_of_sources_is_the_legal_one(dataset: str) -> None:
    import importlib
    from typing import get_args

    section = getattr(importlib.import_module(f"unisono.config.{dataset}"), dataset.capitalize())
    assert tuple(sources.SOURCES[dataset]) == get_args(section.model_fields["source"].annotation)
    for name in sources.SOURCES[dataset]:
        sources.location(dataset, name, PARAMS)
