"""What goes on around the clients of a soak: health, memory, metrics, reloads, killed clients."""

import asyncio
import contextlib
import random
import sys
import time
import urllib.request
from collections.abc import Mapping
from typing import Final

from benchmarks.model_folder import ModelFolder
from benchmarks.process_memory import mebibytes
from benchmarks.soak_record import SoakRecord
from examples.local_server import CHECKOUT, LocalServer
from sfumato.client.async_client import AsyncClient
from sfumato.errors import SfumatoError

_WATCH_SECONDS: Final = 0.5
_CRASH_SECONDS: Final = 5.0
_CLIENT_LIFE_SECONDS: Final = (0.5, 4.0)
_DAMAGED_EVERY: Final = 3  # reloads
_NOTICED_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 60.0
_LEFT: Final = ("sfumato_requests_in_flight", "sfumato_queue_length", "sfumato_streams_open")


class Watch:
    """Looks after one server; everything goes into the record."""

    def __init__(self, server: LocalServer, style: str, record: SoakRecord) -> None:
        """Watches ``server``, whose model has ``style``."""
        self._server, self._style, self._record = server, style, record

    async def look(self, stopped: asyncio.Event) -> None:
        """Checks health and memory, again and again."""
        started = time.monotonic()
        async with AsyncClient(self._server.address, timeout=_PATIENCE_SECONDS) as client:
            while not stopped.is_set():
                began = time.perf_counter()
                try:
                    if not await client.health():
                        self._record.wrong.append("health: NOT_SERVING")
                except SfumatoError as error:
                    self._record.wrong.append(f"health: {error}")
                self._record.health.append(time.perf_counter() - began)
                size = mebibytes(self._server.pid)
                self._record.memory.append((time.monotonic() - started, size))
                await _pause(stopped, _WATCH_SECONDS)

    async def reload(self, models: ModelFolder, every: float, stopped: asyncio.Event) -> None:
        """Puts a new version into ``models`` every so many seconds, and takes the old one away."""
        version = 2
        async with AsyncClient(self._server.address, timeout=_PATIENCE_SECONDS) as client:
            while not await _pause(stopped, every):
                if version % _DAMAGED_EVERY == 0:
                    await asyncio.to_thread(models.add, version, damaged=True)
                    await asyncio.sleep(_NOTICED_SECONDS)
                    self._record.outcomes["reload", "damaged at first"] += 1
                await asyncio.to_thread(models.add, version)
                await self._until_served(client, version)
                await asyncio.to_thread(models.remove, version - 1)
                version += 1

    async def _until_served(self, client: AsyncClient, version: int) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while (await client.list_styles())[0].version != version:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        except (TimeoutError, SfumatoError) as error:
            self._record.wrong.append(f"version {version} is not served: {error}")
            return
        self._record.outcomes["reload", "served"] += 1

    async def crash_clients(self, seed: int, stopped: asyncio.Event) -> None:
        """Starts clients and kills them while they wait for answers."""
        draw = random.Random(seed)  # noqa: S311 - to repeat a run, not to keep a secret
        command = [sys.executable, "-m", "benchmarks.soak_client"]
        while not stopped.is_set():
            client = await asyncio.create_subprocess_exec(
                *command, self._server.address, self._style, cwd=CHECKOUT
            )
            ended = await _ends_within(client, draw.uniform(*_CLIENT_LIFE_SECONDS))
            if ended:
                self._record.wrong.append(f"a client failed: status {client.returncode}")
            else:
                client.kill()
                await client.wait()
                self._record.outcomes["crash", "killed"] += 1
            await _pause(stopped, _CRASH_SECONDS)


async def _ends_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), seconds)
    return process.returncode is not None


async def _pause(stopped: asyncio.Event, seconds: float) -> bool:
    """Waits, but not beyond the end; gives whether that has come."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), seconds)
    return stopped.is_set()


async def left_inside(metrics_port: int) -> Mapping[str, float]:
    """Gives what is inside the server, by metric, as soon as it is nothing or patience ends."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        levels = await asyncio.to_thread(_levels, metrics_port)
        if not any(levels.values()) or time.monotonic() > deadline:
            return levels
        await asyncio.sleep(0.1)


def _levels(port: int) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    return {name: _value(lines, name) for name in _LEFT}


def _value(lines: list[str], name: str) -> float:
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
