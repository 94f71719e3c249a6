"""YouTube-8M videos drawn from a random model: no network, every rule of the real filter exercised.

**The model.** A video of mood m has a latent path ``z(t) = c_m + v + d(t)`` in 16 dimensions that sound and
picture share: c_m of norm 1.5 sqrt(16), v ~ N(0, 1) of the video, d an AR(1) process (coefficient .9,
stationary sd .5). How much of it shows is the salience s(t): sections of 12-30 s, in turn drawn from Beta(8,
2) and Beta(2, 8), smoothed over 9 s. Sound hears ``s z + (1 - s) .7 n + a`` (n ~ N(0, 1) each second),
picture ``(.3 + .7 s) z + p``; a and p, each modality's own style, are N(0, 1.5^2) per video. Random maps of
gain ``.3 / sqrt(16)`` lead to 128 and 1,024 dimensions; noise of sd .3 is added, and the sum is quantised as
YouTube-8M is.

**Rejected videos** are drawn from the same model and fail one rule each, in turn: too short, too long,
further labels (one below Arts & Entertainment, one from elsewhere), no label "Music video".

The figures were fixed before any retrieval method saw the data. Every video has a random generator of its
own, seeded by its number, so that it does not depend on how many are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unisono.datasets.mv10k.quantisation import quantise
from unisono.datasets.mv10k.rules import MUSIC_VIDEO
from unisono.io import sequence_example

#: The ten moods of D 4.2.3.
MOODS = ("angry", "tender", "bitter", "cheerful", "fun", "bright", "happy", "anxious", "calm", "warm")

#: The few entries of the vocabulary that occur, with their verticals.
VERTICALS = {
    0: ("Games",),
    2: ("Autos & Vehicles",),
    3: ("Arts & Entertainment",),
    9: ("Arts & Entertainment",),
    11: ("Food & Drink",),
    MUSIC_VIDEO: ("Arts & Entertainment",),
}
FAILURES = ("too_short", "too_long", "other_labels", "no_music_video")

AUDIO_WIDTH, RGB_WIDTH = 128, 1024
LATENT = 16
CENTRE_NORM = 1.5 * np.sqrt(LATENT)
STYLE = 1.5
DRIFT, DRIFT_SD = 0.9, 0.5
SECTION_S = (12, 30)
SALIENT, DULL = (8.0, 2.0), (2.0, 8.0)
SMOOTHING_S = 9
AUDIO_NOISE, FRAME_NOISE = 0.7, 0.3
GAIN = 0.3 / np.sqrt(LATENT)

# First number of each kind's seeds: what is shared, videos of the data set, audios of the tagged set.
_WORLD, _VIDEO, _TAGGED = 0, 1, 2


@dataclass(frozen=True)
class Video:
    """One simulated video.

    Attributes
    ----------
    id : str
    mood : str
        One of `MOODS`.
    labels : tuple of int
    audio : np.ndarray [shape=(n_frames, 128), dtype=uint8]
    rgb : np.ndarray [shape=(n_frames, 1024), dtype=uint8]
    salience : np.ndarray [shape=(n_frames,)]
        How much of the mood shows, 0-1.
    """

    id: str
    mood: str
    labels: tuple[int, ...]
    audio: np.ndarray
    rgb: np.ndarray
    salience: np.ndarray

    def encode(self) -> bytes:
        """Write the video as a record of YouTube-8M's frame-level files; the mood is not in it."""
        return sequence_example.encode(self.id, self.labels, {"rgb": self.rgb, "audio": self.audio})


