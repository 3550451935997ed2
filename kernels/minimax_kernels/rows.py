"""What the ops on rows share on a CPU where the C module is built: what C takes, and spans of rows for threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from torch import Tensor

SHARE = 1 << 20  # entries that are worth a thread: half a millisecond, ten times what it takes to start one


def over_rows(run: Callable[..., object], rows: int, length: int, *arguments: object) -> None:
    """``run(start, stop, *arguments)`` on spans that cover the `rows` of so many entries, one for each of torch's threads if they pay.

    `run` must give up the lock of the interpreter. No thread outlives the call, so that a process may fork at any other time.
    """
    threads = min(torch.get_num_threads(), rows * length // SHARE, rows)
    if threads < 2:
        run(0, rows, *arguments)
        return
    cuts = [rows * k // threads for k in range(threads + 1)]
    (start, stop), *others = pairwise(cuts)
    with ThreadPoolExecutor(threads - 1) as pool:
        running = [pool.submit(run, *span, *arguments) for span in others]
        run(start, stop, *arguments)
        for other in running:
            other.result()


def runs_native(backend: str, *tensors: Tensor) -> bool:
    """Whether the C of rows.c takes these tensors: all float32 or all float64."""
    return backend == "native" and all(x.dtype == tensors[0].dtype for x in tensors) and tensors[0].itemsize >= 4


__all__ = ["over_rows", "runs_native"]
