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


def csv_rows(
    text: str, where: str, columns: Sequence[str], others: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV file whose first line names its columns.

    Parameters
    ----------
    text : str
        With its own line ends.
    where : str
        File, for messages.
    columns : sequence of str
        Those that are needed.
    others : sequence of str, optional
        Those that may be there besides, and no more then; by default any, of which none is read.

    Yields
    ------
    line : int
    cells : dict of str to str
        By column, without blanks around them; empty where a row is too short, or has no such column.

    Raises
    ------
    DataError
        It is no CSV, a field is longer than any, or a column is missing or unknown.
    """
    names = " and ".join(columns)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for column in columns:
            if column not in (rows.fieldnames or []):
                raise DataError(f"{where}: has no column {column!r}; its first line must name {names}")
        for column in rows.fieldnames or []:
            if others is not None and column not in (*columns, *others):
                raise DataError(f"{where}: has an unknown column {column!r}; expected {', '.join((*columns, *others))}")
        for row in rows:
            yield rows.line_num, {column: (row.get(column) or "").strip() for column in (*columns, *(others or []))}
    except csv.Error as error:
        raise DataError(f"{where}: cannot be read ({error}); expected a CSV with {names}") from None
