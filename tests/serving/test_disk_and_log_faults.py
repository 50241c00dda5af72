"""A disk that takes nothing more, and a log that nobody can write: serving goes on."""

import asyncio
import fcntl
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks.free_port import free_port
from sfumato.bundle.style_file import write_style_file
from sfumato.v1 import admin_service_pb2 as pb
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.http2_frames import SETTINGS, call, raw_connection
from tests.serving.photos import draw, encode
from tests.serving.repositories import new_style
from tests.serving.running import PATIENCE, ROOT, command, connected, order, refused, running
from tests.serving.scraping import until_in_flight
from tests.serving.tiny_network import endless_models

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
LOGS = {
    "a closed pipe": "",
    "a full pipe": "",
    "a full disk": "2>/dev/full",
    "closed": "2>&-",
    "closed with the other streams": "<&- >&- 2>&-",
}
"""What becomes of standard error, in the shell's language."""


MALFORMED = call(1, "/grpc.health.v1.Health/Check", grpc_timeout="abc")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow, as on a disk that is full or over quota."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_style_that_no_longer_fits_on_the_disk_is_served_from_memory(
    models: Path, tmp_path: Path
) -> None:
    write_style_file(tmp_path / "half.safetensors", new_style("half"))
    request = pb.AddStyleRequest(style_file=(tmp_path / "half.safetensors").read_bytes())
    async with running(models, admin=True) as server, connected(server) as stub:
        async with grpc.aio.insecure_channel(server.address) as channel:
            admin: Any = AdminServiceStub(channel)
            with full_disk():
                added = await admin.AddStyle(request, timeout=PATIENCE)
        assert not added.stored
        assert list((models / "default" / "styles").iterdir()) == []
        answer = await stub.Stylize(order(encode(draw()), "half"), timeout=PATIENCE)
    assert answer.width == 40


def test_a_port_file_that_does_not_fit_on_the_disk_is_told_on_one_line(
    models: Path, tmp_path: Path
) -> None:
    port_file = tmp_path / "port"
    options = ("--models", str(models), "--port", "0", "--port-file", str(port_file))
    limited = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command(*options)]
    done = subprocess.run(
        limited, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"python -m serving: error: cannot write port_file {port_file}: File too large"
    )
    assert list(tmp_path.glob("*port*")) == []


def until_there(port_file: Path, process: subprocess.Popen[bytes]) -> None:
    """Waits until a server is ready."""
    end = time.monotonic() + PATIENCE
    while not port_file.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def unlogged(
    models: Path, folder: Path, log: str, *more: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Runs a server whose standard error takes nothing; gives its process and address."""
    port_file = folder / "port"
    options = ("--models", str(models), "--port", "0", "--port-file", str(port_file), *more)
    reading, writing = os.pipe()
    if log == "a full pipe":
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    else:
        os.close(reading)
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {LOGS[log]}', "sh", *command(*options)], stderr=writing, cwd=ROOT
    )
    os.close(writing)
    try:
        until_there(port_file, process)
        yield process, f"127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.kill()
        process.wait()
        if log == "a full pipe":
            os.close(reading)


@pytest.mark.parametrize("log", LOGS)
async def test_without_a_log_photos_are_painted_and_the_end_is_orderly(
    models: Path, tmp_path: Path, log: str
) -> None:
    with unlogged(models, tmp_path, log) as (process, address):
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = StylizationServiceStub(channel)
            assert (await stub.Stylize(order(encode(draw())), timeout=PATIENCE)).width == 40
            assert (await refused(stub, order(b"")))[0] is grpc.StatusCode.INVALID_ARGUMENT
            for _ in range(120):  # each makes gRPC's core complain
                async with raw_connection(address) as client:
                    await client.send(MALFORMED)
                    await client.receive(SETTINGS)
            assert (await stub.Stylize(order(encode(draw())), timeout=PATIENCE)).width == 40
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0


@pytest.mark.parametrize("stream", ["<&-", ">&-"])
def test_without_a_standard_stream_the_end_is_orderly_and_told(
    models: Path, tmp_path: Path, stream: str
) -> None:
    port_file, log = tmp_path / "port", tmp_path / "log"
    options = ("--models", str(models), "--port", "0", "--port-file", str(port_file))
    closing = ["sh", "-c", f'exec "$@" {stream}', "sh", *command(*options)]
    with log.open("wb") as errors:
        process = subprocess.Popen(closing, stderr=errors, cwd=ROOT)
    try:
        until_there(port_file, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    assert log.read_text().endswith("INFO serving.server stopped\n")


@pytest.mark.parametrize("log", LOGS)
async def test_without_a_log_a_second_signal_ends_the_server_all_the_same(
    tmp_path: Path, log: str
) -> None:
    metrics_port = free_port()
    photo = order(encode(draw()), "now")
    with unlogged(endless_models(tmp_path), tmp_path, log, "--metrics-port", str(metrics_port)) as (
        process,
        address,
    ):
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = StylizationServiceStub(channel)
            endless = stub.Stylize(order(encode(draw()), "never"), timeout=PATIENCE)
            await until_in_flight(metrics_port, 1)
            process.send_signal(signal.SIGTERM)
            while await stub.Stylize(photo, timeout=PATIENCE).code() is not UNAVAILABLE:
                pass
            process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(process.wait, PATIENCE) == 128 + signal.SIGINT
            assert await endless.code() is UNAVAILABLE
