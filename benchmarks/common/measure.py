"""CPU time of one thread, and a process of its own for what may take too long or too much memory."""

from __future__ import annotations

import ctypes
import gc
import math
import multiprocessing
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

MEGABYTE = 2**20


def one_thread() -> None:
    """Hold every thread pool of the process at one thread, those loaded later too if the environment says so, as that of this package does."""
    from threadpoolctl import threadpool_limits  # an extra of the benchmarks

    threadpool_limits(limits=1)
    torch.set_num_threads(1)


def quiet() -> None:
    """Send what compiled libraries print (HiGHS its licence, whatever its options) nowhere; Python's own output stays."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def timed(function: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[float, Any]:
    """CPU seconds of a call, and its result."""
    started = time.process_time()
    outcome = function(*arguments, **named)
    return time.process_time() - started, outcome


def settle() -> None:
    """Collect garbage now, and keep the collector off what lives on: a pass over a modelling layer's objects would fall to whoever runs then."""
    gc.collect()
    gc.freeze()


def spread(seconds: list[float]) -> dict[str, Any]:
    """Median, minimum, quartiles and number of the runs."""
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return {"median": float(middle), "min": min(seconds), "quartiles": [float(low), float(high)], "runs": len(seconds)}


class Probe(NamedTuple):
    """What a call did in a process of its own: its result, or the name of what it raised; `megabytes` above the start of the call."""

    outcome: Any = None
    error: str | None = None
    megabytes: float | None = None


def probe(
    function: Callable[[], Any], prepare: Callable[[], Any] | None = None, budget: float = 60.0, start: str = "fork"
) -> Probe:
    """Call `function` in a process of its own that ends after `budget` CPU seconds, or ten times as long on the wall.

    `prepare` is called before in that process: what it allocates, libraries among it, does not count as memory of the call. The peak is the
    high-water mark of resident memory, set back just before the call. The process is forked, or fresh with ``start="spawn"``; then both functions
    must be picklable.
    """
    context = multiprocessing.get_context(start)
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(function, prepare, send, budget), daemon=True)
    child.start()
    send.close()
    try:
        return receive.recv() if receive.poll(10 * budget) else Probe(error="over budget")
    except EOFError:
        child.join()
        return Probe(error="over budget" if child.exitcode == -signal.SIGXCPU else "died")
    finally:
        receive.close()
        child.kill()
        child.join()


def _in_child(function: Callable[[], Any], prepare: Callable[[], Any] | None, send: Any, budget: float) -> None:
    gc.disable()  # a collection would touch, and so copy, every page of the parent's objects
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(budget), math.ceil(budget) + 5))
    try:
        if prepare is not None:
            prepare()
        before = _forget_peak()
        outcome = function()
        send.send(Probe(outcome, None, None if before is None else (_resident("VmHWM") - before) / MEGABYTE))
    except Exception as error:
        send.send(Probe(error=f"{type(error).__name__}: {error}"[:300]))


def _forget_peak() -> float | None:
    """Give freed memory back, set the high-water mark to what is resident now, and return it; None off Linux."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return _resident("VmRSS")
    except (OSError, AttributeError):
        return None


def _resident(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return float(found[1]) * 1024 if found else float("nan")
