"""A piece of every song as sound: scores by TiMidity++, sound files as they are.

**Conventions.** A piece is ``clip_s`` long and begins at ``start_s`` of the song. A song that ends before its piece
does is repeated from there, a score note by note. What is played is written anew here from the notes of the song's MIDI
file, so that TiMidity++ is given nothing that comes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.songs import Audio
from unisono.errors import DataError, ProgramError
from unisono.io import parquet
from unisono.io.files import replacing_folder
from unisono.io.skipped import write as write_skipped
from unisono.media import audio as sound
from unisono.media import excerpt, midi, timidity
from unisono.store.shards import Shard, map_shards

LEAD_IN_S = 0.125
"""Silence before each piece, cut off again: see `unisono.media.timidity.LEAD_IN`."""

SPARE_S = 0.2
"""Played after the piece, and cut off: a note that goes beyond it ends there."""


def play(scores: Sequence[bytes], settings: Audio, starts_s: Sequence[float]) -> list[np.ndarray | str]:
    """Play a piece of each score.

    Parameters
    ----------
    scores : sequence of bytes
        MIDI files, from anywhere.
    settings : Audio
        Section ``songs.audio``.
    starts_s : sequence of float
        Where each piece begins, in seconds.

    Returns
    -------
    list of np.ndarray [shape=(round(clip_s * sample_rate),), dtype=int16] or str
        The sound, mono at ``sample_rate`` Hz, or the reason why there is none.

    Raises
    ------
    ProgramError, MachineError, ConfigError
        As `unisono.media.timidity.render`.
    """
    results: list[np.ndarray | str] = [""] * len(scores)
    pieces, used = [], set()
    for index, (score, start_s) in enumerate(zip(scores, starts_s, strict=True)):
        try:
            piece = midi.clip(midi.decode_score(score), start_s=start_s, clip_s=settings.clip_s + SPARE_S)
            late = [
                note._replace(onset_s=note.onset_s + LEAD_IN_S, offset_s=note.offset_s + LEAD_IN_S) for note in piece
            ]
            pieces.append((index, midi.encode_score(late)))
            used |= {note.program for note in piece}
        except DataError as error:
            results[index] = str(error)
    n_skipped, n = round(LEAD_IN_S * settings.sample_rate), round(settings.clip_s * settings.sample_rate)

    def checked(_: int, samples: np.ndarray) -> np.ndarray:
        kept = samples[n_skipped : n_skipped + n]
        if np.abs(kept.astype(np.int32)).max(initial=0) <= timidity.SILENCE:
            raise DataError("it is silent")
        return np.pad(kept, (0, n - len(kept)))

    played = timidity.play([score for _, score in pieces], used, settings, checked)
    for (index, _), result in zip(pieces, played, strict=True):
        results[index] = result
    return results


def check(settings: Audio) -> None:
    """Play one note, so that a set-up that cannot work fails at once; raises `ProgramError` or `ConfigError`."""
    program = settings.programs.sung
    note = midi.encode_score([midi.Played(60, 0.0, 1.0, settings.velocity, program)])
    [result] = play([note], settings, [0.0])
    if isinstance(result, str):
        raise ProgramError(
            f"{timidity.PROGRAM}: a test note (soundfont {settings.soundfont}, program {program}) failed: {result}; "
            f"check `{timidity.PROGRAM}` and the section {settings.where}"
        )


def render_folder(samples: Path, out: Path, skipped: Path, settings: Audio, *, compute: Compute) -> None:
    """Make the sound of a folder of songs.

    Parameters
    ----------
    samples : Path
        Shards with ``id``, ``start_s`` and ``midi`` (a MIDI file) or ``location`` (path of a sound file).
    out : Path
        Written: a shard of the same name for each, see `render_shard`.
    skipped : Path
        Written: CSV of the songs without sound, and why.
    settings : Audio
        Section ``songs.audio``.
    compute : Compute

    Raises
    ------
    ProgramError, ConfigError
        TiMidity++ or the sound font is missing or does not work.
    DataError
        The songs have neither, or are missing or damaged, or none of them could be made sound.
    """
    shards = []
    made_with: dict[str, Any] = {
        "sample_rate": settings.sample_rate,
        "clip_s": settings.clip_s,
        "start_s": settings.start_s,
        "shorter": "repeated",
    }
    for path in parquet.shards(samples):
        names = parquet.read(path).column_names
        if {"audio", "lyrics"} <= set(names):
            return _without_sound(out, skipped)
        if "midi" not in names and "location" not in names:
            raise DataError(f"{samples}: songs without scores and sound files, of which no sound can be made")
        files = parquet.read(path, ["location"])["location"].to_pylist() if "location" in names else []
        here = tuple(Path(file) for file in files if Path(file).is_file())
        shards.append(Shard(path.name, (path, *here), n_items=parquet.read(path, ["id"]).num_rows))
    if "midi" in names:
        check(settings)
        made_with |= timidity.describe_player(settings)
    params = {"audio": settings.model_dump(mode="json"), "made_with": made_with}
    done = map_shards(render_shard, shards, out, params=params, compute=compute, description="Rendering songs")
    write_skipped(skipped, [(name, reason) for part in done for name, reason in part["skipped"]])
    if not any(part["rendered"] for part in done):
        raise DataError(f"{samples}: no song could be made sound; the reasons are in {skipped}")


def _without_sound(out: Path, skipped: Path) -> None:
    """Write that there is no sound: the source brings features."""
    with replacing_folder(out) as fresh:
        types = {"id": pa.string(), "audio": parquet.MEDIA}
        parquet.write(fresh / parquet.shard_name(0), {"id": [], "audio": []}, types=types)
    write_skipped(skipped, [])


def render_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Make the sound of one shard of songs, for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        Its first input is the shard of songs, the others the sound files that it names.
    destination : Path
        Written: ``id``, ``audio`` (mono FLAC of ``clip_s``).
    params : mapping
        ``audio``: section ``songs.audio`` as a dict; ``made_with``: what the metadata say of it.

    Returns
    -------
    dict
        ``rendered``: number of songs; ``skipped``: list of [id, reason].
    """
    settings = Audio(**params["audio"])
    source = shard.inputs[0]
    table = parquet.read(source)
    names, starts_s = table["id"].to_pylist(), table["start_s"].to_pylist()
    if "midi" in table.column_names:
        results = play(table["midi"].to_pylist(), settings, starts_s)
    else:
        places = map(Path, table["location"].to_pylist())
        results = [_heard(path, start_s, settings) for path, start_s in zip(places, starts_s, strict=True)]
    rows: dict[str, list[Any]] = {"id": [], "audio": []}
    skipped = []
    for name, result in zip(names, results, strict=True):
        if isinstance(result, str):
            skipped.append([name, result])
        else:
            rows["id"].append(name)
            rows["audio"].append((sound.encode_flac(result, settings.sample_rate), f"{name}.flac"))
    kept = {key: value for key, value in parquet.metadata(source).items() if key in ("dataset", "source")}
    parquet.write(
        destination,
        rows,
        types={"id": pa.string(), "audio": parquet.MEDIA},
        metadata={**kept, **params["made_with"]},
        media={"audio": "audio"},
        sampling_rate=settings.sample_rate,
    )
    return {"rendered": len(rows["id"]), "skipped": skipped}


def _heard(path: Path, start_s: float, settings: Audio) -> np.ndarray | str:
    """Read the piece of a sound file, or say why there is none."""
    try:
        return excerpt.read(path, start_s=start_s, clip_s=settings.clip_s, rate=settings.sample_rate)
    except DataError as error:
        return f"{path.name}: {error}"
