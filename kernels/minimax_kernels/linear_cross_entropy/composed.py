"""The plain-torch path, every logit in memory: for forward-mode AD, torch.func and derivatives of higher order."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sample_losses(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, label_smoothing: float, z_loss: float, softcap: float
) -> Tensor:
    """The losses of the rows of `hidden` (N, H) as the custom op gives them, by differentiable operations of torch."""
    wide = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    logits = functional.linear(hidden.to(wide), weight.to(wide), None if bias is None else bias.to(wide))
    if softcap:
        logits = softcap * torch.tanh(logits / softcap)
    lse = logits.logsumexp(-1)
    picked = logits.gather(-1, labels.clamp(min=0)[:, None]).squeeze(-1)
    losses = lse - (1.0 - label_smoothing) * picked + z_loss * lse.square()
    if label_smoothing:
        losses = losses - label_smoothing * logits.mean(-1)
    return torch.where(labels >= 0, losses, 0.0)


__all__ = ["sample_losses"]
