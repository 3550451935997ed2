"""The claims that the numbers of :mod:`minimax_opt.reproduce.minibatch` decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.reproduce.experiment import Claim


def claims(result: dict[str, Any]) -> list[Claim]:
    """One for each theorem, and one for each way in which a bolder theorem would be wrong."""
    return [*_claims_on_bias(result), *_claims_on_methods(result)]


def _claims_on_bias(result: dict[str, Any]) -> list[Claim]:
    unbiased, chain, same = result["unbiased"], result["chain"], result["same"]
    pairs = list(zip(unbiased["intervals"], unbiased["batch_gradient"], unbiased["gradient"], strict=True))
    intervals = ", ".join(f"[{low:.3f}, {high:.3f}]" for low, high in unbiased["intervals"])
    tight, rounding = result["inflation"]["tight"], 1e-10
    curves = result["inflation"]["curves"]
    return [
        Claim(
            "(N1) the same-batch step is an unbiased gradient of F^B_s, and not of F_s",
            f"grad F^B_s = {_vector(unbiased['batch_gradient'])}, grad F_s = {_vector(unbiased['gradient'])}",
            f"mean of {unbiased['steps']['draws']} steps in {intervals} (all random claims together 99.9 %)",
            all(low <= g <= high for (low, high), g, _ in pairs) and any(not low <= g <= high for (low, high), _, g in pairs),
        ),
        Claim(
            "(N1) F <= F_s <= F^B_s <= F_s + min{nu^2/(2 B s), nu sqrt(2 ln K/B)}",
            "slack >= 0, share of the bound <= 1",
            f"least slack {chain['slack']:.1e}, largest share {chain['inflation']:.2f} on {chain['models']} random models",
            chain["slack"] >= -rounding
            and chain["inflation"] <= 1 + rounding
            and all(m <= b for curve in curves for m, b in zip(curve["measured"], curve["bound"], strict=True)),
        ),
        Claim(
            "(N1) the bound nu^2/(2 B s) is tight: with many equal tasks it is attained, so that half of it is too little",
            "share of the bound -> 1",
            f"{tight['ratio']:.4f} with {tight['n_tasks']} tasks",
            0.99 * (1 - 1 / tight["n_tasks"]) <= tight["ratio"] <= 1,
        ),
        Claim(
            "(N3) weights from an independent batch: |mean step - grad F_s| <= D (1 + ln 2K) nu^2/(B s^2)",
            "share of the bound <= 1",
            f"largest share {chain['bias']:.2f} on {chain['models']} random models",
            chain["bias"] <= 1 + rounding,
        ),
        Claim(
            "(N3') weights from the same batch: gamma nu sqrt(2 (1 + ln 2K))/(B s) more, without which it is false",
            f"{same['independent']:.5f} without, {same['same']:.5f} with it",
            f"{same['missed']:.5f}",
            same["independent"] < same["missed"] <= same["same"],
        ),
    ]


def _claims_on_methods(result: dict[str, Any]) -> list[Claim]:
    needed, ascent, floor = result["needed"], result["ascent"], result["floor"]
    low, high = ascent["interval"]
    shares = [least / bound for curve in floor["curves"] for least, bound in zip(curve["lower"], curve["bound"], strict=True)]
    means = [np.mean(e) / b for curve in floor["curves"] for e, b in zip(curve["excess"], curve["bound"], strict=True)]
    return [
        Claim(
            "(N2) softmax-gd on batches: E F - F* <= steps + bias, at every smoothing, batch size and step rule",
            "lower confidence limit / bound <= 1",
            f"largest {max(shares):.3f} (mean / bound {max(means):.2f}), {len(shares)} settings, T = {floor['horizon']}",
            max(shares) <= 1,
        ),
        Claim(
            "(N2) the inflation belongs into the bound: with s ln K alone it is false",
            f"{needed['without']:.3f} without, {needed['bound']:.3f} with the inflation",
            f"E F - F* in [{needed['interval'][0]:.3f}, {needed['interval'][1]:.3f}], {needed['runs']} runs",
            needed["without"] < needed["interval"][0] <= needed["bound"],
        ),
        Claim(
            "(M2) descent-ascent on batches: E F - F* <= G R/sqrt(T) + M sqrt(ln K/(2T)) (1 + 1/sqrt(B)), no floor",
            f"{ascent['bound']:.3f}",
            f"mean {ascent['mean']:.3f}, in [{low:.3f}, {high:.3f}], {ascent['runs']} runs, T = {ascent['horizon']}",
            ascent["interval"][0] <= ascent["bound"],
        ),
    ]


def _vector(values: list[float]) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in values) + ")"


__all__ = ["claims"]
