"""The average model beside the worst-case model, certified: what ``minimax-opt demo`` and ``minimax-opt solve`` share.

A :class:`Case` is a data set in groups, a loss and an ambiguity set. :func:`run_cases` solves both models of each case and returns
a report, from which :func:`problem_text` makes the table and :func:`minimax_opt.figures.draw_comparison` the figure.
"""

from minimax_opt.comparison.adversaries import Adversary, parse_adversary
from minimax_opt.comparison.case import Case
from minimax_opt.comparison.groups import GroupedRows
from minimax_opt.comparison.losses import FAMILIES, Loss
from minimax_opt.comparison.report import all_certified, read_report, write_report
from minimax_opt.comparison.run import Progress, run_cases
from minimax_opt.comparison.table import problem_text, summary_text

__all__ = [
    "FAMILIES",
    "Adversary",
    "Case",
    "GroupedRows",
    "Loss",
    "Progress",
    "all_certified",
    "parse_adversary",
    "problem_text",
    "read_report",
    "run_cases",
    "summary_text",
    "write_report",
]
