"""Queries on VEGAS: a video or a sound, through the functions of its stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from unisono.config.vegas import Vegas
from unisono.errors import DataError
from unisono.features.query import reading
from unisono.features.query.place import ID, Place
from unisono.io import parquet

#: Rate of the sound, in Hz: that of VGGish.
CLIP_RATE_HZ = 16_000


def as_clip(samples: np.ndarray, rate: int) -> bytes:
    """Put a sound into a video file without pictures, which the extractors of clips read.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        In -1 ... 1; what lies outside is clipped.
    rate : int
        In Hz; the result has 16,000.

    Returns
    -------
    bytes
        A Matroska file with 16-bit samples.
    """
    import io

    import av

    from unisono.features import logmel

    whole = np.clip(logmel.resample(samples, rate) * 32767, -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=CLIP_RATE_HZ, layout="mono")
        for start in range(0, len(whole), CLIP_RATE_HZ):
            frame = av.AudioFrame.from_ndarray(whole[None, start : start + CLIP_RATE_HZ], format="s16", layout="mono")
            frame.sample_rate = CLIP_RATE_HZ
            frame.pts = start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def _sound(source: Path, view: str, place: Place) -> list[str]:
    from unisono.features.clips import SECONDS

    said: list[str] = []
    samples, rate, length_s = reading.read_sound(source, longest_s=SECONDS, said=said)
    _clip(as_clip(samples, rate), source, view, place)
    return said + reading.heard(length_s, SECONDS)


def _pictures(source: Path, view: str, place: Place) -> list[str]:
    from unisono.features.clips import SECONDS
    from unisono.media import video

    clip, said = source.read_bytes(), []
    try:
        if view == "audio":
            samples, cancels = video.listen(clip, CLIP_RATE_HZ)
            said += [reading.CANCELLED] if cancels else []
            reading.check_sound(samples[: SECONDS * CLIP_RATE_HZ], str(source))
            length_s = len(samples) / CLIP_RATE_HZ
        else:
            length_s = video.duration(clip)
    except DataError as error:
        text = str(error).removeprefix(f"{source}: ")
        hint = f"; cut out the {SECONDS} s that you mean" if "at most" in text or "longer than" in text else ""
        raise DataError(f"{source}: {text}{hint}") from None
    _clip(clip, source, view, place)
    return said + [note.replace("heard", "used") for note in reading.heard(length_s, SECONDS)]


def _clip(clip: bytes, source: Path, view: str, place: Place) -> None:
    from unisono.features import video_extraction

    features, name = Vegas.load().features, place.sets[view]
    fitted = place.built / "models" / f"whitening_{name}.safetensors"
    if "video" not in _columns(place.built / "samples"):
        raise DataError(
            f"{source}: the features of {place.built} were published without the clips, so that no file can be taken "
            "through the same extractor; give an id"
        )
    parquet.write(
        place.folder / "samples" / parquet.shard_name(0),
        {"id": [ID], "video": [(clip, source.name)]},
        types={"id": pa.string(), "video": parquet.MEDIA},
    )
    left_out = video_extraction.extract_folder(
        place.folder / "samples",
        place.folder / "features" / name,
        outside=None,
        view=name,
        name=features.sets[name],
        settings=getattr(features, features.sets[name]),
        fitted=fitted,
        compute=place.compute,
        downloads=place.downloads,
    )
    if left_out:
        raise DataError(f"{source}: {left_out[0][1]}")


def _columns(folder: Path) -> list[str]:
    first = next(iter(parquet.iterate(folder, batch_size=1)), None)
    return [] if first is None else list(first.schema.names)


def feature_sets() -> set[str]:
    """Name the feature sets that have an extractor here."""
    return set(Vegas.load().features.sets)


#: Folder in which the stages keep published files.
DOWNLOADS = Path("data/raw/extractors")
#: By kind of file.
READERS = {"video": _pictures, "sound": _sound}
