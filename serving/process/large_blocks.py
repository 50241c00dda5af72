"""Keeps photos out of the C library's heap, where they would leave holes."""

import ctypes
import sys
from typing import Final

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
