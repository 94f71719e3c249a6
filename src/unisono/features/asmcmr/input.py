"""What the audio-sheet-music encoder (ASMCMR) sees and hears: snippets of a staff, excerpts of a spectrogram.

**Conventions.** A picture is a grey array of 8 bits, white 255, at about 100 dpi: the network was trained on A4
pages 835 pixels wide. A *strip* is its 160 rows around the staff, a *window* 160 x 200 of them, a *snippet* the
same at half the size. An *excerpt* is 42 frames (2.1 s) of the spectrogram. The reference is Dorfer et al.,
"Learning Audio-Sheet Music Correspondences for Cross-Modal Retrieval and Piece Identification" (TISMIR 2018), with
the constants of its public code (CPJKU/audio_sheet_retrieval, ``mutopia_ccal_cont_rsz``).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from unisono.errors import DataError
from unisono.media import audio, pictures

STRIP_ROWS = 160
WINDOW_COLUMNS = 200
SNIPPET_SHAPE = (STRIP_ROWS // 2, WINDOW_COLUMNS // 2)
WHITE = 255
# Grey of a staff line half of which lies in the next row; lighter pixels are paper.
LIGHTEST_INK = 215

SAMPLE_RATE_HZ = 22_050
FRAME_SIZE = 2048
FRAMES_PER_S = 20
N_BANDS = 92
EXCERPT_FRAMES = 42
BANDS_PER_OCTAVE = 16
LOWEST_HZ, HIGHEST_HZ, REFERENCE_HZ = 30.0, 6000.0, 440.0


def read_picture(data: bytes, name: str, *, advice: str = "build the pictures again") -> np.ndarray:
    """Decode a picture to grey, on white paper where it is transparent.

    Parameters
    ----------
    data : bytes
        Of one of `unisono.media.pictures.FORMATS`.
    name : str
        What to call it in an error.
    advice : str
        What to do about a damaged one.

    Returns
    -------
    np.ndarray [shape=(rows, columns), dtype=uint8]

    Raises
    ------
    DataError
        The bytes are not such a picture, or too large.
    """
    from PIL import Image

    with pictures.opened(data, name, advice=advice) as image:
        if image.has_transparency_data:
            paper = Image.new("RGBA", image.size, "white")
            return np.asarray(Image.alpha_composite(paper, image.convert("RGBA")).convert("L"))
        return np.asarray(image.convert("L"))


def staff_centre(picture: np.ndarray) -> int:
    """Find the row of the staff's middle line.

    Staff lines are the only ink that runs through the whole width. Rows are taken in pairs, since a line that falls
    between two rows is grey in both.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]

    Returns
    -------
    int
        Row halfway between the first and the last pair of rows with ink in nearly as many columns as the fullest;
        the picture's middle if it is all white.
    """
    following = np.vstack([picture[1:], np.full_like(picture[:1], WHITE)])
    filled = (np.minimum(picture, following) < LIGHTEST_INK).mean(axis=1)
    if filled.max() == 0:
        return len(picture) // 2
    lines = np.flatnonzero(filled >= 0.9 * filled.max())
    return int(lines[0] + lines[-1] + 1) // 2


def strip(picture: np.ndarray, centre: int | None = None) -> np.ndarray:
    """Cut the rows around the staff and fill with white what is missing.

    Parameters
    ----------
    picture : np.ndarray [shape=(rows, columns), dtype=uint8]
    centre : int or None
        Row that becomes the strip's middle; the staff's centre by default.

    Returns
    -------
    np.ndarray [shape=(160, max(columns, 200)), dtype=uint8]
        A picture narrower than a window stands in the middle of one.
    """
    rows, columns = picture.shape
    top = (staff_centre(picture) if centre is None else centre) - STRIP_ROWS // 2
    left = max(WINDOW_COLUMNS - columns, 0) // 2
    result = np.full((STRIP_ROWS, max(columns, WINDOW_COLUMNS)), WHITE, np.uint8)
    inside = slice(max(top, 0), min(top + STRIP_ROWS, rows))
    result[inside.start - top : inside.stop - top, left : left + columns] = picture[inside]
    return result


def window_starts(columns: int, snippets: int) -> np.ndarray:
    """First columns of equally spaced windows.

    Parameters
    ----------
    columns : int
        Width of the strip, at least 200.
    snippets : int
        Number of windows.

    Returns
    -------
    np.ndarray [shape=(snippets,), dtype=int64]
        From 0 to ``columns - 200``; with repetitions where the strip is too narrow for so many.
    """
    return np.linspace(0, columns - WINDOW_COLUMNS, snippets).round().astype(np.int64)


def snippets_at(strip_: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Cut windows out of a strip and halve them bilinearly (each pixel the mean of 2 x 2).

    Parameters
    ----------
    strip_ : np.ndarray [shape=(160, columns), dtype=uint8]
    starts : np.ndarray [shape=(n,), dtype=int64]
        First column of each window.

    Returns
    -------
    np.ndarray [shape=(n, 80, 100), dtype=float32]
        In [0, 1], white 1.
    """
    windows = np.stack([strip_[:, start : start + WINDOW_COLUMNS] for start in starts])
    height, width = SNIPPET_SHAPE
    blocks = windows.reshape(len(windows), height, 2, width, 2).sum(axis=(2, 4), dtype=np.float32)
    return blocks / np.float32(4 * WHITE)


