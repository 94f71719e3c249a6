"""Correlation of two networks' outputs as an objective, over pairs of rows that belong together.

**Conventions.** Which outputs belong together is a distribution over pairs of rows, `Pairs`:
P(i, j) = own_i [i = j] + between_c [i and j are of class c]. Its covariances follow from class sums, so that no
pair is ever enumerated, and its marginals weight the rows, so that every canonical correlation is at most 1.
The objective is computed in float64 from Cholesky factors, and its gradient is a closed form: nothing is
differentiated through an eigendecomposition, which is undefined at equal singular values. torch is imported
inside functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

#: Which norm of the whitened cross-covariance is maximised.
Norm = Literal["trace", "frobenius"]
#: Singular values below this fraction of the largest are rounding errors of zero.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Pairs:
    """A distribution over pairs of rows: P(i, j) = own_i [i = j] + between_c [i and j are of class c].

    Attributes
    ----------
    own : torch.Tensor [shape=(n,), dtype=float64]
        Probability of row i with its own partner, beyond that of its class.
    between : torch.Tensor [shape=(C,), dtype=float64]
        Probability of each of the pairs of a class, own ones included.
    members : torch.Tensor [shape=(C, n), dtype=float64]
        One where a row is of a class, else zero.
    """

    own: torch.Tensor
    between: torch.Tensor
    members: torch.Tensor

    @property
    def marginal(self) -> torch.Tensor:
        """Probability of each row; it sums to one."""
        counts = self.members.sum(dim=1)
        return self.own + (self.between * counts) @ self.members

    def partners_of(self, rows: torch.Tensor) -> torch.Tensor:
        """Sum P(i, j) row_j over all j, for every i."""
        return self.own[:, None] * rows + self.members.mT @ (self.between[:, None] * (self.members @ rows))


def membership(codes: torch.Tensor) -> torch.Tensor:
    """One row per class that occurs, one where a row is of it.

    Parameters
    ----------
    codes : torch.Tensor [shape=(n,), dtype=int64]

    Returns
    -------
    torch.Tensor [shape=(C, n), dtype=float64]
    """
    import torch

    return (codes == torch.unique(codes)[:, None]).to(torch.float64)


def one_to_one(codes: torch.Tensor) -> Pairs:
    """Every row with its own partner: DCCA.

    Parameters
    ----------
    codes : torch.Tensor [shape=(n,), dtype=int64]
        Only the number of rows counts.
    """
    import torch

    n = len(codes)
    own = torch.full((n,), 1 / n, dtype=torch.float64, device=codes.device)
    return Pairs(own, own[:0], own.new_zeros((0, n)))


def paired(codes: torch.Tensor, *, pairs: Literal["half", "all"], beta: float) -> Pairs:
    r"""Own pairs and the pairs of a class: :math:`\beta\,\Sigma_{own} + (1 - \beta)\,\Sigma_{class}`.

    :math:`\Sigma_{own}` is the mean over the n own pairs, :math:`\Sigma_{class}` that over pairs of a class.

    Parameters
    ----------
    codes : torch.Tensor [shape=(n,), dtype=int64]
        Classes.
    pairs : str
        all: every row with every row of its class (Eq. 5.5). half: in expectation, every row with its own
        partner and as many others, drawn at random, as make half of its class (rounded up).
    beta : float
        From 0 to 1.
    """
    members = membership(codes)
    counts = members.sum(dim=1)
    partners, others = _partners(counts, pairs)
    weight = (1 - beta) / (counts * partners).sum()
    own = beta / len(codes) + weight * (1 - others)
    return Pairs(own @ members, weight * others, members)


def clusters(codes: torch.Tensor, *, sigma: float, extend: Literal["none", "half", "all"]) -> Pairs:
    r"""Training pairs and pairs of different rows, both averaged over classes (Eq. 4.13).

    .. math:: \sigma\,E_d[\Sigma_1(d)] + (1 - \sigma)\,E_d[\Sigma_2(d)], \quad
        \Sigma_2(d) = \frac{n_d^2 \mu_x \mu_y^T - \sum_i x_i y_i^T}{n_d^2 - n_d}

    :math:`\Sigma_1(d)` is the mean over the training pairs of class d, :math:`\Sigma_2(d)` that over its pairs
    of different rows. A class of one row has none of the latter, and is left out of that mean.

    Parameters
    ----------
    codes : torch.Tensor [shape=(n,), dtype=int64]
        Classes.
    sigma : float
        From 0 to 1.
    extend : str
        Training pairs: own pairs only (none), or those of `paired` (half is -extend1, all -extend2).
    """
    members = membership(codes)
    counts = members.sum(dim=1)
    partners, others = _partners(counts, extend)
    several = (counts > 1).to(counts.dtype)
    if several.sum() == 0:
        return one_to_one(codes)
    first = sigma / len(counts) / (counts * partners)
    second = (1 - sigma) / several.sum() * several / (counts.square() - counts).clamp(min=1)
    return Pairs((first * (1 - others) - second) @ members, first * others + second, members)


def _partners(counts: torch.Tensor, pairs: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Partners of each row of a class, its own included, and with what probability another row is one."""
    import torch

    if pairs == "none":
        partners = torch.ones_like(counts)
    else:
        partners = torch.ceil(counts / 2) if pairs == "half" else counts
    return partners, (partners - 1) / (counts - 1).clamp(min=1)


