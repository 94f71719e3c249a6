"""Probabilities from scores of classes that held-out rows got, and how good they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

#: Bounds of temperatures, and how near one is sought.
COLDEST, HOTTEST, NEAR = 1e-3, 1e5, 1e-3
#: Penalties on a matrix of calibration that are tried, the largest first; without any, a temperature is all.
PENALTIES = (100.0, 10.0, 1.0, 0.1)
#: Parts of the rows, each held out once, and most rows that are looked at, while the penalty is chosen.
N_FOLDS, MOST_ROWS = 4, 5000
#: Classes above which a matrix has too many entries.
MOST_CLASSES = 100
_ITERATIONS = 200


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities exp(z_c) / sum_k exp(z_k), each row by itself.

    Parameters
    ----------
    logits : np.ndarray [shape=(n, C), dtype=float64]

    Returns
    -------
    np.ndarray [shape=(n, C), dtype=float64]

    Examples
    --------
    >>> softmax(np.array([[1000.0, 1000.0]])).tolist()
    [[0.5, 0.5]]
    """
    found: np.ndarray = np.subtract(logits, logits.max(axis=1, keepdims=True))
    np.exp(found, out=found)
    found /= found.sum(axis=1, keepdims=True)
    return found


def log_losses(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Negative logarithm of the probability of each row's class.

    Parameters
    ----------
    logits : np.ndarray [shape=(n, C), dtype=float64]
    classes : np.ndarray [shape=(n,), dtype=int]
        From 0 to C-1.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float64]
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses: np.ndarray = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(shifted)), classes]
    return losses


def temperature(scores: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    r"""Find the t for which softmax(t F) has the least log-loss, which is convex in t: by Newton's steps.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, C), dtype=float64]
        F.
    classes : np.ndarray [shape=(n,), dtype=int]
        From 0 to C-1.

    Returns
    -------
    t : float
        From .001 to 100,000, to one part in a thousand.
    loss : float
        Mean log-loss.
    """
    low, high, t = COLDEST, HOTTEST, 1.0
    centred = scores - scores.mean(axis=1, keepdims=True)
    own = float(np.mean(centred[np.arange(len(centred)), classes]))
    for _ in range(50):
        weighted = softmax(t * centred)
        first = np.einsum("nc,nc->n", weighted, centred)
        weighted *= centred
        slope = float(np.mean(first)) - own
        curvature = float(np.mean(np.einsum("nc,nc->n", weighted, centred) - first**2))
        low, high = (t, high) if slope < 0 else (low, t)
        step = t - slope / curvature if curvature > 0 else 0.0
        # A step that leaves the interval in which the minimum is known to be is replaced by halving it.
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following / t - 1) < NEAR:
            break
        t = following
    return t, float(np.mean(log_losses(t * centred, classes)))


@dataclass(frozen=True)
class Calibration:
    """Turns scores F into logits Z + Z D + c with Z = t (F - its row's mean).

    Attributes
    ----------
    temperature : float
        t.
    matrix : np.ndarray [shape=(C, C), dtype=float64] or None
        D; None stands for zero.
    bias : np.ndarray [shape=(C,), dtype=float64]
        c.
    loss : float
        Mean log-loss of the scores, each row's with a matrix fitted to others.
    """

    temperature: float
    matrix: np.ndarray | None
    bias: np.ndarray
    loss: float

    def linear(self, scores: np.ndarray) -> np.ndarray:
        """Return Z + Z D of scores, or of weights that give scores [shape=(n, C), dtype=float64]."""
        Z: np.ndarray = self.temperature * (scores - scores.mean(axis=-1, keepdims=True))
        return Z if self.matrix is None else Z + Z @ self.matrix

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Return the logits of scores [shape=(n, C), dtype=float64]."""
        return self.linear(scores) + self.bias


def calibrate(scores: np.ndarray, classes: np.ndarray, *, seed: int = 0) -> Calibration:
    r"""Fit a calibration to scores that rows got from what was fitted without them.

    .. math:: \min_{D, c} \; -\sum_i \log \operatorname{softmax}(z_i + z_i D + c)_{y_i}
              + \frac{\lambda}{2} (\lVert D \rVert^2 + \lVert c \rVert^2)

    with the temperature of least log-loss in Z. The penalty is chosen by the log-loss in cross-validation of four
    parts from infinity (the temperature alone), 100, 10, 1 and .1. Above 100 classes the temperature is all.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, C), dtype=float64]
    classes : np.ndarray [shape=(n,), dtype=int]
        From 0 to C-1.
    seed : int
        Of the parts.

    Returns
    -------
    Calibration
    """
    n, n_classes = scores.shape
    t, loss = temperature(scores, classes)
    none = Calibration(t, None, np.zeros(n_classes), loss)
    if n_classes > MOST_CLASSES or n < 2 * N_FOLDS:
        return none
    Z = none(scores)
    rows = np.random.default_rng(seed).permutation(n)[:MOST_ROWS]
    folds = np.arange(len(rows)) % N_FOLDS
    losses = dict.fromkeys((np.inf, *PENALTIES), 0.0)
    for fold in range(N_FOLDS):
        train, test = rows[folds != fold], rows[folds == fold]
        losses[np.inf] += log_losses(Z[test], classes[test]).sum()
        start = np.zeros((n_classes + 1, n_classes))
        for penalty in PENALTIES:
            start = _matrix(Z[train], classes[train], penalty, start)
            losses[penalty] += log_losses(Z[test] + Z[test] @ start[1:] + start[0], classes[test]).sum()
    penalty = min(losses, key=lambda key: losses[key])
    loss = losses[penalty] / len(rows)
    if penalty == np.inf:
        return Calibration(t, None, np.zeros(n_classes), loss)
    found = _matrix(Z, classes, penalty, np.zeros((n_classes + 1, n_classes)))
    return Calibration(t, found[1:], found[0], loss)


def _matrix(Z: np.ndarray, classes: np.ndarray, penalty: float, start: np.ndarray) -> np.ndarray:
    """Minimise the penalised log-loss: c in the first row, D in the others."""
    own = np.arange(len(Z)), classes

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        both = flat.reshape(start.shape)
        logits = Z + Z @ both[1:] + both[0]
        loss = float(log_losses(logits, classes).sum()) + penalty / 2 * float(flat @ flat)
        wrong = softmax(logits)
        wrong[own] -= 1
        slope = np.concatenate([wrong.sum(axis=0)[None], Z.T @ wrong]) + penalty * both
        return loss, slope.ravel()

    options = {"maxiter": _ITERATIONS}
    found = optimize.minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options).x
    both: np.ndarray = found.reshape(start.shape)
    return both
