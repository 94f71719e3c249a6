"""Kept fits: complete or not at all, shared by runs and copies, collected when nothing needs them."""

from __future__ import annotations

import json
import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from unisono.errors import MachineError
from unisono.store import fits

CONTENT = {"scores": {"a->b": {"map": 0.5}}, "notes": ["ä"]}
ARRAYS = {"embeddings/a": np.arange(6, dtype=np.float32).reshape(2, 3)}


@pytest.fixture
def fit(tmp_path: Path) -> Path:
    """A kept fit with a model."""
    folder = tmp_path / "fits" / fits.key("one")
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / fits.CHECKPOINT).write_bytes(b"unfinished")
    fits.write(folder, CONTENT, ARRAYS)
    return folder


def test_what_is_written_is_read(fit: Path) -> None:
    found = fits.read(fit)
    assert found is not None
    assert found[0] == CONTENT
    np.testing.assert_array_equal(found[1]["embeddings/a"], ARRAYS["embeddings/a"])
    assert not (fit / fits.CHECKPOINT).exists()
    assert fits.read(fit.with_name("none")) is None


def test_a_full_disk_leaves_what_was_there(fit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    before = sorted(path.name for path in fit.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(MachineError, match="No space left on device"):
            fits.write(fit, CONTENT | {"notes": []}, ARRAYS)
    assert sorted(path.name for path in fit.iterdir()) == before
    assert (fits.read(fit) or ({},))[0] == CONTENT


@pytest.mark.parametrize("name", [fits.RECORD, fits.ARRAYS, "model/model.safetensors"])
@pytest.mark.parametrize("how", ["missing", "truncated", "flipped"])
def test_a_damaged_fit_is_none(fit: Path, name: str, how: str) -> None:
    path = fit / name
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[-3] ^= 1
        path.write_bytes(data)
    assert fits.read(fit) is None


@pytest.mark.parametrize("record", ["null", "[]", "{}", '{"version": 1, "files": [], "content": {}}', "1"])
def test_a_record_of_another_kind_is_none(fit: Path, record: str) -> None:
    (fit / fits.RECORD).write_text(record)
    assert fits.read(fit) is None


def test_a_fit_of_another_version_or_half_written_is_none(fit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = json.loads((fit / fits.RECORD).read_text())
    (fit / fits.RECORD).write_text(json.dumps(record | {"version": fits.VERSION + 1}))
    assert fits.read(fit) is None
    half = fit.with_name("half")
    half.mkdir()
    (half / fits.ARRAYS).write_bytes((fit / fits.ARRAYS).read_bytes())
    assert fits.read(half) is None


def test_a_key_depends_on_every_fact_and_on_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {fits.key("cca", {"a": 1, "b": 2}, 0), fits.key("cca", {"a": 1, "b": 3}, 0), fits.key("cca", {"a": 1}, 1)}
    assert len(keys) == 3
    assert fits.key({"a": 1, "b": 2}) == fits.key({"b": 2, "a": 1})
    before = fits.key("x")
    monkeypatch.setattr(fits, "versions", lambda: ("another",))
    assert fits.key("x") != before


def test_copies_of_dvc_share_the_store_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert fits.home(Path(".unisono/scratch")) == Path.cwd() / ".unisono/fits"
    monkeypatch.setenv("DVC_ROOT", "/project")
    assert fits.home(Path(".unisono/scratch")) == Path("/project/.unisono/fits")
    assert fits.home(Path("/fast/scratch")) == Path("/fast/fits")


def test_two_runs_may_write_and_read_one_fit(tmp_path: Path) -> None:
    folder = tmp_path / "fit"

    def work(number: int) -> bool:
        fits.write(folder, CONTENT, ARRAYS)
        found = fits.read(folder)
        return found is None or found[0] == CONTENT

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))
    assert fits.read(folder) is not None


def test_what_nothing_needs_goes_after_its_days(fit: Path) -> None:
    store = fit.parent
    for name, age_days in (("old", 40), ("fresh", 1), ("needed", 40)):
        (store / name).mkdir()
        when = time.time() - age_days * 86_400
        os.utime(store / name, (when, when))
    assert fits.collect(store, ["needed"], days=30) == 1
    assert {path.name for path in store.iterdir()} == {"fresh", "needed", fit.name}
    assert fits.collect(store, [fit.name], days=0) == 2
    assert [path.name for path in store.iterdir()] == [fit.name]


def test_reading_a_fit_keeps_it(fit: Path) -> None:
    os.utime(fit, (0, 0))
    assert fits.read(fit) is not None
    assert fits.collect(fit.parent, [], days=1) == 0


def test_a_store_that_cannot_be_written_is_said_and_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with fits.opened(tmp_path / "file" / "fits") as folder:
            fits.write(folder / "one", CONTENT, ARRAYS)
            assert fits.read(folder / "one") is not None
    assert not folder.exists()
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith(f"{tmp_path}/file/fits: fits cannot be kept (")
    assert "make the folder writable or free space" in message
