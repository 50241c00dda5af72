"""Keeps photos out of the C library's heap, where they would leave holes."""

import ctypes
import sys
from typing import Final

_M_MMAP_THRESHOLD: Final = -3  # malloc.h
_LARGE: Final = 1024 * 1024


def map_large_blocks() -> bool:
    """Lets glibc map each block of a MiB or more by itself, and unmap it once it is free.

    By itself glibc raises that limit to the size of what was last freed, up to 32 MiB. Photos of
    all sizes on several threads then leave heaps with holes, and a server grows by half within
    minutes (docs/serving.md). A smaller limit would cost small photos time.

    Returns:
        Whether the C library could be told; those other than glibc have no such limit.
    """
    if sys.platform == "win32":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, _LARGE) == 1
