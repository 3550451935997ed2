"""The row operations of a linear layer's cross entropy, at a number of classes that 8 does not divide, plain and with all options."""

from __future__ import annotations

import triton.language as tl

from minimax_kernels.linear_cross_entropy import triton_kernels as kernels

from . import Compilation

PLAIN = {"HAS_BIAS": False, "SMOOTHING": 0.0, "Z_LOSS": 0.0, "SOFTCAP": 0.0}
ALL = {"HAS_BIAS": True, "SMOOTHING": 0.1, "Z_LOSS": 1e-4, "SOFTCAP": 30.0}


def row_operation(dtype: str, options: dict[str, object], gradient: bool | None) -> Compilation:
    """Losses, with or without the gradient; the gradient alone for None."""
    double = dtype == "*fp64"
    wide = "*fp64" if double else "*fp32"
    pointers = {"tile": dtype, "bias": wide, "labels": "*i64", "losses": wide, "lses": wide}
    constants = {
        "N_CLASSES": 50257,
        "WIDTH": 50304,
        "BLOCK": 1024 if double else 4096,
        "WIDE": tl.float64 if double else tl.float32,
        **options,
    }
    if not options["HAS_BIAS"]:
        del pointers["bias"]
        constants["bias"] = None
    if gradient is None:
        del pointers["losses"]
    else:
        constants["GRADIENT"] = gradient
    return Compilation(
        f"{'gradients' if gradient is None else f'losses, gradient {gradient}'} {dtype} {'all' if options is ALL else 'plain'}",
        kernels.row_gradients if gradient is None else kernels.row_losses,
        {**pointers, "stride": "i32:16"},
        constants,
        num_warps=4 if double else 16,
        expects=("vector loads",) if gradient is False else ("vector loads", "vector stores"),
    )


COMPILATIONS = [
    row_operation(dtype, options, gradient)
    for dtype in ("*bf16", "*fp32", "*fp64")
    for options in ((PLAIN,) if dtype == "*fp64" else (PLAIN, ALL))
    for gradient in (True, False, None)
]
