"""The public frame-level shards of YouTube-8M: which there are and where they lie.

YouTube-8M (2018 version), Google, CC BY 4.0. Please cite S. Abu-El-Haija et al.: YouTube-8M: A Large-Scale
Video Classification Benchmark, arXiv 1609.08675.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unisono.errors import DataError, pass_machine
from unisono.io.texts import from_json

# A name becomes a file name and a part of URLs; an MD5 is checked after the download.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.tfrecord")
_MD5 = re.compile(r"[0-9a-f]{32}")


class SourceShard(NamedTuple):
    """One file to fetch.

    Attributes
    ----------
    partition : str
        ``train`` or ``validate``.
    name : str
    md5 : str
    locations : tuple of str
        URLs or paths, tried in order.
    """

    partition: str
    name: str
    md5: str
    locations: tuple[str, ...]


def read_plan(path: Path, *, partition: str, mirrors: Sequence[str]) -> list[SourceShard]:
    """Read a download plan: ``{"files": {name: md5}}``.

    Parameters
    ----------
    path : Path
    partition : str
    mirrors : sequence of str
        Locations with the fields ``{partition}`` and ``{name}``.

    Returns
    -------
    list of SourceShard
        Sorted by name.

    Raises
    ------
    DataError
        The file is no plan, names no shard, or a name or checksum is not one.
    """
    try:
        files = from_json(path.read_bytes())["files"]
        entries = sorted(files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        pass_machine(error)
        raise DataError(f'{path}: not a download plan; expected JSON {{"files": {{name: md5}}}}') from None
    if not entries:
        raise DataError(f"{path}: the plan names no shard")
    for name, md5 in entries:
        if not _NAME.fullmatch(name):
            raise DataError(f"{path}: {name!r} is not the name of a shard, expected <name>.tfrecord")
        if not isinstance(md5, str) or not _MD5.fullmatch(md5):
            raise DataError(f"{path}: {name}: {md5!r} is not an MD5 checksum of 32 hexadecimal digits")
    return [
        SourceShard(
            partition,
            name,
            md5,
            tuple(m.replace("{partition}", partition).replace("{name}", name) for m in mirrors),
        )
        for name, md5 in entries
    ]
