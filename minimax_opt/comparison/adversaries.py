"""Ambiguity sets by name: ``simplex``, ``cvar:0.1``, ``kl:0.5``, ``chi-square:0.5``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import Any

import numpy as np

import minimax_opt as mo
from minimax_opt.arrays import Host

FORMS = "simplex, cvar:TAIL_FRACTION, kl:RADIUS or chi-square:RADIUS"


@dataclass(frozen=True)
class Adversary:
    """An ambiguity set that does not know its tasks yet.

    Attributes
    ----------
    kind : {"simplex", "cvar", "kl", "chi-square"}
    size : float
        Tail fraction or radius; nan for the simplex.
    floor : float
        e in [0, 1): the adversary's mixture is 1 - e of its own choice and e of the data's (of even shares, for CVaR).
    """

    kind: str
    size: float
    floor: float = 0.0

    def __str__(self) -> str:
        """The name that :func:`parse_adversary` reads."""
        return self.kind if isnan(self.size) else f"{self.kind}:{self.size:g}"

    def ambiguity(self, centre: Host) -> Any:
        """The ambiguity set over ``len(centre)`` tasks; the balls lie round `centre`, the others treat all tasks alike."""
        if self.kind == "simplex":
            return mo.Simplex(prior=centre.tolist(), floor=self.floor) if self.floor else mo.Simplex()
        if self.kind == "cvar":
            return mo.CVaR(self.size, floor=self.floor)
        return (mo.KLBall if self.kind == "kl" else mo.ChiSquareBall)(self.size, prior=centre.tolist(), floor=self.floor)

    def floor_weights(self, centre: Host) -> Host:
        """The mixture that the floor keeps, shape (K,)."""
        return np.full(len(centre), 1.0 / len(centre)) if self.kind == "cvar" else centre

    def sentence(self, singular: str, plural: str) -> str:
        """What the adversary may choose, in words."""
        if self.floor:
            kept = "even shares" if self.kind == "cvar" else "the data's own mixture"
            return f"{replace(self, floor=0.0).sentence(singular, plural)}, {100 * self.floor:g} % of it kept at {kept}"
        if self.kind == "simplex":
            return f"any mixture of the {plural}"
        if self.kind == "cvar":
            cap = f"{1 / self.size:.4g} times an even share (CVaR, tail fraction {self.size:g})"
            return f"any mixture in which no {singular} has more than {cap}"
        ball = "a KL divergence of {:g} nats" if self.kind == "kl" else "a chi-square divergence of {:g}"
        return f"any mixture of the {plural} within {ball.format(self.size)} of the data's own mixture"

    def worst(self, singular: str, plural: str) -> str:
        """What the worst-case value is called."""
        if self.kind == "simplex":
            return f"worst {singular}"
        return f"worst {100 * self.size:.3g} % of {plural}" if self.kind == "cvar" else f"worst mix of {plural}"


def parse_adversary(text: str) -> Adversary:
    """The adversary of this name.

    Parameters
    ----------
    text : str
        ``"simplex"``, ``"cvar:0.1"`` (tail fraction), ``"kl:0.5"`` or ``"chi-square:0.5"`` (radius). A ball of infinite radius is the
        simplex, and is called so.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> parse_adversary("cvar:0.1").worst("state", "states")
    'worst 10 % of states'
    """
    kind, colon, number = text.partition(":")
    if kind not in ("simplex", "cvar", "kl", "chi-square") or bool(colon) == (kind == "simplex"):
        raise ValueError(f"An ambiguity set is {FORMS}, got {text!r}.")
    try:
        adversary = Adversary(kind, float(number or "nan"))
    except ValueError:
        raise ValueError(f"{number!r} in {text!r} is not a number. An ambiguity set is {FORMS}.") from None
    adversary.ambiguity(np.ones(1))  # let the set itself judge its size, before any data is read
    return Adversary("simplex", nan) if adversary.size == inf else adversary
