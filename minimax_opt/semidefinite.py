"""Are symmetric matrices positive semidefinite, and how far is each from being singular?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, space_of, to_host


def symmetric_part(matrices: Array) -> Array:
    """(P + P') / 2 of each matrix of a stack, shape (K, n, n); P itself where nothing changes."""
    transposed = matrices.swapaxes(1, 2)
    return matrices if bool((matrices == transposed).all()) else matrices / 2 + transposed / 2  # halved first: no overflow


def convexity(matrices: Array) -> tuple[bool, float]:
    """Whether x'Px is convex for every P of a stack, and a proven lower bound on all eigenvalues.

    Parameters
    ----------
    matrices : array, shape (K, n, n)
        Symmetric and finite; NumPy or torch.

    Returns
    -------
    semidefinite : bool
        Whether every P is positive semidefinite, up to rounding of its entries p_ij relative to sqrt(p_ii p_jj).
    least : float
        At least 0, and at most the smallest eigenvalue.

    Notes
    -----
    The eigenvalues of P are known up to rounding of the largest, which says nothing about variables of small curvature. Those of
    S = D^{-1/2} P D^{-1/2}, D = diag(P), do not depend on the units of the variables: P is semidefinite where S is, and its
    eigenvalues are at least those of S times the least of D.

    Examples
    --------
    >>> import numpy as np
    >>> convexity(np.diag([1e12, -1e-4])[None])
    (False, 0.0)
    >>> semidefinite, least = convexity(np.diag([1e12, 1e-4])[None])
    >>> semidefinite, round(least, 9)
    (True, 0.0001)
    """
    rounding = 8 * matrices.shape[-1] * space_of(matrices).eps
    smallest, size = _spectrum(matrices)
    least = smallest - rounding * size
    for k in np.flatnonzero(least <= 0):
        P = matrices[k]
        root = P.diagonal().clip(0.0) ** 0.5
        bound = root[:, None] * root[None, :]
        if bool((abs(P) > (1 + rounding) * bound).any()):  # a negative diagonal entry or second-order minor
            return False, 0.0
        bound[bound == 0] = 1.0
        smallest, size = _spectrum((P / bound)[None])
        if smallest[0] < -rounding * size[0]:
            return False, 0.0
        least[k] = (smallest[0] - rounding * size[0]) * float(P.diagonal().min())
    return True, max(float(least.min()), 0.0)


def _spectrum(matrices: Array) -> tuple[Host, Host]:
    """The smallest eigenvalue and the spectral norm of each matrix."""
    linalg: Any = torch.linalg if isinstance(matrices, torch.Tensor) else np.linalg
    eigenvalues = to_host(linalg.eigvalsh(matrices))
    return eigenvalues[:, 0], np.abs(eigenvalues).max(1)


__all__ = ["convexity", "symmetric_part"]
