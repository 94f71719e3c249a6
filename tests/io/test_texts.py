"""JSON and CSV from outside: whatever is wrong with them is said."""

from __future__ import annotations

import pytest

from unisono.errors import DataError
from unisono.io import texts


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "9" * 5000, b"\xff"])
def test_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        texts.from_json(text)


def test_rows_have_what_was_asked_for() -> None:
    rows = list(texts.csv_rows('a,b,c\r\n1," x ",2\r\n3\r\n', "f.csv", ("a", "b")))
    assert rows == [(2, {"a": "1", "b": "x"}), (3, {"a": "3", "b": ""})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,c\n", "no column 'b'"),
        ("", "no column 'a'"),
        ("a,b\n" + "x" * 200_000, "field larger than field limit"),
    ],
)
def test_no_csv_is_one_line(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(texts.csv_rows(text, "f.csv", ("a", "b")))
