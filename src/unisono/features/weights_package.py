"""Trained weights out of packages that carry them as files: none of their code is imported or run.

**Conventions.** A package is a distribution of one version: installed, or its wheel, or the folder of its files. Its
files are taken only if they are the published ones to the byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from unisono.errors import DataError
from unisono.io import archive

#: Largest file that is looked at.
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Package:
    """A distribution that carries weights.

    Attributes
    ----------
    name, version : str
        Of the distribution.
    folder : str
        In which its files are installed, and what the name of its metadata begins with.
    instead : str
        What else a user may do, after "pip install ..., or give its wheel by location, or".
    """

    name: str
    version: str
    folder: str
    instead: str

    @property
    def remedy(self) -> str:
        """Say how to get it, for messages."""
        return f"pip install --no-deps {self.name}=={self.version}, or give its wheel by location, or {self.instead}"

    def named(self, location: str) -> str:
        """Name it for messages."""
        return location or f"the installed package {self.name}"

    def read(self, files: Mapping[str, str], location: str = "") -> dict[str, bytes]:
        """Read files of the package.

        Parameters
        ----------
        files : mapping of str to str
            SHA-256 by the end of their paths.
        location : str
            Wheel of the package, or folder of its files; empty: the installed package.

        Returns
        -------
        dict of str to bytes
            By the same names.

        Raises
        ------
        DataError
            The package is missing, of another version, or a file is not the published one.
        """
        where = self.named(location)
        wanted = re.compile(
            rf"(^|/)({'|'.join(map(re.escape, files))})$|^{re.escape(self.folder)}-[^/]+\.dist-info/METADATA$"
        )
        found: dict[str, bytes] = {}
        for name, content in archive.members(
            location or self._installed(),
            only=lambda name: wanted.search(name) is not None,
            max_member_bytes=MAX_BYTES,
        ):
            found[next((own for own in files if name.endswith(own)), "METADATA")] = content
        if "METADATA" in found:
            stated = re.search(rb"^Version: *(\S+)", found.pop("METADATA"), re.MULTILINE)
            self._check_version(stated[1].decode(errors="replace") if stated else "unknown", where)
        for name, expected in files.items():
            if name not in found:
                raise DataError(f"{where}: has no {name}; {self.remedy}")
            got = hashlib.sha256(found[name]).hexdigest()
            if got != expected:
                raise DataError(
                    f"{where}: {name} has SHA-256 {got}, the published one {expected}; its weights were altered or "
                    f"damaged: {self.remedy}"
                )
        return found

    def _installed(self) -> Path:
        """Find the folder of the installed package, by its metadata alone."""
        try:
            distribution = metadata.distribution(self.name)
        except metadata.PackageNotFoundError:
            raise DataError(
                f"the package {self.name}, which carries the weights, is not installed; {self.remedy}"
            ) from None
        self._check_version(distribution.version, self.named(""))
        return Path(str(distribution.locate_file(self.folder)))

    def _check_version(self, version: str, where: str) -> None:
        if version != self.version:
            raise DataError(f"{where}: version {version}, expected {self.version}; {self.remedy}")
