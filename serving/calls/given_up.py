"""Work that somebody asked for and may not wait for any more."""

import asyncio
from typing import Any


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Looks at how ``future`` ended; to be called when it is done.

    It may be given up in the moment in which it fails, and asyncio would call that an error that
    nobody has seen, with a traceback in the log.
    """
    if not future.cancelled():
        future.exception()
