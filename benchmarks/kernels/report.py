"""The report of runs: ``python -m benchmarks.kernels.report [FILE.json ...]``, one file a device.

Prints the Markdown page and writes it beside the first file: summary, targets, where we lose, every case, every contender.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.common.statistics import geometric_mean
from benchmarks.common.store import load
from benchmarks.kernels.suite import FASTEST, is_peer
from benchmarks.kernels.trial import REPEATS

WRONG = 1e-2  # a peer with a larger error, and ten times ours, does not do what the case asks
HOW = {
    "cpu": """\
CPU seconds of one thread of the whole process. Memory: the peak of resident memory of a call in a fresh process, after one call before it, above what
was there when it began, its outputs among it.""",
    "cuda": """\
Seconds between two events on the device, with a cold cache. Memory: the peak that torch's allocator gave out in a call, its outputs among it. In a
graph: the same call captured and replayed. Waits: synchronisations of the host that torch reports.""",
    "interpreter": "Kernels emulated on the host: errors and repeatability count, times say nothing.",
}
SHARED = f"""\
Contenders take turns; medians over the rounds; ratios are medians of rival / ours within a round, with their quartiles. Errors: of each output the
largest deviation from float64, relative to its largest true entry; the worst output counts. A peer with an error over {WRONG:g} and ten times ours is
not counted as the fastest. Same bits: {REPEATS["cpu"]} calls on the same input. Ceiling: the time that moving the bytes, or the
products, takes at the measured rates / our time; over 100 % where the data stay in a cache."""


def worst(contender: dict[str, Any]) -> float | None:
    """The largest error over the outputs; None where the truth is not known."""
    found = contender["errors"]
    return None if found is None else max((float(error) for error in found), default=0.0)


def right(row: dict[str, Any], name: str) -> bool:
    """Whether a contender's outputs are what the case asks for."""
    error, ours = worst(row["contenders"][name]), worst(row["contenders"]["ours"])
    return error is None or ours is None or error <= max(WRONG, 10 * ours)


def fastest(row: dict[str, Any]) -> str | None:
    """The peer with the least time of those that are right."""
    peers = [name for name in row["contenders"] if is_peer(name) and right(row, name)]
    return min(peers, key=lambda name: row["contenders"][name]["ratio"]["median"], default=None)


def ratio(row: dict[str, Any], rival: str = FASTEST, ours: str = "ours") -> float | None:
    """Time of the rival / time of ours; None where the rival is not there."""
    name = fastest(row) if rival == FASTEST else rival
    if name not in row["contenders"] or ours not in row["contenders"]:
        return None
    return float(row["contenders"][name]["ratio"]["median"] / row["contenders"][ours]["ratio"]["median"])


def share(row: dict[str, Any]) -> float | None:
    """Time at the ceilings / our time."""
    return None if row.get("floor") is None else row["floor"] / row["contenders"]["ours"]["seconds"]["median"]


def summary(cases: dict[str, Any]) -> str:
    """Geometric means of the ratios, by family."""
    lines = [
        "| family | fastest peer / ours, geometric mean (95 % interval over cases) | cases | smallest | below 1 |",
        "|---|---|---|---|---|",
    ]
    families = dict.fromkeys(row["family"] for row in cases.values())
    for family in [*families, "all"]:
        rows = [row for row in cases.values() if family in (row["family"], "all") and "failure" not in row]
        found = [value for row in rows if (value := ratio(row)) is not None]
        if found:
            mean, low, high = geometric_mean(found)
            below = sum(value < 1 for value in found)
            lines.append(
                f"| {_tail(family)} | **{mean:.2f}** ({low:.2f} to {high:.2f}) | {len(found)} | {min(found):.2f} | {below} |"
            )
    return "\n".join(lines)


def targets(cases: dict[str, Any]) -> str:
    """What is to be reached, and what was."""
    lines = ["| case | ratio | asked | found | |", "|---|---|---|---|---|"]
    for name, row in cases.items():
        for target in row.get("targets", []):
            found = ratio(row, target["rival"], target["ours"])
            verdict = "not measured" if found is None else "met" if found >= target["ratio"] else "**missed**"
            lines.append(
                f"| {name} | {target['rival']} / {target['ours']} | {target['ratio']:g} | {_number(found)} | {verdict} |"
            )
    return "\n".join(lines) if len(lines) > 2 else "None."


def losses(cases: dict[str, Any]) -> str:
    """The peers that are faster than ours, worst first."""
    lines = ["| case | peer | peer [ms] | ours [ms] | peer / ours |", "|---|---|---|---|---|"]
    found = []
    for name, row in cases.items():
        for peer, contender in row.get("contenders", {}).items():
            if is_peer(peer) and right(row, peer) and contender["ratio"]["median"] < 1:
                found.append((contender["ratio"]["median"], name, peer, contender, row["contenders"]["ours"]))
    for value, name, peer, contender, ours in sorted(found, key=lambda entry: entry[0]):
        lines.append(f"| {name} | {peer} | {_ms(contender)} | {_ms(ours)} | {value:.2f} |")
    return "\n".join(lines) if found else "Nowhere."


