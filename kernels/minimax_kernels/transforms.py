"""Whether a transform of torch.func or forward-mode AD is at work: custom ops have no hook for either, plain torch follows both."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad


def transforming() -> bool:
    """Whether the op must run as plain torch: inside of `torch.func` (vmap, grad, jvp, ...) or of a dual level of forward-mode AD."""
    return bool(torch._C._are_functorch_transforms_active()) or forward_ad._current_level >= 0


__all__ = ["transforming"]
