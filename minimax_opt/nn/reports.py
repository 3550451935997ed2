"""What a loss module tells of its last step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minimax_opt.nn.adversary import Adversary
from minimax_opt.nn.options import When
from minimax_opt.nn.step import MinimaxStep, make_step


class StepReports(nn.Module):
    """The last step by its parts, for loggers; the base of :class:`MinimaxLoss`."""

    adversary: Adversary
    when: When | None
    ema: float | None
    _last: MinimaxStep | tuple[Tensor, Tensor, Tensor, Tensor, Tensor, torch.dtype] | None  # or what a step is made of

    @property
    def last_step(self) -> MinimaxStep:
        """The last step; before the first one, zeros and the prior."""
        if isinstance(self._last, MinimaxStep):
            return self._last
        if self._last is not None:
            with torch.no_grad():
                self._last = make_step(*self._last)
            return self._last
        zeros = torch.zeros_like(self.adversary.means)
        return make_step(zeros, zeros.double(), self.adversary.fixed[0], zeros, self.adversary.scale, zeros.dtype)

    @property
    def weights(self) -> Tensor:
        """The adversary's weights in the last step, shape (K,)."""
        return self.last_step.weights

    @property
    def task_losses(self) -> Tensor:
        """The mean losses of the tasks in the last step, shape (K,); see :class:`MinimaxStep` for absent tasks."""
        return self.last_step.task_losses

    @property
    def task_counts(self) -> Tensor:
        """Samples of the tasks in the last step, shape (K,)."""
        return self.last_step.task_counts

    @property
    def objective(self) -> Tensor:
        """The minimax objective of the last step, a scalar."""
        return self.last_step.objective

    @property
    def average_weights(self) -> Tensor:
        """The mean of the weights over all steps so far, shape (K,)."""
        return self.adversary.average_weights.clone()

    def metrics(self, prefix: str = "") -> dict[str, Tensor]:
        """The last step for a logger: 0-d tensors by name, without host synchronisation."""
        return self.last_step.metrics(self.adversary.task_names, prefix)

    def summary(self, prefix: str = "") -> dict[str, float]:
        """:meth:`metrics` as floats, at the price of one synchronisation."""
        return self.last_step.summary(self.adversary.task_names, prefix)

    def extra_repr(self) -> str:
        """The weighting and the tasks, for print()."""
        return f"{self.adversary.weighting}, n_tasks={self.n_tasks}, when={self.when!r}, ema={self.ema!r}"

    @property
    def n_tasks(self) -> int:
        """K."""
        return len(self.adversary.task_names)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The tasks, in the order of all vectors; their numbers where none were given."""
        return self.adversary.task_names


__all__ = ["StepReports"]
