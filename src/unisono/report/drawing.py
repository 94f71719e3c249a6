"""What all figures share: lines and classes that are told apart without colours, and files that come out the same.

**Conventions.** Colours are those of Okabe and Ito, which colour-blind readers tell apart; a marker or a dash goes with
each, so that a print without colours is read as well. Dotted lines are chance and nothing else. Every picture is
written as PNG and as SVG, without a date and with fixed ids: the same drawing is the same bytes.

References
----------
.. [1] M. Okabe, K. Ito: Color Universal Design, 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unisono.io.files import replacing
from unisono.store import pieces

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">", "h")
DASHES = ("-", "--", "-.")
#: How a line of the chance level looks.
CHANCE: Mapping[str, Any] = {"linestyle": ":", "color": "0.35", "linewidth": 1.4}
#: Dots per inch of a PNG file.
DPI = 130
SUFFIXES = (".png", ".svg")


def line_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give every name a line of its own.

    Parameters
    ----------
    names : iterable of str
        Up to 21 different ones get different lines; colours repeat after 7, with other dashes.

    Returns
    -------
    dict of str to dict
        Keyword arguments of matplotlib's ``plot``: color, marker, linestyle.
    """
    n = len(COLOURS)
    return {
        name: {
            "color": COLOURS[number % n],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": DASHES[number // n % len(DASHES)],
        }
        for number, name in enumerate(dict.fromkeys(names))
    }


def thinned(n: int, points: int, *, log: bool = False) -> list[int]:
    """Choose points of a curve: the first ten, the last, and others evenly apart.

    Parameters
    ----------
    n : int
        Points of the curve.
    points : int
        Points to keep, at most; more than ten.
    log : bool
        Whether they are evenly apart on a logarithmic axis.

    Returns
    -------
    list of int
        Places, in order.

    Examples
    --------
    >>> thinned(100, 14)
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 32, 54, 76, 99]
    """
    if n <= points:
        return list(range(n))
    spaced = np.geomspace(10, n, points - 9) - 1 if log else np.linspace(9, n - 1, points - 9)
    return sorted({*range(10), *(int(place) for place in spaced.round())})


def arrow(direction: str) -> str:
    """Write a direction for a reader: ``"audio->visual"`` as ``"audio → visual"``."""
    return direction.replace("->", " → ")


@contextmanager
def canvas(out: Path, *, width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure; write it at the end of the block.

    Parameters
    ----------
    out : Path
        Without ending; ``.png`` and ``.svg`` are written.
    width, height : float
        In inches.

    Yields
    ------
    matplotlib.figure.Figure
        Whatever is drawn on it is written when the block ends without an exception.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "unisono", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        # The layout is most of the work: once for both files.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for suffix in SUFFIXES:
            with replacing(out.with_name(out.name + suffix)) as temporary:
                metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
                figure.savefig(temporary, format=suffix[1:], dpi=DPI, metadata=metadata)


def drawn(out: Path, draw: Callable[..., None], *data: Any) -> None:
    """Draw a picture, or take it from the open store of `unisono.store.pieces` if the same was drawn before.

    Parameters
    ----------
    out : Path
        Without ending; ``.png`` and ``.svg`` are written.
    draw : callable
        A function of a module: ``draw(*data, out)`` draws on a `canvas`.
    *data : object
        All that is drawn: plain data, bytes, arrays, dataclasses.

    Raises
    ------
    DataError
        A file cannot be written.
    """
    facts = (pieces.code(draw.__module__), draw.__qualname__, data)
    files = {suffix: out.with_name(out.name + suffix) for suffix in SUFFIXES}
    kept = {suffix: pieces.get(*facts, suffix) for suffix in SUFFIXES}
    if None in kept.values():
        draw(*data, out)
        for suffix, path in files.items():
            pieces.put(path.read_bytes(), *facts, suffix)
        return
    for suffix, path in files.items():
        with replacing(path) as temporary:
            temporary.write_bytes(kept[suffix] or b"")


def say_nothing(panel: Axes, reason: str) -> None:
    """Leave a panel empty but for the reason why there is nothing to draw."""
    panel.set_axis_off()
    panel.text(0.5, 0.5, reason, ha="center", va="center", wrap=True, transform=panel.transAxes)
