"""The one operation: respond() and its value for any ambiguity set, with what all sets share.

Shared are the doors for NumPy and torch, the shift by the maximum, losses of -inf, the floor, and the gradient of the value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from minimax_opt.arrays import Array, space_of

if TYPE_CHECKING:
    from minimax_opt.ambiguity.base import AmbiguitySet, Geometry


class _Response(NamedTuple):
    top: Tensor  # the largest loss, shape (..., 1)
    shifted: Tensor  # losses - top
    prior: Tensor
    anchor: Tensor
    base: Tensor  # the maximiser over the base set


def respond(ambiguity: AmbiguitySet, losses: Array, smoothing: float, geometry: Geometry, anchor: Array | None) -> Array:
    """See :func:`minimax_opt.ambiguity.respond`."""
    ambiguity.check_pair(smoothing, geometry)
    f = _tensor(losses, "losses")
    r = _base_response(ambiguity, f, smoothing, geometry, anchor)
    weights = r.base if ambiguity.floor == 0.0 else (1.0 - ambiguity.floor) * r.base + ambiguity.floor * r.prior
    return _like(losses, weights)


def respond_given_prior(ambiguity: AmbiguitySet, losses: Tensor, prior: Tensor, smoothing: float, geometry: Geometry) -> Tensor:
    """The response for a prior on the device, in place of the uniform one of `ambiguity`: what training needs, step by step.

    Parameters
    ----------
    ambiguity : AmbiguitySet
        Without a prior of its own; smoothing and geometry such that its `check_pair` accepts them.
    losses, prior : Tensor, shape (..., K)
        Floating, float32 at least. The prior, which is also the anchor, is >= 0 and adds up to 1, or is 0 altogether. Tasks of prior 0 are not
        there: their weights are 0, and the response is that of the set of weights on the others.
    """
    there = prior > 0
    q = torch.where(there.any(-1, keepdim=True), prior, 1.0 / prior.shape[-1])
    q = q.clamp(min=torch.finfo(q.dtype).tiny)  # finite logarithms and quotients, at weights that are 0 all the same
    r = _respond_from(ambiguity, torch.where(there, losses, -math.inf), q, 0.0, smoothing, geometry, q)
    return torch.where(there, (1.0 - ambiguity.floor) * r.base + ambiguity.floor * prior, 0.0)


def worst_case(ambiguity: AmbiguitySet, losses: Array, smoothing: float, geometry: Geometry, anchor: Array | None) -> Array:
    """See :func:`minimax_opt.ambiguity.worst_case`."""
    ambiguity.check_pair(smoothing, geometry)
    f = _tensor(losses, "losses")
    floor = ambiguity.floor
    r = _base_response(ambiguity, f, smoothing, geometry, anchor)
    weights = r.base if floor == 0.0 else (1.0 - floor) * r.base + floor * r.prior
    with torch.no_grad():
        value = _charge(weights, r.shifted)
        if smoothing > 0.0:
            value = value - (1.0 - floor) * smoothing * _divergence(r.base, r.anchor, geometry)
        value = value + r.top.squeeze(-1)
    return _like(losses, _Envelope.apply(f, weights, value))  # type: ignore[no-untyped-call]


def _base_response(
    ambiguity: AmbiguitySet, losses: Tensor, smoothing: float, geometry: Geometry, anchor: Array | None
) -> _Response:
    wide = losses.float() if losses.dtype in (torch.float16, torch.bfloat16) else losses
    prior = ambiguity.prior_tensor(wide.shape[-1], wide.dtype, wide.device)
    start = prior if anchor is None else _checked_anchor(anchor, wide)
    return _respond_from(ambiguity, wide, prior, ambiguity._least_prior(wide.shape[-1]), smoothing, geometry, start)


def _respond_from(
    ambiguity: AmbiguitySet, wide: Tensor, prior: Tensor, least: float, smoothing: float, geometry: Geometry, start: Tensor
) -> _Response:
    """The parts of the response; `least` as for `_respond_in_base`."""
    maximum = wide.detach().amax(-1, keepdim=True)
    top = torch.where(maximum > -math.inf, maximum, 0.0)
    shifted = wide - top
    solvable, anchored = _avoidable(ambiguity, shifted, prior, start, geometry if smoothing > 0.0 else "euclidean")
    base = ambiguity._respond_in_base(solvable, prior, least, smoothing, geometry, anchored)
    base = torch.where(maximum < math.inf, base, math.nan)  # also for a maximum of nan
    return _Response(top, shifted, prior, start, base)


def _avoidable(
    ambiguity: AmbiguitySet, losses: Tensor, prior: Tensor, anchor: Tensor, geometry: Geometry
) -> tuple[Tensor, Tensor]:
    """Losses and anchor with -inf only where the set can avoid it.

    Where it cannot, the value is -inf whatever the weights are; the losses become 0 and, in place of -inf, -1, so that the
    weights on those are as small as the set allows (without smoothing).
    """
    present = losses > -math.inf
    if geometry == "entropic":
        present = present & (anchor > 0)
    mass = torch.where(present, prior, 0.0).sum(-1, keepdim=True)
    least = ambiguity._least_support - 8.0 * torch.finfo(losses.dtype).eps
    hopeless = ~present.all(-1, keepdim=True) & ((mass < least) | (mass <= 0))
    replaced = torch.where(present | (mass <= 0), 0.0, -1.0).to(losses.dtype)
    return torch.where(hopeless, replaced, losses), torch.where(hopeless, prior, anchor)


def _charge(weights: Tensor, losses: Tensor) -> Tensor:
    """<w, f> with 0 * -inf = 0."""
    return torch.where(weights == 0, 0.0, weights * losses).sum(-1)


def _divergence(weights: Tensor, anchor: Tensor, geometry: Geometry) -> Tensor:
    """D(w, anchor), with all digits also where w is close to the anchor: there log(w/a) = log1p((w - a)/a)."""
    if geometry == "euclidean":
        return (weights - anchor).square().sum(-1) / 2
    step = weights - anchor
    ratio = weights / anchor
    log_ratio = torch.where(ratio > 0.5, (step / anchor).log1p(), ratio.log())
    return (torch.where(weights > 0, weights * log_ratio, 0.0) - step).sum(-1)


class _Envelope(torch.autograd.Function):
    """The value with its exact gradient, the weights (Danskin), which bring their own graph for a second derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(losses: Tensor, weights: Tensor, value: Tensor) -> Tensor:
        return value.to(losses.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])
        ctx.dtype = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weights,) = ctx.saved_tensors
        return (grads[0].unsqueeze(-1) * weights).to(ctx.dtype), None, None


