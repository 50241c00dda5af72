"""What one row of the acceptance list came to."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes:
        device: of the rows with a real network: "cpu" or "cuda".
        pairs: measurements of what is compared, each.
        seconds: length of a measurement.
        repetitions: requests, shapes or reloads of the rows that count them, as a share of what
            the list asks for; 1 for all of them.
    """

    device: str = "cpu"
    pairs: int = 5
    seconds: float = 6.0
    repetitions: float = 1.0

    def times(self, count: int) -> int:
        """Gives the share of ``count``, at least 3."""
        return max(3, round(count * self.repetitions))


@dataclass(frozen=True)
class Verdict:
    """One line of the table.

    Attributes:
        measure: what was measured.
        target: what it has to be.
        measured: what it was, with its scatter.
        passed: whether that is enough; None if it could not be measured.
    """

    measure: str
    target: str
    measured: str
    passed: bool | None


Row = Callable[[Effort], Iterator[Verdict]]
"""Measures one row of the list; yields one or more lines."""


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Writes median and range: ``0.981 (0.970–0.989, 5)``."""
    low, middle, high = (
        f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low}–{high}, {len(values)})"


def percentile(values: Sequence[float], percent: int) -> float:
    """Gives the value that so many percent of ``values`` do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
