"""What the fork server imports is named for it alone."""

from __future__ import annotations

import os

import pytest

from unisono.store import preloading


def test_no_other_process_is_told_what_to_import() -> None:
    with preloading.named(["torch", "numpy"]):
        assert os.environ[preloading.VARIABLE] == "torch numpy"
    assert preloading.VARIABLE not in os.environ
    with pytest.raises(KeyError), preloading.named(["torch"]):
        raise KeyError
    assert preloading.VARIABLE not in os.environ
