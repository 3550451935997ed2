"""Regression loss of each masked patch and its mean over each task."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from minimax_kernels import arguments
from minimax_kernels.backend import Backend
from minimax_kernels.masked_mse import composed
from minimax_kernels.masked_mse.patches import masked_mse
from minimax_kernels.reduce import task_reduce
from minimax_kernels.results import TaskLosses
from minimax_kernels.samples import LEFT_OUT, tasks_of
from minimax_kernels.transforms import transforming

Kind = Literal["l2", "l1", "smooth_l1"]
KINDS = ("l2", "l1", "smooth_l1")


def task_masked_mse(
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    kind: Kind = "l2",
    beta: float = 1.0,
    normalize_target: bool = False,
    ignore_index: int = arguments.IGNORED,
    backend: Backend = "auto",
) -> TaskLosses:
    r"""Regression loss of each masked patch, and its mean over the masked patches of each task.

    .. math:: \ell_i = \frac{1}{P} \sum_p \phi(x_{ip} - y_{ip}), \qquad L_k = \frac{1}{n_k} \sum_{i : m_i, t_i = k} \ell_i

    with :math:`\phi(d) = d^2` ("l2"), :math:`|d|` ("l1"), or :math:`d^2 / 2\beta` up to :math:`|d| = \beta` and :math:`|d| - \beta / 2`
    beyond ("smooth_l1"). With `normalize_target`, y is each patch of the target less its mean and over the root of its unbiased variance
    plus 1e-6. Whatever gradient :math:`g_k` and :math:`h_i` come back for :math:`L_k` and :math:`\ell_i`,

    .. math:: \frac{\partial}{\partial x_{ip}} = \frac{w_i}{P} \phi'(x_{ip} - y_{ip}), \qquad w_i = \frac{g_{t_i}}{n_{t_i}} + h_i

    for a masked patch, with :math:`\phi'(0) = 0`, and exactly 0 for another one.

    Parameters
    ----------
    pred, target : Tensor, shape (..., P), floating
        x and y, by patches. `pred` is differentiable, twice; so is `target`, unless it is normalised.
    mask : Tensor, bool
        m: True for the patches that were hidden from the model and are predicted. Of the shape of the patches (...) or one that
        expands to it. The other patches may hold nan; on CUDA they are not read.
    task_ids : Tensor, int64 or int32
        t, of the shape of the patches or one that expands to it: (B, 1) gives each sample of a batch (B, patches) one task,
        (patches,) gives each place one modality.
    n_tasks : int
        K.
    kind : {"l2", "l1", "smooth_l1"}
    beta : float
        Of "smooth_l1", > 0.
    normalize_target : bool
        Compare with normalised patches, which are constants: a target that requires grad is refused.
    ignore_index : int
        Patches of a task with this id are left out, as if they were not masked.
    backend : {"auto", "triton", "torch", "native"}
        See :mod:`minimax_kernels.backend`.

    Returns
    -------
    task_losses : Tensor, shape (K,)
        Means; 0 for a task without masked patches. float32, float64 for float64 `pred`, as are `sample_losses`. Summed in float64.
    task_counts : Tensor, shape (K,), int64
        Masked patches.
    sample_losses : Tensor, shape (...)
        The loss of each patch, 0 where it is not masked. Differentiable as well as the means, together or alone.

    Raises
    ------
    ValueError, TypeError
        When an argument has a wrong shape, dtype or value. A task id out of range raises on a CPU, and elsewhere if
        ``MINIMAX_OPT_DEBUG=1``; otherwise it counts as ignored.

    Notes
    -----
    Modalities with patches of different lengths: one call each, then one mean over their `sample_losses`. Same input, same bits.

    Examples
    --------
    >>> pred, target = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.zeros(2, 2)
    >>> losses = task_masked_mse(pred, target, torch.tensor([True, False]), torch.tensor([0, 0]), n_tasks=1)
    >>> losses.task_losses, losses.sample_losses
    (tensor([5.]), tensor([5., 0.]))
    """
    arguments.check_tasks(n_tasks)
    beta = arguments.check_number("beta", beta, open_below=True)
    _check(pred, target, mask, kind, normalize_target)
    length, shape = pred.shape[-1], pred.shape[:-1]
    task_ids = arguments.check_ids("task_ids", task_ids, shape, pred.device).reshape(-1).contiguous()
    masked = _expanded(mask, shape).reshape(-1).contiguous()
    x, y = pred.reshape(-1, length), target.reshape(-1, length)
    if transforming():
        tasks = tasks_of(masked, task_ids, n_tasks, ignore_index)
        losses = composed.patch_losses(x, y, tasks, kind, beta, normalize_target)
    else:
        arguments.check_range("task_ids", task_ids, n_tasks, ignore_index, "n_tasks")
        x, y = (side if side.stride(-1) == 1 else side.contiguous() for side in (x, y))
        settings = (n_tasks, ignore_index, kind, beta, normalize_target, backend)
        losses, tasks, _, _ = masked_mse(x, y, masked, task_ids, *settings)
    _, counts, means, _ = task_reduce(losses, tasks, n_tasks, ignore_index=LEFT_OUT, backend=backend)
    return TaskLosses(means, counts, losses.reshape(shape))


def _check(pred: Tensor, target: Tensor, mask: Tensor, kind: str, normalize: bool) -> None:
    arguments.check_floating("pred", pred, 1)
    arguments.check_floating("target", target, 1)
    if target.shape != pred.shape:
        raise ValueError(f"`target` must have the shape of `pred`, {tuple(pred.shape)}, got {tuple(target.shape)}.")
    if target.device != pred.device:
        raise ValueError(f"`target` must be on {pred.device}, got {target.device}. Move it by `.to(device)`.")
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise TypeError(
            f"`mask` must be a bool tensor, got {getattr(mask, 'dtype', type(mask).__name__)}. Convert it by `.bool()`."
        )
    if mask.device != pred.device:
        raise ValueError(f"`mask` must be on {pred.device}, got {mask.device}. Move it by `.to(device)`.")
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {', '.join(map(repr, KINDS))}, got {kind!r}.")
    least = 2 if normalize else 1
    if pred.shape[-1] < least:
        raise ValueError(f"Patches must have at least {least} entries, got shape {tuple(pred.shape)}.")
    if normalize and target.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            "`normalize_target` takes the target as a constant, got one that requires grad. Detach it by `.detach()`."
        )


def _expanded(mask: Tensor, shape: torch.Size) -> Tensor:
    try:
        return mask.expand(shape)
    except RuntimeError as error:
        raise ValueError(f"`mask` must have shape {tuple(shape)} or one that expands to it, got {tuple(mask.shape)}.") from error


__all__ = ["Kind", "task_masked_mse"]
