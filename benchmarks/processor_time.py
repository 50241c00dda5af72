"""Processor time: of a process and what it started, of this program, and of everybody else. Linux.

Absolute speeds are worth little while other programs use the cores; ``Others`` tells whether they
did.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

DISTURBED: Final = 0.1
"""Cores in use by others from which on a measurement counts as disturbed."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Lists a process and all that descend from it and still run."""
    pids = [pid]
    for parent in pids:  # grows while it is walked through
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pids += map(int, task.read_text().split())
    return pids


def processor_seconds(*pids: int) -> float:
    """Gives the processor time that processes have used so far; one that has ended counts 0."""
    return sum(map(_seconds, pids))


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS  # user, system


def busy_seconds() -> float:
    """Gives the time that all cores together have been busy since the machine started."""
    user, nice, system, _idle, _wait, interrupts, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft) / _TICKS


class Others:
    """Says how many cores others used since it was made.

    Own are this process and its children. Children count at their end, so all that were started
    meanwhile must have been waited for.
    """

    def __init__(self) -> None:
        """Begins to watch."""
        self._started, self._busy, self._own = time.monotonic(), busy_seconds(), _own_seconds()

    def cores(self) -> float:
        """Gives the average number of cores since the beginning, at least 0."""
        seconds = time.monotonic() - self._started
        foreign = busy_seconds() - self._busy - (_own_seconds() - self._own)
        return max(0.0, foreign / seconds)


def _own_seconds() -> float:
    return sum(os.times()[:4])  # this process and its children, in user and in system mode
