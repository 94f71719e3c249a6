"""Whether a run has what it needs: tools, files of the user's, disk, and addresses that answer."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unisono.datasets.sources import at_hand
from unisono.errors import UnisonoError

#: Longest silence of a server, in s.
TIMEOUT_S = 20.0
#: Programs by stage, and the Debian package of each.
PROGRAMS = {
    "render_audio": (("timidity", "timidity"),),
    "engrave_sheet": (("lilypond", "lilypond"),),
    "engrave_notes": (("lilypond", "lilypond"),),
}
#: Files of the user's that a parameter names, by data set and section: empty where none is asked for.
FILES = (("mv10k", "emotion", "tags"), ("mv10k", "emotion", "audio"), ("mv10k", "moods", "seeds"))


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


def tools(params: Mapping[str, Any], stages: set[str]) -> Iterator[Check]:
    """Look for the programs, the sound font and the packages that these stages call.

    Parameters
    ----------
    params : mapping
        params.yaml as plain data.
    stages : set of str
        Without what follows ``@``.
    """
    wanted = dict(pair for stage in sorted(stages) for pair in PROGRAMS.get(stage, ()))
    if "build_vegas" in stages and params["vegas"]["source"] == "digits":
        wanted["espeak-ng"] = "espeak-ng"
    for program, package in wanted.items():
        path = shutil.which(program)
        yield Check(program, path is not None, path or f"not installed; `apt-get install {package}`")
    if "render_audio" in stages:
        from unisono.media.timidity import find_soundfont

        try:
            yield Check("sound font", True, str(find_soundfont(params["mtm"]["audio"]["soundfont"])))
        except UnisonoError as error:
            yield Check("sound font", False, str(error))
    if "build_vegas" in stages and params["vegas"]["source"] == "youtube":
        found = importlib.util.find_spec("yt_dlp") is not None
        yield Check("yt-dlp", found, "installed" if found else 'not installed; `pip install "unisono[youtube]"`')


def files(params: Mapping[str, Any], stages: set[str]) -> Iterator[Check]:
    """Look for the sources and other files of the user's that these stages read.

    Parameters
    ----------
    params, stages
        As for `tools`.
    """
    for dataset, build in (("mtm", "build_songs"), ("vegas", "build_vegas"), ("mv10k", "build_mv10k")):
        source = params[dataset]["source"]
        if build in stages:
            found = at_hand(dataset, source, params)
            yield Check(f"{dataset}.source {source}", not found.startswith("no"), found)
    if "build_mv10k" in stages:
        for dataset, section, key in FILES:
            where = params[dataset][section][key]
            if where:
                there = Path(where).exists()
                yield Check(f"{dataset}.{section}.{key}", there, where if there else f"{where} does not exist")


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
