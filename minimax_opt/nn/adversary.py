"""The adversary: what it knows of the tasks, its weights, and how it is saved.

It lives beside the model, not inside: frameworks shard, average and round what is inside. Its buffers are small, float32 and int64 whatever dtype a
model is cast to, and know nothing of the number of ranks; arithmetic on them is in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minimax_opt.nn.functional import inverse, means
from minimax_opt.nn.samples import wide_dtype
from minimax_opt.nn.weighting import Absent, Weighting

FORMAT = 1  # of the state


class Knowledge(NamedTuple):
    """The adversary's memory as float64 values: the weighting's state, the running means of the losses, and the mass of their averages."""

    state: Tensor
    means: Tensor
    masses: Tensor


class Adversary(nn.Module):
    """Buffers and pure steps on them; :class:`MinimaxLoss` documents the arguments."""

    state: Tensor
    means: Tensor
    masses: Tensor
    average_weights: Tensor
    steps: Tensor
    prior: Tensor
    reference: Tensor
    scale: Tensor
    bonus: Tensor

    def __init__(
        self,
        weighting: Weighting,
        task_names: tuple[str, ...],
        absent: Absent,
        reference: Sequence[float],
        scale: Sequence[float],
        bonus: Sequence[float],
    ) -> None:
        super().__init__()
        weighting.check(len(task_names))
        self.weighting, self.task_names, self.absent = weighting, task_names, absent
        self._constants = {"reference": tuple(reference), "scale": tuple(scale), "bonus": tuple(bonus)}
        for name, value in self._memory().items():
            self.register_buffer(name, value)
        for name, value in self._fixed().items():
            self.register_buffer(name, value, persistent=False)

    def _memory(self) -> dict[str, Tensor]:
        n = len(self.task_names)
        initial = {name: torch.zeros(n) for name in ("means", "masses", "average_weights")}
        return {"state": self.weighting.initial_state(n), **initial, "steps": torch.zeros((), dtype=torch.int64)}

    def _fixed(self) -> dict[str, Tensor]:
        constants = {name: torch.tensor(values, dtype=torch.float32) for name, values in self._constants.items()}
        return {"prior": self.weighting.prior_tensor(len(self.task_names)), **constants}

    def reset(self) -> None:
        """Forget everything."""
        for name, value in self._memory().items():
            getattr(self, name).copy_(value)

    # ---- one step, in three pure parts and one that writes ----

    def knowledge(self) -> Knowledge:
        """What the adversary knows now."""
        wide = wide_dtype(self.means.device)
        return Knowledge(self.state.to(wide), self.means.to(wide), self.masses.to(wide))

    def observe(self, before: Knowledge, sums: Tensor, counts: Tensor, ema: float) -> tuple[Knowledge, Tensor]:
        """What it knows after a step with these global sums and counts, and whether it could use them.

        Means move for the tasks that are present. Where a sum is nan or infinite, nothing moves at all: whoever scales gradients
        skips such a step.
        """
        valid = sums.isfinite().all() & counts.isfinite().all()
        present = (counts > 0) & valid
        masses = torch.where(present, ema * before.masses + (1.0 - ema), before.masses)
        share = (1.0 - ema) / torch.where(present, masses, 1.0)
        current = torch.where(present, means(sums, counts), 0.0)
        averages = torch.where(present, before.means + share * (current - before.means), before.means)
        averages = averages if ema > 0.0 else torch.where(present, current, before.means)
        after = Knowledge(before.state, averages, masses)
        prior = self.weighting.step_prior(self._wide("prior"), torch.where(valid, counts, 0.0))
        state = self.weighting.advance(before.state, self.scores(after), prior)
        return after._replace(state=torch.where(valid, state, before.state)), valid & present.any()

    def scores(self, known: Knowledge) -> Tensor:
        """(mean - reference) / scale + bonus; nan for a task that was never seen."""
        scores = (known.means - self._wide("reference")) / self._wide("scale") + self._wide("bonus")
        return torch.where(known.masses > 0, scores, torch.nan)

    def weights(self, known: Knowledge, counts: Tensor) -> Tensor:
        """The weights for a step with these global counts."""
        prior = self.weighting.step_prior(self._wide("prior"), counts, self.absent)
        return self.weighting.weights(self.scores(known), prior, known.state)

    def coefficients(self, weights: Tensor, counts: Tensor, factor: int) -> Tensor:
        """What multiplies the sum of the losses of each task: factor * weight / (scale * count), 0 for absent tasks."""
        return factor * weights * inverse(counts) / self._wide("scale")

    def commit(self, after: Knowledge, weights: Tensor, valid: Tensor) -> None:
        """Remember; in place, so that addresses stay."""
        self.state.copy_(after.state)
        self.means.copy_(after.means)
        self.masses.copy_(after.masses)
        self.steps.add_(valid)
        step = (weights - self.average_weights) / self.steps.clamp(min=1)
        self.average_weights.add_(torch.where(valid, step, 0.0).to(self.average_weights.dtype))

    def _wide(self, name: str) -> Tensor:
        constant: Tensor = getattr(self, name)
        return constant.to(wide_dtype(constant.device))

    # ---- moving, saving ----

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Adversary:
        """Move, never cast; after a stay on the meta device, begin anew."""
        was_meta = self.steps.is_meta

        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        super()._apply(move, recurse)  # type: ignore[no-untyped-call]
        if was_meta and not self.steps.is_meta:
            for name, value in (self._memory() | self._fixed()).items():
                getattr(self, name).copy_(value)
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """What a state must agree on."""
        return {"format": FORMAT, "task_names": list(self.task_names), "weighting": repr(self.weighting)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Nothing to set: all of it is checked before anything is loaded."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(f"{prefix}_extra_state")
        problem = None if saved is None else self._mismatch(saved, f"{prefix}_extra_state")
        if problem is None:
            super()._load_from_state_dict(state_dict, prefix, *args)
        else:
            args[-1].append(problem)  # error messages, which load_state_dict raises

    def _mismatch(self, saved: dict[str, Any], key: str) -> str | None:
        ours = self.get_extra_state()
        if saved.get("format") != FORMAT:
            return (
                f"The adversary's state has the format {saved.get('format')!r}, but this version of minimax_opt reads {FORMAT}."
            )
        names, own = saved["task_names"], ours["task_names"]
        if len(names) != len(own):
            return (
                f"The adversary's state has {len(names)} tasks ({_listed(names)}), but this loss has {len(own)} ({_listed(own)})."
            )
        if names != own:
            return f"The adversary's state is of the tasks {_listed(names)}, but this loss is of {_listed(own)}."
        if saved["weighting"] != ours["weighting"]:
            return (
                f"The adversary's state is of {saved['weighting']}, but this loss has {ours['weighting']}. "
                f"Build the loss with that, or, to go on with another one on purpose, give `saved[{key!r}]` the new description first."
            )
        return None


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


__all__ = ["Adversary", "Knowledge"]
