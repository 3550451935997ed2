"""Which task a sample belongs to: from labels, columns, tags, lengths and frequencies to task ids and their names.

A map is made once, from the training data, is the same for all data afterwards, and can be saved. Its ``task_names`` are those to give
to :class:`minimax_opt.nn.MinimaxLoss`.
"""

from __future__ import annotations

from minimax_opt.nn.task_ids.base import TaskMap, load_task_map
from minimax_opt.nn.task_ids.buckets import BucketMap
from minimax_opt.nn.task_ids.labels import UNIVERSAL_POS_GROUPS, LabelMap
from minimax_opt.nn.task_ids.product import ProductMap
from minimax_opt.nn.task_ids.sequences import count_tasks, modality_ids, token_task_ids
from minimax_opt.nn.task_ids.tokens import TokenMap

__all__ = [
    "UNIVERSAL_POS_GROUPS",
    "BucketMap",
    "LabelMap",
    "ProductMap",
    "TaskMap",
    "TokenMap",
    "count_tasks",
    "load_task_map",
    "modality_ids",
    "token_task_ids",
]
