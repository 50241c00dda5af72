"""``python -m serving``: see ``serving.program``."""

import os
import signal
import sys

from serving.process import open_standard_streams

open_standard_streams()  # before anything else opens a file

# Most of the start is imports. A container's first process has no handlers but its own: a signal
# that came before would be lost, and the container be killed at the end of its grace.
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: os._exit(0))  # nothing was accepted yet

from serving.program import main  # noqa: E402 - after the handlers

if __name__ == "__main__":
    sys.exit(main())
