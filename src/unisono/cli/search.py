"""``unisono search``: a data set searched with an item of it or with a file."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser's."""
    search = commands.add_parser(
        "search",
        help="rank the items of a built data set for an item of it, a file or a line of lyrics",
        description="Rank the items of a built data set for a query, in the space of a trained experiment. QUERY is an "
        "item's id or, where the data set takes it, a file (a sound: WAV, MP3, FLAC; a picture of one line of sheet "
        "music; MIDI; MusicXML; a video: MP4) or a line of lyrics with hyphens between syllables. Run it in the "
        "project's folder.",
    )
    search.add_argument("query", metavar="QUERY")
    search.add_argument("--dataset", required=True, help="a folder of data/: mtm, vegas, ...")
    search.add_argument(
        "--method",
        help="key of an experiment in params.yaml, or a method that has one on the data set (default: what "
        "report.recommended in params.yaml names, the best that inner validation has chosen)",
    )
    search.add_argument("--view", help="view of the query (default: that of the file; of an id the first)")
    search.add_argument("--target", help="view that is searched (default: each of the others)")
    search.add_argument("--top", type=int, default=10, help="results of each view (default: 10)")
    search.add_argument("--html", type=Path, metavar="FILE", help="also write a page to see and hear them")
    search.set_defaults(command=_search)


def _search(args: argparse.Namespace) -> None:
    from unisono.evaluation import search
    from unisono.evaluation.answers import to_text
    from unisono.report.html import answers, items

    answer = search.search(
        args.query,
        args.dataset,
        args.method,
        view=args.view,
        target=args.target,
        top=args.top,
        show=partial(items.read, sound_s=answers.SOUND_S) if args.html is not None else None,
    )
    print(to_text(answer))
    if args.html is not None:
        answers.write(answer, args.html)
        print(f"\nwritten: {args.html}")
