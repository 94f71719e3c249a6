"""Clips as pieces of YouTube videos, fetched through yt-dlp: gently, resumable, and with a note on each.

**Conventions.** Videos lie in a folder of unfinished work, one file each, and are fetched once. A video of which
YouTube says that it is gone (removed, of a terminated account, private) is remembered with its reason and not asked for
again. All else may be this machine's or this moment's (no JavaScript runtime, no cookies, blocked here, a premiere, the
network) and is tried anew by the next run. When YouTube asks us to slow down or to sign in, the run ends at once.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tqdm import tqdm

from unisono.config.vegas import YouTube
from unisono.errors import ConfigError, DataError, DownloadError, pass_machine
from unisono.io.files import replacing, temporary_folder

#: Names a file of cookies (Netscape format) for videos that ask for a login; never a parameter, as it is a secret.
COOKIES = "UNISONO_YOUTUBE_COOKIES"
COLUMNS = ("youtube_id", "start", "end", "class")
#: Largest video, in bytes.
MAX_BYTES = 512 * 2**20
#: So many failures of the network one after the other end the run.
MAX_FAILURES = 5
TIMEOUT_S = 30
_GONE = re.compile(
    r"\bremoved\b|\bterminated\b|\bdeleted\b|private video|video is private|no longer available|does not exist"
    r"|account .*\bclosed\b|video unavailable\.?$",
    re.IGNORECASE,
)
_SLOW_DOWN = re.compile(r"HTTP Error 429|Too Many Requests|not a bot|rate.?limit", re.IGNORECASE)


class Piece(NamedTuple):
    """A row of the list.

    Attributes
    ----------
    youtube_id : str
    start_s, end_s : float
    label : str
    """

    youtube_id: str
    start_s: float
    end_s: float
    label: str

    @property
    def id(self) -> str:
        """Name of the clip: the video's and where it begins and ends."""
        return f"{self.youtube_id}_{self.start_s:g}_{self.end_s:g}"


class Status(NamedTuple):
    """What became of a video.

    Attributes
    ----------
    status : {"available", "unavailable", "failed"}
        Fetched; gone for good; not to be had this time.
    reason : str
        Empty when available.
    path : Path or None
        The file.
    network : bool
        Whether it is the network that failed.
    """

    status: Literal["available", "unavailable", "failed"]
    reason: str = ""
    path: Path | None = None
    network: bool = False


