"""What a run would do: stages, costs, downloads, checks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from unisono import cli, errors
from unisono.datasets.base import names
from unisono.errors import ConfigError, ProgramError
from unisono.evaluation import recipe
from unisono.evaluation.params_file import check_params_file
from unisono.planning import checks, costs, dag
from unisono.store import tracked

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = check_params_file(ROOT / "params.yaml")
STAGES = dag.read(ROOT / "dvc.yaml", (ROOT / "params.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def full() -> Mapping[str, Any]:
    """The parameters with the full recipe's values."""
    return recipe.merged(ROOT / "full.yaml", ROOT / "params.yaml")[1]


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
    assert STAGES["deal@vegas"].command.startswith("deal --dataset vegas --samples data/vegas/samples")
    start = dag.touched(STAGES, ["mtm.engravings.sheet_plain.engrave_lyrics"])
    assert start == {"engrave_sheet@sheet_plain"}
    reached = dag.downstream(STAGES, start)
    assert {"extract_asmcmr@sheet_plain", "run_experiments", "tabulate"} <= set(reached)
    assert not [name for name in reached if name.startswith(("extract_video", "render_audio"))]
    assert dag.touched(STAGES, ["compute.workers"]) == set()


#: What is drawn and written from the experiments' results.
REPORT = {"tabulate", "plot_curves", "plot_spaces", "plot_example", "plot_image2song", "write_report"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("experiments.mtm_cca.seeds", {"run_experiments"}),
        ("models.c_cca.n_components", {"run_experiments"}),
        ("models.tnn_c_cca.margin", {"run_experiments", "tabulate_settings"}),
        ("models", {"run_experiments", "tabulate_settings"}),
        ("report.titles.c_cca", REPORT),
        ("report.figures", REPORT - {"tabulate"}),
        ("report.gallery_items", {"write_report"}),
        ("vegas.features.inception.whitening.components", {"fit_whitening@visual", "extract_video@visual"}),
        ("vegas.folds.n", {"deal@vegas"}),
        ("mv10k.emotion.tags", {"build_mv10k", "train_chunk_attention"}),
    ],
)
def test_a_parameter_touches_what_reads_it_as_params_or_as_a_digest(key: str, expected: set[str]) -> None:
    assert dag.touched(STAGES, [key]) == expected


def test_an_edit_is_known_before_the_first_stage_has_run(tmp_path: Path) -> None:
    written = {"stages/tabulate": "1", "models/cca": "2", "params/report": "3", "stages/gone": "4"}
    for name, text in written.items():
        (tmp_path / dag.CODE / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / dag.CODE / name).write_text(f"{text}\n")
    code = (dag.CODE / "stages/tabulate", dag.CODE / "models", dag.CODE / "params/report", dag.CODE / "params/new")
    stages = {
        name: dag.Stage(name, "", (dep.as_posix(), "data/x"), (), (), frozenset())
        for name, dep in zip(("tabulate", "run", "report", "new"), code, strict=True)
    }
    del written["stages/gone"]
    assert dag.edited(tmp_path, stages, written) == set()
    assert dag.edited(tmp_path, stages, {**written, "models/cca": "5"}) == {"run"}
    assert dag.edited(tmp_path, stages, {**written, "models/new": "5"}) == {"run"}
    assert dag.edited(tmp_path, stages, {**written, "params/report": "5", "params/new": "6"}) == {"report", "new"}
    # Where it never ran, all is new.
    assert dag.edited(tmp_path / "other", stages, {**written, "params/new": "6"}) == set(stages)


