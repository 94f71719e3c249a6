"""Figures of pictures and songs: what queries find, where the attention lies, and which words are found.

**Conventions.** Queries are not picked by hand: of the test items of the first deal to which something belongs, sorted
by id, those that lie evenly apart; those of the attention, among the pictures whose first song is right. A right
result has a green frame and a tick, a wrong one a red, dashed frame and a cross. Of a lyric at most six words are
shown, and so many words of an attention are named.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unisono import models
from unisono.config.experiments import Experiment
from unisono.config.report import Report
from unisono.datasets.base import dataset_of
from unisono.datasets.loading import load_folder
from unisono.errors import DataError
from unisono.evaluation import feature_sets, rankings
from unisono.evaluation.search import trained
from unisono.io import parquet
from unisono.report import drawing, tables
from unisono.report.example import RIGHT, WRONG

#: Queries of the sheets of results, results of each, and pictures whose attention is drawn.
N_QUERIES, TOP, N_PICTURES = 5, 5, 3
#: Words of a lyric that are named.
N_WORDS = 6
TAG_COLUMNS = ("tag", "method", "direction", "queries", "map", "source")


@dataclass(frozen=True)
class Attention:
    """Where a model looks in a lyric, given a picture.

    Attributes
    ----------
    picture, song : str
        Ids.
    tags : list of str
        The picture's strongest tags for the model, the strongest first.
    words : list of str
        Of the lyric, "" where a word is not named.
    weights : np.ndarray [shape=(n_words,), dtype=float64]
        They sum to 1.
    """

    picture: str
    song: str
    tags: list[str]
    words: list[str]
    weights: np.ndarray


def evenly(found: Mapping[str, rankings.Found], n: int) -> list[str]:
    """Choose queries to which something belongs, evenly apart by id."""
    ids = sorted(query for query, own in found.items() if not np.isnan(own.rank))
    places = np.unique(np.linspace(0, len(ids) - 1, min(n, len(ids))).round().astype(int))
    return [ids[place] for place in places]


def by_tag(
    title: str, found: rankings.Rankings, tags: Mapping[str, Sequence[int]], vocabulary: Sequence[str]
) -> list[dict[str, Any]]:
    """Average the precision of the queries that have a tag.

    Parameters
    ----------
    title : str
        Of the method.
    found : Rankings
    tags : mapping of str to sequence of int
        Of the deal, by item.
    vocabulary : sequence of str
        The deal's tags.

    Returns
    -------
    list of dict
        Keys are `TAG_COLUMNS`; of every tag that a query has, in the vocabulary's order.
    """
    rows = []
    for direction, queries in found.found.items():
        values: dict[int, list[float]] = {}
        for query, own in queries.items():
            if not np.isnan(own.rank):
                for tag in tags.get(query, ()):
                    values.setdefault(tag, []).append(own.precision)
        rows += [
            {"tag": vocabulary[tag], "method": title, "direction": direction, "queries": len(values[tag]),
             "map": float(np.mean(values[tag])), "source": found.source}
            for tag in sorted(values)
        ]  # fmt: skip
    return rows


def write(
    data: Path, experiments: Mapping[str, Experiment], looks: Report, folder: Path, *, figures: Path, table: Path
) -> None:
    """Draw all figures of pictures and songs.

    Parameters
    ----------
    data : Path
        The built data set.
    experiments : mapping of str to unisono.config.experiments.Experiment
        Of params.yaml.
    looks : unisono.config.report.Report
        Of params.yaml: figure ``image2song`` has the experiments whose words are compared, of which the last one's
        results are shown, ``attention`` the one whose attention is drawn.
    folder : Path
        Results of the experiments.
    figures : Path
        Folder for ``image2song``, ``song2image``, ``image2song_attention`` and ``image2song_by_tag``, each as PNG and
        SVG.
    table : Path
        CSV of the precision by tag; columns are `TAG_COLUMNS`.

    Raises
    ------
    ConfigError, DataError
        An experiment is missing, or the files do not fit together.
    """
    keys = looks.figure("image2song")
    titles = {key: looks.title(key, experiments[key]) for key in keys}
    found = {key: rankings.read(key, experiments, folder) for key in keys}
    tags, vocabulary = _tags(data)
    rows = [row for key in keys for row in by_tag(titles[key], found[key], tags, vocabulary)]
    tables.write_csv(table, TAG_COLUMNS, map(tables.rounded, rows))
    drawing.drawn(figures / "image2song_by_tag", _draw_tags, rows)
    last, title = found[keys[-1]], titles[keys[-1]]
    for direction, name in (("image->lyrics", "image2song"), ("lyrics->image", "song2image")):
        queries = {query: last.found[direction][query] for query in evenly(last.found.get(direction, {}), N_QUERIES)}
        wanted = {*queries, *(item for own in queries.values() for item in own.ids[:TOP])}
        said = f"{title}, {drawing.arrow(direction)}; source {last.source}, test items of the first deal"
        drawing.drawn(figures / name, _draw_sheet, said, queries, _looks(data, wanted))
    [key] = looks.figure("attention")
    attention = attentions(key, data, experiments, folder, vocabulary)
    shown = _looks(data, [one.picture for one in attention] + [one.song for one in attention])
    drawing.drawn(
        figures / "image2song_attention", _draw_attention, looks.title(key, experiments[key]), attention, shown
    )


def attentions(
    key: str, data: Path, experiments: Mapping[str, Experiment], folder: Path, vocabulary: Sequence[str]
) -> list[Attention]:
    """Compute where a trained model looks in the first song of a few pictures whose first song is right.

    Raises
    ------
    DataError
        The model has no attention, or is not trained.
    """
    found = rankings.read(key, experiments, folder).found.get("image->lyrics", {})
    chosen = evenly({query: own for query, own in found.items() if own.right and own.right[0]}, N_PICTURES)
    pairs = [(query, found[query].ids[0]) for query in chosen]
    model = models.load(trained(key, folder) / "")
    if not hasattr(model, "attend"):
        raise DataError(f"report.figures.attention: {key} has no attention; name an experiment of tag_attention")
    entry = experiments[key]
    loaded = load_folder(data, views=feature_sets(entry.dataset, entry.views))
    row_of = {str(item): row for row, item in enumerate(loaded.ids)}
    pictures, songs = ([row_of[pair[side]] for pair in pairs] for side in (0, 1))
    weights = model.attend(
        loaded.views["image"][pictures], loaded.views["lyrics"][songs], loaded.lengths["lyrics"][songs]
    ) if pairs else []  # fmt: skip
    words = _words(data, [song for _, song in pairs])
    strongest = _strongest(data, [picture for picture, _ in pairs], vocabulary)
    answers = []
    for (picture, song), row, count in zip(pairs, weights, loaded.lengths["lyrics"][songs], strict=True):
        own = np.asarray(row[:count], dtype=np.float64)
        named = set(np.argsort(-own, kind="stable")[:N_WORDS].tolist())
        lyric = [word if at in named else "" for at, word in enumerate(words[song][:count])]
        answers.append(Attention(picture, song, strongest[picture], lyric, own))
    return answers


def _tags(data: Path) -> tuple[dict[str, list[int]], list[str]]:
    """Read the tags of every item and their names, of the first deal."""
    table = parquet.read(data / "tags", ["id", "keywords"])
    vocabulary = parquet.metadata(data / "tags").get("keyword_vocabulary")
    if not isinstance(vocabulary, list) or not vocabulary:
        raise DataError(f"{data}/tags: holds no vocabulary; run `dvc repro` again")
    ids, found = (parquet.to_list(table[name], f"{data}/tags: {name}") for name in ("id", "keywords"))
    return {item: deals[0] for item, deals in zip(ids, found, strict=True)}, [str(word) for word in vocabulary[0]]


def _words(data: Path, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Read the lemmas of songs that the first deal has a vector of: those that its sets hold."""
    from unisono.datasets import items
    from unisono.features.image2song import words

    known = set(words.load(data / "models" / "words" / "deal0" / "model.safetensors").words)
    found = dict(items.readable(data / "samples", ["words"], list(wanted)))
    return {item: [word for word in map(str, values[0].as_py()) if word in known] for item, values in found.items()}


