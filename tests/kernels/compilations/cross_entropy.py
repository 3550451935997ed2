"""Cross-entropy at vocabularies that no power of 2 divides, and at a small one that 16 divides."""

from __future__ import annotations

import torch

from compilations import Compilation
from minimax_kernels.cross_entropy import triton_kernels as kernels
from minimax_kernels.cross_entropy.triton_launch import long_shape, short_shape

VOCABULARIES = {torch.bfloat16: ("bf16", 30522), torch.float32: ("fp32", 50257)}
FORWARD = {"targets": "*i64", "task_ids": "*i64", "losses": "*fp32", "largest": "*fp32", "log_sums": "*fp32", "tasks": "*i64"}
BACKWARD = {
    "grad_losses": "*fp32",
    "grad_log_sums": "*fp32",
    "targets": "*i64",
    "tasks": "*i64",
    "largest": "*fp32",
    "log_sums": "*fp32",
}
OPTIONS = {"": {"SMOOTHING": 0.0, "SOFTCAP": 0.0}, " with smoothing and softcap": {"SMOOTHING": 0.1, "SOFTCAP": 30.0}}


def long_rows(dtype: torch.dtype, label: str) -> list[Compilation]:
    """One row a program, of a length that nothing divides."""
    name, v = VOCABULARIES[dtype]
    constants = {"N_CLASSES": v, **OPTIONS[label], **long_shape(dtype)}
    logits = {"logits": f"*{name}"}
    forward = {**logits, **FORWARD, "stride": "i32", "n_tasks": "i32", "ignore_index": "i32"}
    backward = {**logits, "grad": f"*{name}", **BACKWARD, "grad_stride": "i32", "stride": "i32"}
    return [
        Compilation(f"{name} forward, V = {v}{label}", kernels.long_forward, forward, constants, 8, ("vector loads",)),
        Compilation(
            f"{name} backward, V = {v}{label}",
            kernels.long_backward,
            backward,
            {**constants, "ALIKE": True},
            8,
            ("vector loads", "vector stores"),
        ),
    ]


def short_rows(dtype: torch.dtype, label: str) -> list[Compilation]:
    """Several rows a program."""
    name, v = VOCABULARIES[dtype][0], 1000
    sizes = {"n_rows": "i32", "n_classes": "i32"}
    constants = {**OPTIONS[label], **short_shape(v, dtype)}
    logits = {"logits": f"*{name}"}
    forward = {**logits, **FORWARD, "stride": "i32", **sizes, "n_tasks": "i32", "ignore_index": "i32"}
    backward = {**logits, "grad": f"*{name}", **BACKWARD, "grad_stride": "i32", "stride": "i32", **sizes}
    divided = {"stride": "i32:16", "n_classes": "i32:16"}
    return [
        Compilation(f"{name} short forward{label}", kernels.short_forward, forward, constants),
        Compilation(f"{name} short backward{label}", kernels.short_backward, backward, constants),
        Compilation(
            f"{name} short forward, 16 | V{label}", kernels.short_forward, forward | divided, constants, 4, ("vector loads",)
        ),
        Compilation(
            f"{name} short backward, 16 | V{label}",
            kernels.short_backward,
            backward | divided | {"grad_stride": "i32:16"},
            constants,
            4,
            ("vector loads", "vector stores"),
        ),
    ]


COMPILATIONS = [
    *(entry for dtype in VOCABULARIES for entry in long_rows(dtype, "")),
    *long_rows(torch.bfloat16, " with smoothing and softcap"),
    *short_rows(torch.bfloat16, " with smoothing and softcap"),
]
