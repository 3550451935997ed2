"""Several experiments at once, each in a new process with one BLAS thread, so that no result depends on what ran before or beside it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, cast

from minimax_opt.reproduce.experiment import Experiment
from minimax_opt.reproduce.run import Job, Outcome, perform

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
PATIENCE = 2.0  # seconds that an interrupted process has to remove its unfinished files


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_experiments(
    experiments: Sequence[Experiment],
    job: Job,
    done: Callable[[Outcome], None],
    processes: int,
    announce: Callable[[list[str]], None] = lambda names: None,
) -> None:
    """Run the experiments.

    Parameters
    ----------
    experiments : sequence of Experiment
        Their functions live at the top of a module: a new process finds them by name.
    job : Job
    done : callable
        Called with each :class:`~minimax_opt.reproduce.run.Outcome` the moment that it is there.
    processes : int
        How many run at once; 0: one after another in this process, with its threads (for debugging and tests).
    announce : callable
        Called with the names of those that run.

    Notes
    -----
    A process that dies is an outcome with an error. Ctrl-C ends the processes and goes on as KeyboardInterrupt; results that were
    saved stay. They also end where this process is killed.
    """
    if processes == 0:
        for experiment in experiments:
            announce([experiment.name])
            done(perform(experiment, job))
        return
    waiting = deque(experiments)
    running: dict[Connection, tuple[Experiment, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                connection, process = _start(waiting[0], job)
                running[connection] = waiting.popleft(), process
            announce([experiment.name for experiment, _ in running.values()])
            for ready in wait(list(running)):
                connection = cast("Connection", ready)
                done(_collect(connection, *running[connection]))
                del running[connection]
    finally:
        _end([process for _, process in running.values()])


def _start(experiment: Experiment, job: Job) -> tuple[Connection, SpawnProcess]:
    context = multiprocessing.get_context("spawn")  # fork is unsafe once torch has threads
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, experiment, job), daemon=True)
    with _environment(), _deaf_to_ctrl_c():
        process.start()
    sender.close()  # else the end of the process would not show as the end of the pipe
    return receiver, process


def _work(connection: Connection, experiment: Experiment, job: Job) -> None:
    """What a new process does."""
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
    connection.send(perform(experiment, job))


def _leave(*_: Any) -> None:
    raise SystemExit(1)  # runs what stands in `finally`: no half-written file stays


def _follow_parent() -> None:
    """End this process when its parent is gone: one that is killed cannot end it, and a new run would meet it at work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _collect(connection: Connection, experiment: Experiment, process: SpawnProcess) -> Outcome:
    try:
        outcome: Outcome = connection.recv()
    except (EOFError, OSError):  # before it sent anything, or in the midst
        process.join()
        error = f"its process ended with exit code {process.exitcode}, before it could say why"
        outcome = Outcome(experiment.name, experiment.title, error=error)
    process.join()
    connection.close()
    return outcome


def _end(processes: Sequence[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        process.kill()
        process.join()


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """One thread for the BLAS of processes that start meanwhile; it reads the environment when it is loaded."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that start meanwhile ignore Ctrl-C, which a terminal sends to all of them: the first process decides."""
    if threading.current_thread() is not threading.main_thread():  # only there signals can be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
