"""Several micro-batches a step: the same gradient as one batch, and a protocol that says when it is broken."""

from __future__ import annotations

import pytest
import torch
from nn.training_cases import N_TASKS, batch, gradient, memory, network, same_memory, sample_losses

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SampleAverageWeighting, SoftmaxWeighting

WEIGHTINGS = [SoftmaxWeighting(0.5), SoftmaxWeighting(0.5, prior="frequency"), MirrorAscentWeighting(0.2, floor=0.01)]
over_weightings = pytest.mark.parametrize("weighting", WEIGHTINGS, ids=repr)


def split(data, parts):
    return list(zip(*(t.chunk(parts) for t in data), strict=True))


def accumulate(criterion, net, micro_batches, weights=None):
    """One step; the sum of the returned losses."""
    masses = weights or [None] * len(micro_batches)

    def micro(item):
        (x, y, ids), mass = item
        return criterion.micro_loss(sample_losses(net, x, y), ids, mass)

    items = list(zip(micro_batches, masses, strict=True))
    criterion.begin_step([ids for _, _, ids in micro_batches], weights)
    if criterion.when == "two-pass":
        criterion.preview(micro, items)
    total = 0.0
    for item in items:
        loss = micro(item)
        loss.backward()
        total += loss.item()
    return criterion.end_step(), total


@over_weightings
@pytest.mark.parametrize("parts", [1, 4])
def test_two_passes_give_the_gradient_of_the_whole_batch(weighting, parts):
    whole, split_up = (MinimaxLoss(weighting, N_TASKS, when=when) for when in ("current", "two-pass"))
    for seed in range(3):
        data, nets = batch(seed, n=32), (network(), network())
        x, y, ids = data
        whole(sample_losses(nets[0], x, y), ids).backward()
        step, total = accumulate(split_up, nets[1], split(data, parts))
        assert (gradient(nets[0]) - gradient(nets[1])).norm() <= 1e-12 * gradient(nets[0]).norm()
        assert step.objective.item() == pytest.approx(total, rel=1e-12)
        torch.testing.assert_close(step.task_losses, whole.task_losses, rtol=1e-12, atol=0)
        torch.testing.assert_close(whole.adversary.state, split_up.adversary.state, rtol=1e-6, atol=1e-7)


@over_weightings
def test_lagged_steps_do_not_depend_on_the_number_of_micro_batches(weighting):
    criteria = [MinimaxLoss(weighting, N_TASKS) for _ in range(3)]
    for seed in range(4):
        data, gradients = batch(seed, n=32), []
        for criterion, parts in zip(criteria, (1, 4, 32), strict=True):
            net = network()
            accumulate(criterion, net, split(data, parts))
            gradients.append(gradient(net))
        for other in gradients[1:]:
            assert (gradients[0] - other).norm() <= 1e-12 * gradients[0].norm()
    for criterion in criteria[1:]:
        torch.testing.assert_close(criterion.adversary.means, criteria[0].adversary.means, rtol=1e-6, atol=0)
        torch.testing.assert_close(criterion.adversary.state, criteria[0].adversary.state, rtol=1e-6, atol=1e-7)


def test_weights_of_a_lagged_step_come_from_before_it():
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 2, ema=0.0)
    for losses, expected in (([1.0, 3.0], [0.0, 0.0]), ([9.0, 9.0], [2.0, 6.0]), ([5.0, 5.0], [0.0, 0.0])):
        ids = torch.arange(2)
        criterion.begin_step([ids])
        criterion.micro_loss(torch.tensor(losses, requires_grad=True), ids).backward()
        step = criterion.end_step()
        torch.testing.assert_close(step.weights, torch.softmax(torch.tensor(expected), 0))


def test_a_moving_average_is_nearer_to_the_population():
    """The best response to a small batch is drawn to noise; lagged and averaged, it is several times nearer to that of the true means."""
    means, ids = torch.tensor([1.0, 1.2, 1.4]), torch.arange(3).repeat(4)
    truth, distances = torch.softmax(means / 0.3, 0), {}
    for name, options in (("batch", {"when": "current"}), ("lagged", {"when": "lagged", "ema": 0.95})):
        criterion, generator = MinimaxLoss(SoftmaxWeighting(0.3), 3, **options), torch.Generator().manual_seed(0)
        found = []
        for _ in range(300):
            criterion(means[ids] + torch.randn(12, generator=generator), ids)
            found.append((criterion.weights - truth).abs().sum())
        distances[name] = torch.stack(found[100:]).mean()
    assert distances["lagged"] < 0.4 * distances["batch"]


