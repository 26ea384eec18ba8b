"""Learning rates are those of transformers where it has the schedule, and of the paper else."""

import pytest
import torch
import transformers

from w2v_cli.training.schedules import Schedule

TOTAL, WARMUP = 50, 10


def reference_factors(schedule):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = schedule(optimizer)
    factors = []
    for _ in range(TOTAL):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        (
            "linear",
            lambda o: transformers.get_linear_schedule_with_warmup(o, WARMUP, TOTAL),
        ),
        (
            "cosine",
            lambda o: transformers.get_cosine_schedule_with_warmup(o, WARMUP, TOTAL),
        ),
        ("constant", lambda o: transformers.get_constant_schedule_with_warmup(o, WARMUP)),
    ],
)
def test_equals_the_reference(name, reference):
    schedule = Schedule(name, TOTAL, WARMUP)
    ours = [schedule.factor(step) for step in range(TOTAL)]
    assert ours == pytest.approx(reference_factors(reference))


def test_three_stages():
    schedule = Schedule("tri_stage", 1000, 100, hold_ratio=0.4, final_scale=0.05)
    assert schedule.factor(50) == 0.5
    assert schedule.factor(100) == schedule.factor(499) == 1.0
    # A straight line on a logarithmic scale, from 1 at 500 to 0.05 at 1000.
    assert schedule.factor(750) == pytest.approx(0.05**0.5)
    assert schedule.factor(1000) == pytest.approx(0.05)


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ValueError, match="use one of linear"):
        Schedule("square", 10, 1)
    with pytest.raises(ValueError, match="final_scale"):
        Schedule("tri_stage", 10, 1, final_scale=0)
