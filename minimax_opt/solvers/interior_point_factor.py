"""The one Cholesky factor of an interior-point iteration."""

from __future__ import annotations

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Host

PIVOT = 1e-14  # relative shift of a singular matrix; refinement takes its effect back where the system is consistent


class Factor:
    """The inverse of a positive semidefinite M on the vectors v with v_i = 0 for `fixed` i and, if `balanced`, sum v = 0.

    The sum is kept by eliminating the variable of the smallest diagonal entry: nothing cancels that M itself would not round away.

    Parameters
    ----------
    matrix : ndarray, shape (n, n), column by column in memory
        Its lower half is M; overwritten.
    damping : float
        Multiple of the diagonal of M that is added to it.
    fixed : ndarray of bool, shape (n,), or None
    balanced : bool
        Only without `fixed`.

    Attributes
    ----------
    found : bool
        Whether M, its diagonal raised as little as needed, has a Cholesky factor: not for infinite or indefinite M.
    diagonal : ndarray, shape (n,)
        That of M, kept above zero.
    """

    def __init__(self, matrix: Host, damping: float = 0.0, fixed: Host | None = None, balanced: bool = False) -> None:
        self.found, self.fixed, self.pivot = False, fixed, None
        if balanced:
            self.pivot = pivot = int(matrix.diagonal().argmin())
            column = np.concatenate((matrix[pivot, :pivot], matrix[pivot:, pivot]))
            matrix -= column + (column - column[pivot])[:, None]
            self.fixed = np.arange(len(matrix)) == pivot
        if self.fixed is not None:
            matrix[self.fixed] = 0.0
            matrix[:, self.fixed] = 0.0
        diagonal = matrix.diagonal()
        largest = float(diagonal.max())
        if np.isfinite(largest):
            self.diagonal = np.maximum(diagonal, 1e-30 * (largest or 1.0))
            self._factor(matrix, damping)

    def _factor(self, matrix: Host, damping: float) -> None:
        shift = PIVOT
        while shift < 1e-2:
            shifted = matrix.copy(order="F")
            np.einsum("ii->i", shifted)[:] += (damping + shift) * self.diagonal
            self.lower, info = lapack.dpotrf(shifted, lower=1, overwrite_a=1, clean=0)
            if info == 0:
                self.found = True
                return
            shift *= 100

    def inverse(self, right: Host) -> Host:
        """M^{-1} right on that subspace, shape (n,)."""
        if self.pivot is not None:
            right = right - right[self.pivot]
        if self.fixed is not None:
            right = np.where(self.fixed, 0.0, right)
        solution: Host = lapack.dpotrs(self.lower, right, lower=1)[0]
        if self.pivot is not None:
            solution[self.pivot] = -float(np.add.reduce(solution))
        return solution
