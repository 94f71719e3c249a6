"""Figure 4.3: the attention scores over a song, with the chunks that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unisono.config.mv10k import Mv10k
from unisono.features.chunk_attention import select_chunks
from unisono.io import parquet
from unisono.io.files import replacing
from unisono.io.text_tables import write_csv


def draw(
    scores: np.ndarray,
    selections: Sequence[tuple[int, int, Sequence[int]]],
    *,
    chunk_s: int,
    title: str,
    out: Path,
) -> None:
    """Draw the scores of a song, and write them as a table.

    Parameters
    ----------
    scores : np.ndarray [shape=(n_chunks,)]
        Of the 3-s chunks; none at all draws an empty figure, with its title.
    selections : sequence of (int, int, sequence of int)
        Chunks kept, chunks in all, and the numbers of those kept.
    chunk_s : int
        Seconds of a scored chunk.
    title : str
    out : Path
        Without ending; ``.png``, ``.svg`` and ``.csv`` are written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    times = np.arange(len(scores)) * chunk_s
    rows = ([int(time), f"{score:.6f}"] for time, score in zip(times, scores, strict=True))
    write_csv(out.with_suffix(".csv"), ["start_s", "score"], rows)
    # Fixed ids and no date: the same drawing is the same file.
    with rc_context({"svg.hashsalt": "unisono", "font.size": 9}):
        figure = Figure(figsize=(7, 1.8 + 0.35 * len(selections)), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, max(len(selections), 1)])
        upper.bar(times, scores, width=chunk_s, align="edge", color="0.35")
        upper.set_ylabel("attention")
        upper.set_title(title)
        total = len(scores) * chunk_s
        for row, (_, chunks, kept) in enumerate(selections):
            for chunk in range(chunks):
                colour = "tab:orange" if chunk in kept else "0.9"
                width = total / chunks
                lower.barh(row, width, left=chunk * width, color=colour, edgecolor="white")
        lower.set_yticks(range(len(selections)), [f"{keep} of {chunks}" for keep, chunks, _ in selections])
        lower.invert_yaxis()
        lower.set_xlabel("time (s)")
        lower.set_xlim(0, total or 1)
        for suffix in (".png", ".svg"):
            with replacing(out.with_suffix(suffix)) as temporary:
                metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
                figure.savefig(temporary, format=suffix[1:], dpi=150, metadata=metadata)


def from_vectors(vectors: Path, params: Mv10k, *, out: Path) -> None:
    """Draw a typical song: the one whose scores vary as much as the median song's.

    Parameters
    ----------
    vectors : Path
        What `unisono.features.video_vectors` wrote.
    params : Mv10k
    out : Path
        As in `draw`.

    Notes
    -----
    Published features are vectors of whole audios, without scores: the figure then is empty and says so.
    """
    facts = parquet.metadata(vectors)
    if "scores" not in parquet.read(parquet.shards(vectors)[:1]).column_names:
        title = f"no scores: source {facts['source']} brings vectors of whole audios, not sequences"
        draw(np.empty(0), [], chunk_s=1, title=title, out=out)
        return
    table = parquet.read(vectors, ["id", "scores"])
    scores = parquet.to_numpy(table["scores"])
    spread = np.array([np.std(song) for song in scores])
    row = int(np.argsort(spread, kind="stable")[len(spread) // 2])
    selections = [
        (s.keep, s.chunks, select_chunks(scores[row], keep=s.keep, chunks=s.chunks)) for s in params.features.selections
    ]
    draw(
        scores[row],
        selections,
        chunk_s=facts["model"]["chunk_s"],
        title=f"{table['id'][row].as_py()} ({facts['source']}; chunk attention, {facts['weights']})",
        out=out,
    )
