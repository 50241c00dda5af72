"""What a server that has enough to do tells its clients, and what it keeps of them."""

import asyncio
import gc
import signal
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.device.worker_threads import CodecJob, WorkerThreads
from serving.errors import DeadlineExpiredError
from serving.server import Server
from tests.serving.photos import draw, encode
from tests.serving.running import (
    PATIENCE,
    ROOT,
    connected,
    health_of,
    order,
    refused,
    running,
    until_inside,
)
from tests.serving.tensors import infer_refused, infer_request, inferring
from tests.serving.tiny_network import write_tiny_bundle

WAITING = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}
"""Settings with which every photo waits until the server stops or the call ends."""


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


def pushback(error: grpc.aio.AioRpcError) -> int:
    return int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"])


@asynccontextmanager
async def full_server(models: Path, **settings: Any) -> AsyncIterator[tuple[Server, Any]]:
    """A server with room for one photo, which is there and stays."""
    async with running(models, **WAITING, **settings) as server, connected(server) as stub:
        inside = stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        await until_inside(server, 1)
        yield server, stub
        inside.cancel()
        await until_inside(server, 0)


async def test_who_is_refused_is_told_when_to_come_again(models: Path) -> None:
    async with full_server(models, max_queue_size=1) as (_, stub):
        first = pushback(await failure(stub.Stylize(order(encode(draw())))))
        second = pushback(await failure(stub.Stylize(order(encode(draw())))))
    assert 10 <= first < second <= 5000


async def test_a_model_that_is_full_tells_it_too(models: Path) -> None:
    from serving.config import ModelConfig

    own = {"default": ModelConfig(max_queue_size=1)}
    async with full_server(models, per_model=own) as (_, stub):
        error = await failure(stub.Stylize(order(encode(draw()))))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "model default" in (error.details() or "")
    assert 10 <= pushback(error) <= 5000


