"""Servers for tests: inside this process, or as the process that a user starts."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.config import ServerConfig
from serving.server import Server
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
"""Seconds after which a test gives up waiting; far more than a loaded machine needs."""

MAX_MESSAGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@asynccontextmanager
async def running(models: Path, **settings: Any) -> AsyncIterator[Server]:
    """Runs a server on a free port in this event loop."""
    threads = {"batches_at_once": 1, "intra_op_threads": 1, "codec_threads": 2}
    small = {"port": 0, "device": "cpu", **threads}
    server = Server(ServerConfig(models=models, **{**small, **settings}))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(server: "Server | ServerProcess") -> AsyncIterator[Any]:
    """Gives the stub of a channel to ``server`` whose own message limit never interferes."""
    async with grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel:
        yield StylizationServiceStub(channel)


def order(image: bytes, styles: Mapping[str, float] | str = "plain", **fields: Any) -> Any:
    """Makes a StylizeRequest."""
    weights = {styles: 1.0} if isinstance(styles, str) else styles
    return pb.StylizeRequest(
        image=image,
        styles=[pb.WeightedStyle(style_id=style, weight=w) for style, w in weights.items()],
        **fields,
    )


async def refused(stub: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    """Sends a request that must fail; gives status and message."""
    status, message = await outcome(stub.Stylize(request, timeout=PATIENCE))
    assert status is not grpc.StatusCode.OK, "the server accepted the request"
    return status, message


async def outcome(call: Any) -> tuple[grpc.StatusCode, str]:
    """Waits for an answer; gives its status and message."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


async def health_of(channel: grpc.aio.Channel, service: str = "") -> str:
    """Asks for the health of a server, or of one service or model of it."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds of which no event tells."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def until_inside(server: Server, requests: int) -> None:
    """Waits until so many requests are inside the server."""
    await until(lambda: server._admission.inside == requests)


class ServerProcess:
    """``python -m serving`` as a process of its own, ready when the block begins."""

    def __init__(self, models: Path, folder: Path, *options: str) -> None:
        self._port_file = folder / "port"
        self._log = folder / "log"
        self._command = command(
            "--models", str(models), "--port", "0", "--port-file", str(self._port_file), *options
        )

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(self._command, stderr=log, cwd=ROOT)
        deadline = time.monotonic() + PATIENCE
        while not self._port_file.exists():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)
        self.address = f"127.0.0.1:{self._port_file.read_text().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self._log.read_text()

    async def logs(self, words: str, times: int = 1) -> None:
        """Waits until the log has ``words`` so many times."""
        await until(lambda: self.log.count(words) >= times)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the server."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Waits for the end of the process; gives its exit status."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)


def command(*options: str) -> list[str]:
    """Gives the command line of a server that is easy on the machine."""
    return [sys.executable, "-m", "serving", "--device", "cpu", "--codec-threads", "2", *options]


def run_to_the_end(
    *options: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Runs a server that cannot start; gives exit status, standard output and error."""
    done = subprocess.run(
        [sys.executable, "-m", "serving", *options],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
