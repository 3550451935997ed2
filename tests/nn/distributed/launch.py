"""Run all cases on some ranks (gloo) and write what they found: ``python -m nn.distributed.launch WORLD_SIZE FOLDER``."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import sys
import time
import traceback
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
from nn.distributed import behaviour, gradients


def work(rank, world, folder):
    """Every case in the same order on every rank; the first exception ends the rank."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=datetime.timedelta(seconds=60))
    found = {}
    try:
        for name, case in (gradients.cases(world) | behaviour.cases(world, folder)).items():
            start = time.perf_counter()
            found[name] = case() | {"seconds": time.perf_counter() - start}
    except BaseException:
        found[name] = {"exception": traceback.format_exc()}
        raise
    finally:
        (folder / f"rank{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def main(world, folder):
    context = multiprocessing.get_context("fork")  # torch is loaded once
    processes = [context.Process(target=work, args=(rank, world, folder)) for rank in range(world)]
    for process in processes:
        process.start()
    while any(p.is_alive() for p in processes):
        time.sleep(0.05)
        if any(p.exitcode not in (None, 0) for p in processes):
            for p in processes:
                p.terminate()
    for process in processes:
        process.join()
    sys.exit(any(p.exitcode for p in processes))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
