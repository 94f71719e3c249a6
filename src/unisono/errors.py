"""The errors a user can meet, and the one place that turns them into a line and an exit status.

A message names the file, key or row, says what was got and what was expected, and what to do about it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


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


def run(main: Callable[[], None]) -> None:
    """Run a command's ``main``; end a `UnisonoError` as one line on standard error and exit status 2."""
    try:
        main()
    except UnisonoError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, run the same command to go on", file=sys.stderr)
        raise SystemExit(130) from None
