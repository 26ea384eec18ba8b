"""Items come in waves, in order, whatever their iterator does."""

import threading

import pytest
from fakes import items

from w2v_cli.batch.ray_feed import Feed


def test_all_that_is_there_is_one_wave():
    with Feed(items(*range(100)), gather_seconds=60) as feed:
        assert list(feed.waves()) == [items(*range(100))]


def test_nothing():
    with Feed([]) as feed:
        assert list(feed.waves()) == []


def test_no_wave_is_larger_than_the_most_and_none_is_gathered_far_ahead():
    taken = []

    def endless():
        for item in items(*range(1000)):
            taken.append(item)
            yield item

    with Feed(endless(), most_items=10, gather_seconds=60) as feed:
        waves = feed.waves()
        assert next(waves) == items(*range(10))
        assert next(waves) == items(*range(10, 20))
        assert len(taken) <= 31


def test_what_comes_later_is_another_wave():
    come = threading.Event()

    def slow():
        yield from items("a", "b")
        come.wait(10)
        yield from items("c")

    with Feed(slow(), gather_seconds=0.3) as feed:
        waves = feed.waves()
        assert next(waves) == items("a", "b")
        come.set()
        assert list(waves) == [items("c")]


def test_errors_come_after_the_items_before_them():
    def broken():
        yield from items("a")
        raise ZeroDivisionError

    with Feed(broken(), gather_seconds=60) as feed:
        waves = feed.waves()
        assert next(waves) == items("a")
        with pytest.raises(ZeroDivisionError):
            next(waves)


def test_a_feed_that_is_left_ends_its_thread():
    with Feed(items(*range(1000)), most_items=10) as feed:
        next(feed.waves())
    assert not feed._thread.is_alive()
