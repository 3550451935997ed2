"""Your own table: from a CSV or Parquet file to a certified worst-case model, and from the saved model to predictions.

``minimax-opt solve`` and ``minimax-opt predict`` are the commands; :func:`solve_table` and :func:`load_model` are the same from Python.
"""

from minimax_opt.tabular.extras import TableError
from minimax_opt.tabular.model import Model, load_model
from minimax_opt.tabular.read import read_table
from minimax_opt.tabular.solve import Solution, solve_table

__all__ = ["Model", "Solution", "TableError", "load_model", "read_table", "solve_table"]
