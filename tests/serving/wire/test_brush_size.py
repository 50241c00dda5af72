"""Brush size over the wire: requests, streams and tensors."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sfumato.client.async_client import AsyncClient
from sfumato.client.client import Client
from sfumato.client.frames import FrameAnswer, PaintedFrame
from sfumato.client.stylized_photo import StylizedPhoto
from sfumato.images.brush import Canvas, at_full_size
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.frames import answers_to, numbered
from tests.serving.photos import Pixels, decode, draw, encode
from tests.serving.running import connected, order, refused, running
from tests.serving.tensors import (
    files_request,
    infer_refused,
    infer_request,
    inferring,
    pixels_of,
)
from tests.serving.tiny_network import paint, write_tiny_bundle

PHOTO = draw(61, 43)
FILE = encode(PHOTO)


def expected(photo: Pixels, brush_size: float) -> Pixels:
    small, light = Canvas(brush_size).photo_to_paint(photo)
    return at_full_size(paint(small, 0.5, 0.0), small, light)


async def painted(stub: Any, **fields: Any) -> Pixels:
    return decode((await stub.Stylize(order(FILE, "dark", **fields))).image)


@pytest.mark.parametrize("brush_size", [0.5, 0.75, 1.0, 1.5, 2.0])
async def test_a_photo_is_painted_with_the_brush_of_its_request(
    stub: Any, brush_size: float
) -> None:
    found = await painted(stub, brush_size=brush_size)
    np.testing.assert_array_equal(found, expected(PHOTO, brush_size))


async def test_brushes_that_come_together_paint_as_alone(models: Any) -> None:
    sizes = [0.5, 1.0, 2.0, 1.5] * 4
    waiting = {"max_batch_size": 8, "max_batch_delay_ms": 100}
    async with running(models, **waiting) as server, connected(server) as stub:
        found = await asyncio.gather(*(painted(stub, brush_size=size) for size in sizes))
    for picture, size in zip(found, sizes, strict=True):
        np.testing.assert_array_equal(picture, expected(PHOTO, size))


async def test_transparency_keeps_its_edges(stub: Any) -> None:
    alpha = draw(61, 43, seed=1)[..., :1]
    answer = await stub.Stylize(order(encode(np.dstack([PHOTO, alpha])), brush_size=2.0))
    np.testing.assert_array_equal(decode(answer.image)[..., 3:], alpha)


async def test_frames_inherit_the_brush_and_can_set_it_back(stub: Any) -> None:
    frames = [
        order(FILE, "dark", brush_size=2.0),
        pb.StylizeRequest(image=FILE),
        pb.StylizeRequest(image=FILE, brush_size=1.0),
    ]
    answers = await answers_to(stub, numbered(frames))
    for answer, size in zip(answers, [2.0, 2.0, 1.0], strict=True):
        np.testing.assert_array_equal(decode(answer.painting.image), expected(PHOTO, size))


async def test_tensors_have_a_brush_size_as_a_parameter(tensors: Any) -> None:
    photos = np.stack([PHOTO, draw(61, 43, seed=2)])
    request = infer_request({"image": photos}, style="dark")
    request.parameters["brush_size"].double_param = 2.0
    found = pixels_of(await tensors.ModelInfer(request))
    for picture, photo in zip(found, photos, strict=True):
        np.testing.assert_array_equal(picture, expected(photo, 2.0))


@pytest.mark.parametrize("brush_size", [0.0, 3.0, float("nan")])
async def test_a_brush_size_out_of_range_is_refused(
    stub: Any, tensors: Any, brush_size: float
) -> None:
    request = infer_request({"image": PHOTO[None]}, style="dark")
    request.parameters["brush_size"].double_param = brush_size
    for status, message in (
        await refused(stub, order(FILE, "dark", brush_size=brush_size)),
        await infer_refused(tensors, request),
    ):
        assert status is grpc.StatusCode.INVALID_ARGUMENT
        assert message.startswith(f"a brush size of {brush_size:g} is out of range; it is 0.5 to 2")


async def test_a_small_brush_counts_the_pixels_that_are_painted(models: Any) -> None:
    async with running(models, max_pixels=4000) as server, connected(server) as stub:
        assert (await stub.Stylize(order(FILE, brush_size=1.0))).width == 61
        status, message = await refused(stub, order(FILE, brush_size=0.5))
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "61 x 43 pixels is painted at 122 x 86" in message
    assert "take a brush size of 0.81 or more" in message  # √(61 · 43 / 4000) = 0.8098


async def test_a_photo_too_large_for_its_brush_is_refused_before_it_is_decoded(models: Any) -> None:
    half = FILE[: len(FILE) // 2]  # says by its header how large it is, and no more
    async with running(models, max_pixels=4000) as server, connected(server) as stub:
        status, message = await refused(stub, order(half, brush_size=0.5))
        assert "take a brush size of 0.81 or more" in message
        status, message = await refused(stub, order(half, brush_size=0.81))
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "brush" not in message


async def test_a_photo_too_large_for_every_brush_is_told_so(models: Any) -> None:
    async with running(models, max_pixels=2000) as server, connected(server) as stub:
        for size in (0.5, 1.0, 2.0):
            status, message = await refused(stub, order(FILE, brush_size=size))
            assert status is grpc.StatusCode.INVALID_ARGUMENT
            assert "brush" not in message


async def test_of_several_photos_each_has_its_share_of_the_pixels(models: Any) -> None:
    request = infer_request({"image": np.stack([PHOTO] * 2)}, style="dark")
    request.parameters["brush_size"].string_param = "0.5"
    async with running(models, max_pixels=8000) as server, inferring(server) as tensors:
        status, message = await infer_refused(tensors, request)
        assert status is grpc.StatusCode.INVALID_ARGUMENT
        assert "is painted at 122 x 86, the limit is 4,000 pixels" in message
        request.parameters["brush_size"].string_param = "0.81"
        assert pixels_of(await tensors.ModelInfer(request)).shape == (2, 43, 61, 3)


async def test_image_files_in_tensors_have_it_too(tensors: Any) -> None:
    request = files_request([FILE], style="dark")
    request.parameters["brush_size"].double_param = 0.5
    [picture] = pixels_of(await tensors.ModelInfer(request))
    np.testing.assert_array_equal(picture, expected(PHOTO, 0.5))


async def test_a_frame_with_a_bad_brush_fails_alone(stub: Any) -> None:
    frames = [order(FILE, "dark", brush_size=3.0), order(FILE, "dark", brush_size=2.0)]
    bad, good = await answers_to(stub, numbered(frames))
    assert bad.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert bad.error.message.startswith("a brush size of 3 is out of range")
    np.testing.assert_array_equal(decode(good.painting.image), expected(PHOTO, 2.0))


async def test_at_strength_0_a_brush_changes_little(tmp_path: Path) -> None:
    styles = {"dark": (0.5, 0.0), "photograph": (1.0, 0.0)}
    write_tiny_bundle(tmp_path / "default" / "1", styles=styles)
    y, x = np.mgrid[:96, :128]
    smooth = np.stack([128 + 90 * np.sin(x / 6), 100 + y, 128 + 60 * np.cos((x + y) / 9)], 2)
    photo = smooth.round().astype(np.uint8)
    async with running(tmp_path) as server, connected(server) as stub:
        for size in (0.5, 1.5, 2.0):
            answer = await stub.Stylize(order(encode(photo), "dark", strength=0.0, brush_size=size))
            difference = np.abs(decode(answer.image).astype(int) - photo)
            assert difference.mean() < 0.5
            assert difference[4:-4, 4:-4].max() <= 3


async def test_both_clients_send_it(server: Any) -> None:
    def paint_blocking() -> tuple[StylizedPhoto, FrameAnswer]:
        with Client(server.address) as client:
            [frame] = client.stylize_stream([FILE], "dark", brush_size=2.0)
            return client.stylize(FILE, "dark", brush_size=2.0), frame

    photo, frame = await asyncio.to_thread(paint_blocking)
    async with AsyncClient(server.address) as client:
        awaited = await client.stylize(FILE, "dark", brush_size=2.0)
        [streamed] = [a async for a in client.stylize_stream([FILE], "dark", brush_size=2.0)]
    assert isinstance(frame, PaintedFrame)
    assert isinstance(streamed, PaintedFrame)
    for answer in (photo, frame.photo, awaited, streamed.photo):
        np.testing.assert_array_equal(decode(answer.image), expected(PHOTO, 2.0))
