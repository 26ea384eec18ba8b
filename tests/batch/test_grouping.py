"""Which chunks share a batch: checked on random queues for what must hold of any choice."""

import random

import pytest

from w2v_cli.batch.grouping import Queued, choose_batch, padded_seconds


def queue_of(*seconds, owners=None):
    owners = owners or range(len(seconds))
    return [Queued(owner, None, length) for owner, length in zip(owners, seconds, strict=True)]


def test_the_nearest_in_length_share_a_batch():
    queue = queue_of(10.0, 1.0, 10.5, 30.0, 9.8, 10.1)
    assert choose_batch(queue, 42) == [0, 2, 4, 5]
    assert choose_batch(queue, 31) == [0, 4, 5]
    assert choose_batch(queue, 21) == [0, 5]


@pytest.mark.parametrize("limit", [0, 3, 9.9])
def test_one_at_a_time_where_there_is_no_room_for_two(limit):
    assert choose_batch(queue_of(10.0, 10.0, 1.0), limit) == [0]


def test_no_chunk_overtakes_an_earlier_one_of_its_recording():
    queue = queue_of(10.0, 55.0, 10.0, 10.0, 12.0, owners="abbac")
    assert choose_batch(queue, 50) == [0, 3, 4]


@pytest.mark.parametrize("seed", range(20))
def test_a_run_hears_all_in_turn_within_the_limit_and_pads_little(seed):
    random.seed(seed)
    lengths = [random.uniform(1, 20) for _ in range(400)]
    owners = [random.randrange(200) for _ in lengths]
    queue = queue_of(*lengths, owners=owners)
    limit, heard, padded = 120.0, [], 0.0
    while queue:
        window = queue[:100]
        chosen = choose_batch(window, limit)
        assert chosen[0] == 0
        assert chosen == sorted(set(chosen))
        batch = [window[index] for index in chosen]
        assert padded_seconds(batch) <= limit
        padded += padded_seconds(batch)
        heard += batch
        queue = [queued for queued in queue if queued not in batch]
    for owner in set(owners):
        in_order = [length for o, length in zip(owners, lengths, strict=True) if o == owner]
        assert [queued.seconds for queued in heard if queued.owner == owner] == in_order
    assert padded < 1.25 * sum(lengths)
