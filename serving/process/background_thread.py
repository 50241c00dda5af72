"""Threads that let others go first."""

import contextlib
import os
import sys
from typing import Final

_NICENESS: Final = 5


def give_way() -> None:
    """Lets the calling thread have a core when others do not want it; Linux, elsewhere nothing.

    Decoding and encoding take most of the processor time, and most threads. Where there are fewer
    cores than threads, the event loop and the device's thread would wait for a core behind them,
    and the device stand idle meanwhile (docs/benchmarks-serving.md). More than this niceness would
    hurt: where a network fills the cores, a thread that hardly ever runs may hold the interpreter's
    lock, for which the event loop waits.
    """
    if sys.platform != "linux":
        return  # threads have no niceness of their own there
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # not what an operator has chosen
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
