"""How long a stream that broke is opened again."""

import asyncio
import math
import time
from typing import Final

import grpc

from sfumato.errors import ServiceError

_FEWEST_TRIES: Final = 4  # as often as a photo is sent
_FIRST_PAUSE_SECONDS: Final = 0.1
_MOST_DOUBLINGS: Final = 4


class Reopening:
    """Waits between the streams of one video, and ends it when the server stays away.

    After a painting that is when patience ends, which begins when a stream breaks. Before the
    first one, when the address may be wrong, it is after a few streams.
    """

    def __init__(self, patience: float) -> None:
        """Gives up ``patience`` seconds after the first stream that broke since a painting."""
        self._patience = patience
        self._away_since = -math.inf
        self._broken = 0

    def painted(self) -> None:
        """Notes that a frame was painted."""
        self._away_since, self._broken = math.inf, 0

    async def wait(self, error: ServiceError) -> None:
        """Waits until the next stream may be opened, after one that ended with ``error``.

        Raises:
            ServiceError: ``error``, if another stream would fare no better.
        """
        self._broken += 1
        now = time.monotonic()
        self._away_since = min(self._away_since, now)
        in_vain = now - self._away_since >= self._patience
        if error.code is not grpc.StatusCode.UNAVAILABLE or (
            in_vain and self._broken >= _FEWEST_TRIES
        ):
            raise error
        await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2 ** min(self._broken, _MOST_DOUBLINGS))
