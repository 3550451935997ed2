"""What the device can do at most, as measured: bytes copied and operations of matrix products per second."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.kernels.measure import clock_of, interleave

ROUNDS = 7
COPIED = {"cpu": 64 * 2**20, "cuda": 2**30}  # bytes read; as many are written
SIDE = {"cpu": 1024, "cuda": 8192}
DTYPES = {"cpu": (torch.float32,), "cuda": (torch.bfloat16, torch.float16, torch.float32)}


def ceilings(device: torch.device, rounds: int = ROUNDS) -> dict[str, float]:
    """Bytes per second of a copy ("copy": read and written), operations per second of products ("matmul bfloat16", ...), on random numbers."""
    source = torch.randn(COPIED[device.type] // 4, device=device)
    target = torch.empty_like(source)
    runs: dict[str, Any] = {"copy": lambda: target.copy_(source)}
    work = {"copy": 2.0 * COPIED[device.type]}
    side = SIDE[device.type]
    for dtype in DTYPES[device.type]:
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        name = f"matmul {str(dtype).removeprefix('torch.')}"
        runs[name] = lambda left=left, right=right: left @ right
        work[name] = 2.0 * side**3
    for run in runs.values():
        run()
    seconds = interleave(runs, clock_of(device), rounds)
    return {name: work[name] / float(np.median(seconds[name])) for name in runs}
