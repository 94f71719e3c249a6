"""The list of all tables, for a reader who opens their folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unisono.io.files import replacing
from unisono.io.text_tables import Markup, markdown
from unisono.report import layouts
from unisono.store.results import Run

#: Tables that other stages write.
DESCRIPTIVE = {
    "3.1": "Features of the audio-visual data sets",
    "3.2": "Features of the musical ternary data set",
    "5.1": "Inputs and networks of the triplet methods",
    "6.1": "Settings of DARLearning",
}
#: Tables that the dissertation does not have.
FURTHER = {
    "beyond_class": "Which method to use where items have classes",
    "orderings": "The dissertation's orderings of methods, judged on ours",
    "kinds": "What is found beyond the kind of song",
    "image2song_tags": "Tags of unseen pictures, told from their pixels",
    "chunks": "Selected chunks of audio against the whole, and against chunks chosen at random",
}


def write(runs: Iterable[Run], folder: Path) -> None:
    """Write ``README.md``: every table with its title and links.

    Parameters
    ----------
    runs : iterable of unisono.store.results.Run
        Of all experiments.
    folder : Path
        Of the tables.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    titles = DESCRIPTIVE | {number: layout.title for number, layout in layouts.LAYOUTS.items()}
    titles |= {number: "" for number in layouts.numbers(runs) if number not in titles}
    entries = [(layouts.name(number), title, f"table_{number.replace('.', '_')}") for number, title in titles.items()]
    entries.sort(key=lambda entry: entry[2])
    entries += [(name.capitalize(), title, name) for name, title in FURTHER.items()]
    lines = [["Table", "Title", "Data"]]
    lines += [[Markup(f"[{name}]({stem}.md)"), title, Markup(f"[CSV]({stem}.csv)")] for name, title, stem in entries]
    text = (
        "# Tables\n\nOf the dissertation, by its numbers, ours beside the published values; then our own. Written by "
        "`dvc repro`.\n\n" + markdown(lines, "lll") + "\n"
    )
    with replacing(folder / "README.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
