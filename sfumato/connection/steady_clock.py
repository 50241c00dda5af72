"""Keeps the times of one track going on where the clock of its file is set back."""

from fractions import Fraction
from typing import Final

_JUMP_SECONDS: Final = 1  # less is disorder within one recording


class SteadyClock:
    """The clock of one track, in ticks of its time base.

    A file that was put together from several, or a recorder that began anew, sets it back.

    Attributes:
        last: the time in use last, for the user to set; None before the first.
    """

    def __init__(self, time_base: Fraction) -> None:
        """Begins without a time; ``time_base`` is in seconds per tick."""
        self.last: int | None = None
        self._jump = _JUMP_SECONDS / time_base
        self._moved = 0

    def moved(self, ticks: int, step: int) -> int:
        """Gives the time that stands for one of the file.

        After a jump back of more than a second this one, and all later ones with it, are moved so
        that it follows the last by ``step``.
        """
        if self.last is not None and ticks + self._moved < self.last - self._jump:
            self._moved = self.last + step - ticks
        return ticks + self._moved
