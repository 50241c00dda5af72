"""What bounds a stream: slow readers, old frames, full servers, too many streams."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.serving.frames import (
    WAITING,
    answers_to,
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
from tests.serving.running import PATIENCE, connected, order, running, until, until_inside

PHOTO = encode(draw())
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


async def logged(log: pytest.LogCaptureFixture, words: str, times: int) -> None:
    """Waits until so many lines of the log have ``words``."""
    await until(lambda: sum(words in line for line in log.messages) >= times)


async def still(log: pytest.LogCaptureFixture, words: str) -> int:
    """Waits until no further line with ``words`` comes for a while; gives how many there are."""
    before, quiet = -1, 0
    while quiet < 20:
        await asyncio.sleep(0.02)
        now = sum(words in line for line in log.messages)
        quiet = quiet + 1 if now == before else 0
        before = now
    return before


async def test_a_client_that_does_not_read_stops_the_server_and_its_own_sending(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "serving.monitoring.access_log")
    photo = encode(draw(600, 600))  # noise: a megabyte
    messages = numbered([order(photo)] * 32, window=2)
    sent = 0

    async def send(call: Any) -> None:
        nonlocal sent
        for message in messages:
            await call.write(message)
            sent += 1

    async with running(models) as server, connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        writing = asyncio.create_task(send(call))
        painted = await still(caplog, "status=OK")
        assert painted < 15
        assert server._admission.inside <= 2
        # One is read and waits for the window, HTTP/2 holds one, and the client's own side another.
        assert sent <= painted + 4
        assert results(await read(call, 32)) == [(number, "painting") for number in range(32)]
        await writing
        await call.done_writing()
        await until_clean(server)


async def test_with_drop_oldest_new_frames_replace_those_that_wait(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "serving.monitoring.access_log")
    messages = numbered([order(PHOTO)] * 5, window=2, drop_oldest=True)
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        await write(call, messages)
        assert results(await read(call, 3)) == [(0, "dropped"), (1, "dropped"), (2, "dropped")]
        assert server._admission.inside == 2
        await logged(caplog, "a newer frame took its place", 3)
        stopping = asyncio.create_task(server.stop())  # nobody waits for a batch any more
        assert results(await read(call, 2)) == [(3, "painting"), (4, "painting")]
        assert await stopping
        await until_clean(server)


async def test_a_frame_that_is_being_painted_is_not_dropped(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "serving.monitoring.access_log")
    async with held(models) as (server, device), connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        await call.write(frame(order(PHOTO), 0, window=2, drop_oldest=True))
        await device.begun()
        await write(call, [frame(order(PHOTO), number) for number in (1, 2, 3)])
        await call.done_writing()
        await logged(caplog, "a newer frame took its place", 2)
        device.let_go()
        answers = await read(call, 4)
        assert results(answers) == [
            (0, "painting"),
            (1, "dropped"),
            (2, "dropped"),
            (3, "painting"),
        ]
        await until_clean(server)


async def test_if_all_frames_are_being_painted_the_new_one_gives_way(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "serving.monitoring.access_log")
    async with held(models) as (server, device), connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        await call.write(frame(order(PHOTO), 0, window=1, drop_oldest=True))
        await device.begun()
        await write(call, [frame(order(PHOTO), number) for number in (1, 2)])
        await logged(caplog, "a newer frame took its place", 2)
        device.let_go()
        answers = await read(call, 3)
        assert results(answers) == [(0, "painting"), (1, "dropped"), (2, "dropped")]
        await call.write(frame(order(PHOTO), 3))
        assert results(await read(call, 1)) == [(3, "painting")]
        call.cancel()
        await until_clean(server)


async def test_live_video_is_not_read_for_ever_while_the_first_frame_is_being_painted(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "serving.monitoring.access_log")
    messages = numbered([order(PHOTO)] * 1500, window=1, drop_oldest=True)
    async with held(models) as (server, device), connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        await call.write(messages[0])
        await device.begun()
        writing = asyncio.create_task(write(call, messages[1:]))
        await logged(caplog, "a newer frame took its place", 999)
        assert await still(caplog, "a newer frame took its place") == 999
        device.let_go()
        answers = await read(call, 1500)
        assert results(answers[:2]) == [(0, "painting"), (1, "dropped")]
        await writing
        await call.done_writing()
        await until_clean(server)


async def test_a_full_server_refuses_the_frame_and_not_the_stream(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with running(models, max_queue_size=2, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(timeout=PATIENCE)
        await write(call, numbered([order(PHOTO)] * 3, window=4))
        await logged(caplog, "RESOURCE_EXHAUSTED", 1)
        stopping = asyncio.create_task(server.stop())
        answers = await read(call, 3)
        assert results(answers) == [(0, "painting"), (1, "painting"), (2, "error")]
        assert answers[2].error.code == RESOURCE_EXHAUSTED.value[0]
        assert "the server is full" in answers[2].error.message
        assert 10 <= answers[2].error.retry_after_ms <= 5000
        assert await stopping
        await until_clean(server)


async def test_frames_and_photos_share_one_bound(models: Path) -> None:
    async with running(models, max_queue_size=1, **WAITING) as server, connected(server) as stub:
        photo = stub.Stylize(order(PHOTO), timeout=PATIENCE)
        await until_inside(server, 1)
        answers = await answers_to(stub, numbered([order(PHOTO)]))
        assert [answer.error.code for answer in answers] == [RESOURCE_EXHAUSTED.value[0]]
        photo.cancel()
        await until_clean(server)


async def test_a_frame_whose_answer_is_too_large_says_so(models: Path) -> None:
    photo = encode(draw(200, 200), "JPEG")
    requests = [order(photo), order(photo, output_format=2)]
    settings = {"max_message_bytes": 100_000}
    async with running(models, **settings) as server, connected(server) as stub:
        answers = await answers_to(stub, numbered(requests))
        assert results(answers) == [(0, "painting"), (1, "error")]
        assert answers[1].error.code == RESOURCE_EXHAUSTED.value[0]
        await until_clean(server)


async def test_a_client_may_have_so_many_streams_and_no_more(models: Path) -> None:
    settings = {"max_streams_per_client": 2}
    async with running(models, **settings) as server, connected(server) as stub:
        calls = [stub.StylizeStream(timeout=PATIENCE) for _ in range(2)]
        for call in calls:
            await call.write(frame(order(PHOTO)))
            await read(call, 1)
        async with connected(server) as another_channel:
            refused = another_channel.StylizeStream(sent([]), timeout=PATIENCE)
            status, message = await status_of(refused)
            assert status is RESOURCE_EXHAUSTED
            assert "this client has 2 streams open, its limit" in message
            assert ("grpc-retry-pushback-ms", "-1") in tuple(await refused.trailing_metadata())
        await calls[0].done_writing()
        assert await calls[0].code() is grpc.StatusCode.OK
        assert results(await answers_to(stub, [frame(order(PHOTO), 5)])) == [(5, "painting")]
        calls[1].cancel()
        await until_clean(server)


async def test_the_log_has_a_line_for_each_frame(
    stub: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "serving.monitoring.access_log")
    await answers_to(stub, numbered([order(PHOTO), order(b"no image"), order(PHOTO, "dark")]))
    *lines, last = [line for line in caplog.messages if line.startswith("StylizeStream ")]
    assert sorted(line.partition("status=")[2].split()[0] for line in lines) == [
        "INVALID_ARGUMENT",
        "OK",
        "OK",
    ]
    assert last.startswith("StylizeStream painting=2 error=1 status=OK ms=")
    assert sum("size=40x24" in line and "decode_ms=" in line for line in lines) == 2
