"""Where the interior point starts: near the centre of the adversary's set, at a point that one Newton step has improved."""

from __future__ import annotations

import numpy as np

from minimax_opt.ambiguity.constraints import HostConstraints
from minimax_opt.arrays import Host
from minimax_opt.problem import Point
from minimax_opt.solvers.interior_point_adversary import Adversary
from minimax_opt.solvers.interior_point_domain import DomainRows
from minimax_opt.solvers.interior_point_iterate import Iterate
from minimax_opt.solvers.interior_point_kkt import Linearisation

NEAR = 1e-3  # how far a warm start keeps from the boundary
TINY = float(np.finfo(float).tiny ** 0.5)


def improved(point: Point, adversary: Adversary, rows: DomainRows | None = None) -> tuple[Point, float]:
    """The better of x and one step on mean + variance / (2 spread) of the losses under q; and a least scale for the gap.

    Both are moved into the domain's interior, from its boundary by a share of the way that changes the model by its spread.
    """
    prior, mix = adversary.prior, adversary.mix
    mean = float(prior @ point.losses)
    spread = float(np.sqrt(prior @ (point.losses - mean) ** 2))
    spread = mix * max(spread, 1e-3 * abs(mean)) or 1.0
    whole = Adversary(HostConstraints(prior, 1.0 - mix))
    linear = Linearisation(whole, Iterate(point, prior, np.full(len(prior), spread), 0.0))
    scale = max(1e-3 * abs(point.value), TINY)
    if not linear.factor():
        return point if rows is None else point.problem.at(rows.inside(point.x, 1.0 + np.abs(point.x))), scale
    dx = linear.refined(linear.step(np.zeros(len(prior)))).x
    after = point.x + dx
    if rows is not None:
        reach = np.sqrt(spread / linear.factored.diagonal)
        point, after = point.problem.at(rows.inside(point.x, reach)), rows.inside(after, reach)
    better = point.problem.at(after)
    decrease = 1e-3 * abs(float(linear.gradient @ dx))
    if better.finite and better.value < point.value:
        return better, max(decrease, 1e-3 * abs(better.value), TINY)
    return point, max(scale, decrease)


def with_domain(iterate: Iterate, rows: DomainRows | None) -> Iterate:
    """The iterate with the pairs of the domain, which have the mean of its products."""
    if rows is None:
        return iterate
    mu = float(iterate.slack @ iterate.multiplier) / len(iterate.slack)
    slack, multiplier = rows.centred(iterate.point.x, mu)
    return Iterate(
        iterate.point, np.concatenate((iterate.slack, slack)), np.concatenate((iterate.multiplier, multiplier)), iterate.level
    )


def first_iterate(point: Point, adversary: Adversary, scale: float) -> Iterate:
    """All pairs with the same product, which fits the adversary's effect; for the simplex u ~ 1 / s, without residuals."""
    losses = adversary.mix * point.losses
    effect = max(point.value - point.weighted_value(adversary.prior), scale)
    if adversary.n_pairs == adversary.n_tasks:
        level = float(losses.max()) + effect
        s = level - losses
        mu = 1.0 / float((1.0 / s).sum())
        return Iterate(point, mu / s, s, level)
    u = adversary.prior
    if adversary.ball is not None:  # near its boundary: at the prior the ball's gradient would not show the boundary
        worst = adversary.unmixed(point.problem.ambiguity.host_weights(point.losses))
        u = u + np.sqrt(1.0 - min(0.5, 2.0 / adversary.n_tasks)) * (worst - u)  # every u keeps about 1/K of the prior
    return centred(point, adversary, u, effect / adversary.n_tasks)


def warm_iterate(point: Point, adversary: Adversary, weights: Host) -> Iterate:
    """Just inside of given weights, with products that fit the gap that they leave."""
    u, prior = adversary.unmixed(weights), adversary.prior
    effect = point.value - point.weighted_value(prior)
    gap = max(point.value - point.weighted_value(weights), NEAR * effect, 1e-6 * abs(point.value), TINY)
    mu = gap / adversary.n_tasks
    inwards = NEAR
    if adversary.ball is not None:
        inwards = NEAR / adversary.n_tasks
    return centred(point, adversary, prior + (1.0 - inwards) * (u - prior), mu)


def centred(point: Point, adversary: Adversary, u: Host, mu: float) -> Iterate:
    """The iterate with this u and all products equal to mu; its conditions on u hold on average."""
    slack = adversary.slack(u)
    multiplier = mu / slack
    level = adversary.mix * point.losses + multiplier[: adversary.n_tasks]
    if adversary.cap is not None:
        level = level - multiplier[adversary.n_tasks : 2 * adversary.n_tasks]
    if adversary.ball is not None:
        level = level - multiplier[-1] * adversary.ball.gradient(u)
    return Iterate(point, slack, multiplier, float(u @ level))
