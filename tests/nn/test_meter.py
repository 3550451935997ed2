"""An evaluation over batches equals one over all samples."""

from __future__ import annotations

import math

import pytest
import torch
from nn.training_cases import N_TASKS, batch, network, sample_losses

from minimax_opt.nn import TaskMeter


def test_means_over_all_batches():
    meter, losses, ids = TaskMeter(N_TASKS), [], []
    for seed, n in enumerate((20, 3, 11)):
        x, y, task_ids = batch(seed, n=n)
        losses.append(sample_losses(network(), x, y).detach())
        ids.append(task_ids)
        meter.update(losses[-1], task_ids)
    losses, ids = torch.cat(losses), torch.cat(ids)
    result = meter.result()
    expected = torch.stack([losses[ids == k].mean() for k in range(N_TASKS)])
    torch.testing.assert_close(result.task_losses, expected)
    torch.testing.assert_close(result.worst_loss, expected.max())
    torch.testing.assert_close(result.average_loss, losses[ids >= 0].mean())
    torch.testing.assert_close(meter.result().task_losses, expected)  # asking changes nothing


def test_mean_losses_by_name():
    meter = TaskMeter(2, task_names=["a", "b"])
    meter.update({"a": torch.tensor(1.0)}, task_counts={"a": 3})
    meter.update({"a": torch.tensor(5.0), "b": torch.tensor(2.0)}, task_counts={"a": 1, "b": 4})
    assert meter.summary() == {"loss/a": 2.0, "loss/b": 2.0, "worst_loss": 2.0, "average_loss": 2.0}
    with pytest.raises(ValueError, match="`task_counts` is required"):
        meter.update({"a": torch.tensor(1.0)})


def test_nothing_seen():
    meter = TaskMeter(2)
    assert all(math.isnan(value) for value in meter.summary().values())
    meter.update(torch.tensor([1.0]), torch.tensor([1]))
    assert meter.result().worst_loss == 1.0
    meter.reset()
    assert math.isnan(meter.result().worst_loss)
