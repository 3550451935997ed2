"""Row operations on a tile of logits (rows, V), in place, on CUDA: the formulas of rows.py.

The tile is a buffer of our own: its rows start at multiples of 128 bytes and are padded to a multiple of 64 numbers, so that loads and
stores are vectors of 16 bytes for every V. The padding holds 0; it is read and written with the rest. Arithmetic is in float32, in float64 for
float64. One program owns a row: nothing is shared, and nothing depends on the order in which programs run.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from minimax_kernels import triton_tools
from minimax_kernels.linear_cross_entropy.rows import Options
from minimax_kernels.triton_kernels import soft_cap

LOG2_E = tl.constexpr(triton_tools.LOG2_E)
LN_2 = tl.constexpr(triton_tools.LN_2)


@triton.jit
def logits(tile, bias, column, N_CLASSES: tl.constexpr, width, HAS_BIAS: tl.constexpr, SOFTCAP: tl.constexpr, WIDE: tl.constexpr):
    """The logits of these columns of a row, after bias and softcap, -inf outside of the classes; and the derivative of the softcap."""
    z = tl.load(tile + column, mask=column < width, other=0.0).to(WIDE)
    inside = column < N_CLASSES
    if HAS_BIAS:
        z += tl.load(bias + column, mask=inside, other=0.0).to(WIDE)
    slope = tl.full(z.shape, 1.0, WIDE)
    if SOFTCAP > 0:
        z = soft_cap(z, SOFTCAP)
        slope = (1.0 - z / SOFTCAP) * (1.0 + z / SOFTCAP)
    return tl.where(inside, z, float("-inf")), slope


@triton.jit
def derivative(
    z, slope, column, label, lse, N_CLASSES: tl.constexpr, SMOOTHING: tl.constexpr, Z_LOSS: tl.constexpr, SOFTCAP: tl.constexpr
):  # fmt: skip
    """G. The 1 at the label is subtracted before anything is rounded to the dtype of the tile."""
    g = tl.exp2((z - lse) * LOG2_E)
    if Z_LOSS > 0:
        g *= 1.0 + 2.0 * Z_LOSS * lse
    g = tl.where(column == label, g - (1.0 - SMOOTHING), g)
    if SMOOTHING > 0:
        g -= SMOOTHING / N_CLASSES
    if SOFTCAP > 0:
        g *= slope
    return tl.where(column < N_CLASSES, g, 0.0)


@triton.jit
def row_losses(
    tile, bias, labels, losses, lses, stride, N_CLASSES: tl.constexpr, WIDTH: tl.constexpr, HAS_BIAS: tl.constexpr,
    SMOOTHING: tl.constexpr, Z_LOSS: tl.constexpr, SOFTCAP: tl.constexpr, GRADIENT: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (rows,). One read of the row; with GRADIENT a second, which the cache serves where it holds the rows in flight, and a write.

    Each lane keeps the largest and the sum of its own columns; they meet once, at the end of the row.
    """
    row = tl.program_id(0).to(tl.int64)
    tile += row * stride
    label = tl.load(labels + row)
    lanes = tl.arange(0, BLOCK)
    if label >= 0:
        tops = tl.full([BLOCK], float("-inf"), WIDE)
        sums = tl.zeros([BLOCK], WIDE)
        picked = tl.zeros([BLOCK], WIDE)
        everything = tl.zeros([BLOCK], WIDE)
        for start in range(0, WIDTH, BLOCK):
            column = start + lanes
            z, _ = logits(tile, bias, column, N_CLASSES, WIDTH, HAS_BIAS, SOFTCAP, WIDE)
            raised = tl.maximum(tops, z)
            base = tl.where(raised == float("-inf"), 0.0, raised)
            sums = sums * tl.exp2((tops - base) * LOG2_E) + tl.exp2((z - base) * LOG2_E)
            tops = raised
            picked += tl.where(column == label, z, 0.0)
            if SMOOTHING > 0:
                everything += tl.where(column < N_CLASSES, z, 0.0)
        top = tl.max(tops, axis=0)
        base = tl.where(top == float("-inf"), 0.0, top)
        log_sum = tl.log2(tl.sum(sums * tl.exp2((tops - base) * LOG2_E), axis=0)) * LN_2
        lse = base + log_sum
        loss = log_sum + (base - (1.0 - SMOOTHING) * tl.sum(picked, axis=0)) + Z_LOSS * lse * lse
        if SMOOTHING > 0:
            loss -= SMOOTHING * (tl.sum(everything, axis=0) / N_CLASSES)
        tl.store(losses + row, loss)
        tl.store(lses + row, lse)
        if GRADIENT:
            for start in range(0, WIDTH, BLOCK):
                column = start + lanes
                z, slope = logits(tile, bias, column, N_CLASSES, WIDTH, HAS_BIAS, SOFTCAP, WIDE)
                g = derivative(z, slope, column, label, lse, N_CLASSES, SMOOTHING, Z_LOSS, SOFTCAP)
                tl.store(tile + column, g.to(tile.dtype.element_ty), mask=column < WIDTH)
    else:
        tl.store(losses + row, 0.0)
        tl.store(lses + row, 0.0)
        if GRADIENT:
            for start in range(0, WIDTH, BLOCK):
                tl.store(tile + start + lanes, tl.zeros([BLOCK], tile.dtype.element_ty), mask=start + lanes < WIDTH)


