"""Figures of the page: the drawn picture, and the curves behind it where the script can draw them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unisono.errors import DataError
from unisono.report import curves, layouts, splits, sweeps
from unisono.report.html import media
from unisono.report.html.charts import file_name
from unisono.report.html.markup import Markup, missing, tag
from unisono.store import pieces


def titles() -> dict[str, tuple[str, str]]:
    """List the figures of the report.

    Returns
    -------
    dict of str to (str, str)
        By file name: what it is called, and what it shows; the dissertation's in its order, then ours.
    """
    numbered = {
        "4.3": "The scores of the chunks of one song",
        **{
            number: f"Precision and recall, {layouts.DATASETS[figure.dataset]}: {figure.title}"
            for number, figure in curves.FIGURES.items()
        },
        "5.6": "Features, the space of C-CCA and that of TNN-C-CCA in two dimensions",
        "5.7": "One query and its first five results under several methods",
        **{number: title for number, (title, _) in sweeps.FIGURES.items()},
        splits.NUMBER: splits.TITLE,
    }
    found = {
        file_name(number): (layouts.name(number).replace("Table", "Figure"), numbered[number])
        for number in sorted(numbered)
    }
    return found | {
        "recall": ("Recall", "Finding the pair of an item among the first k (MTM)"),
        "recall_image2song": ("Recall, pictures and songs", "Finding one of those that belong among the first k"),
        "image2song": ("Songs for pictures", "Five pictures, and the songs that they find first"),
        "song2image": ("Pictures for songs", "Five songs, and the pictures that they find first"),
        "image2song_attention": ("Attention", "Where the network looks in a lyric, given the tags of a picture"),
        "image2song_by_tag": ("Precision by tag", "MAP of the pictures, and of the songs, that have a word"),
        "losses": ("Losses", "Training losses by epoch: mean over folds and seeds"),
    }


def section(name: str, folder: Path, charts: Mapping[str, Any]) -> Markup:
    """Show a figure, or say that it is missing.

    Parameters
    ----------
    name : str
        One of `titles`.
    folder : Path
        Of the drawn figures.
    charts : mapping of str to dict
        From `unisono.report.html.charts.collect`.

    Returns
    -------
    Markup
    """
    called, title = titles()[name]
    path = folder / f"{name}.png"
    drawn = picture(path, f"{called}: {title}")
    caption = tag("figcaption", tag("strong", f"{called}. "), f"{title}.")
    if name not in charts:
        return tag("figure", drawn, caption)
    shown = tag("div", class_="chart", data_chart=name)
    return tag("figure", shown, tag("details", tag("summary", f"As drawn in {path}"), drawn), caption)


def picture(path: Path, alt: str) -> Markup:
    """Put a drawn figure into the page, or say that it is missing or damaged."""
    if not path.is_file():
        return missing(f"{path} is not there", "Run `dvc repro`.")
    try:
        content = path.read_bytes()
        kept = pieces.made(lambda: json.dumps(media.figure(path)).encode(), pieces.code(media.__name__), content)
        uri, (width, height) = json.loads(kept)
    except DataError as error:
        return missing(str(error), "")
    return tag("img", src=uri, alt=alt, width=width, height=height, class_="drawn", loading="lazy")
