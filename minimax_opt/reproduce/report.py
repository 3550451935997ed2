"""The report of ``minimax-opt reproduce``: one HTML file with every claim, its verdict and every figure inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from minimax_opt.reproduce.experiment import Claim
from minimax_opt.reproduce.report_style import STYLE_SHEET
from minimax_opt.reproduce.run import Outcome

TITLE = "Theory, measured"
INTRODUCTION = (
    "Every claim of docs/theory/ that an experiment can refute: what it states, what it predicts, what was measured. "
    "Verdicts are decided by numbers: a theorem's bound, or a 99.9 % confidence interval where the measurement is random."
)
PAPER = (
    "The bounds and the experiments are this library's own. They are about the ideas of arXiv 2306.12070 (Wang, Chen, Xie, Fang, Lin, "
    "NeurIPS 2023); no table of that paper is reproduced here."
)


def headline(outcomes: Sequence[Outcome]) -> str:
    """The verdict over all experiments, in a sentence or two.

    Examples
    --------
    >>> claims = [Claim("2 > 1", "> 1", "2", True), Claim("2 > 3", "> 3", "2", False)]
    >>> headline([Outcome("order", "Order of numbers", seconds=0.0, claims=claims)])
    '1 of 2 claims hold. DOES NOT HOLD: order.'
    """
    held, total = sum(outcome.held for outcome in outcomes), sum(len(outcome.claims) for outcome in outcomes)
    parts = [f"All {total} claims hold." if 1 < held == total else f"{held} of {total} claims hold."]
    for words, chosen in (
        ("DOES NOT HOLD", [outcome.name for outcome in outcomes if outcome.held < len(outcome.claims)]),
        ("FAILED with an error", [outcome.name for outcome in outcomes if outcome.error]),
    ):
        if chosen:
            parts.append(f"{words}: {', '.join(chosen)}.")
    return " ".join(parts)


def report_text(outcomes: Sequence[Outcome], folder: Path, command: str, origin: Mapping[str, Any], seconds: float) -> str:
    """The report as HTML.

    Parameters
    ----------
    outcomes : sequence of Outcome
        In the order of the report.
    folder : Path
        Where the figures lie.
    command : str
        That made it.
    origin : mapping
        See :func:`minimax_opt.reproduce.store.origin`.
    seconds : float
        That the run took.

    Returns
    -------
    str
        It refers to no other file: figures are inside, as PNG in base64.
    """
    options = (" --quick" if origin["quick"] else "") + (f" --seed {origin['seed']}" if origin["seed"] else "")
    sections = "\n".join(_section(outcome, folder, options) for outcome in outcomes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}: minimax_opt</title>
<style>
{STYLE_SHEET}
</style>
</head>
<body>
<h1>{TITLE}</h1>
<p class="headline {_mark(all(outcome.holds for outcome in outcomes))}" style="white-space: normal">{escape(headline(outcomes))}</p>
<p>{INTRODUCTION}</p>
{_made_by(outcomes, command, origin, seconds)}
{_summary(outcomes)}
<main>
{sections}
</main>
<p class="faint">{PAPER}</p>
</body>
</html>
"""


def _made_by(outcomes: Sequence[Outcome], command: str, origin: Mapping[str, Any], seconds: float) -> str:
    size = "quick: smaller samples and shorter runs than the full experiments" if origin["quick"] else "full"
    computed = sum(outcome.seconds or 0.0 for outcome in outcomes)
    reused = sum(outcome.reused for outcome in outcomes)
    time = f"{seconds:.1f} s; the experiments' own computations took {computed:.1f} s"
    if reused:
        time += f", and {reused} of {len(outcomes)} results were saved before"
    versions = ", ".join(f"{name} {version}" for name, version in origin["versions"].items() if version)
    rows = {
        "command": f"<code>{escape(command)}</code>",
        "size": size,
        "seed": str(origin["seed"]),
        "time": time,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": escape(versions),
        "code": f"<code>{escape(origin['source'][:16])}</code> (SHA-256 of the package's source)",
    }
    lines = "\n".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows.items())
    return f'<table aria-label="How this report was made">\n{lines}\n</table>'


def _summary(outcomes: Sequence[Outcome]) -> str:
    lines = "\n".join(
        f'<tr><td><a href="#{escape(outcome.name)}">{escape(outcome.name)}</a></td><td>{escape(outcome.title)}</td>'
        f'<td class="{_mark(outcome.holds)}">{_sign(outcome.holds)} {escape(_count(outcome))}</td>'
        f'<td class="number">{"" if outcome.seconds is None else f"{outcome.seconds:.1f} s"}</td></tr>'
        for outcome in outcomes
    )
    head = '<tr><th scope="col">experiment</th><th scope="col">about</th><th scope="col">claims</th>'
    return f"""<div class="scroll"><table aria-label="Summary">
<thead>{head}<th scope="col" class="number">time</th></tr></thead>
<tbody>
{lines}
</tbody>
</table></div>"""


def _count(outcome: Outcome) -> str:
    return "failed" if outcome.error else f"{outcome.held} of {len(outcome.claims)} hold"


def _section(outcome: Outcome, folder: Path, options: str) -> str:
    parts = [f'<section id="{escape(outcome.name)}">\n<h2>{escape(outcome.title)}</h2>']
    if outcome.error:
        first = escape(outcome.error.splitlines()[0])
        parts.append(f'<p class="bad" style="white-space: normal">{_sign(False)} failed: {first}</p>')
        parts.append(f"<details><summary>where</summary><pre>{escape(outcome.error)}</pre></details>")
    parts += [f'<p class="faint">{escape(note)}</p>' for note in outcome.notes]
    if outcome.claims:
        parts.append(_claims(outcome.claims))
    parts += [_figure(outcome, name, folder / file) for name, file in outcome.figures.items()]
    parts.append(
        f'<p class="faint">This part alone: <code>minimax-opt reproduce {escape(outcome.name)}{options}</code></p>\n</section>'
    )
    return "\n".join(parts)


def _claims(claims: Sequence[Claim]) -> str:
    lines = "\n".join(
        f"<tr><td>{escape(claim.statement)}</td><td>{escape(claim.bound)}</td><td>{escape(claim.measured)}</td>"
        f'<td class="{_mark(claim.holds)}">{_sign(claim.holds)} {"holds" if claim.holds else "does not hold"}</td></tr>'
        for claim in claims
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("statement", "bound", "measured", "verdict"))
    return (
        f'<div class="scroll"><table class="claims">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table></div>'
    )


def _figure(outcome: Outcome, name: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(outcome.title)}: figure {escape(name)}">\n'
        f"<figcaption>{escape(name)}; beside this report as {escape(name)}.pdf and {escape(name)}.png</figcaption></figure>"
    )


def _mark(holds: bool) -> str:
    return "good" if holds else "bad"


def _sign(holds: bool) -> str:
    """A verdict that does not depend on colour."""
    return "✓" if holds else "✗"
