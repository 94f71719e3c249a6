"""Samples as piano sound, by TiMidity++: many MIDI files per process, every output checked.

**Conventions.** TiMidity++ ends with status 0 whatever happens, so a sample counts as rendered only if its
file is there, has the right rate, reaches the last note's end, and is not silent during any note. The sound
is cut `TAIL_S` after the last note's end, so that its length follows from the notes alone, not from the sound
font's release.

The machine's own ``timidity.cfg`` is read by TiMidity++ even with ``-c``. Ours therefore names the instrument
itself (a plain ``soundfont`` line would lose to the machine's), and every option that matters to the sound
stands on the command line, at TiMidity++'s own default: reverb and chorus as it plays them, no voice
reduction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.mtm import Audio
from unisono.errors import ConfigError, DataError, MachineError, ProgramError, pass_machine
from unisono.io import parquet
from unisono.io.files import temporary_folder
from unisono.io.skipped import write as write_skipped
from unisono.media import audio as sound
from unisono.media import midi, programs
from unisono.store.shards import Shard, map_shards

PROGRAM = "timidity"
PACKAGES = "timidity fluid-soundfont-gm"
SOUNDFONT_FOLDERS = tuple(
    Path(folder)
    for folder in (
        "/usr/share/sounds/sf2",
        "/usr/share/soundfonts",
        "/usr/local/share/sounds/sf2",
        "/usr/local/share/soundfonts",
        "/opt/homebrew/share/soundfonts",
    )
)

TAIL_S = 0.5
"""Seconds kept after the last note's end: piano is then below -65 dB."""

LEAD_IN = 0.25
"""Beats of silence before each sample, cut off again: TiMidity++ 2.14 loses a note at time zero when the next
note has the same pitch."""

SILENCE = 16
"""A note is heard when its peak exceeds this, of 32,768. Rendered silence peaks at 5, the faintest pitch of a
piano at 700."""

MEMORY_BYTES = 2 * 2**30

OPTIONS = (
    "-idqqq",
    "--preserve-silence",
    "-A70",
    "--no-volume-compensation",
    "-p256",
    "--no-polyphony-reduction",
    "--no-fast-decay",
    "--no-anti-alias",
    "--module=0",
    "-V0",
    "-K0",
    "-T100",
    "-EwpvSEToz",
    "-EFreverb=f",
    "-EFchorus=n",
    "-EFdelay=d",
    "-EFvlpf=c",
    "-EFresamp=g",
)


class Settings(Protocol):
    """What a section of params.yaml says of playing: ``mtm.audio``, ``songs.audio``.

    Attributes
    ----------
    where : str
        Its key.
    sample_rate : int
        In Hz.
    soundfont : str
        A path, or a name as ``FluidR3_GM.sf2``.
    files_per_process : int
    timeout_s : float
        Of a process, in seconds of the processor.
    """

    where: ClassVar[str]
    sample_rate: int
    soundfont: str
    files_per_process: int
    timeout_s: float


def find_soundfont(settings: Settings) -> Path:
    """Find a sound font by path, or by file name in the usual folders.

    Parameters
    ----------
    settings : Settings
        ``soundfont`` is a path, or a name as ``FluidR3_GM.sf2``.

    Returns
    -------
    Path
        Absolute path of the file.

    Raises
    ------
    ConfigError
        It is not there, or not a SoundFont 2 file.
    """
    name, key = settings.soundfont, f"{settings.where}.soundfont"
    candidates = [Path(name).expanduser(), *(folder / name for folder in SOUNDFONT_FOLDERS)]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        folders = ", ".join(map(str, SOUNDFONT_FOLDERS))
        raise ConfigError(
            f"{key}: {name!r} is no file, here or in {folders}; install the Debian package "
            "fluid-soundfont-gm (FluidR3_GM.sf2), or give a path"
        )
    try:
        with found.open("rb") as file:
            header = file.read(12)
    except OSError as error:
        pass_machine(error)
        raise ConfigError(f"{key}: {found}: {error.strerror}") from None
    if header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise ConfigError(f"{key}: {found}: not a SoundFont 2 file (.sf2)")
    return found.absolute()


def describe(audio: Audio) -> dict[str, Any]:
    """Say what the sound is made with, for the metadata.

    Parameters
    ----------
    audio : Audio
        Section ``mtm.audio``.

    Returns
    -------
    dict
        ``tool``, ``soundfont`` (file name), ``soundfont_sha256``, ``sample_rate`` (Hz), ``program``,
        ``velocity``, ``seconds_per_beat``, ``tail_s``.

    Raises
    ------
    ProgramError, ConfigError
        TiMidity++ or the sound font is missing.
    """
    return {
        **describe_player(audio),
        "program": audio.program,
        "velocity": audio.velocity,
        "seconds_per_beat": audio.seconds_per_beat,
        "tail_s": TAIL_S,
    }