def moments(X: torch.Tensor, Y: torch.Tensor, pairs: Pairs) -> tuple[torch.Tensor, ...]:
    """Means and covariances of two sets of outputs under a distribution over pairs.

    Parameters
    ----------
    X : torch.Tensor [shape=(n, p), dtype=float32 or float64]
    Y : torch.Tensor [shape=(n, q), dtype=float32 or float64]
    pairs : Pairs

    Returns
    -------
    mean_x, mean_y, S11, S22, S12 : torch.Tensor [shape=(p,), (q,), (p, p), (q, q), (p, q), dtype=float64]
    """
    X, Y = X.double(), Y.double()
    marginal = pairs.marginal
    mean_x, mean_y = marginal @ X, marginal @ Y
    X, Y = X - mean_x, Y - mean_y
    weights = marginal[:, None]
    return mean_x, mean_y, X.mT @ (weights * X), Y.mT @ (weights * Y), X.mT @ pairs.partners_of(Y)


@functools.cache
def _objective() -> Callable[..., torch.Tensor]:
    """Build the norm of L1^-1 S12 L2^-T = U S V^T with its gradient in closed form."""
    import torch

    class Objective(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, X: torch.Tensor, Y: torch.Tensor, pairs: Pairs, ridge: float, norm: Norm) -> torch.Tensor:
            mean_x, mean_y, S11, S22, S12 = moments(X, Y, pairs)
            L1, L2 = (torch.linalg.cholesky(_with_ridge(within, ridge)) for within in (S11, S22))
            T = torch.linalg.solve_triangular(L1, S12, upper=False)
            T = torch.linalg.solve_triangular(L2, T.mT, upper=False).mT
            U, S, Vh = torch.linalg.svd(T, full_matrices=False)
            if norm == "trace":
                value = S.sum()
                # Directions without correlation (rank: classes less one) have no gradient, instead of noise.
                slope = (S[0] * ROUNDING < S).to(S.dtype)
            else:
                value = torch.linalg.vector_norm(S)
                slope = S / value.clamp(min=torch.finfo(S.dtype).tiny)
            A = torch.linalg.solve_triangular(L1.mT, U, upper=True)
            B = torch.linalg.solve_triangular(L2.mT, Vh.mT, upper=True)
            ctx.pairs, ctx.ridge = pairs, ridge
            ctx.save_for_backward(X, Y, mean_x, mean_y, A, B, S, slope)
            return value

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
            X, Y, mean_x, mean_y, A, B, S, slope = ctx.saved_tensors
            pairs: Pairs = ctx.pairs
            weights = pairs.marginal[:, None]
            outputs = X.double() - mean_x, Y.double() - mean_y
            variates = outputs[0] @ A, outputs[1] @ B
            found = []
            for own, other, basis, raw, centred in (
                (variates[0], variates[1], A, X, outputs[0]),
                (variates[1], variates[0], B, Y, outputs[1]),
            ):
                # Of the cross-covariance, of the covariance, and of the ridge, which follows its diagonal.
                gradient = (pairs.partners_of(other) * slope - weights * own * (slope * S)) @ basis.mT
                shrinkage = ctx.ridge / len(basis) * (basis.square() @ (slope * S)).sum()
                gradient = gradient - shrinkage * weights * centred
                gradient = gradient - weights * gradient.sum(dim=0)
                found.append((gradients[0] * gradient).to(raw.dtype))
            return found[0], found[1], None, None, None

    return Objective.apply


def _with_ridge(covariance: torch.Tensor, ridge: float) -> torch.Tensor:
    import torch

    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return covariance + ridge * covariance.diagonal().mean() * identity


def correlation(X: torch.Tensor, Y: torch.Tensor, pairs: Pairs, *, ridge: float, norm: Norm = "trace") -> torch.Tensor:
    r"""Correlation of two sets of outputs, the objective that deep CCA maximises.

    .. math:: T = L_1^{-1} \Sigma_{12} L_2^{-T}, \quad
        \Sigma_{vv} + r\,\overline{\operatorname{diag}\Sigma_{vv}}\,I = L_v L_v^T

    and the objective is the trace norm of T, the sum of all canonical correlations, or its Frobenius norm, the
    root of the sum of their squares. With T = U S V^T and :math:`A = L_1^{-T} U, B = L_2^{-T} V` the gradients are
    :math:`A G B^T` for :math:`\Sigma_{12}` and :math:`-\frac12 A G S A^T` for the regularised :math:`\Sigma_{11}`,
    where G is the identity for the trace norm and S divided by the objective for the Frobenius norm.

    Parameters
    ----------
    X : torch.Tensor [shape=(n, p), dtype=float32 or float64]
    Y : torch.Tensor [shape=(n, q), dtype=float32 or float64]
    pairs : Pairs
    ridge : float
        r, relative to the mean of each covariance's diagonal.
    norm : str
        trace or frobenius.

    Returns
    -------
    torch.Tensor [shape=(), dtype=float64]

    Raises
    ------
    torch.linalg.LinAlgError
        A regularised covariance is not positive definite.

    References
    ----------
    Andrew, Arora, Bilmes, Livescu, "Deep canonical correlation analysis", ICML 2013, Eq. 10-13.
    """
    return _objective()(X, Y, pairs, ridge, norm)
