"""Batches hold all examples, are no larger than asked for, and come again the same."""

from collections import Counter

import pytest

from w2v_cli.training.sampler import Sampling, plan_epoch

SECONDS = [0.5 + (7 * index % 40) / 10 for index in range(300)]
KINDS = ["often"] * 270 + ["rarely"] * 30


def plan(sampling, *, seed=1, epoch=0):
    return plan_epoch(SECONDS, KINDS, sampling, seed=seed, epoch=epoch)


def padded_seconds(batch):
    return len(batch) * max(sum(SECONDS[index] for index in group) for group in batch)


def test_every_example_is_in_an_epoch_once():
    batches = plan(Sampling(batch_seconds=20))
    heard = [index for batch in batches for group in batch for index in group]
    assert sorted(heard) == list(range(300))


@pytest.mark.parametrize("join", [0, 0.5, 1])
def test_batches_are_no_larger_than_asked_for(join):
    for batch in plan(Sampling(batch_seconds=20, batch_items=6, join=join, join_seconds=9)):
        assert len(batch) <= 6
        assert padded_seconds(batch) <= 20
        assert all(sum(SECONDS[i] for i in group) <= 9 for group in batch)


def test_a_recording_that_is_too_long_for_a_batch_is_alone():
    assert (
        plan_epoch([1, 30, 1], "abc", Sampling(batch_seconds=5), seed=0, epoch=0).count([(1,)]) == 1
    )


def test_recordings_that_are_all_far_too_long_are_alone():
    batches = plan_epoch([15.0] * 3, ["a"] * 3, Sampling(batch_seconds=0.1), seed=1, epoch=0)
    assert sorted(batches) == [[(0,)], [(1,)], [(2,)]]


def test_little_of_a_batch_is_padding():
    batches = plan(Sampling(batch_seconds=20))
    assert sum(map(padded_seconds, batches)) < 1.1 * sum(SECONDS)


def test_a_plan_depends_on_seed_and_epoch_alone():
    sampling = Sampling(batch_seconds=20, join=0.3)
    assert plan(sampling, seed=3, epoch=2) == plan(sampling, seed=3, epoch=2)
    assert plan(sampling, seed=3, epoch=2) != plan(sampling, seed=3, epoch=1)
    assert plan(sampling, seed=3, epoch=2) != plan(sampling, seed=4, epoch=2)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.5), (0.5, 0.25), (1.0, 0.1)])
def test_balance_decides_how_often_rare_texts_are_drawn(balance, share):
    counts = Counter()
    for epoch in range(10):
        for batch in plan(Sampling(balance=balance), epoch=epoch):
            counts.update(KINDS[index] for group in batch for index in group)
    assert counts.total() == 3000
    assert counts["rarely"] / 3000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_balance_decides_how_often_busy_speakers_are_drawn(balance):
    kinds = ["busy"] * 200 + ["other"] * 100
    speakers = ["one"] * 100 + [f"once {n}" for n in range(5)] * 10 + [None] * 50 + ["b"] * 100
    sampling = Sampling(balance_speakers=balance)
    heard = Counter()
    for epoch in range(20):
        for batch in plan_epoch(SECONDS, kinds, sampling, speakers=speakers, seed=1, epoch=epoch):
            heard.update(speakers[index] for group in batch for index in group)
    assert heard["b"] / heard.total() == pytest.approx(1 / 3, abs=0.02)
    words = heard.total() - heard["b"]
    voices = {"one": 100, **{f"once {n}": 10 for n in range(5)}}
    whole = sum(n**balance for n in voices.values()) + 50
    for voice, n in voices.items():
        assert heard[voice] / words == pytest.approx(n**balance / whole, abs=0.02)


@pytest.mark.parametrize("balance", [0.5, 1.0])
def test_weights_decide_how_often_single_recordings_are_drawn(balance):
    weights = [8.0 if index < 30 else 1.0 for index in range(300)]
    kinds = ["seldom"] * 30 + ["often"] * 270
    counts = Counter()
    for epoch in range(10):
        sampling = Sampling(balance=balance)
        for batch in plan_epoch(SECONDS, kinds, sampling, weights=weights, seed=1, epoch=epoch):
            counts.update(kinds[index] for group in batch for index in group)
    seldom, often = 8 * 30**balance, 270**balance
    assert counts["seldom"] / counts.total() == pytest.approx(seldom / (seldom + often), abs=0.03)


def test_what_is_weighed_leaves_out_no_more_than_it_must():
    def heard(weights):
        batches = plan_epoch(SECONDS, KINDS, Sampling(), weights=weights, seed=1, epoch=0)
        return Counter(index for batch in batches for group in batch for index in group)

    assert set(heard([2.0] * 300).values()) == {1}
    counts = heard([8.0] + [1.0] * 299)
    assert counts[0] in (7, 8)
    assert len(counts) >= 290
    assert max(count for index, count in counts.items() if index) == 1


def test_without_shuffling_the_order_stays():
    batches = plan(Sampling(batch_seconds=20, shuffle=False))
    assert [group for batch in batches for group in batch] == [(i,) for i in range(300)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_seconds": 0},
        {"batch_items": 0},
        {"join": 2},
        {"balance": -1},
        {"balance_speakers": 2},
    ],
)
def test_what_makes_no_batches_is_refused(wrong):
    with pytest.raises(ValueError, match=r"batch|shares"):
        Sampling(**wrong)