def test_the_full_recipe_names_its_items_and_downloads(full: Mapping[str, Any], tmp_path: Path) -> None:
    read = {key for stage in STAGES.values() for key in stage.params}
    small, large = (
        {name: costs.growth(name, sections[name], tmp_path) for name in names()} for sections in (SECTIONS, full)
    )
    same = {"songs": (415, 1.0), "image2song": (1543 + 545, 1.0)}
    assert small == {"mtm": (900, 1.0), "vegas": (600, 1.0), "mv10k": (300, 1.0), **same}
    assert large == {"mtm": (14454, 1.0), "vegas": (28103, 1.0), "mv10k": (10000, 1.0), **same}
    assert list(costs.downloads(SECTIONS, read)) == []
    found = {each.key: each for each in costs.downloads(full, read)}
    assert {"mtm.songs.lmd", "mtm.features.vggish.checkpoint", "mv10k.videos.youtube8m"} <= set(found)
    assert found["mv10k.videos.youtube8m"].megabytes > 1e6
    # Published features need no network.
    assert not [key for key in found if key.startswith("vegas")]
    assert list(costs.downloads(full, {"mtm.split"})) == []


def test_extractors_fetch_what_their_settings_ask_for() -> None:
    features = SECTIONS["vegas"].features
    inception = features.inception.model_copy(update={"weights": "pretrained"})
    i3d = features.i3d.model_copy(update={"weights": "pretrained"})
    chosen = features.model_copy(update={"inception": inception, "i3d": i3d})
    sections = {**SECTIONS, "vegas": SECTIONS["vegas"].model_copy(update={"features": chosen})}
    found = [each.key for each in costs.downloads(sections, {"vegas.features.inception", "vegas.features.i3d"})]
    # Not the other variant's, not the fitted whitening's, and nothing of a network that no feature set is made by.
    assert found == ["vegas.features.inception.keras"]


def test_what_was_measured_grows_with_the_data_and_nothing_else_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = STAGES["deal@vegas"]
    assert costs.seconds(stage, {}, {}, tmp_path) is None
    assert costs.megabytes(stage, {}, tmp_path) is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/x/stages/deal.py", *stage.command.split()[1:]])
    errors.run(lambda: None)
    measured = json.loads(errors.time_file(stage.command).read_text(encoding="utf-8"))
    assert measured["command"] == stage.command
    errors.time_file(stage.command).write_text(json.dumps(measured | {"seconds": 7.0}), encoding="utf-8")
    assert costs.seconds(stage, {}, {"vegas": 2.0, "mtm": 9.0}, tmp_path) == 14
    for out in stage.outs:
        (tmp_path / out).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / out).write_bytes(bytes(500_000))
    assert costs.megabytes(stage, {"vegas": 3.0}, tmp_path) == pytest.approx(3)


def test_experiments_took_what_their_fits_took(tmp_path: Path) -> None:
    stage, entry = STAGES["run_experiments"], SECTIONS["experiments"]["mtm_cca"]
    (tmp_path / "results" / "timing").mkdir(parents=True)
    assert costs.seconds(stage, {"mtm_cca": entry}, {}, tmp_path) is None
    (tmp_path / "results" / "timing" / "mtm_cca.json").write_text(json.dumps({"wall_s": 7.0}))
    assert costs.seconds(stage, {"mtm_cca": entry}, {"mtm": 3.0}, tmp_path) == 21
    # What it takes when it is tuned, it does not tell.
    tuned = {"mtm_cca": entry.model_copy(update={"tune": True})}
    assert costs.seconds(stage, tuned, {}, tmp_path) is None
    (tmp_path / "results" / "timing" / "mtm_cca.json").write_text(json.dumps({"wall_s": 9.0, "tune_s": 8.0}))
    assert costs.seconds(stage, tuned, {}, tmp_path) == 9


def test_addresses_are_asked(address: str) -> None:
    assert checks.url(f"{address}/there") == (f"{address}/there", True, "1.5 MB")
    assert checks.url(f"{address}/get").ok
    gone = checks.url(f"{address}/gone")
    assert not gone.ok
    assert "404" in gone.detail
    assert not checks.url("http://127.0.0.1:1/x").ok


