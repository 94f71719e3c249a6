"""PCA and whitening: what stands between a network's output and the features of a data set.

**Conventions.** A whitening is a mean (D,) and a projection (D, k): features are ``(f - mean) @ projection``, of k
uncorrelated numbers of variance near 1, most important first. It is either *published* (fitted by others on millions
of frames, for one pretrained network) or *fitted* here, on clips that lie in no fold: one that has seen test items
makes them orthogonal to all others, and one of as many components as it has seen frames is mostly noise.

With V the eigenvectors of the covariance and L its eigenvalues, the projection is ``V / sqrt(L + epsilon)``. For a
fitted one epsilon is a fraction of the mean eigenvalue: the outputs of untrained networks are so small that
YouTube-8M's absolute 1e-4 would leave nothing of them.

References
----------
.. [1] S. Abu-El-Haija et al.: YouTube-8M. arXiv 1609.08675, section 3.3.
.. [2] google/youtube-8m: feature_extractor/feature_extractor.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from unisono.datasets.mv10k.quantisation import HIGH, LOW, dequantise, quantise
from unisono.errors import ConfigError, DataError
from unisono.features import vggish
from unisono.io import archive, tensors, unpickle
from unisono.io.files import replacing

#: Of YouTube-8M's published matrices.
YOUTUBE8M_COMPONENTS = 1024
YOUTUBE8M_EPSILON = 1e-4

Range = Literal["unlimited", "clipped", "8bit"]

_REMEDY = "run the stage that writes it again (`dvc repro`)"


@dataclass(frozen=True)
class Whitening:
    """A mean, a projection, and where they come from.

    Attributes
    ----------
    mean : np.ndarray [shape=(D,), dtype=float32]
    projection : np.ndarray [shape=(D, k), dtype=float32]
    facts : dict
        JSON-able: origin, number of vectors seen, epsilon.
    """

    mean: np.ndarray
    projection: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def components(self) -> int:
        """Width of the features, k."""
        return int(self.projection.shape[1])

    def apply(self, vectors: np.ndarray, *, limits: Range = "unlimited") -> np.ndarray:
        """Whiten vectors.

        Parameters
        ----------
        vectors : np.ndarray [shape=(n, D)]
        limits : {"unlimited", "clipped", "8bit"}
            Leave the numbers as they are, clip them to -2 ... 2, or cut them into YouTube-8M's 256 steps and back.

        Returns
        -------
        np.ndarray [shape=(n, k), dtype=float32]

        Raises
        ------
        DataError
            `vectors` have another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean):
            raise DataError(
                f"the whitening is for vectors of {len(self.mean)} numbers, got {vectors.shape}; "
                "fit it again with the network that is used now (`dvc repro`)"
            )
        # float64: the outputs of an untrained network differ in their last digits only.
        centred = vectors.astype(np.float64) - self.mean
        whitened = (centred @ self.projection.astype(np.float64)).astype(np.float32)
        if limits == "clipped":
            return np.clip(whitened, LOW, HIGH)
        return dequantise(quantise(whitened)) if limits == "8bit" else whitened

    def save(self, path: Path) -> None:
        """Write a safetensors file.

        Parameters
        ----------
        path : Path

        Raises
        ------
        DataError
            It cannot be written.
        """
        from safetensors.numpy import save

        arrays = {
            "mean": self.mean.astype(np.float32),
            "projection": np.ascontiguousarray(self.projection, dtype=np.float32),
        }
        with replacing(path) as temporary:
            temporary.write_bytes(save(arrays, metadata={"unisono": json.dumps(self.facts, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path) -> Whitening:
        """Read what `save` wrote.

        Parameters
        ----------
        path : Path

        Returns
        -------
        Whitening

        Raises
        ------
        DataError
            The file is missing, damaged or of another kind.
        """
        facts, arrays = tensors.read(path, "unisono", what="a whitening", remedy=_REMEDY)
        for name in ("mean", "projection"):
            if name not in arrays or arrays[name].dtype != np.float32:
                raise DataError(f"{path}: not a whitening: has no {name!r} of float32; {_REMEDY}")
        mean, projection = arrays["mean"], arrays["projection"]
        if mean.ndim != 1 or projection.ndim != 2 or len(mean) != len(projection):
            raise DataError(f"{path}: mean {mean.shape} and projection {projection.shape} do not fit; {_REMEDY}")
        return cls(mean, projection, facts)


def fit(vectors: np.ndarray, *, components: int, epsilon: float) -> Whitening:
    """Fit a whitening by the eigenvectors of the covariance.

    Parameters
    ----------
    vectors : np.ndarray [shape=(n, D)]
        Of clips outside every fold.
    components : int
        Width of the features; fewer than `n` and at most D.
    epsilon : float
        Fraction of the mean eigenvalue that is added to every eigenvalue.

    Returns
    -------
    Whitening

    Raises
    ------
    ConfigError
        More components than the vectors allow.
    DataError
        The vectors are not finite, or all the same.
    """
    n, width = vectors.shape
    if components > min(n - 1, width):
        raise ConfigError(
            f"a whitening of {components} components cannot be fitted on {n} vectors of {width} numbers; "
            f"ask for {max(min(n - 1, width), 0)} or fewer, or hold more clips out of the folds"
        )
    values = vectors.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError("the whitening would be fitted on NaN or infinity; repair the extractor's weights")
    mean = values.mean(axis=0)
    centred = values - mean
    # Singular values of the vectors themselves: more exact than eigenvalues of their covariance.
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    eigenvalues = singular**2 / (n - 1)
    average = eigenvalues.sum() / width
    if average == 0:
        raise DataError("the whitening would be fitted on vectors that are all the same; check the extractor")
    kept = rows[:components]
    # Signs are a matter of the library: make the largest entry of each eigenvector positive.
    kept = kept * np.sign(kept[np.arange(components), np.abs(kept).argmax(axis=1)])[:, None]
    projection = kept.T / np.sqrt(eigenvalues[:components] + epsilon * average)
    facts = {
        "whitening": "fitted on clips outside every fold",
        "n_vectors": n,
        "epsilon": f"{epsilon:g} of the mean eigenvalue",
        "variance_kept": round(float(eigenvalues[:components].sum() / eigenvalues.sum()), 4),
    }
    return Whitening(mean.astype(np.float32), projection.astype(np.float32), facts)


def identity(width: int) -> Whitening:
    """Return the whitening that leaves a network's output as it is.

    Parameters
    ----------
    width : int
    """
    return Whitening(np.zeros(width, np.float32), np.eye(width, dtype=np.float32), {"whitening": "none"})


def load_youtube8m(source: str | Path, *, sha256: str = "") -> Whitening:
    """Read YouTube-8M's published matrices (``yt8m_pca.tgz``); nothing in them is executed.

    Parameters
    ----------
    source : str or Path
        The archive, or a folder with its files; path or URL.
    sha256 : str, optional
        Expected checksum of the archive.

    Returns
    -------
    Whitening
        1,024 components, ``V / sqrt(L + 1e-4)``.

    Raises
    ------
    DataError, DownloadError
        The archive cannot be had, or a matrix is missing, has another shape or is not finite.
    """
    names = ("mean.npy", "eigenvals.npy", "eigenvecs.npy")
    arrays = {
        PurePosixPath(name).name: unpickle.load_npy(data, name=f"{source}: {name}")
        for name, data in archive.members(source, suffixes=names, sha256=sha256)
    }
    remedy = "give yt8m_pca.tgz, or set method: fitted"
    for name in names:
        if name not in arrays:
            raise DataError(f"{source}: holds no {name}; {remedy}")
        if (
            arrays[name].ndim != 2
            or not arrays[name].size
            or arrays[name].dtype.kind != "f"
            or not np.isfinite(arrays[name]).all()
        ):
            raise DataError(f"{source}: {name} is not a matrix of finite numbers; {remedy}")
    mean, values, vectors = (arrays[name].astype(np.float64) for name in names)
    mean, values, vectors = mean[:, 0], values[:YOUTUBE8M_COMPONENTS, 0], vectors.T[:, :YOUTUBE8M_COMPONENTS]
    if vectors.shape != (len(mean), len(values)) or (values < 0).any():
        raise DataError(
            f"{source}: {len(mean)} means, {len(values)} eigenvalues and eigenvectors {vectors.shape} do not fit; "
            f"{remedy}"
        )
    facts = {"whitening": "published by YouTube-8M", "epsilon": f"{YOUTUBE8M_EPSILON:g}, absolute"}
    projection = vectors / np.sqrt(values + YOUTUBE8M_EPSILON)
    return Whitening(mean.astype(np.float32), projection.astype(np.float32), facts)


def load_vggish(path: Path) -> Whitening:
    """Read the PCA that was published with VGGish (``vggish_pca_params.npz``), whose vectors whiten already.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Whitening
        128 components.

    Raises
    ------
    DataError
        As `unisono.features.vggish.load_pca`.
    """
    vectors, means = vggish.load_pca(path)
    return Whitening(means, np.ascontiguousarray(vectors.T), {"whitening": "published with VGGish"})