def _strongest(data: Path, wanted: Sequence[str], vocabulary: Sequence[str]) -> dict[str, list[str]]:
    """Name the three strongest predicted tags of pictures, in the first deal."""
    table = parquet.read(data / "features" / "tags")
    weights = np.asarray(parquet.to_numpy(table["tags"]))[:, 0]
    row_of = {str(item): row for row, item in enumerate(table["id"].to_pylist())}
    found = {}
    for item in wanted:
        own = weights[row_of[item]]
        found[item] = [vocabulary[at] for at in np.argsort(-own, kind="stable")[:3] if own[at] > 0]
    return found


def _looks(data: Path, wanted: Any) -> dict[str, dict[str, Any]]:
    """Collect titles, first words and pictures of items."""
    found: dict[str, dict[str, Any]] = {}
    for part in dataset_of(data.name).show(data, wanted):
        if part.kind in ("text", "picture") and (part.place != "lyrics" or part.kind == "text"):
            found.setdefault(part.item, {})[part.place] = part.content
    return found


def _plain_panel(panel: Any) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_frame_on(False)


def _say(panel: Any, text: str, width: int = 22, **more: Any) -> None:
    lines = "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, width) or [""])
    panel.text(
        0.5, 0.5, lines, ha="center", va="center", fontsize=7, transform=panel.transAxes, parse_math=False, **more
    )


