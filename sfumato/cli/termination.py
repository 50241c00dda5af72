"""Lets SIGTERM end a command as Ctrl-C does: in order, and without a half-written file."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# As shells report a program that a signal ended.
_BY_CTRL_C = 128 + signal.SIGINT
_BY_SIGTERM = 128 + signal.SIGTERM


class Termination:
    """What a command was ended by.

    Attributes:
        status: the exit status that says so.
    """

    def __init__(self) -> None:
        """Begins with Ctrl-C, which tells nobody but raises KeyboardInterrupt."""
        self.status: int = _BY_CTRL_C

    def on_sigterm(self, _: int, frame: FrameType | None) -> None:
        """Does what Ctrl-C does, and notes that it was SIGTERM."""
        self.status = _BY_SIGTERM
        on_ctrl_c = signal.getsignal(signal.SIGINT)  # asyncio has one of its own while it runs
        if not callable(on_ctrl_c):  # a shell's background job ignores Ctrl-C
            on_ctrl_c = signal.default_int_handler
        on_ctrl_c(signal.SIGINT, frame)


@contextmanager
def termination() -> Iterator[Termination]:
    """Makes SIGTERM raise KeyboardInterrupt in the block.

    Nothing changes outside the main thread, which signals do not reach, nor where the program
    handles SIGTERM already.
    """
    ended = Termination()
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield ended
        return
    signal.signal(signal.SIGTERM, ended.on_sigterm)
    try:
        yield ended
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
