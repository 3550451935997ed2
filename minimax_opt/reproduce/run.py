"""Run one experiment: compute or take what is saved, save, read again, judge, draw. What goes wrong is part of the outcome."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minimax_opt.checks import choice
from minimax_opt.comparison.files import write_atomically
from minimax_opt.figures.style import render
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.reproduce.store import StaleError, read_record, set_aside, write_record

INSTALL = 'pip install "minimax_opt[theory]"'
OPTIONAL = ("matplotlib", "cvxpy", "PEPit")


@dataclass(frozen=True)
class Job:
    """What is the same for all experiments of a run.

    Attributes
    ----------
    folder : Path
        Where the results and the figures go; it exists.
    origin : dict
        See :func:`minimax_opt.reproduce.store.origin`.
    fresh : bool
        Compute again what is saved already.
    figures : bool
        Draw.
    """

    folder: Path
    origin: Mapping[str, Any]
    fresh: bool = False
    figures: bool = True


@dataclass
class Outcome:
    """How one experiment went.

    Attributes
    ----------
    name : str
    title : str
    seconds : float or None
        That the computation took, in this run or in the one that saved it; None where there is no result.
    reused : bool
        Whether the result was there already.
    claims : list of Claim
    figures : dict of str to str
        PNG file in the folder by the figure's name; the PDF lies beside it.
    error : str
        What went wrong, the last line first; empty if nothing did.
    notes : list of str
        Sentences for the user.
    """

    name: str
    title: str
    seconds: float | None = None
    reused: bool = False
    claims: list[Claim] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    error: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> int:
        """How many claims hold."""
        return sum(bool(claim.holds) for claim in self.claims)

    @property
    def holds(self) -> bool:
        """Whether nothing went wrong and every claim holds."""
        return not self.error and self.held == len(self.claims)

    @property
    def verdict(self) -> str:
        """In words: "3 of 4 claims hold"."""
        count = f"{self.held} of {len(self.claims)} claims hold"
        return f"FAILED: {self.error.splitlines()[0]}" if self.error else count


def find_experiments(names: Sequence[str], experiments: Sequence[Experiment]) -> tuple[Experiment, ...]:
    """The experiments of these names, in the order of `experiments` and without repeats; all of them for no names.

    Raises
    ------
    ValueError
        For an unknown name; the message suggests the nearest known one and lists all.

    Examples
    --------
    >>> from minimax_opt.reproduce.experiment import Experiment
    >>> known = [Experiment(name, name, compute=dict, claims=list) for name in ("bias", "rates")]
    >>> [experiment.name for experiment in find_experiments(["rates", "bias", "rates"], known)]
    ['bias', 'rates']
    >>> find_experiments(["bios"], known)
    Traceback (most recent call last):
    ValueError: unknown experiment: 'bios'. Did you mean 'bias'? Known: 'bias', 'rates'.
    """
    known = [experiment.name for experiment in experiments]
    wanted = {choice("experiment", name, known) for name in names} or set(known)
    return tuple(experiment for experiment in experiments if experiment.name in wanted)


def result_path(folder: Path, experiment: Experiment) -> Path:
    """Where the result of `experiment` is saved."""
    return folder / f"{experiment.name}.json"


def perform(experiment: Experiment, job: Job) -> Outcome:
    """Run `experiment`; the claims and the figures are those of the file, not of what is in memory.

    Any exception becomes the outcome's ``error``: what was saved stays, and other experiments go on.
    """
    outcome = Outcome(experiment.name, experiment.title)
    try:
        result = _result(experiment, job, outcome)
        outcome.claims = list(experiment.claims(result))
        if job.figures:
            _draw(experiment, job.folder, result, outcome)
    except Exception as error:
        outcome.error = _text(error)
    return outcome


def _result(experiment: Experiment, job: Job, outcome: Outcome) -> dict[str, Any]:
    """The saved result; computed and saved first where it is missing, stale, or asked for anew."""
    path, stale = result_path(job.folder, experiment), ""
    try:
        record = read_record(path, experiment.name, job.origin)
        outcome.reused = not job.fresh
    except FileNotFoundError:
        pass
    except StaleError as error:
        stale = str(error)
    if not outcome.reused:
        start = time.perf_counter()
        result = experiment.compute(bool(job.origin["quick"]), int(job.origin["seed"]))
        seconds = time.perf_counter() - start
        if stale:
            outcome.notes.append(f"{path.name} {stale}: computed again, the old file is kept as {set_aside(path).name}.")
        write_record(path, experiment.name, job.origin, seconds, result)
        record = read_record(path, experiment.name, job.origin)
    outcome.seconds = float(record["seconds"])
    return dict(record["result"])


def _draw(experiment: Experiment, folder: Path, result: dict[str, Any], outcome: Outcome) -> None:
    """Write each figure as PNG and PDF; without matplotlib, note that."""
    for name, draw in experiment.figures.items():
        try:
            figure = draw(result)
        except ModuleNotFoundError as error:
            if error.name != "matplotlib":
                raise
            outcome.notes.append(f"No figures: matplotlib is not installed. Run: {INSTALL}")
            return
        images = {f"{name}.{form}": render(figure, form) for form in ("png", "pdf")}  # all before the first is replaced
        for file, image in images.items():
            write_atomically(folder / file, image)
        outcome.figures[name] = f"{name}.png"


def _text(error: Exception) -> str:
    """What happened, in one line, then where."""
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in OPTIONAL:
        line += f". Run: {INSTALL}"
    return f"{line}\n{''.join(traceback.format_exception(error)).rstrip()}"