def describe_player(settings: Settings) -> dict[str, Any]:
    """Name the tool, the sound font (``soundfont``, ``soundfont_sha256``) and the ``sample_rate`` (Hz)."""
    font = find_soundfont(settings)
    with font.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "tool": programs.version(programs.find(PROGRAM, PACKAGES)),
        "soundfont": font.name,
        "soundfont_sha256": digest,
        "sample_rate": settings.sample_rate,
    }


def check(audio: Audio) -> None:
    """Render one note, so that a set-up that cannot work fails at once and not sample by sample.

    Raises
    ------
    ProgramError, ConfigError
        TiMidity++ or the sound font is missing, or the note does not sound.
    """
    [result] = render([np.array([[60.0, 1.0, 0.0]])], audio)
    if isinstance(result, str):
        raise ProgramError(
            f"{PROGRAM}: a test note (soundfont {audio.soundfont}, program {audio.program}, velocity "
            f"{audio.velocity}) failed: {result}; check `{PROGRAM}` and the section mtm.audio"
        )


def render(samples: Sequence[np.ndarray], audio: Audio) -> list[np.ndarray | str]:
    """Render samples; one that fails is tried once more, alone.

    Parameters
    ----------
    samples : sequence of np.ndarray [shape=(n_notes, 3), dtype=float]
        Notes as in `unisono.media.midi`.
    audio : Audio
        Section ``mtm.audio``.

    Returns
    -------
    list of np.ndarray [shape=(n,), dtype=int16] or str
        Per sample its sound, mono at ``audio.sample_rate`` Hz, or the reason why there is none. A sample's
        sound does not depend on what is rendered beside it.

    Raises
    ------
    ProgramError
        TiMidity++ is missing.
    MachineError
        Space, memory, processes or time do not suffice for one sample.
    ConfigError
        The sound font is missing.
    """
    results: list[np.ndarray | str] = [""] * len(samples)
    scores = []
    for index, notes in enumerate(samples):
        try:
            score = midi.encode(
                notes,
                seconds_per_beat=audio.seconds_per_beat,
                program=audio.program,
                velocity=audio.velocity,
                lead_in=LEAD_IN,
            )
            scores.append((index, score))
        except DataError as error:
            results[index] = str(error)

    def checked(number: int, samples_: np.ndarray) -> np.ndarray:
        return _checked(samples_, samples[scores[number][0]], audio)

    played = play([score for _, score in scores], {audio.program}, audio, checked)
    for (index, _), result in zip(scores, played, strict=True):
        results[index] = result
    return results


def play(
    scores: Sequence[bytes],
    used: Iterable[int],
    settings: Settings,
    check: Callable[[int, np.ndarray], np.ndarray],
) -> list[np.ndarray | str]:
    """Play MIDI files, many in one process; one that fails is tried once more, alone.

    Parameters
    ----------
    scores : sequence of bytes
        Made here: TiMidity++ is not given files from outside.
    used : iterable of int
        Programmes that they use.
    settings : Settings
    check : callable
        ``check(index, samples) -> samples``: what is kept of a sound, mono int16; a `DataError` says why none is.

    Returns
    -------
    list of np.ndarray [shape=(n,), dtype=int16] or str
        The sound of each, or the reason why there is none.

    Raises
    ------
    ProgramError, MachineError, ConfigError
        As `render`.
    """
    program = programs.find(PROGRAM, PACKAGES)
    font = find_soundfont(settings)
    instruments = "".join(f"{number} %font font.sf2 0 {number}\n" for number in sorted(set(used)))
    results: list[np.ndarray | str] = []

    def batch(indices: Sequence[int]) -> list[np.ndarray | str]:
        with temporary_folder() as folder:
            (folder / "font.sf2").symlink_to(font)
            (folder / "own.cfg").write_text(f"bank 0\n{instruments}")
            for index in indices:
                (folder / f"{index}.mid").write_bytes(scores[index])
            done = programs.run(
                # Some notes sound otherwise in every run where addresses are random.
                [
                    *programs.fixed_addresses(),
                    program,
                    "-c",
                    "own.cfg",
                    "-OwM1sl",
                    "-s",
                    str(settings.sample_rate),
                    *OPTIONS,
                ]
                + [f"{index}.mid" for index in indices],
                cwd=folder,
                timeout_s=settings.timeout_s,
                memory_bytes=MEMORY_BYTES,
            )
            found: list[np.ndarray | str] = []
            for index in indices:
                try:
                    found.append(check(index, _read(folder / f"{index}.wav", settings.sample_rate)))
                except DataError as error:
                    if done.fault and len(indices) == 1:
                        raise MachineError(f"{PROGRAM}: {error}: {done.fault}") from None
                    found.append(f"{error} (TiMidity++: {programs.describe(done)})")
            return found

    for start in range(0, len(scores), settings.files_per_process):
        indices = range(start, min(start + settings.files_per_process, len(scores)))
        for index, result in zip(indices, batch(indices), strict=True):
            results += batch([index]) if isinstance(result, str) else [result]
    return results


