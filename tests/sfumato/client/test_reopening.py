"""How long a server may be away, by a clock that only pauses move."""

import asyncio
import time

import grpc
import pytest

from sfumato.client.reopening import Reopening
from sfumato.errors import ServiceError

AWAY = ServiceError("away", grpc.StatusCode.UNAVAILABLE)


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


async def away(reopening: Reopening, clock: Clock) -> float:
    """Gives the seconds after which it is given up that a server is away."""
    begun = clock.now
    try:
        while True:
            await reopening.wait(AWAY)
    except ServiceError:
        return clock.now - begun


async def test_a_server_may_be_away_for_as_long_as_patience_has_whatever_was_before(
    clock: Clock,
) -> None:
    reopening = Reopening(patience=10.0)
    reopening.painted()
    clock.now += 60.0  # a frame that the client itself had to look for
    assert 10.0 <= await away(reopening, clock) < 12.0


async def test_before_the_first_painting_it_is_less(clock: Clock) -> None:
    assert await away(Reopening(patience=10.0), clock) == pytest.approx(1.4)
