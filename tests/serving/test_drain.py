"""Signals to a real server process."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from benchmarks.free_port import free_port
from tests.serving.every_call import INSIDE, KINDS, paintings
from tests.serving.photos import decode, draw, encode
from tests.serving.running import PATIENCE, ROOT, ServerProcess, command, connected, order
from tests.serving.scraping import until_in_flight
from tests.serving.tiny_network import endless_models

# Photos wait for a batch that never fills, so they are inside when the signal comes.
WAITING = ("--max-batch-size", "64", "--max-batch-delay-ms", "60000", "--log-level", "debug")


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    """Lets servers hear SIGHUP, also if the tests were started with nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def unavailable(stub: Any, photo: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.Stylize(order(photo), timeout=PATIENCE)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_under_load_finishes_every_accepted_photo(
    models: Path, tmp_path: Path, number: signal.Signals
) -> None:
    photos = [draw(20 + seed % 2, 20, seed) for seed in range(6)]
    with ServerProcess(models, tmp_path, *WAITING) as server:
        async with connected(server) as stub:
            calls = [stub.Stylize(order(encode(photo)), timeout=PATIENCE) for photo in photos]
            await server.logs("admitted a request", len(photos))
            server.send(number)
            answers = await asyncio.gather(*calls)
        assert await server.ended() == 0
        assert "stopping: 6 requests to finish" in server.log
        assert "Traceback" not in server.log
    for photo, answer in zip(photos, answers, strict=True):
        np.testing.assert_array_equal(decode(answer.image), photo)


async def test_while_it_drains_the_server_refuses_new_photos(tmp_path: Path) -> None:
    with ServerProcess(endless_models(tmp_path), tmp_path, "--log-level", "debug") as server:
        async with connected(server) as stub:
            call = stub.Stylize(order(encode(draw()), "never"), timeout=PATIENCE)
            await server.logs("admitted a request")
            server.send(signal.SIGTERM)
            await server.logs("stopping: 1 requests")
            async with connected(server) as late:
                await unavailable(late, encode(draw()))
            call.cancel()


async def test_what_outlasts_the_grace_period_is_cut_off(tmp_path: Path) -> None:
    options = ("--grace-seconds", "0.2", "--log-level", "debug")
    with ServerProcess(endless_models(tmp_path), tmp_path, *options) as server:
        async with connected(server) as stub:
            call = stub.Stylize(order(encode(draw()), "never"), timeout=PATIENCE)
            await server.logs("admitted a request")
            server.send(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError) as cut:
                await call
        assert cut.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await server.ended() == 1
        assert "1 requests cut off" in server.log


async def test_a_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    with ServerProcess(endless_models(tmp_path), tmp_path, "--log-level", "debug") as server:
        async with connected(server) as stub:
            call = stub.Stylize(order(encode(draw()), "never"), timeout=PATIENCE)
            await server.logs("admitted a request")
            server.send(signal.SIGTERM)
            await server.logs("stopping: 1 requests")
            server.send(signal.SIGINT)
            assert await server.ended() == 128 + signal.SIGINT
            with pytest.raises(grpc.aio.AioRpcError):
                await call


async def test_a_closed_terminal_may_tell_so_twice(tmp_path: Path) -> None:
    with ServerProcess(endless_models(tmp_path), tmp_path, "--log-level", "debug") as server:
        async with connected(server) as stub:
            call = stub.Stylize(order(encode(draw()), "never"), timeout=PATIENCE)
            await server.logs("admitted a request")
            server.send(signal.SIGHUP)
            await server.logs("stopping: 1 requests")
            server.send(signal.SIGHUP)
            await server.logs("received SIGHUP", 2)
            server.send(signal.SIGTERM)
            assert await server.ended() == 128 + signal.SIGTERM
            with pytest.raises(grpc.aio.AioRpcError):
                await call


async def test_a_signal_finishes_every_kind_of_call_and_lets_no_other_in(
    models: Path, tmp_path: Path
) -> None:
    metrics_port = free_port()
    options = (*WAITING, "--metrics-port", str(metrics_port))
    with ServerProcess(models, tmp_path, *options) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            calls = {name: kind.begin(channel, "plain", PATIENCE) for name, kind in KINDS.items()}
            await until_in_flight(metrics_port, INSIDE)
            server.send(signal.SIGTERM)
            for name, kind in KINDS.items():
                assert await paintings(kind, calls[name]) == kind.inside
            for kind in KINDS.values():
                late = kind.begin(channel, "plain", PATIENCE)
                assert await paintings(kind, late) == 0
                assert await late.code() is grpc.StatusCode.UNAVAILABLE
        assert await server.ended() == 0
        assert "Traceback" not in server.log


async def test_while_it_drains_the_server_refuses_every_kind_of_call(tmp_path: Path) -> None:
    with ServerProcess(endless_models(tmp_path), tmp_path, "--log-level", "debug") as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            inside = KINDS["Stylize"].begin(channel, "never", PATIENCE)
            await server.logs("admitted a request")
            server.send(signal.SIGTERM)
            await server.logs("stopping: 1 requests")
            async with grpc.aio.insecure_channel(server.address) as another:
                for kind in KINDS.values():
                    late = kind.begin(another, "now", PATIENCE)
                    assert await late.code() is grpc.StatusCode.UNAVAILABLE
            inside.cancel()


def test_a_signal_during_the_imports_ends_the_process_in_order(models: Path) -> None:
    """Without a handler the status would be -15, and a container's first process go on."""
    process = subprocess.Popen(command("--models", str(models), "--port", "0"), cwd=ROOT)
    try:
        deadline = time.monotonic() + PATIENCE
        while not handles(process.pid, signal.SIGTERM):
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()


def handles(pid: int, number: signal.Signals) -> bool:
    """Tells whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = [line for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
