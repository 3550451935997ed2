"""A step of several micro-batches while it is open: what was announced, what has come, what is under way between ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from minimax_kernels.backend import debugging
from minimax_opt.nn.adversary import Adversary, Knowledge
from minimax_opt.nn.collective import Reduction, group_size
from minimax_opt.nn.functional import counts_of, sums_of, weighted_sum
from minimax_opt.nn.options import When
from minimax_opt.nn.samples import Samples
from minimax_opt.nn.step import MinimaxStep, make_step

Batch = TypeVar("Batch")


class OpenStep:
    """From the announcement of the counts to the adversary's move; :class:`MinimaxLoss` documents the protocol.

    Parameters
    ----------
    adversary : Adversary
    when, ema
        The mode and its moving average.
    announced : Tensor, shape (K,)
        This rank's counts, whose reduction starts here.
    micro_batches : int or None
        How many will come; None if only the total of their counts is known.
    group, averaged
        The ranks, and whether their gradients are averaged.
    training : bool
        Otherwise the rank is alone and nothing moves.
    """

    def __init__(
        self,
        adversary: Adversary,
        when: When,
        ema: float,
        announced: Tensor,
        micro_batches: int | None,
        group: ProcessGroup | None,
        averaged: bool,
        training: bool,
    ) -> None:
        self._adversary, self._when, self._ema = adversary, when, ema
        self._announced, self._micro_batches = announced, micro_batches
        self._group, self._alone = group, not training
        self._factor = group_size(group) if averaged and training else 1
        self._checked = announced.device.type == "cpu" or debugging()
        self._counts = self._reduction(announced.clone())
        self._previewing = False
        self._weights: Tensor | None = None
        self._after: tuple[Knowledge, Tensor] | None = None
        self._dtype = torch.float32
        self._rewind()

    @property
    def left(self) -> int | None:
        """The micro-batches that are still to come."""
        return None if self._micro_batches is None else self._micro_batches - self._seen

    def loss(self, samples: Samples) -> Tensor:
        """The part of a micro-batch."""
        self._take(samples)
        if self._weights is None and not self._previewing:
            self._choose_weights()
        weights = self._announced * 0.0 if self._weights is None else self._weights
        return weighted_sum(samples, self._adversary.coefficients(weights, self._counts.wait(), self._factor))

    def preview(self, closure: Callable[[Batch], Any], micro_batches: Iterable[Batch]) -> None:
        """Run `closure` for each micro-batch without gradient, so that the weights are those of this step's losses."""
        if self._when != "two-pass" or self._weights is not None or self._seen:
            raise RuntimeError(
                '`preview` is the first pass of a step with `when` = "two-pass": call it once, before `micro_loss`.'
            )
        self._previewing = True
        try:
            with torch.no_grad(), _same_random_numbers(self._announced.device):
                for batch in micro_batches:
                    closure(batch)
                self._observe()
        finally:
            self._previewing = False
        self._rewind()

    def finish(self) -> MinimaxStep:
        """The adversary moves; what the step was."""
        with torch.no_grad():
            sums, counts = self._total(), self._counts.wait()
            if self._weights is None:  # without any micro-batch
                self._choose_weights()
            after, valid = self._after or self._adversary.observe(self._adversary.knowledge(), sums, counts, self._ema)
            assert self._weights is not None
            if not self._alone:
                self._adversary.commit(after, self._weights, valid)
            return make_step(sums, counts, self._weights, after.means, self._adversary.scale, self._dtype)

    def _choose_weights(self) -> None:
        if self._when == "two-pass":
            raise RuntimeError(
                '`when` = "two-pass" needs `preview(closure, micro_batches)` between `begin_step` and the first `micro_loss`.'
            )
        if self._when == "current":
            self._observe()
        else:
            with torch.no_grad():
                self._weights = self._adversary.weights(self._adversary.knowledge(), self._counts.wait())

    def _observe(self) -> None:
        """Weights from the losses of this step."""
        with torch.no_grad():
            before, counts = self._adversary.knowledge(), self._counts.wait()
            self._after = self._adversary.observe(before, self._total(), counts, self._ema)
            known = self._after[0]._replace(state=before.state) if self._alone else self._after[0]
            self._weights = self._adversary.weights(known, counts)

    # ---- what has come ----

    def _rewind(self) -> None:
        self._seen = 0
        self._sums, self._received = torch.zeros_like(self._announced), torch.zeros_like(self._announced)
        self._global_sums: Reduction | None = None

    def _take(self, samples: Samples) -> None:
        if self._micro_batches is not None and self._seen >= self._micro_batches:
            raise RuntimeError(
                f"`micro_loss` was called more often than for the {self._micro_batches} micro-batches of `begin_step`."
            )
        self._seen += 1
        self._dtype = samples.losses.dtype
        self._sums = self._sums + sums_of(samples).sums
        if self._checked:
            self._received = self._received + counts_of(samples.slots, samples.mass, samples.n_tasks)
        if self._seen == self._micro_batches:  # its backward is still to come, which hides the reduction
            self._global_sums = self._reduction(self._sums)

    def _total(self) -> Tensor:
        """The global sums, when all has come."""
        if self._global_sums is None:
            if self._micro_batches is not None and self._seen < self._micro_batches:
                raise RuntimeError(
                    f"`begin_step` was given {self._micro_batches} micro-batches, but `micro_loss` was called for {self._seen}. "
                    "All that was counted must come; `cancel_step()` gives up a step."
                )
            self._global_sums = self._reduction(self._sums)
        if self._checked and not torch.allclose(self._received, self._announced, rtol=1e-6):
            raise ValueError(
                f"`begin_step` counted {self._announced.tolist()} samples by task, but {self._received.tolist()} came with `micro_loss`. "
                "Give both the same `task_ids` and `sample_weights`, ids of the shape of the losses."
            )
        return self._global_sums.wait()

    def _reduction(self, tensor: Tensor) -> Reduction:
        return Reduction(tensor, self._group, self._alone)


@contextmanager
def _same_random_numbers(device: torch.device) -> Iterator[None]:
    """Leave the random number generators, of the CPU and of the device, as they were."""
    if device.type in ("cpu", "meta"):
        with torch.random.fork_rng(devices=[]):
            yield
    else:
        with torch.random.fork_rng(devices=[device], device_type=device.type):
            yield


__all__ = ["OpenStep"]
