"""Small experiments for the tests of `minimax-opt reproduce`; importable by name, as the processes that run them need."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

import numpy as np

from minimax_opt.reproduce.experiment import Claim, Experiment

NASTY = "a < b & \"c\" > 'd' <script>alert(1)</script> ≤ λ"


def mean_of_squares(quick, seed):
    """E z^2 = 1 for a standard normal z."""
    n = 1_000 if quick else 4_000
    squares = np.random.default_rng(seed).standard_normal(n) ** 2
    return {"n": n, "squares": squares[:50].tolist(), "mean": squares.mean()}


def mean_is_one(result):
    margin = 5 * (2 / result["n"]) ** 0.5
    return [Claim("(F1) E z^2 = 1", f"1 ± {margin:.3f}", f"{result['mean']:.3f}", abs(result["mean"] - 1) <= margin)]


def draw_squares(result):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(result["squares"], "o-", color="#0072B2", markersize=3)
    axes.axhline(result["mean"], color="#E69F00", linestyle="--")
    axes.set(xlabel="sample", ylabel="square [1]")
    return figure


def nasty(result):
    return [Claim(NASTY, NASTY, NASTY, True)]


def two_claims(result):
    return [Claim("1 < 2", "< 2", "1", True), Claim("3 < 2", "< 2", "3", False)]


def raises(quick, seed):
    raise ValueError("the sum of <weights> is 0.9")


def lacks_a_package(quick, seed):
    raise ModuleNotFoundError("No module named 'cvxpy'", name="cvxpy")


def is_interrupted(quick, seed):
    raise KeyboardInterrupt


def dies(quick, seed):
    os._exit(7)


def sleeps(quick, seed):
    time.sleep(60)
    return {}


def waits_for_ctrl_c(quick, seed):
    """Tell the test that it runs, then never end."""
    print(f"running {os.getpid()}", file=sys.stderr, flush=True)
    return sleeps(quick, seed)


def its_threads(quick, seed):
    import torch

    return {"torch": torch.get_num_threads(), "blas": os.environ["OPENBLAS_NUM_THREADS"], "process": os.getpid()}


def nothing(result):
    return []


def draws_badly(result):
    raise RuntimeError("no such axis")


SQUARES = Experiment("squares", "Mean of squares", mean_of_squares, mean_is_one, {"squares-drawn": draw_squares})
OTHER = replace(SQUARES, name="other", title="Once more", figures={})
NASTY_TEXT = Experiment("nasty", NASTY, mean_of_squares, nasty)
WRONG = Experiment("wrong", "One claim too many", mean_of_squares, two_claims)
RAISES = Experiment("raises", "An error", raises, nothing)
UNDRAWN = replace(SQUARES, name="undrawn", figures={"undrawn": draws_badly})
THREADS = Experiment("threads", "Threads", its_threads, nothing)
