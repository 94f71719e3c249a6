"""Mel-frequency cepstral coefficients of a sound over time, and their statistics.

**Conventions.** Sound is mono at 22,050 Hz, floats in -1 ... 1, shape ``(n,)``; frames are centred on every `hop`-th
sample, so that n samples have ``1 + n // hop`` of them: 646 for 30 s at 1,024. A frame is a 2,048-point FFT under a
Hann window, 128 mel bands of its power in decibels (floor: 1e-10, and 80 below the loudest), and the first of their
cosine transform (orthonormal). All of it is librosa's, and so is its scale.

References
----------
.. [1] S. Davis, P. Mermelstein: Comparison of parametric representations for monosyllabic word recognition. IEEE
   Transactions on Acoustics, Speech, and Signal Processing 28 (4), 1980.
"""

from __future__ import annotations

from functools import partial

import numpy as np

SAMPLE_RATE = 22_050
N_FFT = 2_048
BANDS = 128
#: Pitch classes.
CHROMA = 12
#: Frames under a difference, and the fewest of a sound that has statistics.
SHORTEST = 9


def mfcc(samples: np.ndarray, *, coefficients: int = 20, hop: int = 1_024) -> np.ndarray:
    """Compute coefficients over time.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at 22,050 Hz, in -1 ... 1.
    coefficients : int
        Of the cosine transform, from the 0th (loudness) on; at most 128.
    hop : int
        Step between frames, in samples.

    Returns
    -------
    np.ndarray [shape=(1 + n // hop, coefficients), dtype=float32]
        Time first.

    Examples
    --------
    >>> mfcc(np.zeros(30 * 22_050, dtype=np.float32)).shape
    (646, 20)
    """
    return _mfcc(_power(samples, hop), coefficients)


def statistics(samples: np.ndarray, *, coefficients: int = 20, hop: int = 1_024) -> np.ndarray:
    """Compute statistics over time: a vector for a whole sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Mono, at 22,050 Hz, in -1 ... 1; at least 9 frames long.
    coefficients, hop : int
        As for `mfcc`.

    Returns
    -------
    np.ndarray [shape=(6 * coefficients + 48,), dtype=float32]
        Means, then standard deviations, of: the coefficients, their first and their second differences (least squares
        over 9 frames), chroma (the power of the 12 pitch classes from C on, the strongest of a frame 1; A is 440 Hz)
        and its first differences. 168 numbers for 20 coefficients.

    Examples
    --------
    >>> statistics(np.zeros(22_050, dtype=np.float32), hop=1_024).shape
    (168,)
    """
    import librosa

    power = _power(samples, hop)
    cepstrum = _mfcc(power, coefficients).T
    # A tuning that is estimated takes as long as all the rest.
    chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, n_fft=N_FFT, tuning=0.0, n_chroma=CHROMA)
    first, second = (partial(librosa.feature.delta, width=SHORTEST, order=order) for order in (1, 2))
    rows = np.concatenate([cepstrum, first(cepstrum), second(cepstrum), chroma, first(chroma)])
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)]).astype(np.float32)


def _power(samples: np.ndarray, hop: int) -> np.ndarray:
    """Power spectrogram: (1,025, frames)."""
    import librosa

    spectrum = librosa.stft(np.asarray(samples, dtype=np.float32), n_fft=N_FFT, hop_length=hop)
    power: np.ndarray = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


def _mfcc(power: np.ndarray, coefficients: int) -> np.ndarray:
    """Coefficients of a power spectrogram: (frames, coefficients)."""
    import librosa

    mel = librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=BANDS)
    found = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=coefficients)
    return np.ascontiguousarray(found.T, dtype=np.float32)
