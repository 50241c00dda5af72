"""A server whose network is a pause: what is left is what the service itself costs.

    python -m benchmarks.simulated_device MILLISECONDS [options of python -m serving]

Everything but the network is the real server: gRPC, JPEG, batching, access log. The photos come
back as they were, after the pause. Like a device, it does one batch at a time, and like a GPU it
has a queue: with ``--batches-at-once 2`` the next batch begins the moment the one before has ended.
"""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import uvloop

from serving.command_line import read_config
from serving.config import ServerConfig
from serving.monitoring.logs import configure_logging
from serving.process import map_large_blocks
from serving.server import Server
from sfumato.bundle.bundle import Bundle


class SimulatedSession:
    """Takes its time and gives back what it got; for any thread.

    Attributes:
        provider: what the log calls it.
    """

    provider = "simulated"
    precision = "float32"

    def __init__(self, seconds: float) -> None:
        """Takes so many seconds for a batch, whatever its size."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._free_at = 0.0

    def run(
        self, images: npt.NDArray[np.uint8], _styles: npt.NDArray[np.float32], /
    ) -> npt.NDArray[np.uint8]:
        """Waits for those before, and the pause; gives ``images`` uint8 [N, H, W, 3] back."""
        if self._seconds:
            now = time.perf_counter()
            with self._lock:
                self._free_at = max(self._free_at, now) + self._seconds
                pause = self._free_at - now
            time.sleep(pause)
        return images

    def warm_up_runs(self, _batch_size: int, /) -> Sequence[Callable[[], None]]:
        """Gives none: a pause is never cold."""
        return ()


def pauses_per_second(seconds: float, during: float) -> float:
    """Measures how many batches a loop gets done that does nothing but pause: the ideal.

    Args:
        seconds: length of a pause; the system's timer makes it somewhat longer.
        during: seconds to measure.
    """
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < during:
        time.sleep(seconds)
        count += 1
    return count / (time.perf_counter() - started)


async def _serve(config: ServerConfig, seconds: float) -> int:
    def open_session(_: Bundle) -> SimulatedSession:
        return SimulatedSession(seconds)

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = Server(config, open_session=open_session)
    await server.start()
    await stopping.wait()
    return 0 if await server.stop() else 1


def main() -> int:
    """Serves until SIGTERM; gives the exit status."""
    milliseconds, *options = sys.argv[1:]
    config = read_config(["--batches-at-once", "1", *options])
    configure_logging(config.log_level)
    map_large_blocks()
    return uvloop.run(_serve(config, float(milliseconds) / 1000))


if __name__ == "__main__":
    sys.exit(main())
