"""However a stream ends, nothing of it stays in the server."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.server import Server
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.frames import (
    WAITING,
    frame,
    numbered,
    read,
    results,
    sent,
    status_of,
    until_clean,
    write,
)
from tests.serving.held_device import held
from tests.serving.photos import draw, encode
from tests.serving.running import (
    MAX_MESSAGE,
    PATIENCE,
    ROOT,
    ServerProcess,
    connected,
    order,
    running,
    until,
    until_inside,
)
from tests.serving.tiny_network import endless_models

PHOTO = encode(draw())

CLIENT = """
import sys, grpc
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
photo = open(sys.argv[2], "rb").read()
order = pb.StylizeRequest(image=photo, styles=[pb.WeightedStyle(style_id="plain", weight=1)])
frames = (pb.StylizeStreamRequest(frame=order) for _ in range(100))
for _ in StylizationServiceStub(grpc.insecure_channel(sys.argv[1])).StylizeStream(frames):
    pass
"""


async def test_a_cancelled_stream_takes_its_frames_with_it(models: Path) -> None:
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(numbered([order(PHOTO)] * 8)), timeout=PATIENCE)
        await until_inside(server, 4)
        call.cancel()
        await until_clean(server)


async def test_a_cancelled_stream_has_its_line_in_the_log(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(numbered([order(PHOTO)])), timeout=PATIENCE)
        await until_inside(server, 1)
        call.cancel()
        await until(lambda: bool(caplog.messages))
    (line,) = caplog.messages
    assert line.startswith("StylizeStream status=CANCELLED ms=")


async def test_a_stream_that_is_cancelled_while_its_answers_are_stuck_is_forgotten(
    models: Path,
) -> None:
    photo = encode(draw(600, 600))
    async with running(models) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(numbered([order(photo)] * 30)), timeout=PATIENCE)
        await until_inside(server, 4)
        await asyncio.sleep(1)  # by now a write waits for the client
        call.cancel()
        await until_clean(server)


async def test_a_client_that_takes_no_answers_does_not_keep_its_places(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    photo = encode(draw(600, 600))  # noise: a megabyte, more than HTTP/2 takes here
    narrow = [*MAX_MESSAGE, ("grpc.http2.bdp_probe", 0)]
    async with (
        running(models, max_download_seconds=1, max_queue_size=2) as server,
        grpc.aio.insecure_channel(server.address, options=narrow) as channel,
        connected(server) as others,
    ):
        call = StylizationServiceStub(channel).StylizeStream(timeout=PATIENCE)
        await write(call, numbered([order(photo)] * 2, window=2))
        await until_inside(server, 2)
        await until_clean(server)
        assert "an answer was not taken within 1 seconds" in caplog.text
        await others.Stylize(order(PHOTO))  # the places are free
        assert server._streams.open == 1  # but it cannot have any number of streams like this
        with pytest.raises(grpc.aio.AioRpcError, match="an answer was not taken within 1 seconds"):
            await read(call, 2)  # what has gone can still be read
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caplog.text.count("StylizeStream ") == 1


async def test_a_killed_client_takes_its_frames_with_it(models: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(PHOTO)
    async with running(models, **WAITING) as server:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, server.address, str(photo), cwd=ROOT
        )
        try:
            await until_inside(server, 4)
        finally:
            client.kill()
            await client.wait()
        await until_clean(server)


async def test_a_closed_connection_takes_the_frames_with_it(models: Path) -> None:
    async with running(models, **WAITING) as server:
        async with connected(server) as stub:
            call = stub.StylizeStream(sent(numbered([order(PHOTO)] * 8)), timeout=PATIENCE)
            await until_inside(server, 4)
        await until_clean(server)
        assert await call.code() is grpc.StatusCode.CANCELLED


async def test_the_deadline_of_a_stream_ends_its_frames(models: Path) -> None:
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(numbered([order(PHOTO)] * 8)), timeout=0.5)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until_clean(server)


async def test_frames_leave_the_queue_at_the_deadline_even_if_the_device_is_busy(
    models: Path,
) -> None:
    async with held(models) as (server, device), connected(server) as stub:
        busy = stub.Stylize(order(PHOTO), timeout=PATIENCE)
        await device.begun()
        call = stub.StylizeStream(sent(numbered([order(PHOTO)] * 4)), timeout=0.5)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until_inside(server, 1)
        device.let_go()
        assert (await busy).width == 40
        await until_clean(server)


async def test_a_stopping_server_answers_the_frames_it_has_and_ends_the_stream(
    models: Path,
) -> None:
    server: Server
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        await write(call, numbered([order(PHOTO)] * 3))
        await until_inside(server, 3)
        stopping = asyncio.create_task(server.stop())
        assert results(await read(call, 3)) == [(number, "painting") for number in range(3)]
        status, message = await status_of(call)
        assert status is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in message
        assert await stopping
        await until_clean(server)


async def test_an_idle_stream_does_not_hold_up_a_stopping_server(
    models: Path, tmp_path: Path
) -> None:
    with ServerProcess(models, tmp_path, "--grace-seconds", "600") as server:
        async with connected(server) as stub:
            call = stub.StylizeStream(timeout=PATIENCE)
            await call.write(frame(order(PHOTO)))
            assert results(await read(call, 1)) == [(0, "painting")]
            server.send(signal.SIGTERM)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
            assert await server.ended() == 0
        assert "Traceback" not in server.log


async def test_a_stream_that_comes_while_the_server_stops_is_refused(tmp_path: Path) -> None:
    options = ("--log-level", "debug", "--grace-seconds", "600")
    with ServerProcess(endless_models(tmp_path), tmp_path, *options) as server:
        async with connected(server) as stub:
            call = stub.Stylize(order(PHOTO, "never"), timeout=PATIENCE)
            await server.logs("admitted a request")
            server.send(signal.SIGTERM)
            await server.logs("stopping: 1 requests")
            async with connected(server) as another:
                late = another.StylizeStream(
                    sent(numbered([order(PHOTO, "now")])), timeout=PATIENCE
                )
                # CANCELLED is gRPC's word for a call that comes in the moment of the GOAWAY.
                assert await late.code() in {
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.StatusCode.CANCELLED,
                }
            call.cancel()


async def test_a_mistake_of_ours_costs_one_frame_and_tells_the_client_nothing(
    stub: Any, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    call = stub.StylizeStream(timeout=PATIENCE)
    with monkeypatch.context() as broken:
        broken.setattr("serving.painting.stylizer.encode_photo", fail)
        await call.write(frame(order(PHOTO), 1))
        (answer,) = await read(call, 1)
    assert answer.error.code == grpc.StatusCode.INTERNAL.value[0]
    assert "secret" not in answer.error.message
    assert "secret" in caplog.text
    await call.write(frame(order(PHOTO), 2))
    await call.done_writing()
    assert results(await read(call, 1)) == [(2, "painting")]
    await until_clean(server)
