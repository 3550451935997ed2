"""A training that saves after every step, and is killed: ``python -m nn.resumable FOLDER`` compares it with one that is not."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from nn.training_cases import N_TASKS, batch, network, sample_losses

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting

STEPS = 120


def train(folder, when):
    """From the last whole checkpoint to the end, two micro-batches a step."""
    net = network(dropout=0.1)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    criterion = MinimaxLoss(MirrorAscentWeighting(0.1, floor=1e-3), N_TASKS, when=when, ema=0.9)
    parts = {"net": net, "optimizer": optimizer, "criterion": criterion}
    file, first = folder / "checkpoint.pt", 0
    torch.manual_seed(7)
    if file.exists():
        saved = torch.load(file, weights_only=True)
        first = saved["step"]
        torch.set_rng_state(saved["rng"])
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    for step in range(first, STEPS):
        micro_batches = [batch(2 * step), batch(2 * step + 1)]

        def micro(data):
            x, y, ids = data
            return criterion.micro_loss(sample_losses(net, x, y), ids)

        optimizer.zero_grad()
        criterion.begin_step([ids for _, _, ids in micro_batches])
        if when == "two-pass":
            criterion.preview(micro, micro_batches)
        for data in micro_batches:
            micro(data).backward()
        criterion.end_step()
        optimizer.step()
        state = {name: part.state_dict() for name, part in parts.items()}
        partial = folder / "checkpoint.partial"
        torch.save(state | {"step": step + 1, "rng": torch.get_rng_state()}, partial)
        os.replace(partial, file)


def last(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def main(folder):
    context, draw = multiprocessing.get_context("fork"), random.Random(0)
    for when in ("lagged", "two-pass"):
        straight, interrupted = folder / f"{when} straight", folder / f"{when} interrupted"
        for place in (straight, interrupted):
            place.mkdir()
        victim = context.Process(target=train, args=(interrupted, when))
        victim.start()
        while not (interrupted / "checkpoint.pt").exists():
            time.sleep(0.001)
        time.sleep(draw.uniform(0.0, 0.1))
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        assert 0 < last(interrupted)["step"] < STEPS, "killed too late to test anything"
        whole = (interrupted / "checkpoint.pt").read_bytes()
        (interrupted / "checkpoint.partial").write_bytes(whole[: len(whole) // 2])  # where a save was under way
        for place in (straight, interrupted):
            process = context.Process(target=train, args=(place, when))
            process.start()
            process.join()
            assert process.exitcode == 0
        assert equal(last(straight), last(interrupted)), when
        assert int(last(straight)["criterion"]["adversary.steps"]) == STEPS


if __name__ == "__main__":
    main(Path(sys.argv[1]))
