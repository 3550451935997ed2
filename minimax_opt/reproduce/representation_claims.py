"""The claims that the numbers of :mod:`minimax_opt.reproduce.representation` decide."""

from __future__ import annotations

import math
from typing import Any

from minimax_opt.reproduce.experiment import Claim
from minimax_opt.reproduce.laws import law_claim


def claims(result: dict[str, Any]) -> list[Claim]:
    """C0 to C5."""
    return [*_upstream_claims(result), *_downstream_claims(result)]


def _upstream_claims(result: dict[str, Any]) -> list[Claim]:
    up, t, nine, many, hull = (result[key] for key in ("upstream", "t", "nine_directions", "many_tasks", "hull"))
    average = sum(p * b for p, b in zip(up["prior"], up["average"], strict=True))
    price = sum(p * b for p, b in zip(up["prior"], up["minimax"], strict=True)) - average
    return [
        Claim(
            "(C0) the relaxation may leave less of the worst task than every projector: nine directions, r = 1",
            f"relaxed 2/3 = {2 / 3:.6f}, best direction 1 - 1/(13 + 6 sqrt 2) = {nine['best']:.6f}",
            f"certified lower bound {nine['lower_bound']:.6f}, rounded {nine['worst']:.6f}",
            abs(nine["lower_bound"] - 2 / 3) < 1e-5 and abs(nine["worst"] - nine["best"]) < 1e-6,
        ),
        Claim(
            "(C0) no projector leaves less of the worst of ten random tasks than sum_(i > 3) lambda_i(S_w), w the adversary's weights, r = 3",
            f"{many['left_of_mixture']:.6f}",
            f"best projector found {many['worst']:.6f}, rounding gap {many['worst'] - many['lower_bound']:.1e}; "
            f"{many['n_fractional']} eigenvalues of the relaxed solution inside (0, 1)",
            abs(many["left_of_mixture"] - many["lower_bound"]) < 1e-9 and many["lower_bound"] <= many["worst"],
        ),
        Claim(
            "(C3) minimax pre-training leaves t = beta^2 gamma^2/(beta^2 + gamma^2) of every task, average pre-training gamma^2 of the hard ones",
            f"t = {t:.6f}, gamma^2 = {result['hard']:g}",
            f"certified in [{up['lower_bound']:.6f}, {up['worst']:.6f}]; average leaves {up['average'][2]:.6f}",
            up["lower_bound"] <= t * (1 + 1e-12)
            and up["worst"] <= t * (1 + 2e-6)
            and abs(up["average"][2] - result["hard"]) < 1e-9,
        ),
        Claim(
            "(C5) the price of minimax: the average residual rises from p gamma^2 to t",
            f"{result['price']:.6f}",
            f"{price:.6f}",
            abs(price - result["price"]) < 1e-6,
        ),
        Claim(
            "(C2) in the symmetric hull of the upstream tasks b(theta) <= max_k b_k; anywhere b(theta) <= g^2 max_k b_k + |theta_perp|^2",
            "quotients at most 1",
            f"{hull['covered']} of 50 inside: {hull['largest_covered']:.3f}; all 100: {hull['largest_quotient']:.3f}",
            hull["covered"] == 50 and hull["largest_covered"] <= 1 + 1e-9 and hull["largest_quotient"] <= 1 + 1e-9,
        ),
    ]


def _downstream_claims(result: dict[str, Any]) -> list[Claim]:
    best, samples, eps = result["best_learner"], result["samples"], result["excess_allowed"]
    bounds = [math.ceil(n * (1 - 1e-12)) for n in samples["measured_bound"]]
    at = samples["dimension"].index(min(samples["dimension"], key=lambda d: abs(d - result["dimension"])))
    means = [
        law_claim(
            f"(C1) E excess = b + (sigma^2 + b) r/(n - r - 1), and its law, of the hard task after {name} pre-training, "
            f"n = {', '.join(str(row['n']) for row in result['curves'][name])}",
            result["curves"][name],
        )
        for name in ("minimax", "average")
    ]
    return [
        *means,
        Claim(
            f"(C1, C4) samples for excess {eps:g} of the hard task, d = {result['dimension']}: after minimax; least for any learner after average",
            "21 and 363",
            f"{samples['minimax']:.0f} and {best['least']}",
            samples["minimax"] == 21 and best["least"] == 363,
        ),
        Claim(
            f"(C4) samples of the best of all learners after average pre-training, simulated, d = {samples['measured_dimension']}",
            f"at least {bounds}",
            f"{samples['best_learner']}",
            all(n >= bound for n, bound in zip(samples["best_learner"], bounds, strict=True)),
        ),
        Claim(
            "(C4) one sample less, and the best of all learners has a larger excess",
            f"more than {eps:g} with {best['least'] - 1} samples",
            f"[{best['short_low']:.4f}, {best['short_high']:.4f}]",
            best["short_low"] > eps,
        ),
        Claim(
            "(C4) the best learner meets 1/(1/gamma^2 + n/(d' sigma^2)) where X'X = n I (d' = 20, n = 40)",
            f"{best['orthogonal']:.5f}",
            f"[{best['orthogonal_low']:.5f}, {best['orthogonal_high']:.5f}]",
            best["orthogonal_low"] <= best["orthogonal"] <= best["orthogonal_high"],
        ),
        Claim(
            f"(C4') the same for the worst w with |w| <= gamma, d = {samples['dimension'][at]}: a little less",
            f"at most {samples['any_learner'][at]:.0f}",
            f"{samples['any_learner_worst'][at]:.0f}",
            samples["minimax"] < samples["any_learner_worst"][at] <= samples["any_learner"][at],
        ),
    ]
