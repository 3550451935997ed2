"""task_linear_cross_entropy: the public function, what it asks of its arguments, and which strategy it takes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED, check_floating, check_ids, check_number, check_range, check_tasks
from minimax_kernels.backend import Backend
from minimax_kernels.linear_cross_entropy import composed
from minimax_kernels.linear_cross_entropy.chunks import row_length
from minimax_kernels.linear_cross_entropy.registration import linear_cross_entropy
from minimax_kernels.linear_cross_entropy.registration_known import linear_cross_entropy_known
from minimax_kernels.reduce import task_reduce
from minimax_kernels.results import TaskLosses
from minimax_kernels.samples import LEFT_OUT, tasks_of, widened
from minimax_kernels.transforms import transforming

Strategy = Literal["auto", "known", "store", "recompute"]
STRATEGIES = ("auto", "known", "store", "recompute")
BUFFER_BYTES = 2 << 30  # fixed: a share of the free memory would make the same call round differently from day to day


def task_linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    bias: Tensor | None = None,
    ignore_index: int = IGNORED,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    task_weights: Tensor | None = None,
    strategy: Strategy = "auto",
    max_buffer_bytes: int | None = None,
    backend: Backend = "auto",
) -> TaskLosses:
    r"""Mean cross entropy of each task under a linear layer, without its logits in memory.

    With :math:`z_i = s \tanh((W x_i + b) / s)` (:math:`z_i = W x_i + b` without softcap), :math:`e` the label smoothing, :math:`c` the
    factor of the z-loss and :math:`n_k` the number of samples of task k that count,

    .. math::
        \ell_i = \mathrm{lse}_i - (1 - e) z_{i y_i} - \frac{e}{V} \sum_v z_{iv} + c\, \mathrm{lse}_i^2, \qquad
        \mathrm{lse}_i = \log \sum_v e^{z_{iv}}, \qquad L_k = \frac{1}{n_k} \sum_{i : t_i = k} \ell_i

    Backward, with :math:`r_i = \partial / \partial \ell_i`, from the losses of samples and of tasks together:

    .. math::
        G_{iv} = \left[(1 + 2 c\, \mathrm{lse}_i)\, e^{z_{iv} - \mathrm{lse}_i} - (1 - e) 1_{v = y_i} - \frac{e}{V}\right]
        \left(1 - z_{iv}^2 / s^2\right), \qquad dX = r \odot (G W), \quad dW = G^\top (r \odot X), \quad db = G^\top r

    All strategies are exact; they trade memory for matrix multiplications of the size N x H x V, one of which is the forward pass:

    ============= ======= ============================== ======================================================
    strategy      matmuls memory beyond the gradients    upstream gradient
    ============= ======= ============================== ======================================================
    ``known``     3       one chunk of rows, d weight    that of ``c * (task_weights * task_losses).sum()``
    ``store``     3       N * V numbers                  any
    ``recompute`` 4       one chunk of rows              any
    ============= ======= ============================== ======================================================

    Samples that do not count, and in the backward those with r = 0, such as all samples of a task of weight 0, are left out of the
    matmuls on a CPU. On CUDA their number is not known without waiting for the device: they are computed, as zeros. What does not
    require a gradient costs nothing: with a frozen layer d hidden is finished in the forward pass, by two matmuls in all and for any
    upstream gradient, whatever the strategy; without gradients the losses take one.

    Parameters
    ----------
    hidden : Tensor, shape (..., H), floating
        Input of the layer. The matmuls run in its dtype, on a CPU in float32 at least; under autocast in autocast's.
    weight : Tensor, shape (V, H)
        Of the dtype of `hidden`. Its gradient adds up in float32 at least.
    target : Tensor, shape (...), int64 or int32
        Class of each sample.
    task_ids : Tensor, int64 or int32
        Task of each sample, of the shape of `target` or one that expands to it.
    n_tasks : int
        K.
    bias : Tensor, shape (V,), optional
    ignore_index : int
        Samples with this target or task id do not count: their loss is 0.
    label_smoothing : float
        From 0 to 1.
    z_loss : float
        At least 0.
    softcap : float, optional
        Positive. None is none.
    task_weights : Tensor, shape (K,), floating, optional
        Constants, for the strategy `known`. The gradient that comes from above must then be that of
        ``c * (task_weights * task_losses).sum()`` for a scalar c, such as a loss scale; any other raises a RuntimeError on a CPU (and
        with MINIMAX_OPT_DEBUG=1), and gives gradients of nan on CUDA, where to look would wait for the device.
    strategy : {"auto", "known", "store", "recompute"}
        "auto" is `known` where `task_weights` are given, else it stores as many rows as `max_buffer_bytes` hold and recomputes the rest.
    max_buffer_bytes : int, optional
        For "auto"; 2 GiB by default. 0 recomputes all.
    backend : {"auto", "triton", "torch", "native"}
        The row operations beside the matmuls: Triton's on CUDA; on a CPU those in C, but for a softcap plain torch.

    Returns
    -------
    TaskLosses
        ``task_losses`` (K,), 0 for a task without samples; ``task_counts`` (K,), int64; ``sample_losses``, of the shape of `target`. Losses
        in float32, for float64 input in float64. Both are differentiable, and with the strategies other than `known` twice, by way of
        all logits.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as above. An id or target out of range raises on a CPU and with MINIMAX_OPT_DEBUG=1; on CUDA such a
        sample does not count.

    Notes
    -----
    Deterministic: the same input gives the same bits, as far as the matrix multiplication does. Forward-mode derivatives and the
    transforms of torch.func take a path with all logits in memory.

    Examples
    --------
    >>> hidden, weight = torch.zeros(4, 8), torch.zeros(10, 8, requires_grad=True)
    >>> target, task_ids = torch.tensor([1, 2, -100, 3]), torch.tensor([0, 0, 1, 1])
    >>> losses = task_linear_cross_entropy(hidden, weight, target, task_ids, n_tasks=3)
    >>> losses.task_losses.detach()
    tensor([2.3026, 2.3026, 0.0000])
    >>> losses.task_counts
    tensor([2, 1, 0])
    """
    hidden, weight, bias = _layer(hidden, weight, bias)
    check_tasks(n_tasks)
    options = (
        check_number("label_smoothing", label_smoothing, most=1.0),
        check_number("z_loss", z_loss),
        0.0 if softcap is None else check_number("softcap", softcap, open_below=True),
    )
    _check_strategy(strategy, task_weights, n_tasks, max_buffer_bytes)
    if target.shape != hidden.shape[:-1]:
        raise ValueError(
            f"`target` must have shape {tuple(hidden.shape[:-1])}, that of `hidden` but H, got {tuple(target.shape)}."
        )
    target = check_ids("target", target, hidden.shape[:-1], hidden.device)
    task_ids = check_ids("task_ids", task_ids, target.shape, hidden.device)
    if not transforming():
        check_range("target", target, weight.shape[0], ignore_index, "weight.shape[0]")
        check_range("task_ids", task_ids, n_tasks, ignore_index, "n_tasks")
    rows, classes, ids = hidden.reshape(-1, hidden.shape[-1]), target.reshape(-1), task_ids.reshape(-1)
    kept = (classes != ignore_index) & (classes >= 0) & (classes < weight.shape[0])
    tasks = tasks_of(kept, ids, n_tasks, ignore_index)
    labels = torch.where(tasks >= 0, classes, -1).long()
    if transforming():
        with torch.autocast(hidden.device.type, enabled=False):
            losses = composed.sample_losses(rows, weight, bias, labels, *options)
    else:
        row_weights = None if task_weights is None else _row_weights(task_weights, tasks, widened(rows.dtype))
        losses = _dispatch(rows, weight, bias, labels, row_weights, strategy, max_buffer_bytes, options, backend)
    _, counts, means, _ = task_reduce(losses, tasks, n_tasks, ignore_index=LEFT_OUT, backend=backend)
    return TaskLosses(means, counts, losses.reshape(target.shape))


def _dispatch(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    row_weights: Tensor | None,
    strategy: Strategy,
    max_buffer_bytes: int | None,
    options: tuple[float, float, float],
    backend: str,
) -> Tensor:
    """The losses of the rows, by the op of the strategy."""
    needed = [torch.is_grad_enabled() and t is not None and t.requires_grad for t in (hidden, weight, bias)]
    losses: Tensor
    if any(needed) and (row_weights is not None or not any(needed[1:])):
        losses = linear_cross_entropy_known(hidden, weight, bias, labels, row_weights, *needed, *options, backend)[0]
    else:
        stored = 0
        if any(needed) and strategy != "recompute":
            number = hidden.dtype if hidden.is_cuda else widened(hidden.dtype)  # see chunks.matmul_dtype
            row_bytes = row_length(weight.shape[0]) * number.itemsize
            fitting = (BUFFER_BYTES if max_buffer_bytes is None else max_buffer_bytes) // row_bytes
            stored = hidden.shape[0] if strategy == "store" else min(hidden.shape[0], fitting)
        losses = linear_cross_entropy(hidden, weight, bias, labels, stored, *options, backend)[0]
    return losses


def _layer(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """The three in one dtype: autocast's where that is on, else their own."""
    check_floating("hidden", hidden, 1)
    check_floating("weight", weight, 2)
    if weight.ndim != 2 or weight.shape[1] != hidden.shape[-1] or weight.shape[0] == 0:
        raise ValueError(f"`weight` must have shape (V, {hidden.shape[-1]}) with V >= 1, got {tuple(weight.shape)}.")
    if bias is not None:
        check_floating("bias", bias, 1)
        if bias.shape != weight.shape[:1]:
            raise ValueError(f"`bias` must have shape ({weight.shape[0]},), got {tuple(bias.shape)}.")
    kind = hidden.device.type
    if torch.is_autocast_enabled(kind) and hidden.dtype != torch.float64:
        dtype = torch.get_autocast_dtype(kind)
        hidden, weight, bias = hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        if tensor.dtype != hidden.dtype:
            raise TypeError(
                f"`{name}` must have the dtype of `hidden`, {hidden.dtype}, got {tensor.dtype}. Convert it, or use autocast."
            )
        if tensor.device != hidden.device:
            raise ValueError(f"`{name}` must be on {hidden.device}, got {tensor.device}. Move it by `.to(device)`.")
    return hidden, weight, bias