def read_list(path: Path) -> list[Piece]:
    """Read the list of pieces.

    Parameters
    ----------
    path : Path
        CSV of YouTube id, start and end (s), class; a header (`COLUMNS`, in any order) may stand above.

    Returns
    -------
    list of Piece

    Raises
    ------
    DataError
        The file is missing, empty, or a row is not a piece or repeats one; names the row.
    """
    try:
        rows = list(csv.reader(path.read_bytes().decode("utf-8-sig").splitlines(), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read ({error}); expected a CSV of {', '.join(COLUMNS)}") from None
    pieces: dict[str, Piece] = {}
    order = list(range(len(COLUMNS)))
    for number, row in enumerate(rows, start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not pieces and set(COLUMNS) <= set(cells):
            order = [cells.index(name) for name in COLUMNS]
            continue
        piece = _piece([cells[i] for i in order] if len(cells) > max(order) else cells, f"{path}: row {number}")
        if piece.id in pieces:
            raise DataError(f"{path}: row {number}: {piece.id} was there before; each piece must stand once")
        pieces[piece.id] = piece
    if not pieces:
        raise DataError(f"{path}: holds no piece; expected rows of {', '.join(COLUMNS)}")
    return list(pieces.values())


def _piece(cells: Sequence[str], where: str) -> Piece:
    try:
        identifier, start, end, label = cells
        piece = Piece(identifier, float(start), float(end), label)
    except ValueError:
        raise DataError(f"{where}: got {list(cells)}, expected {', '.join(COLUMNS)} (times in seconds)") from None
    if not re.fullmatch(r"[\w-]{11}", piece.youtube_id, re.ASCII):
        raise DataError(f"{where}: {piece.youtube_id!r} is no YouTube id (11 letters, digits, - and _)")
    if not 0 <= piece.start_s < piece.end_s < float("inf"):
        raise DataError(f"{where}: from {piece.start_s:g} to {piece.end_s:g} s is no piece; expected 0 <= start < end")
    if not piece.label:
        raise DataError(f"{where}: has no class")
    return piece


def fetch(pieces: Sequence[Piece], settings: YouTube, folder: Path) -> dict[str, Status]:
    """Fetch the videos of a list, as far as they can be had.

    Parameters
    ----------
    pieces : sequence of Piece
    settings : YouTube
        Section ``vegas.clips.youtube``.
    folder : Path
        Where the videos are kept, and where an interrupted run goes on.

    Returns
    -------
    dict of str to Status
        Of each YouTube id.

    Raises
    ------
    ConfigError
        yt-dlp is not installed, or the file of cookies is missing.
    DownloadError
        YouTube asks to slow down or to sign in, or nothing can be reached; what was fetched is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / "unavailable.json"
    noted = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
    gone: dict[str, str] = {name: reason for name, reason in noted.items() if _is_gone(reason)}
    found: dict[str, Status] = {}
    failures = 0
    with _client(settings, folder) as client:
        for identifier in tqdm(dict.fromkeys(p.youtube_id for p in pieces), desc="videos", disable=None):
            path = _file(folder, identifier)
            if path is not None:
                found[identifier] = Status("available", path=path)
                continue
            if identifier in gone:
                found[identifier] = Status("unavailable", gone[identifier])
                continue
            time.sleep(settings.sleep_s)
            status = _fetch_one(client, identifier, folder)
            found[identifier] = status
            failures = failures + 1 if status.network else 0
            if failures >= MAX_FAILURES:
                raise DownloadError(
                    f"youtube: {failures} videos in a row failed, the last ({identifier}): {status.reason}; "
                    "what was fetched is kept: check the network and run again"
                )
            if status.status == "unavailable":
                gone[identifier] = status.reason
                with replacing(notes) as temporary:
                    temporary.write_text(json.dumps(gone, indent=1, sort_keys=True), encoding="utf-8")
    return found


@contextmanager
def _client(settings: YouTube, folder: Path) -> Iterator[Any]:
    """Set yt-dlp up; a file of cookies is given as a copy, since yt-dlp writes into it."""
    import yt_dlp

    with temporary_folder() as private:
        cookies = None
        if os.environ.get(COOKIES):
            given = Path(os.environ[COOKIES])
            if not given.is_file():
                raise ConfigError(f"{COOKIES}: no such file; name a file of cookies, or unset the variable")
            cookies = shutil.copyfile(given, private / "cookies.txt")
        options = {
            "format": f"best[height<=?{settings.max_height}]/best",
            "outtmpl": {"default": f"{folder}/%(id)s.%(ext)s"},
            "max_filesize": MAX_BYTES,
            "noplaylist": True,
            "cachedir": False,
            "cookiefile": None if cookies is None else str(cookies),
            "socket_timeout": TIMEOUT_S,
            "retries": 3,
            "fragment_retries": 3,
            "extractor_retries": 2,
            "sleep_interval_requests": min(settings.sleep_s, 1.0),
            "fixup": "never",
            "updatetime": False,
            "quiet": True,
            "noprogress": True,
            "logger": _Silent(),
        }
        with yt_dlp.YoutubeDL(options) as client:
            yield client


class _Silent:
    """Takes what yt-dlp says; what matters comes as exceptions."""

    def debug(self, message: str) -> None:
        """Drop it."""

    info = warning = error = debug


def _fetch_one(client: Any, identifier: str, folder: Path) -> Status:
    """Fetch one video, or say why not."""
    from yt_dlp.networking.exceptions import HTTPError, RequestError
    from yt_dlp.utils import DownloadError as YtDlpError
    from yt_dlp.utils import ExtractorError

    try:
        client.extract_info(f"https://www.youtube.com/watch?v={identifier}", download=True)
    except YtDlpError as error:
        reason = " ".join(re.sub(r"\x1b\[[\d;]*m|^ERROR: ", "", str(error)).split())
        if _SLOW_DOWN.search(reason):
            raise DownloadError(
                f"youtube: {identifier}: {reason}; what was fetched is kept: run again later, raise "
                f"vegas.clips.youtube.sleep_s, or name a file of cookies in {COOKIES}"
            ) from None
        causes = _causes(error)
        missing = any(isinstance(cause, HTTPError) and cause.status in (404, 410) for cause in causes)
        said = any(isinstance(cause, ExtractorError) and cause.expected for cause in causes)
        network = not missing and (not said or any(isinstance(cause, RequestError) for cause in causes))
        if not network and _is_gone(reason):
            return Status("unavailable", reason)
        return Status("failed", reason, network=network)
    path = _file(folder, identifier)
    if path is None:
        return Status("failed", f"nothing was saved (larger than {MAX_BYTES} bytes?)")
    return Status("available", path=path)


def _is_gone(reason: str) -> bool:
    """Tell whether YouTube says that a video is gone for good (404 and 410 are its server's words)."""
    return bool(_GONE.search(reason) or re.search(r"HTTP Error 4(?:04|10)", reason))


def _causes(error: Any) -> list[Any]:
    """Follow the chain of what led to an error of yt-dlp."""
    chain: list[Any] = []
    while error is not None and error not in chain:
        chain.append(error)
        inner = error.exc_info[1] if getattr(error, "exc_info", None) else None
        error = inner or getattr(error, "cause", None) or error.__cause__
    return chain


def _file(folder: Path, identifier: str) -> Path | None:
    """Find the file of a video that was fetched whole."""
    unfinished = {".part", ".ytdl", ".json", ".temp"}
    return next((path for path in sorted(folder.glob(f"{identifier}.*")) if path.suffix not in unfinished), None)
