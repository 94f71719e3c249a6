"""Clips of the default source: a handwritten digit drifts through the picture while voices say its name over noise.

**Conventions.** Lengths and places in the picture are parts of its side (a square), speeds are parts of it per second.
Every clip is drawn from a generator seeded by the source's seed and the image's number: it does not depend on
the clips around it. The ranges below were chosen so that untrained networks find the class in either modality
without finding it always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from unisono.config.compute import Compute
from unisono.config.vegas import Vegas
from unisono.datasets.vegas import digits
from unisono.io import parquet
from unisono.media import mp4, speech
from unisono.store.shards import Shard, map_shards

#: Pictures per second, and their side in pixels.
RATE = 12
SIDE = 144
#: Length of a clip, in seconds.
DURATION_S = (2.0, 6.0)
#: Height of the digit; it swells and shrinks by `SWELL` of it, within these bounds.
HEIGHT = (0.56, 0.83)
SWELL = 0.05
#: Fastest drift, and the part of its brightness that the digit loses and regains.
DRIFT = 0.10
FADE = 0.20
#: Pieces of other digits behind it: how many, how high, how bright.
N_CLUTTER = 8
CLUTTER_HEIGHT = (0.2, 0.4)
CLUTTER = 0.12
#: Ranges of the voices: words per minute, espeak-ng's pitch, silence between words (s), signal to noise (dB).
WORDS_PER_MINUTE = (110, 220)
PITCH = (15, 90)
PAUSE_S = (0.1, 0.5)
SNR_DB = (0.0, 20.0)
#: Clips that a worker has in hand.
CLIPS_AT_ONCE = 3

TYPES = {
    "id": pa.string(),
    "label": pa.string(),
    "group": pa.int32(),
    "duration_s": pa.float32(),
    "video": parquet.MEDIA,
}


def build(config: Vegas, compute: Compute, *, out: Path) -> list[digits.Planned]:
    """Draw and speak all clips.

    Parameters
    ----------
    config : Vegas
    compute : Compute
    out : Path
        Folder of shards: id, label, group (-1 outside every fold), duration_s, video (MP4).

    Returns
    -------
    list of Planned
        What was made.

    Raises
    ------
    ConfigError
        The counts do not fit together (`unisono.datasets.vegas.digits.plan`).
    ProgramError
        espeak-ng or an encoder is missing or fails.
    """
    offered = speech.voices()
    plan = digits.plan(config, digits.load_images()[1], offered.variants)
    size = config.clips.shard_size
    parts = [plan.clips[start : start + size] for start in range(0, len(plan.clips), size)]
    shards = []
    for index, part in enumerate(parts):
        groups = sorted({clip.group for clip in part})
        extra = {
            "clips": [list(clip) for clip in part],
            "images": {str(group): plan.images[group] for group in groups},
            "variants": {str(group): plan.variants[group] for group in groups},
        }
        shards.append(Shard(parquet.shard_name(index), n_items=len(part), extra=extra))
    params = {
        "seed": config.clips.digits.seed,
        "accents": list(offered.accents),
        "metadata": {
            "dataset": "vegas",
            "source": "digits",
            "n_samples": len(plan.clips),
            "tool": speech.version(),
            "encoder": mp4.encoder(),
            "licence": digits.LICENCE,
        },
    }
    map_shards(build_shard, shards, out, params=params, compute=compute, description="digit clips")
    return plan.clips


def build_shard(shard: Shard, destination: Path, params: Mapping[str, Any]) -> int:
    """Make one shard of clips; run by `map_shards`."""
    images = digits.load_images()[0]

    def make(planned: Sequence[Any]) -> tuple[Any, ...]:
        clip = digits.Planned(*planned)
        generator = np.random.default_rng([params["seed"], clip.image])
        n = round(generator.uniform(*DURATION_S) * RATE)
        others = [image for image in shard.extra["images"][str(clip.group)] if image != clip.image]
        clutter = images[generator.choice(others, N_CLUTTER)]
        pictures = list(draw(images[clip.image], clutter, n, generator))
        samples = speak(clip.label, shard.extra["variants"][str(clip.group)], params["accents"], n / RATE, generator)
        video = mp4.encode(pictures, RATE, samples, speech.SAMPLE_RATE)
        return clip.id, clip.label, clip.group, n / RATE, (video, f"{clip.id}.mp4")

    # Most of the time is spent in waiting for espeak-ng.
    with ThreadPoolExecutor(CLIPS_AT_ONCE) as pool:
        rows = list(pool.map(make, shard.extra["clips"]))
    columns = dict(zip(TYPES, zip(*rows, strict=True), strict=True))
    parquet.write(destination, columns, types=TYPES, metadata=params["metadata"])
    return len(rows)


def draw(image: np.ndarray, clutter: np.ndarray, n: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw the pictures of a clip.

    Parameters
    ----------
    image : np.ndarray [shape=(8, 8)]
        The digit, 0 (black) to 1 (white).
    clutter : np.ndarray [shape=(k, 8, 8)]
        What lies behind it.
    n : int
        Number of pictures.
    generator : np.random.Generator

    Yields
    ------
    np.ndarray [shape=(SIDE, SIDE, 3), dtype=uint8]
    """
    background = np.zeros((SIDE, SIDE))
    for piece in clutter:
        height = generator.uniform(*CLUTTER_HEIGHT)
        background = np.maximum(background, CLUTTER * _placed(piece, height, generator.uniform(0, 1, 2)))
    t_s = np.arange(n) / RATE
    middle = generator.uniform(HEIGHT[0] / (1 - SWELL), HEIGHT[1] / (1 + SWELL))
    heights = middle * (1 + SWELL * _wave(t_s, generator))
    brightness = 1 - FADE * (1 + _wave(t_s, generator)) / 2
    # Straight on from a random place, and back at the edges.
    room = 1 - middle * (1 + SWELL)
    angle, speed = generator.uniform(0, 2 * np.pi), DRIFT * np.sqrt(generator.uniform(0, 1))
    way = generator.uniform(0, 2 * room, 2) + speed * t_s[:, None] * [np.sin(angle), np.cos(angle)]
    centres = 0.5 + np.abs(way % (2 * room) - room) - room / 2
    for height, bright, centre in zip(heights, brightness, centres, strict=True):
        digit = _placed(image, height, centre)
        grey = background * (1 - digit) + bright * digit
        yield np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)


