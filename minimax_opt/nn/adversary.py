"""The adversary: what it knows of the tasks, its weights, and how it is saved.

It lives beside the model, not inside: frameworks shard, average and round what is inside. Its buffers are small, float32 and int64 whatever dtype a
model is cast to, and know nothing of the number of ranks; arithmetic on them is in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minimax_opt.nn.samples import wide_dtype
from minimax_opt.nn.weighting import Absent, Weighting

FORMAT = 1  # of the state


class Knowledge(NamedTuple):
    """What the adversary goes by, as float64 vectors over tasks."""

    state: Tensor  # of the weighting
    means: Tensor  # running means of the losses
    masses: Tensor  # of these averages: 0 for a task that was never seen
    prior: Tensor
    reference: Tensor
    scale: Tensor
    bonus: Tensor


class Adversary(nn.Module):
    """Buffers and pure steps on them; :class:`MinimaxLoss` documents the arguments."""

    state: Tensor
    means: Tensor
    masses: Tensor
    average_weights: Tensor
    steps: Tensor
    fixed: Tensor  # the last four rows of Knowledge

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
        self._constants = (tuple(reference), tuple(scale), tuple(bonus))
        self._plain = not any(reference) and not any(bonus) and set(scale) == {1.0}
        self._moves = type(weighting).advance is not Weighting.advance
        for name, value in self._memory().items():
            self.register_buffer(name, value)
        self.register_buffer("fixed", self._fixed(), persistent=False)

    def _memory(self) -> dict[str, Tensor]:
        n = len(self.task_names)
        initial = {name: torch.zeros(n) for name in ("means", "masses", "average_weights")}
        return {"state": self.weighting.initial_state(n), **initial, "steps": torch.zeros((), dtype=torch.int64)}

    def _fixed(self) -> Tensor:
        prior = self.weighting.prior_tensor(len(self.task_names))
        return torch.stack([prior, *(torch.tensor(values, dtype=torch.float32) for values in self._constants)])

    @property
    def scale(self) -> Tensor:
        """The units of the losses, shape (K,)."""
        return self.fixed[2]

    @property
    def device(self) -> torch.device:
        """Where the adversary is, and losses must be."""
        return self.means.device

    def reset(self) -> None:
        """Forget everything."""
        for name, value in self._memory().items():
            getattr(self, name).copy_(value)

    # ---- one step, in three pure parts and one that writes ----

    def knowledge(self) -> Knowledge:
        """What the adversary knows now."""
        wide = wide_dtype(self.device)
        return Knowledge(self.state.to(wide), self.means.to(wide), self.masses.to(wide), *self.fixed.to(wide).unbind())

    def observe(self, before: Knowledge, sums: Tensor, counts: Tensor, ema: float) -> tuple[Knowledge, Tensor]:
        """What it knows after a step with these global sums and counts, and whether it could use them.

        Means move for the tasks that are present. Where a sum is nan or infinite, nothing moves at all: whoever scales gradients
        skips such a step.
        """
        valid = (sums + counts).sum().abs() < math.inf  # false for nan
        present = (counts > 0) & valid
        masses, current = 1.0 - ema * (1.0 - before.masses), sums / counts
        if ema > 0.0:
            current = before.means + (1.0 - ema) / masses * (current - before.means)
        after = before._replace(
            means=torch.where(present, current, before.means), masses=torch.where(present, masses, before.masses)
        )
        if self._moves:
            prior = self.weighting.step_prior(before.prior, counts)
            state = self.weighting.advance(before.state, self.scores(after), prior)
            after = after._replace(state=torch.where(valid, state, before.state))
        return after, valid & present.any()

    def scores(self, known: Knowledge) -> Tensor:
        """(mean - reference) / scale + bonus; nan for a task that was never seen."""
        scores = known.means if self._plain else (known.means - known.reference) / known.scale + known.bonus
        return torch.where(known.masses > 0, scores, math.nan)

    def weights(self, known: Knowledge, counts: Tensor) -> Tensor:
        """The weights for a step with these global counts."""
        prior = self.weighting.step_prior(known.prior, counts, self.absent)
        return self.weighting.weights(self.scores(known), prior, known.state)

    def coefficients(self, weights: Tensor, counts: Tensor, factor: int) -> Tensor:
        """What multiplies the sum of the losses of each task: factor * weight / (scale * count), 0 for absent tasks."""
        per_sample = torch.where(counts > 0, weights / counts, 0.0)
        return per_sample * factor if self._plain else per_sample * factor / self.scale.to(per_sample)

    def commit(self, after: Knowledge, weights: Tensor, valid: Tensor) -> None:
        """Remember; in place, so that addresses stay."""
        if self._moves:
            self.state.copy_(after.state)
        self.means.copy_(after.means)
        self.masses.copy_(after.masses)
        self.steps.add_(valid)
        share = valid / self.steps.clamp(min=1)
        self.average_weights.add_(((weights - self.average_weights) * share).to(self.average_weights.dtype))

    # ---- moving, saving ----

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Adversary:
        """Move, never cast; after a stay on the meta device, begin anew."""
        was_meta = self.steps.is_meta

        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        super()._apply(move, recurse)  # type: ignore[no-untyped-call]
        if was_meta and not self.steps.is_meta:
            self.reset()
            self.fixed.copy_(self._fixed())
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
