"""Samples as sheet music: shards of notes and syllables in, shards of pictures out.

**Conventions.** A *sample* (20 notes) is engraved as one line of music; its picture has the sample's id. A *single
note* is a (pitch, duration) that occurs in some sample: each is engraved once, on its own staff and without signatures
or lyrics, and has the key of `unisono.media.notation.note_key`. Pictures are PNG, 8-bit grey, cropped to the ink.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mtm import Engraver
from unisono.errors import DataError, ProgramError
from unisono.io import parquet
from unisono.io.skipped import write as write_skipped
from unisono.media import lilypond, notation
from unisono.store.shards import Shard, map_shards


def engrave_folder(
    samples: Path, out: Path, skipped: Path, engraver: Engraver, *, engrave_lyrics: bool, compute: Compute
) -> None:
    """Engrave a folder of samples.

    Parameters
    ----------
    samples : Path
        Shards with the columns ``id``, ``notes``, ``syllables`` and ``word_index``.
    out : Path
        Written: a shard of the same name for each, see `engrave_shard`.
    skipped : Path
        Written: CSV of the samples without a picture, and why.
    engraver : Engraver
        Section ``mtm.engraver``.
    engrave_lyrics : bool
        Whether to print the syllables under the staff.
    compute : Compute

    Raises
    ------
    ProgramError
        LilyPond is missing or does not work.
    DataError
        The samples are missing or damaged, or none of them could be engraved.
    """
    sources = parquet.shards(samples)
    done = map_shards(
        engrave_shard,
        [Shard(path.name, (path,), n_items=parquet.read(path, ["id"]).num_rows) for path in sources],
        out,
        params={
            "engraver": engraver.model_dump(mode="json"),
            "engrave_lyrics": engrave_lyrics,
            "tool": lilypond.version(),
        },
        compute=compute,
        description="Engraving samples" if engrave_lyrics else "Engraving samples without lyrics",
    )
    write_skipped(skipped, [(name, reason) for part in done for name, reason in part["skipped"]])
    if not any(part["engraved"] for part in done):
        raise DataError(f"{samples}: no sample could be engraved; the reasons are in {skipped}")


def engrave_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Engrave one shard of samples, for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        Its one input is a shard of samples.
    destination : Path
        Written: ``id`` and ``picture``.
    params : mapping
        ``engraver``: section ``mtm.engraver`` as a dict; ``engrave_lyrics``; ``tool``: what `lilypond.version` says.

    Returns
    -------
    dict
        ``engraved``: number of pictures; ``skipped``: list of [id, reason].
    """
    [source] = shard.inputs
    table = parquet.read(source, ["id", "notes", "syllables", "word_index"])
    names = table["id"].to_pylist()
    scores: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for name, notes, syllables, words in zip(
        names,
        parquet.to_numpy(table["notes"]),
        table["syllables"].to_pylist(),
        table["word_index"].to_pylist(),
        strict=True,
    ):
        try:
            scores[name] = notation.score(
                notes, syllables=syllables if params["engrave_lyrics"] else (), word_index=words
            )
        except DataError as error:
            reasons[name] = str(error)
    pictures = {}
    for name, engraved in zip(scores, _engrave(list(scores.values()), params), strict=True):
        if engraved.reason:
            reasons[name] = engraved.reason
        else:
            pictures[name] = (engraved.picture, f"{name}.png")
    parquet.write(
        destination,
        {"id": list(pictures), "picture": list(pictures.values())},
        types={"id": pa.string(), "picture": parquet.MEDIA},
        media={"picture": "image"},
        metadata={
            **_made_from(source),
            **_made_with(params),
            "engrave_lyrics": params["engrave_lyrics"],
            "n_fragments": len(pictures),
        },
    )
    return {"engraved": len(pictures), "skipped": [[name, reasons[name]] for name in names if name in reasons]}