def _wave(t_s: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Go up and down between -1 and 1, once in 3 to 6 s."""
    return np.sin(2 * np.pi * (t_s / generator.uniform(3, 6) + generator.uniform()))


def _placed(image: np.ndarray, height: float, centre: np.ndarray) -> np.ndarray:
    """Put an image of 8 x 8 of the given height on a black picture, smoothly; `centre` is (down, right)."""
    from PIL import Image

    scale = height * SIDE / len(image)  # pixels of the picture per pixel of the image
    margin = 2
    padded = Image.fromarray(np.pad(image, margin).astype(np.float32))
    offset = len(image) / 2 + margin - np.asarray(centre) * SIDE / scale
    coefficients = (1 / scale, 0, offset[1], 0, 1 / scale, offset[0])
    placed = padded.transform((SIDE, SIDE), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(placed), 0, 1)


def speak(
    word: str,
    variants: Sequence[str],
    accents: Sequence[str],
    duration_s: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Say a word several times over noise.

    Parameters
    ----------
    word : str
    variants, accents : sequence of str
        Voices to choose from, anew for each time.
    duration_s : float
    generator : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        At `speech.SAMPLE_RATE`, peak below 1.
    """
    rate = speech.SAMPLE_RATE
    voice = np.zeros(round(duration_s * rate))
    spoken = np.zeros(len(voice), dtype=bool)
    at = round(generator.uniform(*PAUSE_S) * rate)
    while True:
        said = speech.say(
            word,
            accent=accents[int(generator.integers(len(accents)))],
            variant=variants[int(generator.integers(len(variants)))],
            words_per_minute=int(generator.integers(WORDS_PER_MINUTE[0], WORDS_PER_MINUTE[1] + 1)),
            pitch=int(generator.integers(PITCH[0], PITCH[1] + 1)),
        )
        if at + len(said) > len(voice) and spoken.any():
            break
        said = said[: len(voice) - at]
        voice[at : at + len(said)] = said / np.sqrt(np.mean(said**2))
        spoken[at : at + len(said)] = True
        at += len(said) + round(generator.uniform(*PAUSE_S) * rate)
        if at >= len(voice):
            break
    noise = _noise(len(voice), generator)
    mixed = voice + noise * 10 ** (-generator.uniform(*SNR_DB) / 20)
    return (0.9 * mixed / np.abs(mixed).max()).astype(np.float32)


def _noise(n: int, generator: np.random.Generator) -> np.ndarray:
    """Make noise of root mean square 1 whose power falls with frequency to a power between 0 (white) and 2."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(n, real=True)
    spectrum = rfft(generator.standard_normal(length))
    frequencies = np.maximum(np.arange(len(spectrum)) / len(spectrum), 0.005)
    noise = irfft(spectrum * frequencies ** (-generator.uniform(0, 2) / 2), length)[:n]
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))
