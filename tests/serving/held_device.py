"""A device that works when the test lets it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.config import ServerConfig
from serving.server import Server
from tests.serving.running import PATIENCE


class HeldDevice:
    """A network that gives photos back as they are, once it is let go.

    Attributes:
        provider: what the log calls it.
    """

    provider = "held"
    precision = "float32"

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._free = threading.Event()

    def run(
        self, images: npt.NDArray[np.uint8], _styles: npt.NDArray[np.float32], /
    ) -> npt.NDArray[np.uint8]:
        """Waits to be let go; gives ``images`` uint8 [N, H, W, 3] back."""
        self._begun.set()
        assert self._free.wait(PATIENCE)
        return images

    def warm_up_runs(self, _batch_size: int, /) -> Sequence[Callable[[], None]]:
        """Gives none."""
        return ()

    async def begun(self) -> None:
        """Waits until it has got its first batch."""
        assert await asyncio.to_thread(self._begun.wait, PATIENCE)

    def let_go(self) -> None:
        """From now on it works at once."""
        self._free.set()


@asynccontextmanager
async def held(models: Path, **settings: Any) -> AsyncIterator[tuple[Server, HeldDevice]]:
    """Runs a server of ``models`` whose device is held."""
    device = HeldDevice()
    threads: dict[str, Any] = {"batches_at_once": 1, "codec_threads": 2}
    config = ServerConfig(models=models, port=0, device="cpu", **threads, **settings)
    server = Server(config, open_session=lambda _: device)
    await server.start()
    try:
        yield server, device
    finally:
        device.let_go()
        await server.stop()
