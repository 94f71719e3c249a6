"""Whether a run has what it needs: tools, files of the user's, disk, and addresses that answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unisono.config.choices import read_from
from unisono.errors import UnisonoError

#: Longest silence of a server, in s.
TIMEOUT_S = 20.0
#: Programs by stage; their Debian packages have the same names.
PROGRAMS = {"render_audio": "timidity", "engrave_sheet": "lilypond", "engrave_notes": "lilypond"}
#: Files of the user's that a parameter of ``mv10k`` names: empty where none is asked for.
FILES = (("emotion", "tags"), ("emotion", "audio"), ("moods", "seeds"))


class Check(NamedTuple):
    """One thing that a run needs.

    Attributes
    ----------
    what : str
    ok : bool
    detail : str
        What was found, or what to do.
    """

    what: str
    ok: bool
    detail: str


def tools(sections: Mapping[str, Any], stages: set[str]) -> Iterator[Check]:
    """Look for the programs and the sound font that these stages call.

    Parameters
    ----------
    sections : mapping
        params.yaml, validated.
    stages : set of str
        Without what follows ``@``.
    """
    for program in sorted({PROGRAMS[stage] for stage in stages & PROGRAMS.keys()}):
        path = shutil.which(program)
        yield Check(program, path is not None, path or f"not installed; `apt-get install {program}`")
    if "render_audio" in stages:
        from unisono.media.timidity import find_soundfont

        try:
            yield Check("sound font", True, str(find_soundfont(sections["mtm"].audio)))
        except UnisonoError as error:
            yield Check("sound font", False, str(error))


def files(sections: Mapping[str, Any], datasets: Iterable[str]) -> Iterator[Check]:
    """Look for the sources of data sets, for what these need, and for other files of the user's.

    Parameters
    ----------
    sections
        As for `tools`.
    datasets : iterable of str
        Those that are built.
    """
    for dataset in datasets:
        for choice in read_from(dataset, sections[dataset]):
            found = choice.chosen.at_hand()
            yield Check(f"{choice.key} {choice.source}", not found.startswith("no"), found)
    for block, key in FILES if "mv10k" in datasets else ():
        where = str(getattr(getattr(sections["mv10k"], block), key))
        if where:
            there = Path(where).exists()
            yield Check(f"mv10k.{block}.{key}", there, where if there else f"{where} does not exist")


def disk(megabytes: float, folder: Path) -> Check:
    """Compare what a run writes with what is free.

    Parameters
    ----------
    megabytes : float
    folder : Path
        The project's.
    """
    free = shutil.disk_usage(folder).free / 1e6
    return Check("disk", megabytes < free, f"{megabytes / 1e3:.1f} GB needed, {free / 1e3:.1f} GB free")


def url(address: str) -> Check:
    """Ask a server whether it has a file, without fetching it.

    Parameters
    ----------
    address : str

    Returns
    -------
    Check
        Its detail is the size that the server names, or why there is no answer.
    """
    import requests

    try:
        response = requests.head(address, allow_redirects=True, timeout=TIMEOUT_S)
        if response.status_code in (403, 405, 501):
            # Some servers answer GET alone; the body is not read.
            response = requests.get(address, stream=True, timeout=TIMEOUT_S)
            response.close()
    except requests.RequestException as error:
        return Check(address, False, f"no answer ({type(error).__name__})")
    if response.status_code != 200:
        return Check(address, False, f"the server answered {response.status_code} {response.reason}")
    length = response.headers.get("Content-Length", "")
    return Check(address, True, f"{int(length) / 1e6:.1f} MB" if length.isdigit() else "there; size not told")
