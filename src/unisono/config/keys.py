"""The one rule for names that become parts of paths and commands: keys of params.yaml, feature sets, views.

**Conventions.** DVC puts keys of params.yaml into the shell lines and paths of ``dvc.yaml`` before any code of ours
sees them. So each such line begins with ``python -m unisono.config.keys || exit 2;``, which holds no key and ends the
line before the first key is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from unisono import errors
from unisono.config import PARAMS_FILE, read_yaml
from unisono.errors import ConfigError, DataError

#: Longest name, in bytes of UTF-8: two of them and a suffix are a file name.
LONGEST = 100
_KEY = re.compile(r"\w+")
_VIEW = re.compile(r"\w[\w +.-]*(?<![ .])")


def is_key(name: object) -> bool:
    """Say whether a name may be a key: letters, digits and underscores, at most `LONGEST` bytes."""
    return isinstance(name, str) and _fits(_KEY, name)


def _fits(rule: re.Pattern[str], name: str) -> bool:
    # A lone surrogate, which no file name can hold, is no letter.
    return rule.fullmatch(name) is not None and len(name.encode()) <= LONGEST


def _checked(name: str) -> str:
    if not is_key(name):
        raise ValueError(f"a name may hold letters, digits and underscores only, at most {LONGEST} bytes")
    return name


#: A key or a feature set, for pydantic.
Key = Annotated[str, AfterValidator(_checked)]


def check_views(names: Iterable[str], where: str) -> None:
    """Check the names of views, which are a user's own columns.

    Parameters
    ----------
    names : iterable of str
    where : str
        File, for messages.

    Raises
    ------
    DataError
        A name holds more than letters, digits, ``_``, ``-``, ``.``, ``+`` and blanks inside, or is too long; or two
        pairs of views would have one folder (``a-b`` and ``c``, ``a`` and ``b-c``).
    """
    views = list(names)
    for name in views:
        if not _fits(_VIEW, name):
            short = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
            raise DataError(
                f"{where}: view {short!r}: a name begins with a letter, digit or underscore, holds these and - . + and "
                f"blanks inside, and has at most {LONGEST} bytes; rename the column"
            )
    pairs: dict[str, tuple[str, str]] = {}
    for pair in combinations(views, 2):
        other = pairs.setdefault("-".join(pair), pair)
        if other != pair:
            raise DataError(
                f"{where}: the views {pair[0]!r} and {pair[1]!r} would have the same folder as {other[0]!r} and "
                f"{other[1]!r}; rename a column"
            )


def check_interpolated(pipeline: Path = Path("dvc.yaml"), params: Path = PARAMS_FILE) -> None:
    """Check what DVC puts into the stages of ``dvc.yaml``: the keys and values that a ``foreach`` goes through.

    Parameters
    ----------
    pipeline, params : Path

    Raises
    ------
    ConfigError
        One of them is no key.
    """
    for stage in read_yaml(pipeline)["stages"].values():
        place = stage.get("foreach")
        if isinstance(place, str):
            found: Any = read_yaml(params)
            path = place.strip("${} ")
            for part in path.split("."):
                found = found.get(part) if isinstance(found, dict) else None
            keys = list(found) if isinstance(found, dict) else []
            for name in (*keys, *_texts(found)):
                if not is_key(name):
                    raise ConfigError(
                        f"{path}: {str(name)[:LONGEST]!r}: a name may hold letters, digits and underscores only, "
                        f"at most {LONGEST} bytes"
                    )


def _texts(value: Any) -> Iterator[str]:
    """Give every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


if __name__ == "__main__":
    errors.run(check_interpolated)