def read_audio(data: bytes, name: str) -> np.ndarray:
    """Decode sound to mono at 22,050 Hz.

    Parameters
    ----------
    data : bytes
        FLAC, WAV, MP3, ...
    name : str
        What to call it in an error.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        In [-1, 1]; ``n = round(samples * 22050 / rate)``.

    Raises
    ------
    DataError
        The bytes are not sound.
    """
    import scipy.signal

    try:
        samples, rate = audio.decode(data)
    except DataError as error:
        raise DataError(f"{name}: {error}; build the audio again") from None
    if rate == SAMPLE_RATE_HZ:
        return samples
    common = math.gcd(SAMPLE_RATE_HZ, rate)
    resampled = scipy.signal.resample_poly(samples, SAMPLE_RATE_HZ // common, rate // common)
    return resampled[: round(len(samples) * SAMPLE_RATE_HZ / rate)].astype(np.float32)


@functools.cache
def filterbank() -> np.ndarray:
    """Logarithmic triangular filters: 16 bands per octave from 30 to 6,000 Hz around 440 Hz.

    Band centres go to the nearest bin of the Fourier transform and are kept once each; every three neighbours are
    the feet and the tip of a triangle, whose area is normalised to one.

    Returns
    -------
    np.ndarray [shape=(1024, 92), dtype=float32]
    """
    bins_hz = np.arange(FRAME_SIZE // 2) * SAMPLE_RATE_HZ / FRAME_SIZE
    lowest = np.floor(np.log2(LOWEST_HZ / REFERENCE_HZ) * BANDS_PER_OCTAVE)
    highest = np.ceil(np.log2(HIGHEST_HZ / REFERENCE_HZ) * BANDS_PER_OCTAVE)
    centres_hz = REFERENCE_HZ * 2 ** (np.arange(lowest, highest) / BANDS_PER_OCTAVE)
    centres_hz = centres_hz[(centres_hz >= LOWEST_HZ) & (centres_hz <= HIGHEST_HZ)]
    bins = np.unique(np.abs(bins_hz[:, None] - centres_hz).argmin(axis=0))
    filters = np.zeros((len(bins_hz), len(bins) - 2))
    for band, (first, tip, last) in enumerate(zip(bins[:-2], bins[1:-1], bins[2:], strict=True)):
        filters[first:tip, band] = np.linspace(0, 1, tip - first, endpoint=False)
        filters[tip:last, band] = np.linspace(1, 0, last - tip, endpoint=False)
    return (filters / filters.sum(axis=0)).astype(np.float32)


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Logarithmic spectrogram with 20 frames per second.

    Frame i holds the 2,048 samples from ``int(i * 1102.5)`` on (zeros beyond the end), Hann-windowed; the magnitude
    of bins 0-1023 goes through `filterbank` and then ``log10(1 + x)``.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at 22,050 Hz, in [-1, 1].

    Returns
    -------
    np.ndarray [shape=(92, ceil(n / 1102.5)), dtype=float32]
    """
    import scipy.fft

    hop = SAMPLE_RATE_HZ / FRAMES_PER_S
    starts = (np.arange(int(np.ceil(len(samples) / hop))) * hop).astype(np.int64)
    padded = np.append(samples, np.zeros(FRAME_SIZE, np.float32)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SIZE)[starts]
    spectrum = scipy.fft.rfft(frames * np.hanning(FRAME_SIZE).astype(np.float32), axis=1)
    magnitude = np.abs(spectrum[:, : FRAME_SIZE // 2])
    return np.log10(1 + magnitude @ filterbank()).T.astype(np.float32)


def excerpt(spectrogram_: np.ndarray, start: int) -> np.ndarray:
    """Cut 42 frames; silence before the beginning and after the end.

    Parameters
    ----------
    spectrogram_ : np.ndarray [shape=(92, frames), dtype=float32]
    start : int
        First frame; may be negative or reach beyond the end.

    Returns
    -------
    np.ndarray [shape=(92, 42), dtype=float32]
    """
    result = np.zeros((len(spectrogram_), EXCERPT_FRAMES), np.float32)
    first, last = max(start, 0), min(start + EXCERPT_FRAMES, spectrogram_.shape[1])
    if first < last:
        result[:, first - start : last - start] = spectrogram_[:, first:last]
    return result
