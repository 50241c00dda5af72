"""What the process sets for itself: streams, open files, memory, threads that give way."""

import contextlib
import ctypes
import os
import sys
from typing import Final, TextIO, cast

_LAST: Final = 2  # standard error


def open_standard_streams() -> None:
    """Puts the null device in the place of each standard stream that is closed.

    Otherwise the next files and sockets get their numbers. What a library prints would go there,
    and uvloop aborts the process when it is to close one of them.
    """
    for number in range(_LAST + 1):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this
    if cast("TextIO | None", sys.stderr) is None:  # Python found it closed; the log writes to it
        sys.stderr = os.fdopen(_LAST, "w")


def allow_many_files() -> None:
    """Raises the soft limit, which is often 1024 for the sake of ``select``, to the hard one."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3
_LARGE: Final = 1024 * 1024
_KEPT: Final = 8 * _LARGE


def map_large_blocks() -> bool:
    """Lets glibc map each block of a MiB or more by itself, and unmap it once it is free.

    By itself glibc raises that limit to the size of what was last freed, up to 32 MiB. Photos of
    all sizes on several threads then leave heaps with holes, and a server grows by half within
    minutes (docs/serving.md). A smaller limit would cost small photos time.

    With a limit that is set glibc also gives back whatever more than 128 KiB is free at the end of
    a heap, and each small photo would have to get its pages anew. So each heap keeps 8 MiB.

    Returns:
        Whether the C library could be told; those other than glibc have no such limit.
    """
    if sys.platform == "win32":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {_M_MMAP_THRESHOLD: _LARGE, _M_TRIM_THRESHOLD: _KEPT}
    told = [mallopt(name, size) == 1 for name, size in settings.items()]
    return all(told)


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
