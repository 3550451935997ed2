"""mirror_step: one step of mirror ascent on the log-weights of the tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.arguments import check_floating, check_number
from minimax_kernels.backend import Backend, resolve
from minimax_kernels.direct import direct
from minimax_kernels.response import composed, native
from minimax_kernels.response.op import OFFERS, checked_prior
from minimax_kernels.samples import cast
from minimax_kernels.transforms import transforming


def mirror_step(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    *,
    prior: Tensor | None = None,
    forgetting: float = 0.0,
    floor: float = 0.0,
    present: Tensor | None = None,
    backend: Backend = "auto",
) -> Tensor:
    r"""One step of mirror ascent of the adversary, entropic, on log-weights.

    The tasks that are present play among themselves for the weight that they hold, :math:`m = \sum_{k \in P} w_k`:

    .. math:: z_k \propto w_k^{1 - \phi} \, q_k^{\phi} \, e^{\eta f_k}, \qquad
        w_k' = m \, \big( (1 - e) \, z_k + e \, q_k / \textstyle\sum_{j \in P} q_j \big) \quad (k \in P), \qquad \sum_{k \in P} z_k = 1

    with the step size :math:`\eta`, the forgetting :math:`\phi` and the floor e. Absent tasks keep their share, :math:`w_k' = w_k`, and their
    losses are not read. With all present it is the response with the anchor w and the smoothing :math:`1 / \eta`, mixed with the prior.

    Parameters
    ----------
    log_weights : Tensor, shape (..., K), float32 or float64
        Need not be normalised: w is their exponential over its sum.
    losses : Tensor, shape (..., K), floating
        Expanded to the shape of the log-weights.
    step_size : float
        At least 0, in the inverse unit of the losses.
    prior : Tensor, shape (K,), optional
        Nonnegative; it is divided by its sum. Default uniform.
    forgetting : float
        From 0 to 1, how far to go back to the prior before the step. With 1 the step starts at the prior.
    floor : float
        From 0 to below 1: no present task falls below this part of its prior share. It is the fixed share of Herbster and Warmuth (1998), and
        brings back tasks of weight 0.
    present : Tensor of bool, shape (..., K), optional
        Default: all.
    backend : {"auto", "triton", "native", "torch"}

    Returns
    -------
    Tensor, shape (..., K)
        The new log-weights, normalised, in the dtype of the old ones. Differentiable in log_weights and losses. A weight of 0 is -inf. Where
        the present tasks hold no weight, or all their losses are -inf, nothing moves but by the floor. A present loss of nan or +inf gives nan.

    Raises
    ------
    ValueError, TypeError
        For arguments out of range or of the wrong kind.

    Examples
    --------
    >>> log_weights = torch.tensor([0.25, 0.25, 0.5]).log()
    >>> mirror_step(log_weights, torch.tensor([0.0, 1.0, 7.0]), 1.0, present=torch.tensor([True, True, False])).exp()
    tensor([0.1345, 0.3655, 0.5000])
    """
    check_floating("log_weights", log_weights, least_dimensions=1)
    check_floating("losses", losses)
    if log_weights.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"`log_weights` must be float32 or float64, got {log_weights.dtype}. Keep them in float32 whatever the model is in."
        )
    numbers = (
        check_number("step_size", step_size),
        check_number("forgetting", forgetting, most=1.0),
        check_number("floor", floor, most=1.0 - 2.0**-24),
    )
    q = checked_prior(prior, log_weights)
    f = cast(_expanded("losses", losses, log_weights), log_weights.dtype)
    there = None if present is None else _expanded("present", present, log_weights)
    if there is not None and there.dtype != torch.bool:
        raise TypeError(f"`present` must be a tensor of bool, got {there.dtype}. Compare the counts: `counts > 0`.")
    arguments = log_weights, f, numbers[0], q, numbers[1], numbers[2], there
    if transforming() or (torch.is_grad_enabled() and (log_weights.requires_grad or losses.requires_grad)):
        return composed.mirror_step(*arguments)
    new: Tensor = direct(_mirror_step, log_weights, f)(*arguments, backend)
    return new


def _expanded(name: str, tensor: Tensor, like: Tensor) -> Tensor:
    if tensor.shape == like.shape:
        return tensor
    try:
        return tensor.expand(like.shape)
    except RuntimeError as error:
        raise ValueError(
            f"`{name}` must have the shape {tuple(like.shape)} of `log_weights` or one that expands to it, got {tuple(tensor.shape)}."
        ) from error


@torch.library.custom_op("minimax_opt::mirror_step", mutates_args=())
def _mirror_step(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    prior: Tensor | None,
    forgetting: float,
    floor: float,
    present: Tensor | None,
    backend: str,
) -> Tensor:
    runs = resolve(backend, log_weights, OFFERS)
    if runs == "triton":
        from minimax_kernels.response import triton_launch

        return triton_launch.mirror_step(log_weights, losses, step_size, prior, forgetting, floor, present)
    if runs == "native":
        return native.mirror_step(log_weights, losses, step_size, prior, forgetting, floor, present)
    return composed.mirror_step(log_weights, losses, step_size, prior, forgetting, floor, present)


@_mirror_step.register_fake
def _(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    prior: Tensor | None,
    forgetting: float,
    floor: float,
    present: Tensor | None,
    backend: str,
) -> Tensor:
    return log_weights.new_empty(log_weights.shape)


__all__ = ["mirror_step"]
