"""Where the time of a request goes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of a call.

    Attributes:
        name: decode, queue, inference or encode.
        started: by ``time.monotonic()``, in seconds.
        ended: by the same clock.
    """

    name: str
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started