@triton.jit
def row_gradients(
    tile, bias, labels, lses, stride, N_CLASSES: tl.constexpr, WIDTH: tl.constexpr, HAS_BIAS: tl.constexpr,
    SMOOTHING: tl.constexpr, Z_LOSS: tl.constexpr, SOFTCAP: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (rows, ceil(WIDTH / BLOCK)). One read and one write; a row that does not count is only written."""
    row = tl.program_id(0).to(tl.int64)
    tile += row * stride
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    label = tl.load(labels + row)
    lse = tl.load(lses + row)
    read = tl.where(label >= 0, WIDTH, 0)
    z, slope = logits(tile, bias, column, N_CLASSES, read, HAS_BIAS, SOFTCAP, WIDE)
    g = derivative(z, slope, column, label, lse, N_CLASSES, SMOOTHING, Z_LOSS, SOFTCAP)
    tl.store(tile + column, tl.where(label >= 0, g, 0.0).to(tile.dtype.element_ty), mask=column < WIDTH)


def losses(
    tile: Tensor, bias: Tensor | None, labels: Tensor, losses: Tensor, lse: Tensor, options: Options, gradient: bool
) -> None:
    """Write `losses` and `lse` of the rows; the tile becomes G if `gradient`, else it is scratch. A label below 0: loss 0, G 0."""
    constants = _constants(tile, bias, options)
    with triton_tools.device_of(tile):
        row_losses[(len(tile),)](tile, bias, labels, losses, lse, tile.stride(0), GRADIENT=gradient, **constants)


def gradients(tile: Tensor, bias: Tensor | None, labels: Tensor, lse: Tensor, options: Options) -> None:
    """The tile becomes G; the rows' `lse` is known. A label below 0: G 0."""
    constants = _constants(tile, bias, options)
    with triton_tools.device_of(tile):
        grid = (len(tile), triton_tools.cdiv(constants["WIDTH"], constants["BLOCK"]))
        row_gradients[grid](tile, bias, labels, lse, tile.stride(0), **constants)


def _constants(tile: Tensor, bias: Tensor | None, options: Options) -> dict[str, Any]:
    """What the kernels are compiled for. A thread has 8 numbers of a block, and at most 512 threads share one: more registers spill."""
    double = tile.dtype == torch.float64
    block = triton_tools.power_of_two(tile.shape[1], 64, 1024 if double else 4096)
    return {
        "N_CLASSES": tile.shape[1],
        "WIDTH": tile.stride(0),
        "HAS_BIAS": bias is not None,
        "SMOOTHING": options.label_smoothing,
        "Z_LOSS": options.z_loss,
        "SOFTCAP": options.softcap,
        "BLOCK": block,
        "WIDE": tl.float64 if double else tl.float32,
        "num_warps": max(block // 256, 1),
    }


__all__ = ["gradients", "losses", "row_gradients", "row_losses"]
