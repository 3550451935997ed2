"""Which task average pre-training gives up, against how often the hard one occurs (C3, C5)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from minimax_opt.figures.theory_switch import draw_switch
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.theory.rare_task import RareTask
from minimax_opt.theory.relaxation import minimax_representation
from minimax_opt.theory.representation import average_representation

FAMILY = RareTask(common=1.5, frequent=0.6, hard=1.0, hard_share=0.05)
DIMENSION = 30


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Both kinds of pre-training for shares of the hard tasks from 0 to 1; nothing here is random but the directions."""
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((DIMENSION, DIMENSION)))[0]
    tasks = FAMILY.task_vectors(DIMENSION) @ rotation
    minimax = minimax_representation(tasks, 2, tol=1e-7, seed=seed)
    rows = []
    for share in np.linspace(0.0, 1.0, 41 if quick else 201).tolist():
        family = dataclasses.replace(FAMILY, hard_share=share)
        found = average_representation(tasks, 2, family.prior)
        row = {"share": share, "hard": float(found.residuals[2:].max()), "frequent": float(found.residuals[:2].max())}
        rows.append(
            {
                **row,
                "objective": float(family.prior @ found.residuals),
                "minimax_objective": float(family.prior @ minimax.residuals),
                "hard_formula": family.average_residuals[1],
                "objective_formula": family.average_objective,
            }
        )
    return {
        "switch": FAMILY.switch,
        "t": FAMILY.minimax_residual,
        "minimax_residuals": minimax.residuals.tolist(),
        "lower_bound": minimax.lower_bound,
        "adversary": float(minimax.weights[2:].sum()),
        "rows": rows,
    }


def claims(result: dict[str, Any]) -> list[Claim]:
    """C3 and C5."""
    rows, t = result["rows"], result["t"]
    apart = max(abs(row["hard"] - row["hard_formula"]) for row in rows if abs(row["share"] - result["switch"]) > 1e-9)
    off = max(abs(row["objective"] - row["objective_formula"]) for row in rows)
    largest = max(row["objective"] for row in rows)
    return [
        Claim(
            "(C3) average pre-training leaves gamma^2 of the hard task for p gamma^2 < (1 - p) beta^2 and nothing beyond",
            f"switch at p* = {result['switch']:.5f}; difference 0 at every other p",
            f"largest difference {apart:.1e} over {len(rows)} shares",
            apart < 1e-9,
        ),
        Claim(
            "(C3) minimax pre-training leaves t of each task, whatever p; its adversary puts p* on the hard pair",
            f"t = {t:.6f}, p* = {result['switch']:.4f}",
            f"[{result['lower_bound']:.6f}, {max(result['minimax_residuals']):.6f}], weight {result['adversary']:.4f}",
            result["lower_bound"] <= t * (1 + 1e-12)
            and max(result["minimax_residuals"]) <= t * (1 + 2e-7)
            and abs(result["adversary"] - result["switch"]) < 5e-3,
        ),
        Claim(
            "(C5) the least average residual is min(p gamma^2, (1 - p) beta^2), at most t: minimax pays the difference",
            f"at most {t:.6f}",
            f"largest {largest:.6f}, off the formula by {off:.1e}",
            off < 1e-9 and largest <= t * (1 + 1e-12),
        ),
    ]


EXPERIMENT = Experiment(
    name="switch",
    title="How rare a task must be for average pre-training to give it up",
    compute=compute,
    claims=claims,
    figures={"switch": draw_switch},
)

__all__ = ["EXPERIMENT"]
