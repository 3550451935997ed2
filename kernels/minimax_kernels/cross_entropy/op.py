"""Cross-entropy of each sample and its mean over each task."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from minimax_kernels import arguments
from minimax_kernels.backend import Backend
from minimax_kernels.cross_entropy import composed
from minimax_kernels.cross_entropy.inplace import InPlace, check_overwritable
from minimax_kernels.cross_entropy.rows import Rows, cross_entropy
from minimax_kernels.reduce import task_reduce
from minimax_kernels.results import TaskLosses
from minimax_kernels.samples import LEFT_OUT
from minimax_kernels.transforms import transforming


def task_cross_entropy(
    logits: Tensor,
    target: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    ignore_index: int = arguments.IGNORED,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    inplace_backward: bool = False,
    backend: Backend = "auto",
) -> TaskLosses:
    r"""Cross-entropy of each sample, and its mean over the samples of each task.

    With :math:`z = x`, or :math:`z = c \tanh(x / c)` for a `softcap` c, and :math:`\mathrm{lse} = \log \sum_v e^{z_v}`,

    .. math:: \ell_i = \mathrm{lse}_i - (1 - \epsilon) z_{i y_i} - \frac{\epsilon}{V} \sum_v z_{iv} + \zeta\, \mathrm{lse}_i^2, \qquad
              L_k = \frac{1}{n_k} \sum_{i : t_i = k} \ell_i

    and, whatever gradient :math:`g_k` and :math:`h_i` come back for :math:`L_k` and :math:`\ell_i`, with :math:`w_i = g_{t_i} / n_{t_i} + h_i`,

    .. math:: \frac{\partial}{\partial x_{iv}} = w_i \left((1 + 2 \zeta\, \mathrm{lse}_i) p_{iv} - (1 - \epsilon) 1_{v = y_i}
              - \frac{\epsilon}{V}\right) \left(1 - \frac{z_{iv}^2}{c^2}\right), \qquad p_{iv} = e^{z_{iv} - \mathrm{lse}_i}

    Parameters
    ----------
    logits : Tensor, shape (..., V), floating
        x. Differentiable, twice. Rows of any distance in memory are used where they are; more involved slices are copied.
    target : Tensor, shape (...), int64 or int32
        y, the class of each sample.
    task_ids : Tensor, int64 or int32
        t, of the shape of `target` or one that expands to it: (B, 1) gives each sequence of a batch (B, T) one task.
    n_tasks : int
        K.
    ignore_index : int
        A sample whose target or task id is this one is left out: its loss is 0, it counts in no task, its logits may be nan.
    label_smoothing, z_loss : float
        :math:`\epsilon` in [0, 1] and :math:`\zeta \ge 0`.
    softcap : float, optional
        c > 0.
    inplace_backward : bool
        Write the gradient over the logits, which then are lost: the largest two tensors of a model become one. The logits must be
        what a model computed, not a leaf, with rows at one distance. If another function of the graph needs them after this one's
        backward, autograd raises; a variable of yours that holds them, it cannot see. Differentiable once. Without effect where no
        gradient is asked for, under torch.compile, and inside of torch.func.
    backend : {"auto", "triton", "torch", "native"}
        See :mod:`minimax_kernels.backend`.

    Returns
    -------
    task_losses : Tensor, shape (K,)
        Means; 0 for a task without samples. float32, float64 for float64 logits, as are `sample_losses`. Summed in float64.
    task_counts : Tensor, shape (K,), int64
        Samples that were not left out.
    sample_losses : Tensor, shape (...)
        Differentiable as well as the means, together or alone.

    Raises
    ------
    ValueError, TypeError
        When an argument has a wrong shape, dtype or value. A target or task id out of range raises on a CPU, and elsewhere if
        ``MINIMAX_OPT_DEBUG=1``; otherwise it counts as ignored.

    Notes
    -----
    Saved for backward: the logits and 24 bytes a row. The logits are read once forward and once backward; on CUDA samples that
    are left out are not read at all, and those whose weight :math:`w_i` is 0 not again. Same input, same bits. Predicting the next
    token, shift the targets, with the last one ignored, rather than cut the logits: ``logits[:, :-1]`` is copied.

    Examples
    --------
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 2.0]], requires_grad=True)
    >>> losses = task_cross_entropy(logits, torch.tensor([0, 1, -100]), torch.tensor([0, 1, 1]), n_tasks=2)
    >>> losses.task_losses.detach(), losses.task_counts
    (tensor([0.1269, 0.6931]), tensor([1, 1]))
    """
    arguments.check_floating("logits", logits, 1)
    arguments.check_tasks(n_tasks)
    n_classes, shape = logits.shape[-1], logits.shape[:-1]
    if n_classes == 0:
        raise ValueError(f"`logits` must have at least one class, got shape {tuple(logits.shape)}.")
    label_smoothing = arguments.check_number("label_smoothing", label_smoothing, most=1.0)
    z_loss = arguments.check_number("z_loss", z_loss)
    cap = 0.0 if softcap is None else arguments.check_number("softcap", softcap, open_below=True)
    target = arguments.check_ids("target", target, shape, logits.device)
    task_ids = arguments.check_ids("task_ids", task_ids, shape, logits.device)
    rows = logits.reshape(-1, n_classes)
    target, task_ids = target.reshape(-1).contiguous(), task_ids.reshape(-1).contiguous()

    if transforming():
        tasks = composed.tasks_of_rows(target, task_ids, n_classes, n_tasks, ignore_index)
        losses, largest, log_sums = composed.row_losses(rows, target, tasks, label_smoothing, cap)
    else:
        arguments.check_range("target", target, n_classes, ignore_index, "V")
        arguments.check_range("task_ids", task_ids, n_tasks, ignore_index, "n_tasks")
        rows = rows if rows.stride(-1) == 1 else rows.contiguous()
        overwrite = inplace_backward and torch.is_grad_enabled() and logits.requires_grad and not torch.compiler.is_compiling()
        if overwrite:
            check_overwritable(logits, rows)
        settings = (n_tasks, ignore_index, label_smoothing, cap, backend)
        run: Callable[..., Rows] = InPlace.apply if overwrite else cross_entropy
        losses, largest, log_sums, tasks = run(rows, target, task_ids, *settings)
    if z_loss > 0.0:
        losses = losses + z_loss * (largest + log_sums).square()
    _, counts, means, _ = task_reduce(losses, tasks, n_tasks, ignore_index=LEFT_OUT, backend=backend)
    return TaskLosses(means, counts, losses.reshape(shape))


__all__ = ["task_cross_entropy"]
