"""What a family of ops gives the benchmark: a module of this package with a list `CASES`.

A case is one op at one size, with everyone who can do it. Its functions run in this order, and only the last is measured::

    inputs = case.make(seed, device)            # tensors by name
    run = case.contenders[name](inputs)         # may convert, import, compile; ImportError: not installed; NotImplementedError: cannot
    outputs = run()                             # a tensor, or a tuple or dict of them, in the order of case.reference(inputs)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

Inputs = dict[str, Any]
Run = Callable[[], Any]
Factory = Callable[[Inputs], Run]

FAMILIES = ("simplex", "reduce", "response", "cross_entropy", "linear_cross_entropy", "masked_mse")
PLACES = ("cpu", "cuda", "interpreter")  # interpreter: kernels emulated on the host, for sizes of a few programs
OURS, FLOOR, FASTEST = "ours", "floor", "fastest peer"


class Target(NamedTuple):
    """To reach: time of `rival` / time of `ours` at least `ratio`. The rival is a contender, or `FASTEST`."""

    ratio: float
    rival: str = FASTEST
    ours: str = OURS


@dataclass(frozen=True)
class Case:
    """One op at one size.

    Attributes
    ----------
    name : str
        Unique: the op and its size, as in "project_simplex 256x1024".
    make : callable
        ``make(seed, device)`` gives the inputs by name; the same numbers on every device.
    contenders : dict
        Factories by name; None for one that cannot run here. Names that start with "ours" are ours, "ours" itself is the op as users call it. Names
        that start with "floor" are no peers but what cannot be undercut, such as the matrix products alone. All others are peers.
    reference : callable or None
        ``reference(inputs)``: the true outputs in float64. None where that takes too long: then nothing is said about errors.
    on : tuple of str
        Where the case is measured: "cpu", "cuda", "interpreter".
    shape : dict
        Sizes, dtype and kind of data, for the report. "dtype" names the matrix products that `flops` counts.
    bytes_moved, flops : float
        What the op cannot do without: each input read once, each output written once; the operations of its matrix products.
    targets : tuple of Target
        What is to be reached.
    quick : bool
        Part of ``--quick``. What is emulated always is; where a family marks none, its first case is.
    replays : int
        How often a GPU repeats the op in the stress test: ten thousand where blocks hand results to each other.
    """

    name: str
    make: Callable[[int, torch.device], Inputs]
    contenders: Mapping[str, Factory | None]
    reference: Callable[[Inputs], Any] | None
    on: tuple[str, ...] = ("cpu", "cuda")
    shape: Mapping[str, Any] = field(default_factory=dict)
    bytes_moved: float = 0.0
    flops: float = 0.0
    targets: tuple[Target, ...] = ()
    quick: bool = False
    replays: int = 100

    def prepare(self, name: str, inputs: Inputs) -> Run:
        """The call of a contender, ready to be measured."""
        factory = self.contenders[name]
        if factory is None:
            raise ImportError("not installed")
        return factory(inputs)

    def floor(self, ceilings: Mapping[str, float]) -> float | None:
        """Seconds that the op takes at the measured ceilings of the device; None where the case does not say what it moves."""
        product = ceilings.get(f"matmul {self.shape.get('dtype', 'float32')}")
        seconds = [self.bytes_moved / ceilings["copy"]] + ([self.flops / product] if product else [])
        return max(seconds) or None


def is_peer(name: str) -> bool:
    """Whether a contender is neither ours nor a floor."""
    return not name.startswith((OURS, FLOOR))


def load(families: Iterable[str] = FAMILIES) -> dict[str, list[Case]]:
    """The cases of each family; a name with a dot is that of any module with `CASES`.

    Raises
    ------
    ValueError
        For a family that is not there, and for a name that two cases share.
    """
    found, names = {}, set()
    for family in families:
        if family not in FAMILIES and "." not in family:
            raise ValueError(f"There is no family {family!r}. Families: {', '.join(FAMILIES)}.")
        module = family if "." in family else f"{__package__}.{family}"
        found[family] = list(importlib.import_module(module).CASES)
        for case in found[family]:
            if case.name in names:
                raise ValueError(f"Two cases are called {case.name!r}.")
            names.add(case.name)
    return found


def chosen(families: Iterable[str], place: str, quick: bool) -> list[tuple[str, Case]]:
    """Family and case of all that is measured at `place`."""
    found = []
    for family, cases in load(families).items():
        there = [case for case in cases if place in case.on]
        if quick and place != "interpreter":
            there = [case for case in there if case.quick] or there[:1]
        found += [(family, case) for case in there]
    return found


def find(family: str, name: str) -> Case:
    """The case of that name."""
    return next(case for case in load([family])[family] if case.name == name)
