"""Texts from outside: JSON and CSV, of which whatever is wrong with them is a `ValueError` or a `DataError`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from unisono.errors import DataError


def from_json(text: str | bytes) -> Any:
    """Parse JSON.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    object

    Raises
    ------
    ValueError
        It is none, or nested so deep that Python does not read it.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested deeper than any file of this kind") from None


def csv_rows(text: str, where: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV file whose first line names its columns.

    Parameters
    ----------
    text : str
        With its own line ends.
    where : str
        File, for messages.
    columns : sequence of str
        Those that are needed.

    Yields
    ------
    line : int
    cells : dict of str to str
        By column, without blanks around them; empty where a row is too short.

    Raises
    ------
    DataError
        It is no CSV, a field is longer than any, or a column is missing.
    """
    names = " and ".join(columns)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for column in columns:
            if column not in (rows.fieldnames or []):
                raise DataError(f"{where}: has no column {column!r}; its first line must name {names}")
        for row in rows:
            yield rows.line_num, {column: (row[column] or "").strip() for column in columns}
    except csv.Error as error:
        raise DataError(f"{where}: cannot be read ({error}); expected a CSV with {names}") from None
