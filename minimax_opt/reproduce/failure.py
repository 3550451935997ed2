"""Where minimax pre-training fails: raw losses of tasks with different noise; and its cure, excess losses (C6)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.figures.theory_switch import draw_failure
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.theory.downstream import least_squares_samples
from minimax_opt.theory.rare_task import RareTask
from minimax_opt.theory.relaxation import minimax_representation
from minimax_opt.theory.representation import average_representation

FAMILY = RareTask(common=1.5, frequent=0.6, hard=1.0, hard_share=0.05)
HARD_NOISE, DIMENSION = 0.5, 10
EXCESS = 0.8  # allowed downstream
ERRORS = (0.0, 0.1, 0.2)  # of the reference loss of the frequent tasks


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Minimax over raw and over excess losses while the frequent tasks' noise grows."""
    tasks = FAMILY.task_vectors(DIMENSION)
    alone = np.array(
        [average_representation([task], 2).residuals[0] for task in tasks]
    )  # what the best model of each alone leaves
    differences = np.linspace(0.0, 1.4, 15 if quick else 57).tolist()
    rows = []
    for difference in differences:
        noise = np.array([HARD_NOISE**2 + difference] * 2 + [HARD_NOISE**2] * 2)
        raw = minimax_representation(tasks, 2, offsets=noise, n_starts=4, seed=seed)
        reference = alone + noise  # the loss of that model
        cured = minimax_representation(tasks, 2, offsets=noise - reference, n_starts=4, seed=seed)
        rows.append(
            {
                "difference": difference,
                "raw": float(raw.residuals[2:].max()),
                "raw_frequent": float(raw.residuals[:2].max()),
                "weight_frequent": float(raw.weights[:2].sum()),
                "formula": FAMILY.raw_residuals(difference)[1],
                "excess": float(cured.residuals[2:].max()),
            }
        )
    need: Any = {"noise": HARD_NOISE, "rank": 2, "excess": EXCESS}
    fine = np.linspace(0.0, differences[-1], 200)
    samples = least_squares_samples(residual=FAMILY.raw_residuals(fine)[1], **need)
    wrong = [
        {
            "error": error,
            "hard": float(minimax_representation(tasks, 2, offsets=[error, error, 0.0, 0.0], seed=seed).residuals[2:].max()),
        }
        for error in ERRORS
    ]
    return {
        "t": FAMILY.minimax_residual,
        "hard": FAMILY.hard**2,
        "rows": rows,
        "wrong_reference": [{**row, "formula": FAMILY.raw_residuals(row["error"])[1]} for row in wrong],
        "excess_allowed": EXCESS,
        "fine": fine.tolist(),
        "samples_raw": [float(n) if np.isfinite(n) else None for n in samples],
        "samples_excess": least_squares_samples(residual=FAMILY.minimax_residual, **need),
    }


def claims(result: dict[str, Any]) -> list[Claim]:
    """C6."""
    rows, t = result["rows"], result["t"]
    off = max(abs(row["raw"] - row["formula"]) for row in rows)
    given_up = [row for row in rows if row["difference"] >= result["hard"]]
    cured = max(row["excess"] for row in rows)
    wrong = max(abs(row["hard"] - row["formula"]) for row in result["wrong_reference"])
    return [
        Claim(
            "(C6) over raw losses the rare task is left with gamma^2 (1 - x), x = (gamma^2 - Delta)_+/(beta^2 + gamma^2)",
            "difference 0",
            f"largest difference {off:.1e} over {len(rows)} noises",
            off < 1e-4,
        ),
        Claim(
            "(C6) with Delta >= gamma^2 the noisy frequent tasks take all weight, and the rare task gets no help",
            f"residual gamma^2 = {result['hard']:g}, weight 1 for Delta > gamma^2",
            f"{min(row['raw'] for row in given_up):.6f}; weight {min(row['weight_frequent'] for row in given_up[1:]):.6f}",
            all(row["raw"] > result["hard"] - 1e-4 for row in given_up)
            and all(row["weight_frequent"] > 1 - 1e-3 for row in given_up[1:]),
        ),
        Claim(
            "(C6) over excess losses every task is left with t, whatever the noise",
            f"t = {t:.6f}",
            f"at most {cured:.6f}",
            cured <= t * (1 + 2e-6),
        ),
        Claim(
            "(C6') a reference loss that is wrong by e leaves gamma^2 (beta^2 + e)/(beta^2 + gamma^2), at most t + e",
            ", ".join(f"{row['formula']:.4f}" for row in result["wrong_reference"]),
            ", ".join(f"{row['hard']:.4f}" for row in result["wrong_reference"]),
            wrong < 1e-4 and all(row["formula"] <= t + row["error"] for row in result["wrong_reference"]),
        ),
    ]


EXPERIMENT = Experiment(
    name="failure",
    title="Minimax over raw losses serves the noisiest task; over excess losses it does not",
    compute=compute,
    claims=claims,
    figures={"failure": draw_failure},
)

__all__ = ["EXPERIMENT"]