def _tensor(a: Array, name: str) -> Tensor:
    """A floating tensor; NumPy input without a copy where possible, and checked, since that costs no synchronisation."""
    if isinstance(a, Tensor):
        tensor = a if a.dtype.is_floating_point else a.to(torch.get_default_dtype())
    else:
        array = np.asarray(a, dtype=space_of(a).dtype)
        if not (array < math.inf).all():  # false for nan as well
            raise ValueError(f"`{name}` must not hold nan or +inf. -inf is allowed: such a task gets weight 0.")
        tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    if tensor.ndim == 0 or tensor.shape[-1] == 0:
        raise ValueError(f"`{name}` must hold at least one task along the last dimension, got shape {tuple(tensor.shape)}.")
    return tensor


def _checked_anchor(anchor: Array, losses: Tensor) -> Tensor:
    tensor = _tensor(anchor, "anchor")
    if tensor.shape[-1] != losses.shape[-1]:
        raise ValueError(
            f"`anchor` must have {losses.shape[-1]} weights along the last dimension, got shape {tuple(tensor.shape)}."
        )
    if not isinstance(anchor, Tensor) and not (bool((tensor >= 0).all()) and bool(((tensor.sum(-1) - 1).abs() <= 1e-4).all())):
        raise ValueError("`anchor` must hold weights >= 0 that add up to 1. Divide it by its sum.")
    return tensor.to(dtype=losses.dtype, device=losses.device)


def _like(given: Array, result: Tensor) -> Array:
    """`result` in the kind and floating dtype of what was given."""
    if isinstance(given, Tensor):
        return result.to(given.dtype) if given.dtype.is_floating_point else result
    return result.detach().numpy() if result.ndim else result.numpy()[()]


__all__ = ["respond", "respond_given_prior", "worst_case"]