def test_defaults_of_the_two_forms():
    """One call: this batch's losses. Micro-batches: the moving average of those before."""
    criterion, ids = MinimaxLoss(SoftmaxWeighting(1.0), 2), torch.arange(2)
    criterion(torch.tensor([1.0, 2.0]), ids)
    torch.testing.assert_close(criterion.weights, torch.softmax(torch.tensor([1.0, 2.0]), 0))
    criterion.adversary.reset()
    for losses in ([1.0, 2.0], [3.0, 0.0]):
        criterion.begin_step([ids])
        criterion.micro_loss(torch.tensor(losses), ids)
        criterion.end_step()
    average = (0.95 * torch.tensor([1.0, 2.0]) + torch.tensor([3.0, 0.0])) / 1.95
    torch.testing.assert_close(criterion.adversary.means, average)


def test_sample_weights_and_ignored_samples():
    data, nets = batch(0, n=24), (network(), network())
    x, y, ids = data
    mass = torch.rand(24, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    whole, parts = (MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS, when=when) for when in ("current", "two-pass"))
    whole(sample_losses(nets[0], x, y), ids, mass).backward()
    accumulate(parts, nets[1], split(data, 3), list(mass.chunk(3)))
    assert (gradient(nets[0]) - gradient(nets[1])).norm() <= 1e-12 * gradient(nets[0]).norm()


def test_task_losses_with_counts():
    """Mean losses by task, with counts by micro-batch or their total."""
    for total in (False, True):
        criterion = MinimaxLoss(SampleAverageWeighting(), 2, task_names=["a", "b"])
        losses = torch.tensor([[1.0, 2.0], [3.0, 7.0]], requires_grad=True)
        counts = [{"a": 3, "b": 1}, {"a": 0, "b": 4}]
        criterion.begin_step(task_counts=torch.tensor([3, 5]) if total else counts)
        for row, count in zip(losses, counts, strict=True):
            criterion.micro_loss({"a": row[0], "b": row[1]}, task_counts=count).backward()
        step = criterion.end_step()
        torch.testing.assert_close(losses.grad, torch.tensor([[3.0, 1.0], [0.0, 4.0]]) / 8)
        assert step.objective.item() == pytest.approx((3 * 1 + 2 + 4 * 7) / 8)


def test_both_passes_have_the_same_random_numbers():
    torch.manual_seed(3)
    net, seen = network(dropout=0.5), []
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS, when="two-pass")
    x, y, ids = batch(0)

    def micro(_):
        losses = sample_losses(net, x, y)
        seen.append(losses.detach())
        return criterion.micro_loss(losses, ids)

    criterion.begin_step([ids, ids])
    criterion.preview(micro, [0, 1])
    for m in range(2):
        micro(m).backward()
    step = criterion.end_step()
    assert torch.equal(torch.stack(seen[:2]), torch.stack(seen[2:]))
    assert not torch.equal(seen[0], seen[1])
    means = torch.stack([torch.cat(seen[2:])[(ids == k).repeat(2)].mean() for k in range(N_TASKS)])
    torch.testing.assert_close(step.task_losses, means, rtol=1e-9, atol=0)


def test_not_finite_in_one_micro_batch():
    criterion, ids = MinimaxLoss(MirrorAscentWeighting(0.5), 2), torch.arange(2)
    before = memory(criterion)
    criterion.begin_step([ids, ids])
    assert criterion.micro_loss(torch.tensor([1.0, 2.0]), ids).isfinite()
    assert not criterion.micro_loss(torch.tensor([1.0, float("inf")]), ids).isfinite()
    step = criterion.end_step()
    assert not step.objective.isfinite()
    assert same_memory(criterion, before)


