from collections.abc import Callable

import pytest

from serving.calls.admission import Turnover


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def busy(turnover: Turnover, clock: Clock, seconds: float, times: int = 50) -> None:
    """Lets somebody leave every so many seconds while another one stays inside."""
    turnover.enter()
    for _ in range(times):
        turnover.enter()
        clock.now += seconds
        turnover.leave()


def test_who_finds_no_place_is_told_when_the_next_one_leaves(clock: Clock) -> None:
    turnover = Turnover(clock)
    busy(turnover, clock, 0.5)
    assert turnover.turn_away() == 500


def test_those_who_are_turned_away_are_told_to_come_one_after_the_other(clock: Clock) -> None:
    turnover = Turnover(clock)
    busy(turnover, clock, 0.5)
    assert [turnover.turn_away() for _ in range(3)] == [500, 1000, 1500]
    turnover.leave()  # nobody is inside any more, so there is room for all of them
    busy(turnover, clock, 0.5)
    assert turnover.turn_away() == 500


def test_each_one_who_leaves_makes_room_for_one_who_was_turned_away(clock: Clock) -> None:
    turnover = Turnover(clock)
    busy(turnover, clock, 0.5)
    turnover.enter(2)
    for _ in range(3):
        turnover.turn_away()
    for _ in range(2):
        clock.now += 0.5
        turnover.leave()
    assert turnover.turn_away() == 1000


def test_the_time_when_nobody_was_inside_does_not_count(clock: Clock) -> None:
    turnover = Turnover(clock)
    for _ in range(50):
        clock.now += 3600.0
        turnover.enter()
        clock.now += 0.25
        turnover.leave()
    assert turnover.turn_away() == 250


def test_many_who_leave_together_free_their_places_faster(clock: Clock) -> None:
    turnover = Turnover(clock)
    turnover.enter(8)
    clock.now += 2.0
    turnover.leave(4)
    assert turnover.inside == 4
    assert turnover.turn_away() == 500


def test_a_change_of_pace_is_followed(clock: Clock) -> None:
    turnover = Turnover(clock)
    busy(turnover, clock, 0.1)
    turnover.leave()
    busy(turnover, clock, 1.0)
    assert turnover.turn_away() == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize(("seconds", "told"), [(0.0001, 10), (60.0, 5000)])
def test_the_time_is_neither_too_short_nor_too_long(
    clock: Clock, seconds: float, told: int
) -> None:
    turnover = Turnover(clock)
    busy(turnover, clock, seconds)
    assert turnover.turn_away() == told


def test_before_anything_is_known_it_is_a_tenth_of_a_second(
    clock: Callable[[], float],
) -> None:
    assert Turnover(clock).turn_away() == 100
