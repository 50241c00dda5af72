"""However a call ends, nothing of it stays in the server: every kind of call, every end."""

import asyncio
import gc
import linecache
import logging
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.device.session import OnnxSession
from serving.errors import OutOfMemoryError
from serving.painting.batch_queue import WaitingPhoto
from serving.painting.stylizer import Order, TensorOrder
from serving.server import Server
from tests.serving.every_call import INSIDE, KINDS, Kind, paintings
from tests.serving.frames import WAITING
from tests.serving.held_device import held
from tests.serving.running import MAX_MESSAGE, PATIENCE, ROOT, running, until, until_inside

AT_ONCE = 4
WARM_UP = 5
ROUNDS = 15
MOST_GROWTH = 100_000
"""Bytes that may stay after 60 calls. One kept photo, of the two to six of a call, has 5,760."""
CHANCES = 3
"""A leak grows every time; what is loaded once, or still held by an idle thread, does not."""

LATE = {
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,  # gRPC's client, if it is still sending a message of a stream
    grpc.StatusCode.CANCELLED,  # the same, if the server's clock is the first: it resets the stream
}

each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def left_in(server: Server) -> dict[str, int]:
    """Counts all that can be left of a call."""
    return {
        "inside": server._admission.inside,
        "waiting": server._batcher.waiting,
        "photos": sum(model.lane.inside for model in server._models.repository),
        "streams": server._streams.open,
    }


async def until_clean(server: Server) -> None:
    """Waits until nothing is left."""
    await until(lambda: not any(left_in(server).values()))


async def ends_well(channel: Any, _: Server, kind: Kind) -> None:
    """Begins a call and reads all of its answers."""
    call = kind.begin(channel, "plain", PATIENCE)
    assert await paintings(kind, call) == kind.inside
    assert await call.code() is grpc.StatusCode.OK


async def is_cancelled(channel: Any, server: Server, kind: Kind) -> None:
    """Begins a call and cancels it while something is inside."""
    call = kind.begin(channel, "plain", PATIENCE)
    await until(lambda: server._admission.inside > 0)
    call.cancel()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def comes_too_late(channel: Any, _: Server, kind: Kind) -> None:
    """Begins a call whose deadline passes while its photos wait."""
    call = kind.begin(channel, "plain", 0.05)
    assert await call.code() in LATE


ENDS = {
    "ok": (ends_well, {"max_batch_size": 4, "max_batch_delay_ms": 1.0}),
    "cancelled": (is_cancelled, WAITING),
    "deadline": (comes_too_late, WAITING),
}


@each_kind
@pytest.mark.parametrize("end", ENDS)
async def test_calls_leave_neither_a_place_taken_nor_memory(
    models: Path, kind: Kind, end: str
) -> None:
    let_end, settings = ENDS[end]
    async with (
        running(models, **settings) as server,
        grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel,
    ):

        async def memory_after(rounds: int) -> int:
            for _ in range(rounds):
                await asyncio.gather(*(let_end(channel, server, kind) for _ in range(AT_ONCE)))
            await until_clean(server)
            linecache.clearcache()  # gRPC's client formats a traceback for some cancelled calls
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            grown = [await memory_after(WARM_UP)]
            for _ in range(CHANCES):
                grown.append(await memory_after(ROUNDS))
                if grown[-1] - grown[-2] < MOST_GROWTH:
                    break
        finally:
            tracemalloc.stop()
        assert grown[-1] - grown[-2] < MOST_GROWTH


FAULTS: dict[str, tuple[str, type[Exception] | None, float]] = {
    "an unknown style": ("unknown", None, PATIENCE),
    "a network that fails": ("plain", ValueError, PATIENCE),
    "a device that is full": ("plain", OutOfMemoryError, PATIENCE),
    "a deadline": ("plain", None, 0.5),
}
"""What goes wrong: the style that is asked for, what the network raises, and the time limit."""


def kept() -> list[object]:
    """Gives all that holds photos in a server."""
    return [o for o in gc.get_objects() if type(o) in (Order, TensorOrder, WaitingPhoto)]


@each_kind
@pytest.mark.parametrize("fault", FAULTS)
async def test_photos_of_calls_that_fail_are_gone_before_the_garbage_collector_comes(
    models: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, fault: str
) -> None:
    """They count as inside no more, so nothing would bound how many there are."""
    style, error, seconds = FAULTS[fault]

    def fail(*_: object) -> None:
        assert error is not None
        raise error("no photo")

    settings = WAITING if fault == "a deadline" else {}
    async with (
        running(models, **settings) as server,
        grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel,
    ):
        if error is not None:
            monkeypatch.setattr(OnnxSession, "run", fail)
        # pytest keeps what is logged, tracebacks too.
        monkeypatch.setattr(logging.getLogger("serving.painting.batcher"), "disabled", True)
        gc.collect()
        gc.disable()
        try:
            assert await paintings(kind, kind.begin(channel, style, seconds)) == 0
            await until_clean(server)
            await until(lambda: not kept())
        finally:
            gc.enable()


@each_kind
async def test_a_server_that_stops_answers_what_is_inside_and_keeps_nothing(
    models: Path, kind: Kind
) -> None:
    async with (
        running(models, **WAITING) as server,
        grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel,
    ):
        call = kind.begin(channel, "plain", PATIENCE)
        await until_inside(server, kind.inside)
        answers = asyncio.create_task(paintings(kind, call))
        assert await server.stop()
        assert await answers == kind.inside
        await until_clean(server)


@each_kind
async def test_a_server_that_is_out_of_patience_keeps_nothing_either(
    models: Path, kind: Kind
) -> None:
    settings = {"grace_seconds": 0.05, "max_batch_size": 64}
    async with (
        held(models, **settings) as (server, device),
        grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel,
    ):
        call = kind.begin(channel, "plain", PATIENCE)
        await device.begun()
        assert not await server.stop()
        assert await call.code() is not grpc.StatusCode.OK
        device.let_go()
        await until_clean(server)


async def test_a_killed_client_leaves_nothing_behind(models: Path) -> None:
    program = (sys.executable, "-m", "tests.serving.every_call")
    async with running(models, **WAITING) as server:
        client = await asyncio.create_subprocess_exec(*program, server.address, cwd=ROOT)
        try:
            await until_inside(server, INSIDE)
            assert left_in(server)["streams"] == 2
        finally:
            client.kill()
            await client.wait()
        await until_clean(server)
