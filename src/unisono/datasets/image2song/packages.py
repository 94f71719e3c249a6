"""What Debian's packages bring: that it is there, and of which version."""

from __future__ import annotations

import re
from pathlib import Path

from unisono.errors import DataError, pass_machine

#: Where dpkg keeps what is installed.
STATUS = Path("/var/lib/dpkg/status")


def version(package: str, status: Path = STATUS) -> str:
    """Say which version of a package is installed.

    Parameters
    ----------
    package : str
    status : Path

    Returns
    -------
    str
        ``unknown`` where there is no dpkg, or the package is not its.
    """
    try:
        text = status.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        pass_machine(error)
        return "unknown"
    for entry in text.split("\n\n"):
        if entry.startswith(f"Package: {package}\n") and "\nStatus: install ok installed\n" in entry:
            found = re.search(r"^Version: (\S{1,100})$", entry, flags=re.MULTILINE)
            return found[1] if found else "unknown"
    return "unknown"


def missing(path: Path, package: str) -> DataError:
    """Give the error of a file that a package brings and is not there, or not what the package brings.

    Parameters
    ----------
    path : Path
    package : str
    """
    return DataError(f"{path}: no such file or folder; apt-get install {package}, or correct the path in params.yaml")


def content(path: Path, package: str, most: int) -> bytes:
    """Read a file that a package brings.

    Parameters
    ----------
    path : Path
    package : str
    most : int
        Largest size, in bytes.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        It is missing (the message names the package), too large, or cannot be read.
    """
    if not path.is_file():
        raise missing(path, package)
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        pass_machine(error)
        raise DataError(f"{path}: cannot be read: {error.strerror or error}; check permissions") from None
    if len(found) > most:
        raise DataError(f"{path}: larger than {most:,} bytes, which no version of {package} brings; install it again")
    return found
