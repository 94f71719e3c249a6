"""XML of packages and drawings: keywords are read of it, and nothing in it is followed or run."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from xml.parsers import expat

from unisono.errors import DataError

#: Largest document in bytes, and most tags and attributes.
MAX_BYTES, MAX_PARTS = 64 * 2**20, 2_000_000


class _RootReachedError(Exception):
    """Stops the parser at the root element."""


def parse(data: bytes, name: str) -> ET.Element:
    """Parse a document.

    Parameters
    ----------
    data : bytes
    name : str
        The file, for messages.

    Returns
    -------
    ET.Element

    Raises
    ------
    DataError
        It is no XML, truncated, too large, or declares entities ("billion laughs", other files).
    """
    if len(data) > MAX_BYTES or data.count(b"<") + data.count(b"=") > MAX_PARTS:
        raise DataError(f"{name}: larger than any file of keywords or drawing; get it again")
    _refuse_entities(data, name)
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{name}: not XML, or truncated ({error}); get it again") from None


def _refuse_entities(data: bytes, name: str) -> None:
    """Refuse what declares entities, before it is parsed."""

    def entity(*_: object) -> None:
        raise DataError(f"{name}: declares XML entities, which no keywords need; get it from its maker")

    def root(*_: object) -> None:
        raise _RootReachedError

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = entity
    parser.StartElementHandler = root
    try:
        parser.Parse(data, True)
    except (_RootReachedError, expat.ExpatError, ValueError, LookupError):
        return  # the parser proper says what is wrong
