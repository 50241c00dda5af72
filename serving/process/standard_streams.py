"""Sees to it that there are three standard streams, whoever started the process."""

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
