r"""Before training: which tasks are too rare for the batch, how noisy their losses will be, and what smoothing that allows.

A batch of B items, drawn independently of each other, holds N ~ Binomial(B, share) items of a task. Given that there are some, the mean of their
losses, of standard deviation sigma, has the variance sigma^2 E[1/N | N > 0]: that of a fixed number of items, the *effective* one,
1 / E[1/N | N > 0]. A moving average with decay e over batches divides the variance of losses that stand still by (1 + e)/(1 - e).

The bounds N1 and N2 of ``docs/theory/mini-batches.md`` are about weights from the batch at hand, and about a fixed number of items: here the
effective one takes its place, which is exact to first order in the variance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host, to_host
from minimax_opt.nn.options import checked_ema, checked_names, task_vector
from minimax_opt.theory.minibatch import batch_inflation, least_smoothing, rare_task_smoothing

OFTEN = 0.05  # a task that more batches lack than this is too rare
DEVIATIONS = 12.0  # of the number of items, beyond which its probability is below rounding
ROWS, LINES = 20, 5  # of the table, of advice about absent tasks


@dataclass(frozen=True)
class TaskReport:
    """What :func:`check_tasks` found; ``str()`` is a table with advice.

    Attributes
    ----------
    task_names : tuple of str
    batch_size : int
    expected_items : array, shape (K,)
        Items of each task in a batch, on average.
    absent : array, shape (K,)
        The probability that a batch has none.
    effective_items : array, shape (K,)
        1 / E[1/N | N > 0]: what the noise of the task's mean goes by.
    noise : array, shape (K,), or None
        Standard deviation of the task's mean loss, averaged over batches if an `ema` was given; None if no spread of the losses was given.
    inflation : array, shape (K,), or None
        By how much, at most, the noise of each task raises the smoothed worst case (N1); None without `smoothing` and a spread.
    least_smoothing : float or None
        Below it, weights from the same batch gain nothing (N2).
    excess_smoothing : float or None
        The least smoothing that keeps the inflation within `excess` (N1).
    too_rare : tuple of str
        The tasks that some line of the advice is about.
    advice : tuple of str
    """

    task_names: tuple[str, ...]
    batch_size: int
    expected_items: Host
    absent: Host
    effective_items: Host
    noise: Host | None
    inflation: Host | None
    least_smoothing: float | None
    excess_smoothing: float | None
    too_rare: tuple[str, ...]
    advice: tuple[str, ...]

    def __str__(self) -> str:
        columns = {"items": self.expected_items, "absent": self.absent, "effective": self.effective_items}
        columns |= {"noise": self.noise} if self.noise is not None else {}
        columns |= {"inflation": self.inflation} if self.inflation is not None else {}
        order = np.argsort(self.expected_items, kind="stable")
        width = max(4, *(len(self.task_names[k]) for k in order[:ROWS]))
        lines = [f"A batch of {self.batch_size}, rarest task first", "task".ljust(width) + "".join(f"{c:>11}" for c in columns)]
        for k in order[:ROWS]:
            cells = (_percent(v[k]) if name == "absent" else f"{v[k]:.4g}" for name, v in columns.items())
            lines.append(self.task_names[k].ljust(width) + "".join(f"{cell:>11}" for cell in cells))
        if len(order) > ROWS:
            lines.append(f"... and {len(order) - ROWS} tasks with more items")
        return "\n".join([*lines, *(f"- {line}" for line in self.advice)])


def check_tasks(
    task_counts: Any,
    batch_size: int,
    *,
    task_names: Sequence[str] | None = None,
    loss_std: Any = None,
    loss_range: Any = None,
    smoothing: float | None = None,
    excess: float | None = None,
    ema: float = 0.0,
) -> TaskReport:
    """Tell which tasks are too rare for a batch. It never stops a program: what to do is the reader's choice.

    Parameters
    ----------
    task_counts : Tensor, array or sequence of K numbers, or dict by task name
        Items of each task in the training data, as from :func:`minimax_opt.nn.task_ids.count_tasks`. Items are what is drawn independently: where
        batches are made of whole sequences, count the sequences that hold the task.
    batch_size : int
        Items of a whole step: all ranks, all micro-batches.
    task_names : sequence of str, optional
        Not with a dict, which has them.
    loss_std : number, sequence or dict, optional
        Standard deviation of the losses of single items, of all tasks or of each.
    loss_range : number, sequence or dict, optional
        Length of an interval that holds the losses of single items; half of it bounds the standard deviation. The bounds hold for
        any losses with it; without it they are those of normal losses.
    smoothing : float, optional
        That of the weighting, in the unit of the losses.
    excess : float, optional
        What noise may add to the worst case.
    ema : float
        Decay of the moving average of the losses: 0.95 is the default under gradient accumulation.

    Returns
    -------
    TaskReport

    Examples
    --------
    >>> report = check_tasks({"news": 900, "law": 95, "poetry": 5}, batch_size=64, loss_range=4.0, smoothing=0.1, ema=0.95)
    >>> report.too_rare
    ('poetry', 'law')
    >>> print(report)  # doctest: +ELLIPSIS
    A batch of 64, rarest task first
    task        items     absent  effective      noise  inflation
    poetry       0.32     72.6 %      1.084     0.3076      2.847
    law          6.08      0.2 %      4.988     0.1434      1.327
    news         57.6      0.0 %       57.5    0.04223     0.3478
    - poetry is absent from 72.6 % of the batches, ...
    """
    if isinstance(task_counts, Mapping):
        if task_names is not None:
            raise ValueError("`task_names` is given twice: `task_counts` is a dict, which has the names.")
        task_names, task_counts = list(task_counts), list(task_counts.values())
    counts = checks.vector("task_counts", task_counts)
    if counts.size == 0 or (counts < 0).any() or not counts.sum() > 0:
        raise ValueError(f"`task_counts` must hold numbers >= 0, not all 0, got {task_counts!r}.")
    names = checked_names(task_names, len(counts))
    batch_size = checks.integer("batch_size", batch_size, 1)
    smoothing = None if smoothing is None else checks.number("smoothing", smoothing, 0.0)
    excess = None if excess is None else checks.number("excess", excess, 0.0, strict=True)
    memory = checked_ema(ema) or 0.0

    shares = counts / counts.sum()
    with np.errstate(divide="ignore"):
        absent = np.exp(batch_size * np.log1p(-shares))
    distinct, place = np.unique(shares, return_inverse=True)
    effective = np.array([effective_items(share, batch_size) for share in distinct])[place]
    deviation, tail = _spread(loss_std, loss_range, names)
    noise = None if deviation is None else deviation / np.sqrt(effective) * math.sqrt((1 - memory) / (1 + memory))
    constants: dict[str, Any] = {"loss_noise": tail, "batch_size": effective, "n_tasks": len(names)}
    several = tail is not None and len(names) > 1
    inflation = None
    if several and smoothing is not None and smoothing > 0:
        inflation = to_host(batch_inflation(smoothing=smoothing, **constants))
    least = float(np.max(least_smoothing(**constants))) if several else None
    for_excess = rare_task_smoothing(excess=excess, **constants) if several and excess is not None else None

    advice = [*_about_presence(names, shares, absent, batch_size)]
    if noise is not None and smoothing is not None:
        advice += _about_noise(names, noise, smoothing, memory)
    if least is not None:
        advice += _about_smoothing(smoothing, excess, least, for_excess, inflation, loss_range is None)
    rare = absent > OFTEN
    if noise is not None and smoothing is not None:
        rare |= noise > smoothing
    too_rare = tuple(names[k] for k in np.argsort(counts, kind="stable") if rare[k])
    expected = batch_size * shares
    return TaskReport(
        names, batch_size, expected, absent, effective, noise, inflation, least, for_excess, too_rare, tuple(advice)
    )


def effective_items(share: float, batch_size: int) -> float:
    """1 / E[1/N | N > 0] for N ~ Binomial(batch_size, share); 1 in the limit of share 0.

    Examples
    --------
    >>> effective_items(0.5, 2)  # N = 1 twice as often as N = 2
    1.2
    """
    if share <= 0.0 or batch_size == 1:
        return 1.0
    if share >= 1.0:
        return float(batch_size)
    mean = batch_size * share
    width = DEVIATIONS * math.sqrt(mean * (1 - share)) + DEVIATIONS**2
    n = np.arange(max(1.0, math.floor(mean - width)), min(batch_size, math.ceil(mean + width)) + 1)
    odds = math.log(share) - math.log1p(-share)
    logs = np.concatenate([[0.0], np.cumsum(np.log((batch_size - n[:-1]) / (n[:-1] + 1)) + odds)])
    probabilities = np.exp(logs - logs.max())
    return float(probabilities.sum() / (probabilities / n).sum())


def _spread(loss_std: Any, loss_range: Any, names: tuple[str, ...]) -> tuple[Host | None, Host | None]:
    """Standard deviations of the losses, and what bounds their tails as a normal variable's deviation does."""
    half = None if loss_range is None else np.array(task_vector("loss_range", loss_range, names, 0.0, positive=True)) / 2
    given = None if loss_std is None else np.array(task_vector("loss_std", loss_std, names, 0.0, positive=True))
    if half is not None and given is not None and (given > half * (1 + 1e-9)).any():
        raise ValueError("`loss_std` must be at most half of `loss_range`, as for any losses in an interval of that length.")
    return (half if given is None else given), (given if half is None else half)


