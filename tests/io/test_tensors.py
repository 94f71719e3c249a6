"""safetensors files with a JSON header: what is none is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from unisono.errors import DataError
from unisono.io import tensors

WORDS = {"what": "a whitening", "remedy": "fit it again"}


def test_header_and_arrays_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": np.ones(3, np.float32)}, path, metadata={"unisono": json.dumps({"b": 1})})
    header, arrays = tensors.read(path, "unisono", **WORDS)
    assert header == tensors.read_header(path, "unisono", **WORDS) == {"b": 1}
    np.testing.assert_array_equal(arrays["a"], np.ones(3))
    assert tensors.read_header(path, "other", **WORDS) == {}


@pytest.mark.parametrize("header", ["null", "[]", "{", "[" * 100_000, "9" * 5000])
def test_a_foreign_header_is_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": np.ones(3, np.float32)}, path, metadata={"unisono": header})
    with pytest.raises(DataError, match=r"x\.safetensors: not a whitening.*; fit it again"):
        tensors.read(path, "unisono", **WORDS)


def test_damaged_files_and_odd_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(DataError, match="no such file; fit it again"):
        tensors.read(path, "unisono", **WORDS)
    save_file({"a": np.full(3, np.nan, np.float32)}, path)
    with pytest.raises(DataError, match="'a' holds NaN or infinite values"):
        tensors.read(path, "unisono", **WORDS)
    data = path.read_bytes()
    for damaged in (data[:20], b"", data.replace(b'"F32"', b'"X32"'), data.replace(b"[3]", b"[9]")):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="not a whitening, or damaged"):
            tensors.read(path, "unisono", **WORDS)
