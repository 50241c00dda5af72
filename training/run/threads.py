"""How many threads a step uses: as many as there are processors that nobody else keeps busy.

The threads of a step wait for each other many times in it. One that has to share its processor
with another program holds up all the others: on two processors beside other programs, two threads
took five to seven times as long as one.
"""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import torch
from lightning.pytorch.utilities import rank_zero_info

VARIABLE: Final = "OMP_NUM_THREADS"

SECONDS: Final = 0.5
"""How long the processors are looked at."""

TOLERANCE: Final = 0.3
"""Share of a processor that others may use and it still counts as free."""


@contextmanager
def threads(wanted: int | None) -> Iterator[None]:
    """Lets torch compute on ``wanted`` threads, or as many as the load allows, and says so.

    A number in OMP_NUM_THREADS counts as wanted, too.
    """
    before, variable = torch.get_num_threads(), os.environ.get(VARIABLE)
    count, reason = choose(wanted, before)
    torch.set_num_threads(count)
    rank_zero_info(f"computing on {count} thread{'s' if count > 1 else ''}: {reason}")
    if wanted is not None:
        os.environ[VARIABLE] = str(wanted)  # for the other processes of the run
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if wanted is not None:
            os.environ.pop(VARIABLE)
            os.environ |= {} if variable is None else {VARIABLE: variable}


def choose(wanted: int | None, usual: int) -> tuple[int, str]:
    """Returns a number of threads, and why; ``usual`` is torch's own choice."""
    if wanted is not None:
        return wanted, "--threads says so"
    if os.environ.get(VARIABLE):
        return usual, f"{VARIABLE} says so"
    processors = own_processors()
    idle = idle_processors(processors)
    if idle is None:
        return usual, "torch's choice, for the load cannot be read here (--threads N changes it)"
    free = min(idle, processor_quota())
    count = max(1, min(usual, math.floor(free + TOLERANCE)))
    return count, (f"{free:.1f} of {len(processors)} processors are free (--threads N changes it)")


def own_processors() -> frozenset[int]:
    """Returns the numbers of the processors on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def idle_processors(processors: frozenset[int]) -> float | None:
    """Returns how many of ``processors`` nobody uses while this process sleeps for a moment.

    None where the system does not tell. (The load average would count this program's own start.)
    """
    before = _clocks()
    time.sleep(SECONDS)
    after = _clocks()
    spans = [
        [b - a for a, b in zip(before[number], after[number], strict=True)]
        for number in processors & before.keys() & after.keys()
    ]
    if not spans:
        return None
    return sum((idle / whole if whole else 1.0) for idle, whole in spans)


def _clocks() -> dict[int, tuple[int, int]]:
    """Returns the idle time and the whole time of each processor, in ticks."""
    clocks = {}
    with suppress(OSError):
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
            name, *ticks = line.split()
            if name.startswith("cpu") and name != "cpu":
                user, nice, system, idle, waiting, *rest = map(int, ticks[:8])
                clocks[int(name[3:])] = (
                    idle + waiting,
                    user + nice + system + idle + waiting + sum(rest),
                )
    return clocks


def processor_quota(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> float:
    """Returns how many processors' time a container's limit allows, or infinity."""
    with suppress(OSError, ValueError):
        quota, period = limit.read_text(encoding="ascii").split()
        return int(quota) / int(period)  # "max" is no number
    return math.inf