def test_evaluation_moves_nothing():
    criterion, net = MinimaxLoss(MirrorAscentWeighting(0.5), N_TASKS), network()
    accumulate(criterion, net, split(batch(0), 2))
    before = memory(criterion)
    criterion.eval()
    step, total = accumulate(criterion, net, split(batch(1), 2))
    assert step.objective.item() == pytest.approx(total)
    assert same_memory(criterion, before)


def test_a_step_that_was_given_up_moves_nothing():
    criterion, net = MinimaxLoss(MirrorAscentWeighting(0.5), N_TASKS), network()
    before = memory(criterion)
    x, y, ids = batch(0)
    criterion.begin_step([ids, ids])
    criterion.micro_loss(sample_losses(net, x, y), ids)
    criterion.cancel_step()
    assert same_memory(criterion, before)
    accumulate(criterion, net, split(batch(1), 2))
    assert int(criterion.adversary.steps) == 1


def test_what_is_still_to_come():
    criterion, ids = MinimaxLoss(SoftmaxWeighting(0.5), 2), torch.arange(2)
    found = [criterion.micro_batches_left]
    criterion.begin_step([ids, ids])
    for _ in range(2):
        found.append(criterion.micro_batches_left)
        criterion.micro_loss(torch.ones(2), ids)
    found.append(criterion.micro_batches_left)
    criterion.end_step()
    assert found == [0, 2, 1, 0]


def test_a_step_without_micro_batches():
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 2)
    criterion.begin_step([])
    assert criterion.end_step().objective == 0


LOSSES, IDS = torch.rand(4), torch.tensor([0, 1, 2, 0])


def begun(criterion, *ids, **options):
    criterion.begin_step(list(ids), **options)
    return criterion


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c.micro_loss(LOSSES, IDS), RuntimeError, "`micro_loss` was called without `begin_step`"),
        (lambda c: c.end_step(), RuntimeError, "`end_step` was called without `begin_step`"),
        (lambda c: begun(begun(c, IDS), IDS), RuntimeError, "before `end_step` for the last step"),
        (lambda c: begun(c, IDS)(LOSSES, IDS), RuntimeError, "between `begin_step` and `end_step`"),
        (lambda c: begun(c, IDS).end_step(), RuntimeError, "was given 1 micro-batches, but `micro_loss` was called for 0"),
        (lambda c: begun(c).micro_loss(LOSSES, IDS), RuntimeError, "more often than for the 0"),
        (lambda c: begun(c, IDS).preview(print, []), RuntimeError, "`preview` is the first pass"),
        (lambda c: c.begin_step(IDS), TypeError, "must be a list of tensors"),
        (lambda c: c.begin_step(), TypeError, "takes `task_ids`"),
        (lambda c: c.begin_step([IDS], [LOSSES, LOSSES]), TypeError, "`sample_weights` of `begin_step`"),
        (lambda c: c.begin_step([IDS + 1]), ValueError, "`task_ids` must be from 0 to 2"),
        (
            lambda c: (begun(c, IDS).micro_loss(LOSSES, IDS.flip(0).clone().fill_(1)), c.end_step()),
            ValueError,
            "came with `micro_loss`",
        ),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error) as raised:
        call(MinimaxLoss(SoftmaxWeighting(1.0), 3))
    assert message in str(raised.value)


def test_modes_that_do_not_fit():
    current = MinimaxLoss(SoftmaxWeighting(1.0), 3, when="current")
    with pytest.raises(ValueError, match="there are 2 micro-batches"):
        current.begin_step([IDS, IDS])
    current.begin_step([IDS])
    loss = current.micro_loss(LOSSES, IDS)
    current.end_step()
    assert torch.equal(loss, MinimaxLoss(SoftmaxWeighting(1.0), 3)(LOSSES, IDS))
    current.begin_step(task_counts=torch.ones(3))
    current.micro_loss(torch.rand(3))
    with pytest.raises(RuntimeError, match="more often than for the 1"):
        current.micro_loss(torch.rand(3))
    twice = MinimaxLoss(SoftmaxWeighting(1.0), 3, when="two-pass")
    twice.begin_step([IDS])
    with pytest.raises(RuntimeError, match="needs `preview"):
        twice.micro_loss(LOSSES, IDS)
