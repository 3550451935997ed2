"""Whether an op gives the same bits however its blocks are scheduled: replays of one CUDA graph on changing inputs, beside other work on the device.

The last block to arrive merges what the others wrote. If it ever reads before they have written, some replay differs. Outputs are overwritten with
rubbish before each replay, so that what a replay does not write is seen too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.kernels import measure
from benchmarks.kernels.suite import OURS, Case, Inputs, Run

INPUTS = 8  # different inputs
HELD = 4 * 2**30  # bytes of them at most
RUBBISH = 0xAB

Capture = Callable[[Run], tuple[Run, Any]]


def stressed(
    case: Case, contender: str, seed: int, device: torch.device, replays: int, capture: Capture | None = None
) -> dict[str, Any]:
    """How many of `replays` differ from the first one on their input, whether that is what a call outside of a graph gives, and its error."""
    started = time.perf_counter()
    static = case.make(seed, device)
    pool = _pool(case, static, seed, device)
    run = case.prepare(contender, static)
    eager = [_copies(_filled(static, inputs, run)) for inputs in pool]
    replay, outputs, obstacle = _replayed(run, capture or (measure.captured if device.type == "cuda" else None))

    def play(inputs: Inputs) -> list[Tensor]:
        if not obstacle:
            _spoil(outputs())
        _filled(static, inputs, replay)
        return outputs()

    answers = [_copies(play(inputs)) for inputs in pool]
    disturb, differing = _other_work(device), torch.zeros((), dtype=torch.int64, device=device)
    for turn in range(replays):
        if turn % 2:
            disturb()
        place = turn % len(pool)
        differing += _differs(play(pool[place]), answers[place])
    found = {"replays": replays, "inputs": len(pool), "differing": int(differing), "obstacle": obstacle}
    found["as_eager"] = all(measure.same_bits(one, other) for one, other in zip(eager, answers, strict=True))
    pairs = [] if case.reference is None else [(got, case.reference(inputs)) for got, inputs in zip(answers, pool, strict=True)]
    found["error"] = max((error for pair in pairs for error in measure.errors(*pair)), default=0.0)
    return found | {"seconds": time.perf_counter() - started}


def _pool(case: Case, like: Inputs, seed: int, device: torch.device) -> list[Inputs]:
    size = sum(entry.numel() * entry.element_size() for entry in like.values() if isinstance(entry, Tensor))
    return [case.make(seed + place, device) for place in range(max(2, min(INPUTS, HELD // max(size, 1))))]


def _filled(static: Inputs, inputs: Inputs, run: Run) -> Any:
    """Call `run` after the tensors that it reads have got the values of `inputs`."""
    with torch.no_grad():
        for name, entry in inputs.items():
            if isinstance(entry, Tensor):
                static[name].copy_(entry)
    return run()


def _copies(outputs: Any) -> list[Tensor]:
    return [tensor.clone() for tensor in measure.tensors(outputs)]


def _spoil(outputs: list[Tensor]) -> None:
    for tensor in outputs:
        if tensor.is_contiguous():
            tensor.view(-1).view(torch.uint8).fill_(RUBBISH)


def _replayed(run: Run, capture: Capture | None) -> tuple[Run, Callable[[], list[Tensor]], str]:
    """A function that repeats the call, one that gives its outputs, and why it is no graph, if it is none."""
    obstacle = "no GPU"
    if capture is not None:
        try:
            replay, kept = capture(run)
            return replay, lambda: measure.tensors(kept), ""
        except RuntimeError as error:
            obstacle = f"{error}"[:200]
    latest: list[Any] = []

    def again() -> None:
        latest[:] = [run()]

    return again, lambda: measure.tensors(latest), obstacle


def _other_work(device: torch.device) -> Run:
    """What keeps some of the multiprocessors busy on a stream of its own, so that blocks start late and out of order."""
    if device.type != "cuda":
        return lambda: None
    stream, numbers = torch.cuda.Stream(), torch.zeros(2**22, device=device)

    def disturb() -> None:
        with torch.cuda.stream(stream):
            numbers.add_(1.0)

    return disturb


def _differs(outputs: list[Tensor], answers: list[Tensor]) -> Tensor:
    """1 where any bit differs, without waiting for the device."""
    different = [(measure.bits(got) != measure.bits(true)).any() for got, true in zip(outputs, answers, strict=True)]
    return torch.stack(different).any()


def contenders(case: Case) -> list[str]:
    """Ours, in all variants."""
    return [name for name in case.contenders if name.startswith(OURS)]
