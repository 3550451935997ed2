"""The package's main job, on real data: the average model, the worst-case model and a certificate.

For each problem the model with the least mean loss over all rows is compared with the model whose worst case over an ambiguity
set is least. ``minimax-opt demo`` is the command; :func:`run_cases` is the same without files.
"""

from minimax_opt.comparison import Case, Progress, all_certified, problem_text, read_report, run_cases, summary_text, write_report
from minimax_opt.demo.cases import CASES, find_cases, with_adversary
from minimax_opt.demo.datasets import Dataset
from minimax_opt.demo.packaged import MissingDataError

__all__ = [
    "CASES",
    "Case",
    "Dataset",
    "MissingDataError",
    "Progress",
    "all_certified",
    "find_cases",
    "problem_text",
    "read_report",
    "run_cases",
    "summary_text",
    "with_adversary",
    "write_report",
]