def test_what_is_missing_is_named(full: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = {check.what for check in checks.tools(SECTIONS, {"render_audio", "engrave_sheet"}) if not check.ok}
    assert {"timidity", "lilypond"} <= failed
    (digits,) = checks.files(SECTIONS, ["vegas"])
    assert digits == ("vegas.source digits", False, "no: espeak-ng is not installed")
    found = {check.what: check for check in checks.files(full, ["vegas", "mv10k"])}
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
        dag.stale(tmp_path, {})


def project(folder: Path) -> None:
    """A project with one stage that takes long."""
    (folder / ".dvc" / "tmp").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    stage = {"cmd": f"{sys.executable} -c 'import time; time.sleep(60)'", "outs": ["made"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"long": stage}}), encoding="utf-8")


def test_a_run_under_way_is_named_at_once_with_its_stage(tmp_path: Path) -> None:
    project(tmp_path)
    stages = {"long": dag.Stage("long", "", (), ("made",), (), frozenset())}
    run = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while "long" not in dag.under_way(tmp_path, stages):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        before, told = time.monotonic(), ""
        # DVC may be writing its lock file at that moment.
        while f"a run is under way: process {run.pid} (`dvc repro`), stage long" not in told:
            with pytest.raises(ProgramError, match="a run is under way: process") as raised:
                dag.refuse_under_way(tmp_path, stages)
            told = str(raised.value)
            assert time.monotonic() - before < 2
        # A run that began after the question is named as well, in place of DVC's advice to remove its lock.
        with pytest.raises(ProgramError, match="a run is under way"):
            dag.stale(tmp_path, stages)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    # What it left is nobody's: DVC takes it over.
    assert json.loads((tmp_path / tracked.RWLOCK).read_text(encoding="utf-8"))["write"]
    assert dag.under_way(tmp_path, stages) == ""
    assert dag.stale(tmp_path, stages) == {"long"}


def test_dvcs_lock_counts_while_a_process_holds_it(tmp_path: Path) -> None:
    project(tmp_path)
    lock = tmp_path / dag.LOCK
    lock.write_text(" 1\n", encoding="utf-8")
    assert dag.under_way(tmp_path, {}) == ""
    holder = "import sys, time, zc.lockfile; k = zc.lockfile.LockFile(sys.argv[1]); print(flush=True); time.sleep(60)"
    run = subprocess.Popen([sys.executable, "-c", holder, str(lock)], stdout=subprocess.PIPE)
    try:
        assert run.stdout is not None
        run.stdout.readline()
        before = time.monotonic()
        with pytest.raises(ProgramError, match=f"a run is under way: process {run.pid};"):
            dag.refuse_under_way(tmp_path, {})
        assert time.monotonic() - before < 2
    finally:
        run.kill()
        run.communicate()
    assert dag.under_way(tmp_path, {}) == ""


def test_a_later_process_of_the_same_number_is_no_run(tmp_path: Path) -> None:
    project(tmp_path)
    info = {"pid": os.getpid(), "cmd": "/usr/bin/dvc repro --a-run-of-yesterday"}
    (tmp_path / tracked.RWLOCK).write_text(json.dumps({"write": {str(tmp_path / "made"): info}}), encoding="utf-8")
    assert dag.under_way(tmp_path, {}) == ""


def test_plan_ends_with_status_2_when_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("params.yaml", "dvc.yaml", "full.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dag, "stale", lambda root, stages: set())
    cli.main(["plan"])
    assert capsys.readouterr().out.startswith(f"0 of {len(STAGES)} stages would run")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["plan", "--params", "full.yaml"])
    said = capsys.readouterr()
    assert "build_mv10k" in said.out
    assert "MISSING vegas.source features" in said.out
    assert "stages not measured" in said.out
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


@pytest.mark.parametrize("dataset", names())
def test_sources_say_what_they_are(dataset: str) -> None:
    for name, source in SECTIONS[dataset].sources().items():
        assert source.about, name
        assert source.licence, name
        assert not source.lies_at or source.place, name


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    raw["vegas"]["source"] = "digit"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"vegas\.source: .*no such source; did you mean 'digits'"):
        check_params_file(tmp_path / "params.yaml")
