"""The ops beside their peers, in one run: ``python -m benchmarks.kernels.compare [--families NAME ...] [--quick] [--seed S] [--output FILE]``.

On a CPU: CPU seconds of one thread. On a GPU: seconds between events on the device, with a cold cache. Contenders take turns; a row has medians and
quartiles, ratios of paired readings, the error against float64, bitwise repeatability, and the memory at its peak.

With --output the row of each case is saved when it is done, and the same command continues where it stopped.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.machine import processor, versions
from benchmarks.common.measure import one_thread
from benchmarks.common.store import Store
from benchmarks.kernels.ceilings import ceilings
from benchmarks.kernels.suite import FAMILIES, PLACES, Case, chosen
from benchmarks.kernels.trial import Plan, measured

VERSIONS = (
    "minimax_opt",
    "torch",
    "triton",
    "numpy",
    "numba",
    "entmax",
    "POT",
    "jax",
    "jaxopt",
    "optax",
    "liger-kernel",
    "cut-cross-entropy",
)
ROUNDS = {"cpu": 7, "cuda": 50, "interpreter": 1}


def settings(plan: Plan, quick: bool) -> dict[str, Any]:
    """What the rows of a file share."""
    return {
        "seed": plan.seed,
        "rounds": plan.rounds,
        "budget": plan.budget,
        "quick": quick,
        "place": plan.place,
        "device": torch.cuda.get_device_name() if plan.place == "cuda" else processor(),
        "python": platform.python_version(),
        "versions": versions(VERSIONS),
    }


def run_cases(store: Store, cases: list[tuple[str, Case]], plan: Plan) -> None:
    """Measure the ceilings and the cases that the store lacks, or that failed; print all."""
    if "rates" not in store.rows("ceilings"):
        store.put("ceilings", "rates", ceilings(plan.device))
    for family, case in cases:
        if "contenders" not in store.rows("cases").get(case.name, {}):
            try:
                row = measured(family, case, plan)
            except Exception as error:  # our own failure is a result too
                row = {"family": family, "failure": f"{type(error).__name__}: {error}"[:500]}
            row["floor"] = case.floor(store.rows("ceilings")["rates"])
            store.put("cases", case.name, row)
        print(line(case.name, store.rows("cases")[case.name]), flush=True)


def line(name: str, row: dict[str, Any]) -> str:
    """One case for the terminal."""
    from benchmarks.kernels.report import fastest, share

    if "failure" in row:
        return f"{name:<44}FAILED: {row['failure']}"
    ours, peer = row["contenders"]["ours"], fastest(row)
    rival = "no peer" if peer is None else f"{row['contenders'][peer]['ratio']['median']:6.2f} x, {peer}"
    part = share(row)
    mark = "" if ours["repeatable"] is not False else "  NOT REPEATABLE"
    return f"{name:<44}{1e3 * ours['seconds']['median']:10.4f} ms {'' if part is None else f'{part:5.0%}':>6}  {rival}{mark}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that the commands of this benchmark share."""
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), help=f"of {', '.join(FAMILIES)}; or modules with CASES")
    parser.add_argument("--quick", action="store_true", help="the small cases only")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument(
        "--rounds", type=int, help="readings of each; by default " + ", ".join(f"{n} ({p})" for p, n in ROUNDS.items())
    )
    parser.add_argument("--budget", type=float, default=10.0, help="seconds after which a contender sits out at a case")


def plan_of(arguments: argparse.Namespace, place: str) -> Plan:
    """What the options say."""
    return Plan(place, arguments.seed, arguments.rounds or ROUNDS[place], arguments.budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--device", choices=PLACES, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--output", type=Path, help="JSON file that the rows are saved to and continued from")
    arguments = parser.parse_args()
    one_thread()
    plan = plan_of(arguments, arguments.device)
    store = Store(arguments.output, settings(plan, arguments.quick))
    run_cases(store, chosen(arguments.families, plan.place, arguments.quick), plan)


if __name__ == "__main__":
    main()
