r"""What no method can beat: orders of the oracle calls that an accuracy eps takes, as curves, with their sources (``docs/theory/limits.md``).

R = G = 1; constants are left out, and factors of logarithms where `up_to_logs` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.theory.checked import count, plain, real


@dataclass(frozen=True)
class Limit:
    """One setting with the best known method and the lower bound.

    Attributes
    ----------
    name, setting : str
        `setting` says what one call of the oracle gives.
    upper, lower : callable
        ``upper(accuracy, size)`` -> order of the number of calls; `size` is K, N or m.
    up_to_logs : bool
        Whether the orders leave out factors of logarithms.
    source : str
    """

    name: str
    setting: str
    upper: Callable[[Any, Any], Any]
    lower: Callable[[Any, Any], Any]
    up_to_logs: bool
    source: str

    def calls(self, accuracy: Any, size: Any = 2) -> tuple[Any, Any]:
        """(upper, lower) at `accuracy`, a float or an array of them in (0, inf), for `size` tasks, functions or distributions."""
        eps, n = real("accuracy", accuracy), count("size", size)
        return plain(self.upper(eps, n)), plain(self.lower(eps, n))


LIMITS = (
    Limit(
        "subgradient",
        "black-box subgradients of F",
        lambda eps, n: 0 * n + eps**-2.0,
        lambda eps, n: 0 * n + eps**-2.0,
        False,
        "Nemirovski and Yudin, Problem Complexity and Method Efficiency in Optimization (1983)",
    ),
    Limit(
        "smoothing",
        "all f_k(x) and sum_k w_k grad f_k(x): Nesterov smoothing, mirror-prox",
        lambda eps, n: np.sqrt(np.log(n)) / eps,
        lambda eps, n: 0 * n + eps ** (-2 / 3),  # that of the next row: this one is not tight
        True,
        "Nesterov, Math. Programming 103 (2005); Nemirovski, SIAM J. Optim. 15 (2004); lower bound: Kornowski and Shamir, arXiv 2412.06990",
    ),
    Limit(
        "matrix games",
        "linear f_k, products x -> f(x) and w -> sum_k w_k grad f_k",
        lambda eps, n: 0 * n + eps ** (-2 / 3),
        lambda eps, n: 0 * n + eps ** (-2 / 3),
        True,
        "Karmarkar, O'Carroll and Sidford, arXiv 2601.02347 (2026); Kornowski and Shamir, arXiv 2412.06990",
    ),
    Limit(
        "one function at a time",
        "one f_i(x) and its subgradient, N non-smooth functions",
        lambda eps, n: n * eps ** (-2 / 3) + eps**-2.0,
        lambda eps, n: n * eps ** (-2 / 3),
        True,
        "Carmon, Jambulapati, Jin and Sidford, COLT 2021, PMLR 134:866; Carmon and Hausler (2022)",
    ),
    Limit(
        "sampling",
        "one sample of one of m distributions",
        lambda eps, n: n * np.log(n) / eps**2,
        lambda eps, n: n / eps**2,
        False,
        "Zhang et al. (2023); Soma, Gatmiry and Jegelka, arXiv 2212.13669 (2022)",
    ),
)

__all__ = ["LIMITS", "Limit"]