def _read(path: Path, rate: int) -> np.ndarray:
    """Read what TiMidity++ wrote; `DataError` where it is missing, unreadable or of another rate."""
    import soundfile

    if not path.is_file():
        raise DataError("no sound was written")
    try:
        samples, got = soundfile.read(path, dtype="int16", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        pass_machine(error)
        raise DataError(f"not a readable WAV file ({path.stat().st_size} bytes)") from None
    if got != rate or samples.shape[1] != 1:
        raise DataError(f"expected mono at {rate} Hz, got {samples.shape[1]} channels at {got} Hz")
    mono: np.ndarray = samples[:, 0]
    return mono


def _checked(samples: np.ndarray, notes: np.ndarray, audio: Audio) -> np.ndarray:
    """Cut the lead-in and the tail off the sound of a sample; `DataError` where it is too short, or a note silent."""
    rate = audio.sample_rate
    onsets, offsets = midi.note_times(notes, seconds_per_beat=audio.seconds_per_beat)
    samples = samples[round(LEAD_IN * audio.seconds_per_beat * rate) :]
    if len(samples) < round(offsets[-1] * rate):
        raise DataError(f"the sound ends at {len(samples) / rate:.2f} s, the last note at {offsets[-1]:.2f} s")
    for index, (onset, offset) in enumerate(zip(onsets, offsets, strict=True)):
        heard = samples[round(onset * rate) : round(max(offset, onset + 0.1) * rate)].astype(np.int32)
        if np.abs(heard).max(initial=0) <= SILENCE:
            raise DataError(f"note {index} (pitch {notes[index][0]:g}, at {onset:.2f} s) is silent")
    length = round((offsets[-1] + TAIL_S) * rate)
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def render_folder(samples: Path, out: Path, skipped: Path, audio: Audio, *, compute: Compute) -> None:
    """Render a folder of samples.

    Parameters
    ----------
    samples : Path
        Shards with the columns ``id`` and ``notes``.
    out : Path
        Written: a shard of the same name for each, see `render_shard`.
    skipped : Path
        Written: CSV of the samples without sound, and why.
    audio : Audio
        Section ``mtm.audio``.
    compute : Compute

    Raises
    ------
    ProgramError, ConfigError
        TiMidity++ or the sound font is missing or does not work.
    DataError
        The samples are missing or damaged, or none of them could be rendered.
    """
    check(audio)
    sources = parquet.shards(samples)
    shards = [Shard(path.name, (path,), n_items=parquet.read(path, ["id"]).num_rows) for path in sources]
    done = map_shards(
        render_shard,
        shards,
        out,
        params={"audio": audio.model_dump(mode="json"), "made_with": describe(audio)},
        compute=compute,
        description="Rendering audio",
    )
    left_out = [(name, reason) for part in done for name, reason in part["skipped"]]
    write_skipped(skipped, left_out)
    if not any(part["rendered"] for part in done):
        raise DataError(f"{samples}: no sample could be rendered; the reasons are in {skipped}")


def render_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Render one shard of samples, for `unisono.store.shards.map_shards`.

    Parameters
    ----------
    shard : Shard
        Its one input is a shard of samples (columns ``id``, ``notes``).
    destination : Path
        Written: ``id``, ``audio`` (mono FLAC), ``onsets`` and ``offsets`` (s, from the start of the sound).
    params : mapping
        ``audio``: section ``mtm.audio`` as a dict; ``made_with``: what `describe` says.

    Returns
    -------
    dict
        ``rendered``: number of samples; ``skipped``: list of [id, reason].
    """
    audio = Audio(**params["audio"])
    [source] = shard.inputs
    table = parquet.read(source, ["id", "notes"])
    names, notes = table["id"].to_pylist(), parquet.to_numpy(table["notes"])
    rows: dict[str, list[Any]] = {"id": [], "audio": [], "onsets": [], "offsets": []}
    skipped = []
    for name, sample, result in zip(names, notes, render(notes, audio), strict=True):
        if isinstance(result, str):
            skipped.append([name, result])
            continue
        onsets, offsets = midi.note_times(sample, seconds_per_beat=audio.seconds_per_beat)
        file = (sound.encode_flac(result, audio.sample_rate), f"{name}.flac")
        for column, value in zip(rows.values(), (name, file, onsets, offsets), strict=True):
            column.append(value)
    kept = {key: value for key, value in parquet.metadata(source).items() if key in ("dataset", "source")}
    times = parquet.vector(notes.shape[1])
    parquet.write(
        destination,
        rows,
        types={"id": pa.string(), "audio": parquet.MEDIA, "onsets": times, "offsets": times},
        metadata={**kept, **params["made_with"]},
        media={"audio": "audio"},
        sampling_rate=audio.sample_rate,
    )
    return {"rendered": len(rows["id"]), "skipped": skipped}
