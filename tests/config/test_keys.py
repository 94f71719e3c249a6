"""Names that become parts of paths and commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from unisono.config import keys
from unisono.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ["a; touch x; b", "$(touch x)", "`touch x`", "a' ; touch x; '", "a\ntouch x", "a||touch x", "../x", "", "a b"]


@pytest.mark.parametrize("name", [*HOSTILE, "a.b", "a-b", "a\0", "é" * 51, "\udc80", 3, True, None])
def test_what_is_no_key(name: object) -> None:
    assert not keys.is_key(name)


@pytest.mark.parametrize("name", ["sheet", "sheet_plain", "_1", "Überblick", "音", "a" * keys.LONGEST])
def test_what_is_a_key(name: str) -> None:
    assert keys.is_key(name)


@pytest.mark.parametrize(
    "name",
    ["../escape", "/abs", "a\0b", "x" * 300, "", ".hidden", "-o", "a/b", "a\\b", "a@b", "a\nb", "a>b", "a ", "\udc80"],
)
def test_no_view_may_leave_its_folder(name: str) -> None:
    with pytest.raises(DataError, match=r"features\.parquet: view .*rename the column"):
        keys.check_views(["audio", name], "features.parquet")


def test_views_of_users_are_legal() -> None:
    keys.check_views(["audio", "resnet-50", "CLIP ViT-B+16", "mfcc_13.mean", "Bild", "歌"], "features.parquet")


@pytest.mark.parametrize("views", [["a-b", "c", "a", "b-c"], ["x", "y-z", "x-y", "z"]])
def test_no_two_pairs_of_views_share_a_folder(views: list[str]) -> None:
    with pytest.raises(DataError, match="same folder"):
        keys.check_views(views, "features.parquet")


def interpolating() -> dict[str, str]:
    """The commands of dvc.yaml that DVC fills with what stands in params.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: stage["do"]["cmd"] for name, stage in stages.items() if isinstance(stage.get("foreach"), str)}


def test_some_commands_are_filled() -> None:
    assert {"engrave_sheet", "extract_video"} <= set(interpolating())
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert not [name for name, stage in stages.items() if "foreach" not in stage and "${" in stage["cmd"]]


@pytest.mark.parametrize("stage", interpolating())
@pytest.mark.parametrize("key", HOSTILE[:3])
def test_no_key_reaches_the_shell(stage: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["mtm"]["engravings"][key] = {"engrave_lyrics": True}
    params["vegas"]["features"]["sets"][key] = "inception"
    params["songs"]["features"]["sets"] = [key]
    params["songs"]["features"]["texts"]["sets"] = [key]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    done = subprocess.run(  # noqa: S602
        interpolating()[stage].replace("${key}", key).replace("${item}", key if "songs" in stage else "inception"),
        shell=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "x").exists()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "a name may hold letters" in done.stderr


def test_values_are_checked_as_keys_are(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {a: {foreach: '${b.c}', do: {cmd: 'echo ${item}'}}}", encoding="utf-8")
    for text in ("b: {c: {d: '$(touch x)'}}", "b: {c: {d: {e: [f, 'g h']}}}", "b: {c: {1: d}}"):
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"^b\.c: "):
            keys.check_interpolated(tmp_path / "dvc.yaml", tmp_path / "params.yaml")