def _show(panel: Any, item: str, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Show a picture, or the title and the first words of a song."""
    own = looks.get(item, {})
    if "image" in own:
        panel.imshow(own["image"])
    else:
        title, lyrics = str(own.get("title", item)), str(own.get("lyrics", ""))
        # Where nobody gave a title it is the first line.
        _say(panel, lyrics if lyrics.startswith(title[:12]) else f"{title}\n{lyrics}")


def _draw_sheet(
    title: str, queries: Mapping[str, rankings.Found], looks: Mapping[str, Mapping[str, Any]], out: Path
) -> None:
    """Draw a row for each query: itself on the left, then what it finds."""
    n_rows = max(len(queries), 1)
    with drawing.canvas(out, width=1.6 * (TOP + 1), height=1.55 * n_rows + 0.5) as figure:
        figure.suptitle(title, fontsize="medium", parse_math=False)
        cells = figure.subplots(n_rows, TOP + 1, squeeze=False)
        for panel in cells.flat:
            _plain_panel(panel)
        for row, (query, found) in zip(cells, queries.items(), strict=False):
            _show(row[0], query, looks)
            row[0].set_title(f"AP {100 * found.precision:.0f} %", fontsize="small")
            for panel, item, right in zip(row[1:], found.ids, found.right, strict=False):
                _show(panel, item, looks)
                common = [word for word in looks.get(query, {}).get("words", ()) if word in _own(looks, item)]
                mark = "\u2713 " + ", ".join(common) if right else "\u2717"
                colour = RIGHT if right else WRONG
                panel.set_title(textwrap.shorten(mark, 24), fontsize="small", color=colour, parse_math=False)
                panel.set_frame_on(True)
                for spine in panel.spines.values():
                    spine.set(color=colour, linewidth=2, linestyle="-" if right else (0, (2, 1)))


def _own(looks: Mapping[str, Mapping[str, Any]], item: str) -> Sequence[str]:
    words: Sequence[str] = looks.get(item, {}).get("words", ())
    return words


def _draw_attention(title: str, found: Sequence[Attention], looks: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Draw, for each picture, the weights over the words of the song that it finds first."""
    n_rows = max(len(found), 1)
    with drawing.canvas(out, width=9.5, height=1.75 * n_rows + 0.6) as figure:
        figure.suptitle(
            f"{title}: where it looks in the lyric that a picture finds first\n(test pictures whose first song is "
            f"right; the {N_WORDS} strongest words are named)",
            fontsize="medium",
            parse_math=False,
        )
        cells = figure.subplots(n_rows, 2, squeeze=False, width_ratios=[1, 6])
        if not found:
            drawing.say_nothing(cells[0, 1], "no test picture finds a right song first")
        for row, one in zip(cells, found, strict=False):
            _plain_panel(row[0])
            _show(row[0], one.picture, looks)
            row[0].set_xlabel(", ".join(one.tags), fontsize="small", parse_math=False)
            at = np.arange(len(one.weights))
            row[1].bar(at, 100 * one.weights, color=drawing.COLOURS[0])
            row[1].axhline(100 / len(at), **drawing.CHANCE)
            for place, word in zip(at, one.words, strict=False):
                if word:
                    row[1].text(
                        place, 100 * one.weights[place], f" {word}", rotation=60, ha="left", va="bottom", fontsize=8,
                        parse_math=False,
                    )  # fmt: skip
            row[1].set_ylim(0, 135 * float(one.weights.max()))
            row[1].set_ylabel("weight (%)")
            song = str(looks.get(one.song, {}).get("title", one.song))
            row[1].set_xlabel(f"words of {song}", fontsize="small", parse_math=False)
            for side in ("top", "right"):
                row[1].spines[side].set_visible(False)


def _draw_tags(found: Sequence[Mapping[str, Any]], out: Path) -> None:
    """Draw the precision of the queries that have a tag, a row of bars for each method, the best of the last first."""
    directions = list(dict.fromkeys(row["direction"] for row in found)) or ["image->lyrics"]
    methods = list(dict.fromkeys(row["method"] for row in found))
    styles = drawing.line_styles(methods)
    with drawing.canvas(out, width=11, height=3.4 * len(directions)) as figure:
        sources = ", ".join(dict.fromkeys(str(row["source"]) for row in found))
        figure.suptitle(f"MAP of the queries with a tag, first deal, source {sources}", parse_math=False)
        cells = figure.subplots(len(directions), 1, squeeze=False)[:, 0]
        for panel, direction in zip(cells, directions, strict=True):
            values = {(row["method"], row["tag"]): row for row in found if row["direction"] == direction}
            tags = sorted(
                dict.fromkeys(tag for _, tag in values),
                key=lambda tag: -values[methods[-1], tag]["map"] if (methods[-1], tag) in values else 0.0,
            )
            for method in methods:
                heights = [100 * values[method, tag]["map"] if (method, tag) in values else np.nan for tag in tags]
                panel.plot(
                    range(len(tags)), heights, label=method, **styles[method] | {"linestyle": "none"}, markersize=4
                )
            counts = [values[methods[-1], tag]["queries"] if (methods[-1], tag) in values else 0 for tag in tags]
            panel.set_xticks(range(len(tags)), [f"{tag} ({n})" for tag, n in zip(tags, counts, strict=True)])
            for label in panel.get_xticklabels():
                label.set(rotation=90, fontsize=5.5, parse_math=False)
            panel.set_title(f"{drawing.arrow(direction)} (in brackets: queries)")
            panel.set_ylabel("MAP (%)")
            panel.set_xlim(-0.7, len(tags) - 0.3)
            panel.grid(alpha=0.3)
        handles = cells[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
