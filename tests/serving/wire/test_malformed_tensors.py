import asyncio
import random
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from serving.calls.statuses import MAX_MESSAGE
from serving.server import Server
from sfumato.inference import open_inference_pb2 as pb
from tests.serving.malformed import SPOILS, Spoil, good_request
from tests.serving.photos import draw
from tests.serving.running import PATIENCE, outcome, running, until_inside
from tests.serving.tensors import SERVICE, infer_request, inferring, pixels_of
from tests.serving.tiny_network import paint

TENSORS = 2000
AT_ONCE = 16
LIMITS = {"max_pixels": 100_000, "max_batch_size": 4}
MUTANTS = 300
WIRE = {
    grpc.StatusCode.OK,  # another byte may be just another pixel
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


async def test_2000_malformed_tensors_each_get_the_right_status(models: Path) -> None:
    rng = random.Random(4)
    spoils = list(SPOILS) * (TENSORS // len(SPOILS) + 1)
    room = asyncio.Semaphore(AT_ONCE)

    async def complaint(tensors: Any, spoil: Spoil, seed: int) -> str | None:
        seeded = random.Random(seed)
        request = good_request(seeded)
        spoil(request, seeded)
        async with room:
            status, message = await outcome(tensors.ModelInfer(request, timeout=PATIENCE))
        fine = status is SPOILS[spoil] and 10 < len(message) <= MAX_MESSAGE + 1
        return None if fine else f"{spoil.__name__} {seed}: {status.name} {message}"

    async with running(models, **LIMITS) as server, inferring(server) as tensors:
        complaints = await asyncio.gather(
            *(complaint(tensors, spoil, rng.getrandbits(32)) for spoil in spoils[:TENSORS])
        )
        assert [text for text in complaints if text] == []
        await assert_unharmed(server, tensors)


async def test_every_unspoilt_request_is_answered(models: Path) -> None:
    rng = random.Random(5)
    async with running(models, **LIMITS) as server, inferring(server) as tensors:
        for _ in range(30):
            assert (await outcome(tensors.ModelInfer(good_request(rng))))[0] is grpc.StatusCode.OK


async def test_requests_with_changed_bytes_do_no_harm(models: Path) -> None:
    rng = random.Random(6)
    async with (
        running(models, **LIMITS) as server,
        inferring(server) as tensors,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        send: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        for _ in range(MUTANTS):
            file = bytearray(good_request(rng).SerializeToString())
            for _ in range(rng.randint(1, 8)):
                place = rng.randrange(min(len(file), 120))  # beyond it there are only pixels
                file[place] = rng.randrange(256)
            status, message = await outcome(send(bytes(file), timeout=PATIENCE))
            if is_message(bytes(file)):
                assert status in WIRE, message
            else:
                assert status is grpc.StatusCode.INVALID_ARGUMENT, message
        await assert_unharmed(server, tensors)


def is_message(file: bytes) -> bool:
    try:
        pb.ModelInferRequest.FromString(file)
    except DecodeError:
        return False
    return True


async def assert_unharmed(server: Server, tensors: Any) -> None:
    """Checks that nothing is left inside and that a good request is painted."""
    await until_inside(server, 0)
    assert server._batcher.waiting == 0
    photo = draw()
    answer = await tensors.ModelInfer(infer_request({"image": photo[None]}, style="dark"))
    np.testing.assert_array_equal(pixels_of(answer)[0], paint(photo, 0.5, 0.0))
