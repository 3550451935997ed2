"""Time, memory, errors and repeatability of calls, on one thread of a CPU or on a GPU."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.kernels.suite import Run

WINDOW = 2e-3  # CPU seconds that one reading takes at least: short calls are repeated within it
FLUSH = 2**30  # bytes that are written before a reading on a GPU: more than its cache, and long enough for the host to run ahead


def fresh(run: Run) -> Run:
    """`run`, after what its last call overwrote is restored, where it overwrites its inputs: such a run has a method `restore`."""
    getattr(run, "restore", lambda: None)()
    return run


class CpuClock:
    """CPU seconds of a call: those of the whole process, so that a peer's threads count."""

    def __init__(self) -> None:
        self.calls: dict[Run, int] = {}

    def __call__(self, run: Run) -> float:
        if run not in self.calls:
            self._read(run, 1)  # others have had the cache: this call says little of those that follow
            seconds = self._read(run, 1)
            self.calls[run] = max(1, math.ceil(WINDOW / max(seconds, 1e-7)))
            if self.calls[run] == 1:
                return seconds
        return self._read(run, self.calls[run])

    @staticmethod
    def _read(run: Run, calls: int) -> float:
        started = time.process_time()
        for _ in range(calls):
            run()
        return (time.process_time() - started) / calls


class CudaClock:
    """Seconds of a call between two events on the device, with a cold cache. While the cache is flushed the host runs ahead."""

    def __init__(self) -> None:
        self.flush = torch.empty(FLUSH // 4, dtype=torch.int32, device="cuda")

    def __call__(self, run: Run) -> float:
        started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        fresh(run)
        self.flush.zero_()
        started.record()
        run()
        ended.record()
        ended.synchronize()
        return float(started.elapsed_time(ended)) * 1e-3


def clock_of(device: torch.device) -> CpuClock | CudaClock:
    """The clock of a device."""
    return CudaClock() if device.type == "cuda" else CpuClock()


def interleave(
    runs: Mapping[str, Run], clock: Callable[[Run], float], rounds: int, budget: float = math.inf
) -> dict[str, list[float]]:
    """Readings of each call, in rounds that start with a different one each; whoever has used up `budget` seconds sits out from then on.

    All have been called before: what they load and compile is not counted.
    """
    names, spent = list(runs), dict.fromkeys(runs, 0.0)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if spent[name] <= budget:
                started = time.perf_counter()
                seconds[name].append(clock(runs[name]))
                spent[name] += time.perf_counter() - started
    return seconds


def paired(ours: list[float], rival: list[float]) -> dict[str, Any]:
    """Quartiles of rival / ours over the rounds that both took part in."""
    count = min(len(ours), len(rival))
    low, middle, high = np.quantile(np.divide(rival[:count], ours[:count]), [0.25, 0.5, 0.75])
    return {"median": float(middle), "quartiles": [float(low), float(high)]}


def tensors(outputs: Any) -> list[Tensor]:
    """What a call returned, as a flat list of tensors; other libraries' arrays are converted."""
    if isinstance(outputs, Tensor):
        return [outputs.detach()]
    if isinstance(outputs, Mapping):
        outputs = tuple(outputs.values())
    if isinstance(outputs, tuple | list):
        return [tensor for output in outputs for tensor in tensors(output)]
    return [torch.from_numpy(np.array(outputs))]


def errors(outputs: Any, truth: Any) -> list[float]:
    """Of each output the largest deviation from the truth, relative to the largest true entry; inf where one is nan and the other is not."""
    return [_error(got, true) for got, true in zip(tensors(outputs), tensors(truth), strict=True)]


def _error(got: Tensor, true: Tensor) -> float:
    if got.shape != true.shape:
        raise ValueError(f"An output has shape {tuple(got.shape)}, the true one {tuple(true.shape)}.")
    if true.numel() == 0:
        return 0.0
    got, true = got.to(true.device, torch.float64), true.double()
    difference = torch.where(got == true, 0.0, (got - true).abs())  # equal infinities differ by nothing
    difference = torch.where(got.isnan() & true.isnan(), 0.0, difference)
    scale = torch.where(true.isfinite(), true.abs(), 0.0).max().clamp(min=torch.finfo(torch.float64).tiny)
    worst = float(difference.max() / scale)
    return math.inf if math.isnan(worst) else worst


def same_bits(first: Any, second: Any) -> bool:
    """Whether two calls returned the same, bit by bit."""
    pairs = zip(tensors(first), tensors(second), strict=True)
    return all(torch.equal(bits(one), bits(other)) for one, other in pairs)


def bits(tensor: Tensor) -> Tensor:
    """The bytes of a tensor."""
    return tensor.contiguous().flatten().view(torch.uint8)


def repeatable(run: Run, repeats: int = 20) -> bool:
    """Whether all of `repeats` calls return the same bits."""
    first = [tensor.clone() for tensor in tensors(fresh(run)())]
    return all(same_bits(first, fresh(run)()) for _ in range(repeats - 1))


def megabytes(outputs: Any) -> float:
    """The size of what a call returned."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(outputs)) / 2**20


def cuda_peak(run: Run) -> float:
    """Megabytes of GPU memory that a call takes at its peak, above what is held before it."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    outputs = run()
    torch.cuda.synchronize()
    del outputs
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def launches(run: Run) -> int:
    """Kernels, copies and fills that a call puts on the GPU."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        run()
        torch.cuda.synchronize()
    return sum(
        event.device_type == torch.autograd.DeviceType.CUDA and not getattr(event, "is_user_annotation", False)
        for event in profile.events()
    )


def synchronisations(run: Run) -> int:
    """How often torch makes the host wait for the GPU in a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            run()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(warning.message) for warning in caught)


def captured(run: Run) -> tuple[Run, Any]:
    """The call as a CUDA graph: a function that replays it, and the tensors that every replay writes."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = run()
    return graph.replay, outputs