def _about_presence(names: Sequence[str], shares: Host, absent: Host, batch_size: int) -> list[str]:
    rare = [k for k in np.argsort(shares, kind="stable") if absent[k] > OFTEN]
    lines = []
    for k in rare[:LINES]:
        if shares[k] == 0:
            lines.append(f"{names[k]} has no item at all: leave it out, or merge it with another task.")
            continue
        enough = math.ceil(math.log(OFTEN) / math.log1p(-shares[k]))
        lines.append(
            f"{names[k]} is absent from {_percent(absent[k])} of the batches, where its weight goes to the others: one batch in "
            f"{-1 / math.expm1(batch_size * math.log1p(-shares[k])):.3g} has it. A batch of {enough} (accumulate gradients) brings that "
            f"to {OFTEN:.0%}; so does a sampler that draws it more often, or a merger with another task."
        )
    return lines + ([f"So are {len(rare) - LINES} more tasks."] if len(rare) > LINES else [])


def _about_noise(names: Sequence[str], noise: Host, smoothing: float, memory: float) -> list[str]:
    noisy = [k for k in np.argsort(-noise, kind="stable") if noise[k] > smoothing]
    if not noisy:
        return []
    worst, more = noisy[0], f" (and {len(noisy) - 1} more)" if len(noisy) > 1 else ""
    average = "" if memory else ", or average the losses over batches (`ema=0.95`)"
    factor = math.exp(min(noise[worst] / smoothing, 700.0)) if smoothing > 0 else math.inf
    return [
        (
            f"The mean loss of {names[worst]}{more} has more noise, {noise[worst]:.3g}, than the smoothing {smoothing:.3g}: chance alone changes its "
            f"weight by a factor of {factor:.3g}. Raise the smoothing to {noise[worst]:.3g}{average}, or draw more items of it."
        )
    ]


def _about_smoothing(
    smoothing: float | None, excess: float | None, least: float, for_excess: float | None, inflation: Host | None, normal: bool
) -> list[str]:
    given = "" if smoothing is None else f", and {smoothing:.3g} is {'below' if smoothing < least else 'above'} it"
    assuming = ", for normal losses" if normal else ""
    lines = [
        f'With weights from the batch itself (`when="current"`), a smoothing below {least:.3g} gains nothing (N2{assuming}){given}.'
    ]
    if inflation is not None:
        lines.append(f"Noise then raises the worst case by at most {inflation.max():.3g} (N1{assuming}).")
    if for_excess is not None:
        lines.append(f"To keep that within {excess:.3g} takes a smoothing of at least {for_excess:.3g} (N1{assuming}).")
    return lines


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


__all__ = ["TaskReport", "check_tasks", "effective_items"]
