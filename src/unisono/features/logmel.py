"""The log-mel spectrogram that VGGish hears, in its canonical form.

**Conventions.** Sound is mono at 16,000 Hz, floats in -1 ... 1, shape ``(n,)``. A frame is 25 ms (400
samples), the step 10 ms (160); periodic Hann window, magnitude (not power) of a 512-point FFT, 64 triangular
bands between 125 and 7,500 Hz, ``log(mel + 0.01)``. The triangles are straight lines in mel, as in the
reference code; librosa's are straight in Hz. A patch is 96 frames x 64 bands: 0.96 s, and with the last
frame's whole window 0.975 s (15,600 samples) of sound.

References
----------
.. [1] S. Hershey et al.: CNN Architectures for Large-Scale Audio Classification. ICASSP 2017, section 3.2.
.. [2] tensorflow/models, research/audioset/vggish: mel_features.py, vggish_params.py.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

SAMPLE_RATE = 16000
WINDOW = 400
STEP = 160
N_FFT = 512
BANDS = 64
LOWEST_HZ = 125.0
HIGHEST_HZ = 7500.0
OFFSET = 0.01
FRAMES = 96
#: Samples under a patch.
PATCH_SAMPLES = (FRAMES - 1) * STEP + WINDOW

# Frames transformed at a time: the largest piece (512 complex bins a frame) stays within a core's cache.
_CHUNK = 192


def hertz_to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Return 1127 ln(1 + f / 700), the mel scale of HTK.

    Parameters
    ----------
    hertz : np.ndarray or float
        Frequencies in Hz, any shape.

    Returns
    -------
    np.ndarray
        The same shape, in mel.
    """
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


@lru_cache(maxsize=1)
def mel_matrix() -> np.ndarray:
    """Weights of the FFT's bins in the mel bands: triangles in mel of height 1, the bin of 0 Hz silent.

    Returns
    -------
    np.ndarray [shape=(257, 64), dtype=float32]
        Read-only.
    """
    bins = hertz_to_mel(np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1))[:, None]
    edges = np.linspace(hertz_to_mel(LOWEST_HZ), hertz_to_mel(HIGHEST_HZ), BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    weights = np.maximum(weights, 0.0).astype(np.float32)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=1)
def _window() -> np.ndarray:
    """Return the periodic Hann window, float32 (400,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def resample(samples: np.ndarray, sample_rate: int, wanted: int = SAMPLE_RATE) -> np.ndarray:
    """Bring mono sound to another rate.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
    sample_rate : int
        Of `samples`, in Hz.
    wanted : int
        The rate to have, in Hz.

    Returns
    -------
    np.ndarray [shape=(round(n * wanted / sample_rate),), dtype=float32]
        By a polyphase low-pass filter; `samples` themselves where the rate is that already.
    """
    if sample_rate == wanted or len(samples) == 0:
        return np.asarray(samples, dtype=np.float32)
    from scipy.signal import resample_poly

    common = math.gcd(wanted, sample_rate)
    # Exact rounding (halves up): a float quotient would be off for long files.
    length = (2 * len(samples) * wanted + sample_rate) // (2 * sample_rate)
    output = resample_poly(samples.astype(np.float32), wanted // common, sample_rate // common)
    # resample_poly rounds the length up, so there is never a sample too few.
    return output[:length].astype(np.float32, copy=False)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram of a sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at 16,000 Hz, in -1 ... 1.

    Returns
    -------
    np.ndarray [shape=(1 + (n - 400) // 160, 64), dtype=float32]
        No padding: a sound shorter than 400 samples has no frame.

    Examples
    --------
    >>> log_mel(np.zeros(16000, dtype=np.float32)).shape
    (98, 64)
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if len(samples) < WINDOW:
        return np.empty((0, BANDS), dtype=np.float32)
    return _log_mel(np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::STEP])


def _log_mel(frames: np.ndarray) -> np.ndarray:
    """Log-mel of frames (n, 400), a view or an array: (n, 64)."""
    from scipy.fft import rfft

    output = np.empty((len(frames), BANDS), dtype=np.float32)
    window, weights = _window(), mel_matrix()
    for start in range(0, len(frames), _CHUNK):
        spectrum = rfft(frames[start : start + _CHUNK] * window, N_FFT)
        # Faster than abs(), which guards against overflow that cannot happen here.
        magnitude = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
        np.matmul(magnitude, weights, out=output[start : start + _CHUNK])
    output += np.float32(OFFSET)
    return np.log(output, out=output)


def patches(samples: np.ndarray, sample_rate: int, *, hop_s: float = 0.96) -> np.ndarray:
    """Cut a whole sound into patches.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, in -1 ... 1.
    sample_rate : int
        In Hz; other rates than 16,000 are resampled.
    hop_s : float
        Step from patch to patch in seconds, rounded to frames of 10 ms. Canonical 0.96; YouTube-8M 1.0.

    Returns
    -------
    np.ndarray [shape=(m, 96, 64), dtype=float32]
        Only whole patches, as in the reference: a sound shorter than 0.975 s has none.
    """
    spectrum = log_mel(resample(samples, sample_rate))
    if len(spectrum) < FRAMES:
        return np.empty((0, FRAMES, BANDS), dtype=np.float32)
    views = np.lib.stride_tricks.sliding_window_view(spectrum, FRAMES, axis=0)
    return np.ascontiguousarray(views[:: hop_frames(hop_s)].transpose(0, 2, 1))


def hop_frames(hop_s: float) -> int:
    """Return the step between patches in frames of 10 ms, at least 1."""
    return max(1, round(hop_s * SAMPLE_RATE / STEP))


def patches_at(samples: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Cut one patch at each of the given samples.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at 16,000 Hz, in -1 ... 1.
    starts : np.ndarray [shape=(m,), dtype=int]
        First sample of each patch, not negative; what lies beyond the end of the sound is silence.

    Returns
    -------
    np.ndarray [shape=(m, 96, 64), dtype=float32]
    """
    starts = np.asarray(starts, dtype=np.int64)
    if len(starts) == 0:
        return np.empty((0, FRAMES, BANDS), dtype=np.float32)
    missing = max(0, int(starts.max()) + PATCH_SAMPLES - len(samples))
    padded = np.pad(np.asarray(samples, dtype=np.float32), (0, missing))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    # Patch by patch, so that the framed copy stays small whatever the number of notes.
    return np.stack([_log_mel(frames[start : start + PATCH_SAMPLES - WINDOW + 1 : STEP]) for start in starts])
