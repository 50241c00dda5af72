"""The clock of a track that is set back."""

from fractions import Fraction

from sfumato.connection.steady_clock import SteadyClock


def moved(times: list[int], step: int = 10) -> list[int]:
    """The times of a clock with 100 ticks a second, each used."""
    clock, used = SteadyClock(Fraction(1, 100)), []
    for time in times:
        clock.last = clock.moved(time, step)
        used.append(clock.last)
    return used


def test_times_stay_as_they_are_also_if_they_are_out_of_order_a_little() -> None:
    assert moved([500, 510, 410, 900]) == [500, 510, 410, 900]


def test_after_a_jump_back_of_more_than_a_second_the_times_go_on() -> None:
    assert moved([500, 510, 409, 419, 450]) == [500, 510, 520, 530, 561]


def test_a_clock_may_be_set_back_more_than_once() -> None:
    assert moved([500, 0, 10, 200, 5, 15]) == [500, 510, 520, 710, 720, 730]