async def test_what_can_never_work_is_not_to_be_tried_again(models: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    async with running(models, max_message_bytes=8192) as server, connected(server) as stub:
        photo = order(encode(noise, "JPEG"), output_format=2, quality=100)
        error = await failure(stub.Stylize(photo, timeout=PATIENCE))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert pushback(error) == -1


async def test_a_full_server_does_not_read_what_is_sent(models: Path) -> None:
    async with (
        full_server(models, max_queue_size=1) as (server, _),
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        stylize: Any = channel.unary_unary("/sfumato.v1.StylizationService/Stylize")
        error = await failure(stylize(b"\xff no message", timeout=PATIENCE))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # not: it cannot be read


async def test_a_blend_of_very_many_styles_is_refused(stub: Any) -> None:
    photo = encode(draw())
    status, message = await refused(stub, order(photo, {f"style-{n}": 1.0 for n in range(65)}))
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert message == "65 styles are too many; a blend has at most 64"
    status, _ = await refused(stub, order(photo, {f"style-{n}": 1.0 for n in range(64)}))
    assert status is grpc.StatusCode.NOT_FOUND


async def test_a_blend_of_very_many_weights_is_refused(tmp_path: Path) -> None:
    styles = {f"style-{number}": (float(number), 0.0) for number in range(66)}
    write_tiny_bundle(tmp_path / "default" / "1", styles=styles)
    weights = np.zeros((1, 66), np.float32)
    weights[0, 1:65] = 1  # 64 of them
    async with running(tmp_path) as server, inferring(server) as stub:
        request: dict[str, np.ndarray[Any, Any]] = {"image": draw()[None], "style_weights": weights}
        assert (await stub.ModelInfer(infer_request(request))).model_name == "default"
        weights[0, 65] = 1
        code, message = await infer_refused(stub, infer_request(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message == "input 'style_weights' blends 65 styles; a blend has at most 64"


async def test_the_names_of_a_tensor_request_are_counted(server: Server) -> None:
    """They are looked at one by one on the event loop, where millions would keep health waiting."""
    pixels = draw()[None]
    async with inferring(server) as stub:
        request = infer_request({"image": pixels}, style=",".join(["plain"] * 65))
        code, message = await infer_refused(stub, request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert message == "parameter 'style' has too many styles; a blend has at most 64"
        request = infer_request({"image": pixels}, style="plain")
        for number in range(64):
            request.parameters[f"triton_{number}"].bool_param = True
        _, message = await infer_refused(stub, request)
        assert message == "65 parameters are too many; 64 are the most"
        request = infer_request({"image": pixels}, style="plain")
        for _ in range(2):
            request.outputs.add(name="stylized")
        _, message = await infer_refused(stub, request)
        assert message == "2 outputs are asked for; there is one, 'stylized'"


@contextmanager
def busy_thread() -> Iterator[tuple[WorkerThreads, threading.Event]]:
    """A thread that works until the event is set."""
    done = threading.Event()
    with WorkerThreads(1, "codec") as thread:
        thread.run(lambda: done.wait(PATIENCE))
        try:
            yield thread, done
        finally:
            done.set()


async def test_who_cancels_while_waiting_for_a_thread_is_never_worked_for() -> None:
    worked = []
    with busy_thread() as (thread, done):
        waiting = asyncio.create_task(CodecJob(lambda: worked.append(1), None).run_in(thread))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        done.set()
        assert await CodecJob(lambda: 2, None).run_in(thread) == 2
    assert worked == []


async def test_a_cancelled_photo_is_not_kept_until_a_thread_is_free() -> None:
    class Photo:
        """Something large."""

    photo = Photo()
    gone = weakref.ref(photo)
    with busy_thread() as (thread, _):
        job = CodecJob(lambda photo=photo: photo, None)  # type: ignore[misc]
        waiting = asyncio.create_task(job.run_in(thread))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        del photo
        gc.collect()
        assert gone() is None  # although the thread is still busy


async def test_what_is_late_when_its_turn_comes_is_not_worked_for() -> None:
    worked = []
    with WorkerThreads(1, "codec") as thread:
        job = CodecJob(lambda: worked.append(1), deadline=0.0)
        with pytest.raises(DeadlineExpiredError, match="passed before the photo's turn"):
            await job.run_in(thread)
    assert worked == []


STOPPED_CLIENT = """
import asyncio, pathlib, sys
import grpc
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.running import MAX_MESSAGE, order

async def main(address, photo, calls):
    image = pathlib.Path(photo).read_bytes()
    async with grpc.aio.insecure_channel(address, options=MAX_MESSAGE) as channel:
        stub = StylizationServiceStub(channel)
        await asyncio.gather(*(stub.Stylize(order(image)) for _ in range(int(calls))))

asyncio.run(main(*sys.argv[1:]))
"""


async def is_healthy(server: Server) -> bool:
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await health_of(channel) == "SERVING"


async def test_a_client_that_reads_no_answer_holds_up_nobody(models: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (700, 1000, 3), dtype=np.uint8)
    photo.write_bytes(encode(noise))  # 2 MB: more than fits into the buffers on the way
    script = [sys.executable, "-c", STOPPED_CLIENT]
    async with running(models, max_queue_size=8) as server, connected(server) as stub:
        client = await asyncio.create_subprocess_exec(
            *script, server.address, str(photo), "4", cwd=ROOT
        )
        try:
            await until_inside(server, 4)
            client.send_signal(signal.SIGSTOP)  # connected, and deaf from now on
            for _ in range(10):
                assert (await stub.Stylize(order(encode(draw())), timeout=PATIENCE)).width == 40
                assert await is_healthy(server)
        finally:
            client.kill()
            await client.wait()
        await until_inside(server, 0)


async def test_twice_as_much_as_it_can_do_does_not_hurt_the_server(models: Path) -> None:
    photo = order(encode(draw(200, 200)))

    pushbacks = []

    async def outcome(stub: Any) -> grpc.StatusCode:
        try:
            await stub.Stylize(photo, timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            pushbacks.append(pushback(error))
            return error.code()
        return grpc.StatusCode.OK

    async def paint(stub: Any) -> list[grpc.StatusCode]:
        return [await outcome(stub) for _ in range(20)]

    async with running(models, max_queue_size=4) as server, connected(server) as stub:
        crowd = asyncio.gather(*(paint(stub) for _ in range(8)))
        while not crowd.done():
            assert await is_healthy(server)
            assert server._admission.inside <= 4
            assert server._batcher.waiting <= 4
        outcomes = [outcome for outcomes in await crowd for outcome in outcomes]
        assert (await stub.Stylize(photo, timeout=PATIENCE)).width == 200
        await until_inside(server, 0)
    assert len(outcomes) == 160
    assert all(10 <= milliseconds <= 5000 for milliseconds in pushbacks)
    assert set(outcomes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
