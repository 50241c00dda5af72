"""What one loaded network brings to the batcher: its session, its limits and its pace."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from serving.calls.admission import Turnover
from serving.device.flow_shares import FlowShares
from serving.errors import InvalidRequestError, QueueFullError

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float32]

_numbers: Final[Iterator[int]] = itertools.count()

UNKNOWN_PACE: Final = 1e-9
"""Seconds per pixel before anything ran: faster than any device, so that nothing is refused."""


class Session(Protocol):
    """A network on a device."""

    def run(self, images: Pixels, styles: Numbers, /) -> Pixels:
        """Paint ``images`` [N, H, W, 3] with ``styles`` [N, P]; same shape out."""
        ...


class BatchObserver(Protocol):
    """Is told about batches, on the event loop's thread; must be quick and must not raise."""

    def batch_ran(self, lane: "Lane", photos: int, seconds: float) -> None:
        """A batch of ``lane`` came off the device.

        Args:
            lane: the network that ran.
            photos: how many it painted at once; those nobody waited for any more are left out.
            seconds: how long the device was busy with it.
        """


@dataclass(frozen=True)
class LaneSettings:
    """How the photos of one network are put together.

    Attributes:
        max_batch_size: photos in a batch, at most.
        max_batch_pixels: pixels in a batch, at most; a single photo always runs.
        max_batch_delay: longest time in seconds that a photo waits for its batch to fill.
        max_queue_size: photos of this network inside the server, at most; None for no limit of
            its own.
    """

    max_batch_size: int = 1
    max_batch_pixels: int = 24_000_000
    max_batch_delay: float = 0.0
    max_queue_size: int | None = None


class Lane:
    """One network in the batcher. Photos of different lanes never share a batch.

    Attributes:
        number: its own, for who must tell lanes apart without keeping one alive.
        name: what errors call it.
        session: the network.
        settings: its limits.
        flows: which photos' turn it is.
    """

    def __init__(self, name: str, session: Session, settings: LaneSettings) -> None:
        """Starts empty, with a pace that is not known yet."""
        self.number = next(_numbers)
        self.name = name
        self.session = session
        self.settings = settings
        self.flows: Final = FlowShares()
        self._turnover = Turnover()
        self._pace: float | None = None

    @property
    def inside(self) -> int:
        """Photos of this network inside the server."""
        return self._turnover.inside

    @property
    def pace(self) -> float:
        """Seconds per pixel: the best ever seen."""
        return UNKNOWN_PACE if self._pace is None else max(self._pace, UNKNOWN_PACE)

    def note_pace(self, seconds: float, pixels: int) -> None:
        """Notes how long so many pixels took."""
        pace = seconds / pixels
        self._pace = pace if self._pace is None else min(pace, self._pace)

    def limit(self, pixels: int) -> int:
        """Gives the number of photos, of so many pixels each, that fill a batch."""
        by_pixels = self.settings.max_batch_pixels // pixels
        return max(1, min(self.settings.max_batch_size, by_pixels))

    @contextmanager
    def admitted(self, photos: int = 1) -> Iterator[None]:
        """Counts photos in for as long as the block lasts.

        Raises:
            QueueFullError: there are as many inside as this network may have.
            InvalidRequestError: they are more than it may ever have.
        """
        most = self.settings.max_queue_size
        if most is not None and photos > most:
            raise InvalidRequestError(
                f"{photos} photos are more than the {most} that model {self.name} may have inside "
                "at once; send fewer at a time"
            )
        if most is not None and self.inside + photos > most:
            raise QueueFullError(
                f"model {self.name} is full: {self.inside} photos are inside, its limit is "
                f"{most}; try again later",
                self._turnover.turn_away(),
            )
        self._turnover.enter(photos)
        try:
            yield
        finally:
            self._turnover.leave(photos)