def engrave_notes_folder(samples: Path, out: Path, engraver: Engraver, *, compute: Compute) -> None:
    """Engrave each distinct single note of a folder of samples once.

    Parameters
    ----------
    samples : Path
        Shards with the column ``notes``.
    out : Path
        Written: shards of ``key``, ``pitch``, ``duration`` (beats) and ``picture``, sorted by pitch and duration.
    engraver : Engraver
        Section ``mtm.engraver``.
    compute : Compute

    Raises
    ------
    ProgramError
        LilyPond is missing, does not work, or fails on a note.
    DataError
        The samples are missing or damaged, or hold no note that can be written.
    """
    notes = distinct_notes(samples)
    if not notes:
        raise DataError(f"{samples}: expected notes with pitches 0-127 and positive durations, found none")
    size = engraver.fragments_per_run
    parts = [notes[i : i + size] for i in range(0, len(notes), size)]
    made_from = _made_from(samples)
    map_shards(
        engrave_notes_shard,
        [
            Shard(parquet.shard_name(i), n_items=len(part), extra={"notes": part, "made_from": made_from})
            for i, part in enumerate(parts)
        ],
        out,
        params={"engraver": engraver.model_dump(mode="json"), "tool": lilypond.version()},
        compute=compute,
        description="Engraving single notes",
    )


def distinct_notes(samples: Path) -> list[tuple[float, float]]:
    """Pitch and duration of every different note of a folder of samples, sorted.

    Notes that cannot be written are left out: the samples that hold them have no picture either.
    """
    found: set[tuple[float, float]] = set()
    for batch in parquet.iterate(parquet.shards(samples), ["notes"]):
        sounding = parquet.to_numpy(batch["notes"])[..., :2].reshape(-1, 2)
        found.update(map(tuple, np.unique(sounding, axis=0).tolist()))
    # By key: durations that differ by less than its digits are one note.
    by_key = {notation.note_key(*note): note for note in sorted(found, reverse=True) if _writable(note)}
    return sorted(by_key.values())


def _writable(note: tuple[float, float]) -> bool:
    try:
        notation.score(np.array([[*note, 0.0]]), signatures=False)
    except DataError:
        return False
    return True


def engrave_notes_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Engrave some single notes, for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        ``extra``: ``notes``, list of [pitch, duration]; ``made_from``, metadata of the samples.
    destination : Path
        Written: ``key``, ``pitch``, ``duration``, ``picture``.
    params : mapping
        ``engraver``: section ``mtm.engraver`` as a dict; ``tool``: what `lilypond.version` says.

    Returns
    -------
    int
        Number of notes.

    Raises
    ------
    ProgramError
        LilyPond fails on a note.
    """
    notes = shard.extra["notes"]
    keys = [notation.note_key(pitch, duration) for pitch, duration in notes]
    scores = [notation.score(np.array([[*note, 0.0]]), signatures=False) for note in notes]
    results = _engrave(scores, params)
    for key, engraved in zip(keys, results, strict=True):
        if engraved.reason:
            raise ProgramError(f"note {key}: {engraved.reason}")
    parquet.write(
        destination,
        {
            "key": keys,
            "pitch": [pitch for pitch, _ in notes],
            "duration": [duration for _, duration in notes],
            "picture": [(engraved.picture, f"{key}.png") for key, engraved in zip(keys, results, strict=True)],
        },
        types={"key": pa.string(), "pitch": pa.float32(), "duration": pa.float32(), "picture": parquet.MEDIA},
        media={"picture": "image"},
        metadata={
            **shard.extra["made_from"],
            **_made_with(params),
            "engrave_lyrics": False,
            "n_fragments": len(keys),
        },
    )
    return len(keys)


def _engrave(scores: list[str], params: Mapping[str, Any]) -> list[lilypond.Engraved]:
    engraver = Engraver(**params["engraver"])
    return lilypond.engrave(
        scores,
        resolution_dpi=engraver.resolution_dpi,
        scores_per_run=engraver.fragments_per_run,
        timeout_s=engraver.timeout_s,
    )


def _made_from(samples: Path) -> dict[str, Any]:
    """Metadata that pictures share with their samples."""
    return {key: value for key, value in parquet.metadata(samples).items() if key in ("dataset", "source")}


def _made_with(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"tool": params["tool"], "resolution_dpi": params["engraver"]["resolution_dpi"]}
