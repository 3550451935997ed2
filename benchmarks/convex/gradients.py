"""How many evaluations of gradients each method needs to a true relative gap: ``python -m benchmarks.convex.gradients [CASE]``.

The true gap is measured against the certified optimum of the interior point; the count is of passes over all tasks (a Jacobian or one weighted
gradient, certificates included).
"""

from __future__ import annotations

import argparse

import minimax_opt as mo
from benchmarks.convex.suite import SUITE
from minimax_opt.solvers import METHODS

LEVELS = (1e-3, 1e-6, 1e-9)


def counts(name: str, seed: int, method: str, seconds: float) -> list[int | None]:
    """Gradient evaluations when each level is first reached; None where it is not in `seconds`."""
    data = SUITE[name](name, seed)
    best = mo.minimize_max(
        data.tasks(), regularizer=data.regularizer(), ambiguity=data.ambiguity, tol=1e-12, method="interior-point"
    ).fun
    res = mo.minimize_max(
        data.tasks(),
        regularizer=data.regularizer(),
        ambiguity=data.ambiguity,
        method=method,
        tol=1e-10,
        max_iter=10**6,
        time_limit=seconds,
    )
    return [next((row.njev for row in res.trace if row.fun - best <= level * abs(best)), None) for level in LEVELS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="lsq_K20_n50_m200")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    for method in METHODS:
        try:
            found = counts(arguments.case, arguments.seed, method, arguments.seconds)
        except ValueError as error:  # the method refuses the problem
            print(f"| `{method}` | {error} |")
            continue
        print(f"| `{method}` | " + " | ".join("-" if c is None else str(c) for c in found) + " |", flush=True)


if __name__ == "__main__":
    main()
