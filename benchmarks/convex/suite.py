"""The cases: K tasks, n variables, m rows a task, over the sizes and structures that people bring."""

from __future__ import annotations

from benchmarks.convex.data import Data
from benchmarks.convex.families import (
    SETS,
    Maker,
    affine,
    changed,
    chebyshev,
    least_squares,
    logistic,
    multinomial,
    nearly_equal,
    outliers,
    poisson,
    quantile,
    real,
    sparse,
)

SUITE: dict[str, Maker] = {
    # least squares, small to large
    "lsq_K5_n10_m50": least_squares(5, 10, 50),
    "lsq_K20_n50_m200": least_squares(20, 50, 200),
    "lsq_K50_n100_m500": least_squares(50, 100, 500),
    "lsq_K200_n50_m200": least_squares(200, 50, 200),
    "lsq_K200_n200_m300": least_squares(200, 200, 300),
    "lsq_K20_n500_m1000": least_squares(20, 500, 1000),
    "lsq_K10_n2000_m2500": least_squares(10, 2000, 2500),
    "lsq_K5_n2000_m50_ridge": least_squares(5, 2000, 50, ridge=1e-2),
    "lsq_big_K3_n500_m20000": least_squares(3, 500, 20000),
    # ill-conditioned and degenerate
    "lsq_ill4_K20_n100_m300": least_squares(20, 100, 300, condition=1e4),
    "lsq_ill6_K20_n50_m300": least_squares(20, 50, 300, condition=1e6),
    "lsq_dup_K20_n50_m200": nearly_equal(20, 50, 200),
    "lsq_interp_K10_n50_m100": least_squares(10, 50, 100, noise=1e-6, spread=0.0),
    # logistic
    "log_K5_n10_m100": logistic(5, 10, 100),
    "log_K20_n50_m500": logistic(20, 50, 500),
    "log_K50_n200_m1000": logistic(50, 200, 1000),
    "log_K10_n800_m4000": logistic(10, 800, 4000),
    "log_K10_n1000_m2000": logistic(10, 1000, 2000),
    "log_ill_K20_n50_m500": logistic(20, 50, 500, ridge=1e-8, condition=1e3),
    "log_big_K3_n500_m20000": logistic(3, 500, 20000),
    # other losses
    "hub_K20_n50_m200": outliers(20, 50, 200),
    "poi_K20_n20_m200": poisson(20, 20, 200),
    "quant_K20_n20_m200": quantile(20, 20, 200),
    "multi_K10_n10_m200_c4": multinomial(10, 10, 200, 4),
    # linear programs
    "cheb_m500_n20": chebyshev(500, 20),
    "cheb_m5000_n50": chebyshev(5000, 50),
    "cheb_m5000_n200": chebyshev(5000, 200),
    "chebpoly_m5000_n30": chebyshev(5000, 30, polynomial=True),
    "aff_K200_n100": affine(200, 100),
    "aff_K2000_n20": affine(2000, 20),
    # real data
    "breast_cancer_class": real("breast_cancer", "logistic", "class"),
    "breast_cancer_q10": real("breast_cancer", "logistic", (0, 10)),
    "digits_class": real("digits", "logistic", "class", 1e-3),
    "wine_class": real("wine", "least squares", "class"),
    "wine_multi_q4": real("wine", "multinomial", (0, 4), 1e-3),
    "diabetes_q8": real("diabetes", "least squares", (2, 8)),
    "diabetes_age20": real("diabetes", "huber", (0, 20)),
    # many more tasks than variables
    "hugeK_lsq_K10000_n10_m20": least_squares(10000, 10, 20),
    "hugeK_log_K5000_n20_m20": logistic(5000, 20, 20),
    "hugeK_aff_K200000_n10": affine(200000, 10),
    # sparse rows, an l1 penalty, a box
    "sparse_lsq_K10_n2000_m1000": sparse(10, 2000, 1000, 0.005),
    "sparse_log_K10_n5000_m1000": sparse(10, 5000, 1000, 0.002, loss="logistic"),
    "lsq_K20_n50_m200_l1": changed(least_squares(20, 50, 200), l1=0.05),
    "log_K20_n50_m500_l1": changed(logistic(20, 50, 500, ridge=0.0), l1=0.01),
    "lsq_K20_n50_m200_box": changed(least_squares(20, 50, 200), box=(-0.5, 0.5)),
    "aff_K2000_n20_box": changed(affine(2000, 20), box=(-0.2, 0.2)),
}

for _name, _set in SETS.items():
    SUITE[f"lsq_K20_n50_m200_{_name}"] = changed(SUITE["lsq_K20_n50_m200"], ambiguity=_set)
    SUITE[f"log_K5_n10_m100_{_name}"] = changed(SUITE["log_K5_n10_m100"], ambiguity=_set)
    SUITE[f"diabetes_q8_{_name}"] = changed(SUITE["diabetes_q8"], ambiguity=_set)

LARGE = (
    "lsq_K20_n500_m1000",
    "lsq_K200_n200_m300",
    "lsq_K10_n2000_m2500",
    "lsq_big_K3_n500_m20000",
    "log_K50_n200_m1000",
    "log_K10_n800_m4000",
    "log_K10_n1000_m2000",
    "log_big_K3_n500_m20000",
    "cheb_m5000_n50",
    "cheb_m5000_n200",
    "chebpoly_m5000_n30",
    "hugeK_lsq_K10000_n10_m20",
    "hugeK_log_K5000_n20_m20",
    "hugeK_aff_K200000_n10",
    "sparse_lsq_K10_n2000_m1000",
    "sparse_log_K10_n5000_m1000",
)
SMALL = tuple(name for name in SUITE if name not in LARGE)


def case(name: str, seed: int) -> Data:
    """The data of a case of the suite."""
    return SUITE[name](name, seed)


def chosen(names: list[str]) -> list[str]:
    """The names that a command line asks for: "small", "large", "all", or cases.

    Raises
    ------
    ValueError
        For a name that is not in the suite.
    """
    found: list[str] = []
    for name in names:
        group = {"small": SMALL, "large": LARGE, "all": tuple(SUITE)}.get(name, (name,))
        if group[0] not in SUITE:
            raise ValueError(f"There is no case {name!r}. Cases: {', '.join(SUITE)}.")
        found.extend(entry for entry in group if entry not in found)
    return found