def case_table(cases: dict[str, Any], place: str) -> str:
    """One line a case."""
    head = "| case | ours [ms] (quartiles) | ceiling | fastest peer [ms] | ratio (quartiles) "
    head += "| error: ours, peer | memory [MB]: ours, peer, outputs | same bits "
    head += "| in a graph [ms] | launches | waits |" if place == "cuda" else "|"
    lines = [head, "|---" * (head.count("|") - 1) + "|"]
    for name, row in cases.items():
        if "failure" in row:
            lines.append(f"| {name} | failed: {row['failure']} " + "| " * (head.count("|") - 3) + "|")
            continue
        ours, peer = row["contenders"]["ours"], fastest(row)
        rival = row["contenders"].get(peer)
        part = share(row)
        cells = [name, f"{_ms(ours)} ({_quartiles(ours['seconds'], 1e3)})", "-" if part is None else f"{part:.0%}"]
        cells += ["none" if rival is None else f"{peer}, {_ms(rival)}"]
        cells += ["-" if rival is None else f"**{rival['ratio']['median']:.2f}** ({_quartiles(rival['ratio'])})"]
        cells += [", ".join(_number(entry and worst(entry)) for entry in (ours, rival))]
        memory = [entry and entry.get("megabytes") for entry in (ours, rival)] + [ours["output_megabytes"]]
        cells += [", ".join(map(_number, memory))]
        cells += [{True: "yes", False: "**no**", None: "-"}[ours["repeatable"]]]
        if place == "cuda":
            graph = ours["graph_seconds"]
            cells += [_number(None if graph is None else 1e3 * graph), str(ours["launches"]), str(ours["synchronisations"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def contender_table(cases: dict[str, Any]) -> str:
    """One line a contender of each case."""
    lines = ["| case | contender | [ms] | / ours | error | memory [MB] | same bits |", "|---|---|---|---|---|---|---|"]
    for name, row in cases.items():
        for contender, found in row.get("contenders", {}).items():
            mark = "" if not is_peer(contender) or right(row, contender) else " (wrong)"
            bits = {True: "yes", False: "no", None: "-"}[found["repeatable"]]
            cells = [name, contender + mark, _ms(found), f"{found['ratio']['median']:.2f}", _number(worst(found))]
            cells += [_number(found.get("megabytes")), bits]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def missing(cases: dict[str, Any]) -> str:
    """Who is not in the tables, and why."""
    lines = []
    for name, row in cases.items():
        reasons = [f"{who}: {why}" for kind in ("absent", "failed") for who, why in row.get(kind, {}).items()]
        lines += [f"- {name}: " + "; ".join(reasons)] if reasons else []
    return "\n".join(lines) or "Nobody."


def section(content: dict[str, Any]) -> list[str]:
    """The part of the page that speaks of one device."""
    made, cases = content["settings"], content.get("cases", {})
    rates = content.get("ceilings", {}).get("rates", {})
    ceilings = ", ".join(f"{name} {rate / 1e9:.4g} {'GB/s' if name == 'copy' else 'GFLOP/s'}" for name, rate in rates.items())
    numbers = ", ".join(f"{name} {number}" for name, number in made["versions"].items() if number != "absent")
    return [
        f"## {made['device']}" + (", emulating a GPU" if made["place"] == "interpreter" else ""),
        f"Seed {made['seed']}, {made['rounds']} rounds, Python {made['python']}; {numbers}. Ceilings, measured: {ceilings}.",
        HOW[made["place"]],
        "### Summary",
        summary(cases),
        "### To reach",
        targets(cases),
        "### Where a peer is faster",
        losses(cases),
        "### Every case",
        case_table(cases, made["place"]),
        "### Every contender",
        contender_table(cases),
        "### Who is not there",
        missing(cases),
    ]


def page(contents: dict[Path, dict[str, Any]]) -> str:
    """The whole page."""
    parts = ["# Kernels beside their peers", "Made by\n\n```\n" + "\n".join(_commands(contents)) + "\n```", SHARED]
    for content in contents.values():
        parts += section(content)
    return "\n\n".join(parts) + "\n"


def _commands(contents: dict[Path, dict[str, Any]]) -> list[str]:
    lines = []
    for path, content in contents.items():
        made = content["settings"]
        options = (
            f"--device {made['place']} --seed {made['seed']} --rounds {made['rounds']} --budget {made['budget']:g}"
            + " --quick" * made["quick"]
        )
        lines.append(f"python -m benchmarks.kernels.compare {options} --output {path.as_posix()}")
    return [*lines, "python -m benchmarks.kernels.report " + " ".join(path.as_posix() for path in contents)]


def _ms(contender: dict[str, Any]) -> str:
    return f"{1e3 * contender['seconds']['median']:.3g}"


def _quartiles(spread: dict[str, Any], unit: float = 1.0) -> str:
    return " to ".join(f"{unit * edge:.3g}" for edge in spread["quartiles"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _tail(family: str) -> str:
    return family.rsplit(".", 1)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, default=[Path("docs/benchmarks/kernels.json")])
    arguments = parser.parse_args()
    text = page({path: load(path) for path in arguments.files})
    print(text)
    arguments.files[0].with_suffix(".md").write_text(text)


if __name__ == "__main__":
    main()
