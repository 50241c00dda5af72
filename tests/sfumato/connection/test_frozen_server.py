"""A server that hangs, as SIGSTOP makes it: its connections stay, and are silent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sfumato.client import async_calls, calls
from sfumato.client.async_client import AsyncClient
from sfumato.client.client import Client
from sfumato.connection import connection, inspection
from sfumato.errors import ServiceError
from tests.sfumato.image_files import encode, picture

ROOT = Path(__file__).resolve().parents[3]
PNG = encode(picture(), "PNG")
SERVER = """
import threading
from tests.sfumato.conftest import start_server
running = start_server()
print(running.target, flush=True)
threading.Event().wait()
"""


class Servers:
    """Two servers in processes of their own."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", SERVER]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.processes = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
            for _ in range(2)
        ]
        self.target = ",".join(self._told(process) for process in self.processes)

    @staticmethod
    def _told(process: subprocess.Popen[str]) -> str:
        assert process.stdout
        return process.stdout.readline().strip()

    def send(self, number: int, sent: signal.Signals) -> None:
        self.processes[number].send_signal(sent)


@pytest.fixture(scope="module")
def running() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    for process in servers.processes:
        process.kill()
        process.communicate()


@pytest.fixture
def servers(running: Servers) -> Iterator[Servers]:
    yield running
    for number in range(2):
        running.send(number, signal.SIGCONT)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calls, async_calls):
        monkeypatch.setattr(module, "SOON_SECONDS", 0.2)
    for name in ("_PATIENCE_SECONDS", "_SHORTEST_INTERVAL_SECONDS"):
        monkeypatch.setattr(inspection, name, 1.0)


async def list_styles(client: Any, timeout: float | None = None) -> None:  # noqa: ASYNC109
    listing = client.list_styles(timeout=timeout)
    if isinstance(client, AsyncClient):
        await listing


async def close(client: Any) -> None:
    closing = client.close()
    if isinstance(client, AsyncClient):
        await closing


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_frozen_server_costs_one_call_and_is_used_again_when_it_is_back(
    servers: Servers, kind: Any
) -> None:
    client, failed = kind(servers.target, timeout=1.1), 0
    for _ in range(4):
        await list_styles(client)
    servers.send(0, signal.SIGSTOP)
    for _ in range(12):
        try:
            await list_styles(client)
        except ServiceError:
            failed += 1
    assert failed <= 2
    servers.send(0, signal.SIGCONT)
    servers.send(1, signal.SIGSTOP)
    await list_styles(client, timeout=30)
    await close(client)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_another_server_takes_over_the_calls_of_a_frozen_one(
    servers: Servers, kind: Any
) -> None:
    client = kind(servers.target, timeout=60)
    for _ in range(4):
        await list_styles(client)
    servers.send(0, signal.SIGSTOP)
    for _ in range(4):
        await list_styles(client)
    await close(client)


async def test_a_stream_to_a_frozen_server_ends(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PING_OF_STREAMS_MS", (1000, 500))
    async with AsyncClient(servers.target) as client:
        answers = client.stylize_stream([PNG] * 3, "a", window=1)
        await anext(answers)
        for number in range(2):
            servers.send(number, signal.SIGSTOP)
        with pytest.raises(ServiceError) as error:
            async for _ in client.stylize_stream([PNG], "a"):
                pass
        assert error.value.code is grpc.StatusCode.UNAVAILABLE
        await answers.aclose()
