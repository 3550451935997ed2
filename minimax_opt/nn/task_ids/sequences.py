"""Task ids along sequences: from words to their tokens, from modalities to their positions; and how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED, check_tasks
from minimax_opt import checks


def token_task_ids(word_task_ids: Sequence[int] | Tensor, word_ids: Sequence[int | None], first_only: bool = False) -> Tensor:
    """The task of each token, from that of its word.

    Parameters
    ----------
    word_task_ids : sequence of int, or Tensor
        The tasks of the words of one text, as from a :class:`LabelMap` of their tags.
    word_ids : sequence of int or None
        The word of each token, None for special tokens: what ``encoding.word_ids()`` of a fast tokenizer gives.
    first_only : bool
        Leave out all tokens of a word but its first.

    Returns
    -------
    Tensor, shape (len(word_ids),)
        int64; -100 for special tokens.

    Examples
    --------
    >>> token_task_ids([3, 1], [None, 0, 0, 1, None]).tolist()
    [-100, 3, 3, 1, -100]
    >>> token_task_ids([3, 1], [None, 0, 0, 1, None], first_only=True).tolist()
    [-100, 3, -100, 1, -100]
    """
    tasks = word_task_ids.tolist() if isinstance(word_task_ids, Tensor) else list(word_task_ids)
    ids, last = [], None
    for word in word_ids:
        if word is not None and not 0 <= word < len(tasks):
            raise ValueError(
                f"`word_ids` names the word {word}, but `word_task_ids` has {len(tasks)}: was the text cut into other words?"
            )
        ids.append(IGNORED if word is None or (first_only and word == last) else tasks[word])
        last = word
    return torch.tensor(ids, dtype=torch.int64)


def modality_ids(lengths: Mapping[str, int]) -> Tensor:
    """The task of each position of a sequence in which modalities follow each other; their names are the keys.

    Parameters
    ----------
    lengths : dict
        Positions (patches, tokens) of each modality, in order.

    Returns
    -------
    Tensor, shape (sum of lengths,)
        int64; it expands to a batch of losses of shape (batch, positions).

    Examples
    --------
    >>> modality_ids({"rgb": 3, "depth": 2}).tolist()
    [0, 0, 0, 1, 1]
    """
    if not lengths:
        raise ValueError("`lengths` must hold at least one modality.")
    counts = [checks.integer(f"lengths[{name!r}]", length, 0) for name, length in lengths.items()]
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def count_tasks(task_ids: Tensor, n_tasks: int) -> Tensor:
    """How many samples each task has.

    Parameters
    ----------
    task_ids : Tensor
        Of any shape; ids below 0 are left out.
    n_tasks : int

    Returns
    -------
    Tensor, shape (n_tasks,)
        int64.

    Examples
    --------
    >>> count_tasks(torch.tensor([[0, 2], [2, -100]]), 3).tolist()
    [1, 0, 2]
    """
    check_tasks(n_tasks)
    counts = torch.bincount(task_ids[task_ids >= 0], minlength=n_tasks)
    if len(counts) > n_tasks:
        raise ValueError(f"`task_ids` holds {len(counts) - 1}, but there are {n_tasks} tasks.")
    return counts


__all__ = ["count_tasks", "modality_ids", "token_task_ids"]
