"""What a soak saw."""

import itertools
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_GROWTH: Final = 1.15
"""Memory at the end over that in the second quarter of the time, at most."""


@dataclass
class SoakRecord:
    """What a soak saw, growing while it runs.

    Attributes:
        outcomes: how often each activity ended how.
        wrong: what must not have happened, in words.
        memory: pairs of seconds since the start and resident MiB.
        health: seconds that each health check took.
        left: what was inside the server at the end, by the name of its metric.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    left: Mapping[str, float] = field(default_factory=dict)

    @property
    def growth(self) -> float:
        """Memory in the last quarter of the time over that in the second; medians."""
        sizes = [size for _, size in self.memory]
        quarter = max(1, len(sizes) // 4)
        return statistics.median(sizes[-quarter:]) / statistics.median(sizes[quarter : 2 * quarter])

    @property
    def slope(self) -> float:
        """MiB per hour, over all but the first quarter of the time."""
        later = self.memory[len(self.memory) // 4 :]
        seconds, sizes = zip(*later, strict=True)
        return 3600 * statistics.linear_regression(seconds, sizes).slope

    @property
    def floors(self) -> list[float]:
        """Least MiB in each quarter of the time: what stays, whatever photos are inside."""
        sizes = [size for _, size in self.memory]
        bounds = [len(sizes) * quarter // 4 for quarter in range(5)]
        return [min(sizes[first:last]) for first, last in itertools.pairwise(bounds)]

    def problems(self) -> list[str]:
        """Says what is not as it should be, but for the memory."""
        left = [f"{name} is {value:g} at the end" for name, value in self.left.items() if value]
        return [*self.wrong, *left]

    def memory_problems(self) -> list[str]:
        """Says whether the memory grew, which only a long soak can tell."""
        if self.growth <= _GROWTH:
            return []
        return [f"the memory grew to {self.growth:.2f} times that of the second quarter"]

    def table(self) -> str:
        """Writes everything as Markdown."""
        lines = ["| activity | ended | times |", "| --- | --- | ---: |"]
        lines += [
            f"| {activity} | {outcome} | {count} |"
            for (activity, outcome), count in sorted(self.outcomes.items())
        ]
        sizes = [size for _, size in self.memory]
        health = [1000 * seconds for seconds in self.health]
        lines += [
            "",
            "| watched | |",
            "| --- | --- |",
            f"| resident MiB: first, most, last | {_listed(sizes[0], max(sizes), sizes[-1])} |",
            f"| least in each quarter of the time | {_listed(*self.floors)} |",
            f"| its slope after the first quarter | {self.slope:+.1f} MiB an hour |",
            f"| last quarter / second quarter | {self.growth:.2f} |",
            f"| health checks | {len(health)} |",
            f"| ms: median, slowest | {_listed(statistics.median(health), max(health))} |",
            *(f"| {name} at the end | {value:g} |" for name, value in self.left.items()),
        ]
        return "\n".join(lines)


def _listed(*values: float) -> str:
    return ", ".join(f"{value:.0f}" for value in values)
