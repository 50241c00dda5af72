"""Changed image files, sent to a server: each gets the status that it deserves."""

import asyncio
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.serving.photos import decode, draw, encode
from tests.serving.running import PATIENCE, connected, order, outcome, running, until_inside
from tests.serving.tensors import files_request, inferring
from tests.sfumato.mutated_images import FILES, MAX_PIXELS, decodes, mutants

MUTANTS = 150  # of each format, by each protocol
AT_ONCE = 8
SEED = 7


@pytest.mark.parametrize("image_format", FILES)
async def test_a_changed_file_is_painted_or_refused_and_serving_goes_on(
    models: Path, image_format: str
) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def complaint(call: Any, file: bytes, number: int) -> str | None:
        async with room:
            status, message = await outcome(call(file))
        ok = await asyncio.to_thread(decodes, file)
        right = grpc.StatusCode.OK if ok else grpc.StatusCode.INVALID_ARGUMENT
        return None if status is right else f"{number}: {status.name} {message}"

    async with (
        running(models, max_pixels=MAX_PIXELS) as server,
        connected(server) as stub,
        inferring(server) as tensors,
    ):

        def stylize(file: bytes) -> Any:
            return stub.Stylize(order(file), timeout=PATIENCE)

        def infer(file: bytes) -> Any:
            return tensors.ModelInfer(files_request([file]), timeout=PATIENCE)

        files = list(islice(mutants(image_format, SEED), MUTANTS))
        calls = [(call, *numbered) for call in (stylize, infer) for numbered in enumerate(files)]
        complaints = await asyncio.gather(*(complaint(c, file, n) for c, n, file in calls))
        assert [text for text in complaints if text] == []
        await until_inside(server, 0)
        photo = draw()
        np.testing.assert_array_equal(decode((await stylize(encode(photo))).image), photo)