class World:
    """What all videos of a seed share: mood centres and the maps from the latent space.

    Parameters
    ----------
    seed : int
    min_frames, max_frames : int
        Lengths that the filter accepts, in frames of 1 s.
    """

    def __init__(self, seed: int, *, min_frames: int, max_frames: int) -> None:
        rng = np.random.default_rng([seed, _WORLD])
        self.seed = seed
        self.lengths = (min_frames, max_frames)
        centres = rng.standard_normal((len(MOODS), LATENT))
        self.centres = centres * (CENTRE_NORM / np.linalg.norm(centres, axis=1, keepdims=True))
        self.to_audio = rng.standard_normal((LATENT, AUDIO_WIDTH)) * GAIN
        self.to_rgb = rng.standard_normal((LATENT, RGB_WIDTH)) * GAIN

    def video(self, index: int, *, failure: str = "") -> Video:
        """Draw video number `index`; its mood is ``index`` modulo 10.

        Parameters
        ----------
        index : int
            From 0; videos that fail are numbered after those that pass.
        failure : str
            Which rule it fails, one of `FAILURES`; empty for none.

        Returns
        -------
        Video
        """
        return self._draw(f"v{index:06d}", index, _VIDEO, failure)

    def tagged(self, index: int) -> Video:
        """Draw audio number `index` of the tagged set, which shares no video with the data set."""
        return self._draw(f"t{index:06d}", index, _TAGGED, "")

    def _draw(self, identifier: str, index: int, kind: int, failure: str) -> Video:
        rng = np.random.default_rng([self.seed, kind, index])
        mood = index % len(MOODS)
        shortest, longest = self.lengths
        if failure == "too_short":
            shortest, longest = max(shortest // 2, 1), max(shortest - 1, 1)
        elif failure == "too_long":
            shortest, longest = longest + 1, longest + 60
        n_frames = int(rng.integers(shortest, longest + 1))
        latent = self.centres[mood] + rng.standard_normal(LATENT) + _drift(rng, n_frames)
        salience = _salience(rng, n_frames)
        s = salience[:, None]
        noise = AUDIO_NOISE * rng.standard_normal((n_frames, LATENT))
        audio = s * latent + (1 - s) * noise + STYLE * rng.standard_normal(LATENT)
        rgb = (0.3 + 0.7 * s) * latent + STYLE * rng.standard_normal(LATENT)
        return Video(
            identifier, MOODS[mood], _labels(index, failure),
            _observe(rng, audio, self.to_audio), _observe(rng, rgb, self.to_rgb), salience,
        )  # fmt: skip


def _drift(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """AR(1) path of shape (n_frames, LATENT), stationary from the first frame."""
    steps = rng.standard_normal((n_frames, LATENT)) * DRIFT_SD
    for t in range(1, n_frames):
        steps[t] = DRIFT * steps[t - 1] + np.sqrt(1 - DRIFT**2) * steps[t]
    return steps


def _salience(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Salient and dull sections in turn, smoothed by a moving average, of shape (n_frames,)."""
    padding = SMOOTHING_S // 2
    levels: list[np.ndarray] = []
    kinds = [SALIENT, DULL] if rng.random() < 0.5 else [DULL, SALIENT]
    while sum(map(len, levels)) < n_frames + 2 * padding:
        length = int(rng.integers(SECTION_S[0], SECTION_S[1] + 1))
        levels.append(np.full(length, rng.beta(*kinds[len(levels) % 2])))
    raw = np.concatenate(levels)[: n_frames + 2 * padding]
    return np.convolve(raw, np.full(SMOOTHING_S, 1 / SMOOTHING_S), mode="valid")


def _observe(rng: np.random.Generator, latent: np.ndarray, mapping: np.ndarray) -> np.ndarray:
    """Map a latent path (n_frames, LATENT) to 8-bit frames (n_frames, width)."""
    # einsum, not BLAS: one order of summing, whatever the threads; rounding to 8 bits would show it.
    frames = np.einsum("tl,lw->tw", latent, mapping)
    return quantise(frames + FRAME_NOISE * rng.standard_normal(frames.shape))


def _labels(index: int, failure: str) -> tuple[int, ...]:
    if failure == "other_labels":
        return (3, 11, MUSIC_VIDEO)
    if failure == "no_music_video":
        return (9,) if index // len(FAILURES) % 2 else (0, 2)
    return (MUSIC_VIDEO,)


def plan(videos: int, rejected: int, seed: int) -> list[tuple[int, str]]:
    """List the videos of a data set in the order in which they are written.

    Parameters
    ----------
    videos, rejected : int
        How many pass and fail.
    seed : int
        Of the order.

    Returns
    -------
    list of (int, str)
        Number and failure (empty for none) of each video: the arguments of `World.video`.
    """
    every = [(index, "") for index in range(videos)]
    every += [(videos + k, FAILURES[k % len(FAILURES)]) for k in range(rejected)]
    order = np.random.default_rng([seed, _WORLD, 1]).permutation(len(every))
    return [every[i] for i in order]


def mood_of(identifier: str) -> str:
    """Mood of a simulated video or tagged audio, from its id."""
    return MOODS[int(identifier[1:]) % len(MOODS)]


def encode_all(world: World, part: list[tuple[int, str]]) -> Iterator[bytes]:
    """Draw and encode the videos of one shard, one at a time."""
    for index, failure in part:
        yield world.video(index, failure=failure).encode()