def _check_strategy(strategy: Strategy, task_weights: Tensor | None, n_tasks: int, max_buffer_bytes: int | None) -> None:
    if strategy not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {', '.join(map(repr, STRATEGIES))}, got {strategy!r}.")
    if (strategy == "known" and task_weights is None) or (strategy in ("store", "recompute") and task_weights is not None):
        verb = "needs" if task_weights is None else "takes no"
        raise ValueError(f'`strategy="{strategy}"` {verb} `task_weights`. Give both, or leave `strategy` at "auto".')
    if task_weights is not None:
        check_floating("task_weights", task_weights)
        if task_weights.shape != (n_tasks,):
            raise ValueError(f"`task_weights` must have shape ({n_tasks},), got {tuple(task_weights.shape)}.")
    if max_buffer_bytes is not None:
        if isinstance(max_buffer_bytes, bool) or not isinstance(max_buffer_bytes, int):
            raise TypeError(f"`max_buffer_bytes` must be an int, got {type(max_buffer_bytes).__name__}.")
        if max_buffer_bytes < 0 or strategy != "auto":
            raise ValueError(
                f'`max_buffer_bytes` must be >= 0 and goes with `strategy="auto"`, got {max_buffer_bytes}, "{strategy}".'
            )


def _row_weights(task_weights: Tensor, tasks: Tensor, dtype: torch.dtype) -> Tensor:
    """The weight of each row in sum_k task_weights_k L_k; 0 where it counts nowhere."""
    slots = torch.where(tasks >= 0, tasks, len(task_weights))
    counts = torch.zeros(len(task_weights) + 1, dtype=torch.int64, device=tasks.device)
    counts = counts.scatter_add(0, slots, torch.ones_like(slots))
    shares = torch.cat([task_weights.detach().double(), torch.zeros_like(counts[:1], dtype=torch.float64)]) / counts.clamp(min=1)
    return shares[slots].to(dtype)


__all__ = ["task_linear_cross_entropy"]
