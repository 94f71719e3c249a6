"""What each source of a data set is, under which licence, how large, where it lives, and whether it is at hand."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

#: Stand-ins cannot be compared with the dissertation.
_STAND_IN = "a stand-in: nothing computed from it compares with the dissertation's numbers"
_YOURS = "as its maker states"
_NONE_STATED = "none stated; used, never redistributed"


class Source(NamedTuple):
    """One value of ``<dataset>.source``.

    Attributes
    ----------
    about : str
        What it is.
    licence : str
    size : str
        For a reader: what is read or fetched.
    home : str
        Where it comes from.
    location : str
        Key of params.yaml, below the data set, that says where it lies; empty for what needs no file.
    n_items : int or None
        Samples, clips or videos that it gives with the dissertation's settings, where that is known.
    needs : str
        What must be installed: a Python package ("music21") or a program ("espeak-ng"); empty for nothing.
    """

    about: str
    licence: str
    size: str
    home: str
    location: str = ""
    n_items: int | None = None
    needs: str = ""


_CMR = "https://github.com/ZenzenDatabase/CMR"

#: Sources by data set and name, the default first.
SOURCES: Mapping[str, Mapping[str, Source]] = {
    "mtm": {
        "music21": Source(
            "Songs with syllable-aligned lyrics in the corpus of the installed music21 package",
            "compositions in the public domain; most encodings name no licence: read in place, never redistributed",
            "525 scores, 902 samples",
            "https://github.com/cuthbertLab/music21",
            n_items=902,
            needs="music21",
        ),
        "musicxml": Source(
            "MusicXML with lyrics of your own: folder, zip, tar or URL", _YOURS, "yours", "", "songs.musicxml.location"
        ),
        "lmd": Source(
            "The dissertation's lyrics-melody data (Yu and Canales)",
            "no licence stated, copyrighted lyrics; never redistribute",
            "1.84 GB unpacked, of which 11,517 small files are kept; 14,454 samples",
            "https://github.com/yy1lab/Lyrics-Conditioned-Neural-Melody-Generation",
            "songs.lmd.location",
            14454,
        ),
        "parquet": Source("Ready-made shards of your own", _YOURS, "yours", "", "songs.parquet.location"),
    },
    "vegas": {
        "digits": Source(
            "Handwritten digits that drift through a video, spoken by espeak-ng; " + _STAND_IN,
            "digits: UCI Optical Recognition of Handwritten Digits, as in scikit-learn, CC BY 4.0; the speech is made "
            "here",
            "made here, 0.05 MB a clip",
            "https://archive.ics.uci.edu/dataset/80",
            needs="espeak-ng",
        ),
        "archive": Source(
            "Video files of your own, one folder per class", "as their makers state", "yours", "",
            "clips.archive.location", 28103,
        ),
        "youtube": Source(
            "Pieces of YouTube videos",
            "of their uploaders; for research under YouTube's terms, never redistribute",
            "whole videos, up to vegas.clips.youtube.max_height",
            "https://www.youtube.com",
            "clips.youtube.list",
            needs="yt_dlp",
        ),
        "features": Source(
            "The authors' published features", _NONE_STATED,
            "28,103 clips, 0.13 GB as one vector each; by hand from Google Drive, linked from its home",
            _CMR, "clips.features.location", 28103,
        ),
        "parquet": Source(
            "Ready-made shards of your own", "as their makers state", "yours", "", "clips.parquet.location"
        ),
    },
    "mv10k": {
        "simulated": Source(
            "YouTube-8M files written from a documented random model; " + _STAND_IN, "made here",
            "made here, 0.3 MB a video", "",
        ),
        "youtube8m": Source(
            "YouTube-8M's public frame-level shards",
            "CC BY 4.0 (Google)",
            "2 x 3,844 shards of 133 MB, streamed; 0.25 MB is kept of each accepted video",
            "https://research.google.com/youtube8m/",
            "videos.youtube8m.plan",
            10000,
        ),
        "features": Source(
            "The authors' published features", _NONE_STATED,
            "10,000 videos; by hand from Google Drive, linked from its home", _CMR, "videos.features.location", 10000,
        ),
        "parquet": Source(
            "Ready-made shards of your own", "as their makers state", "yours", "", "videos.parquet.location"
        ),
    },
}  # fmt: skip

#: What lies where a location is empty, by data set and source.
_DEFAULTS = {("vegas", "youtube"): "data/raw/vegas/clips.csv"}


def location(dataset: str, name: str, params: Mapping[str, Any]) -> str:
    """Say where a source lies: a path or URL, empty for one that needs no file.

    Parameters
    ----------
    dataset : {"mtm", "vegas", "mv10k"}
    name : str
        A source of it.
    params : mapping
        params.yaml as plain data.
    """
    key = SOURCES[dataset][name].location
    if not key:
        return ""
    value: Any = params[dataset]
    for part in key.split("."):
        value = value[part]
    return str(value) or _DEFAULTS.get((dataset, name), f"data/raw/{dataset}")


def at_hand(dataset: str, name: str, params: Mapping[str, Any]) -> str:
    """Say whether a source can be read on this machine now.

    Parameters
    ----------
    dataset, name, params
        As for `location`.

    Returns
    -------
    str
        ``"yes"``, ``"to be fetched"``, or ``"no: "`` and what is missing.
    """
    needs = SOURCES[dataset][name].needs
    if needs and not (shutil.which(needs) or importlib.util.find_spec(needs)):
        return f"no: {needs} is not installed"
    where = location(dataset, name, params)
    if not where:
        return "yes"
    if where.startswith(("http://", "https://")):
        return "to be fetched"
    path = Path(where.removeprefix("file://"))
    if not path.exists():
        return f"no: {where} does not exist"
    if path.is_dir() and not any(entry.name != ".gitkeep" for entry in path.iterdir()):
        return f"no: {where} is empty"
    return "yes"
