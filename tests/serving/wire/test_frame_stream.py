"""StylizeStream over a real server with the tiny network."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.server import Server
from serving.wire.frame import inherit
from sfumato.v1 import stylization_service_pb2 as pb
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
)
from tests.serving.photos import decode, draw, encode, kind_of
from tests.serving.running import PATIENCE, connected, order, running, until_inside
from tests.serving.tiny_network import paint, write_tiny_bundle

PHOTO = encode(draw())


async def test_each_frame_gets_its_own_answer_in_order(stub: Any, server: Server) -> None:
    photos = [draw(16 + seed % 5, 16 + seed % 3, seed) for seed in range(20)]
    answers = await answers_to(stub, numbered(order(encode(photo)) for photo in photos))
    assert results(answers) == [(number, "painting") for number in range(20)]
    for photo, answer in zip(photos, answers, strict=True):
        np.testing.assert_array_equal(decode(answer.painting.image), photo)
    await until_clean(server)


async def test_answers_keep_the_order_of_the_frames_even_if_a_later_one_is_ready_first(
    stub: Any, server: Server
) -> None:
    large, small = encode(draw(1500, 1500)), encode(draw(16, 16))
    answers = await answers_to(stub, numbered([order(large), order(small), order(small)]))
    assert [answer.painting.width for answer in answers] == [1500, 16, 16]
    await until_clean(server)


async def test_a_stream_without_frames_ends_well(stub: Any, server: Server) -> None:
    assert await answers_to(stub, []) == []
    await until_clean(server)


async def test_frames_inherit_what_they_leave_unset(models: Path) -> None:
    photo = draw()
    write_tiny_bundle(models / "second" / "1")
    first = order(
        encode(photo), "dark", output_format=pb.IMAGE_FORMAT_PNG, model="second", version=1
    )
    bare = pb.StylizeRequest(image=encode(photo, "WEBP", lossless=True))
    async with running(models) as server, connected(server) as stub:
        answers = await answers_to(stub, numbered([first, bare, bare]))
        for answer in answers:
            assert (answer.painting.model, kind_of(answer.painting.image)) == ("second", "PNG")
            np.testing.assert_array_equal(decode(answer.painting.image), paint(photo, 0.5, 0))
        await until_clean(server)


async def test_a_frame_changes_its_style_for_itself_and_those_after_it(stub: Any) -> None:
    photo = draw()
    bare = pb.StylizeRequest(image=encode(photo))
    requests = [order(encode(photo), "dark"), bare, order(encode(photo), "light"), bare]
    answers = await answers_to(stub, numbered(requests))
    dark, light = paint(photo, 0.5, 0), paint(photo, 1, 100)
    for answer, expected in zip(answers, [dark, dark, light, light], strict=True):
        np.testing.assert_array_equal(decode(answer.painting.image), expected)


async def test_strength_and_quality_are_inherited_and_can_be_set_back(tmp_path: Path) -> None:
    rows = {"dark": (0.5, 0.0), "photograph": (1.0, 0.0)}
    write_tiny_bundle(tmp_path / "default" / "1", styles=rows)
    photo = draw()
    image = encode(photo)
    requests = [
        order(image, "dark", strength=0.0, output_format=pb.IMAGE_FORMAT_JPEG, quality=20),
        pb.StylizeRequest(image=image),
        pb.StylizeRequest(image=image, quality=100),
        pb.StylizeRequest(image=image, strength=1, output_format=pb.IMAGE_FORMAT_PNG),
    ]
    async with running(tmp_path) as server, connected(server) as stub:
        answers = await answers_to(stub, numbered(requests))
    sizes = [len(answer.painting.image) for answer in answers]
    assert sizes[0] == sizes[1] < sizes[2]
    np.testing.assert_array_equal(decode(answers[3].painting.image), paint(photo, 0.5, 0))


async def test_another_model_does_not_inherit_the_version(models: Path) -> None:
    write_tiny_bundle(models / "second" / "7")
    requests = [order(PHOTO, version=1), order(PHOTO, model="second")]
    async with running(models) as server, connected(server) as stub:
        answers = await answers_to(stub, numbered(requests))
    assert [answer.painting.version for answer in answers] == [1, 7]


async def test_no_more_styles_are_inherited_than_it_takes_to_refuse_them(stub: Any) -> None:
    many = pb.StylizeRequest(styles=[pb.WeightedStyle(style_id="plain")] * 100_000)
    heir = pb.StylizeRequest(image=encode(draw()))
    before = inherit(many, pb.StylizeRequest())
    assert len(before.styles) == 65
    assert len(inherit(heir, before).styles) == 65
    [answer] = await answers_to(stub, [frame(many), frame(pb.StylizeRequest(image=encode(draw())))])
    assert answer.error.message == "65 styles are too many; a blend has at most 64"


async def test_a_frame_without_an_image_is_not_answered_but_inherited_from(stub: Any) -> None:
    photo = draw()
    requests = [order(b"", "dark"), pb.StylizeRequest(image=encode(photo))]
    answers = await answers_to(stub, numbered(requests, window=1))
    assert results(answers) == [(1, "painting")]
    np.testing.assert_array_equal(decode(answers[0].painting.image), paint(photo, 0.5, 0))


async def test_a_frame_that_cannot_be_painted_says_why_and_the_stream_goes_on(
    stub: Any, server: Server
) -> None:
    requests = [
        order(PHOTO),
        order(b"no image"),
        order(PHOTO, "unknown"),
        order(PHOTO, model="unknown"),
        order(PHOTO, model="default", quality=0),
        order(PHOTO, quality=90),
    ]
    answers = await answers_to(stub, numbered(requests))
    kinds = ["painting", "error", "error", "error", "error", "painting"]
    assert [kind for _, kind in results(answers)] == kinds
    wrong, missing = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    expected = [status.value[0] for status in (wrong, missing, missing, wrong)]
    assert [answer.error.code for answer in answers[1:5]] == expected
    assert "unknown" in answers[3].error.message
    await until_clean(server)


async def test_the_number_of_a_frame_is_the_clients_affair(stub: Any) -> None:
    numbers = [2**64 - 1, 7, 7, 0]
    answers = await answers_to(stub, [frame(order(PHOTO), number) for number in numbers])
    assert [answer.frame_id for answer in answers] == numbers


@pytest.mark.parametrize("window", [1, 3])
async def test_no_more_frames_are_inside_than_the_window_allows(models: Path, window: int) -> None:
    messages = numbered([order(PHOTO)] * 8, window=window)
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(messages), timeout=PATIENCE)
        await until_inside(server, window)
        for _ in range(100):  # as often as a further frame would have had the chance to come in
            await asyncio.sleep(0)
            assert server._admission.inside == window
        call.cancel()
        await until_clean(server)


async def test_without_settings_four_frames_are_inside(models: Path) -> None:
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(numbered([order(PHOTO)] * 8)), timeout=PATIENCE)
        await until_inside(server, 4)
        call.cancel()
        await until_clean(server)


async def test_the_default_window_is_no_larger_than_the_servers_limit(models: Path) -> None:
    settings = {"max_stream_window": 2, **WAITING}
    async with running(models, **settings) as server, connected(server) as stub:
        call = stub.StylizeStream(sent(numbered([order(PHOTO)] * 8)), timeout=PATIENCE)
        await until_inside(server, 2)
        call.cancel()
        await until_clean(server)


async def test_a_window_beyond_the_limit_ends_the_stream(stub: Any, server: Server) -> None:
    call = stub.StylizeStream(sent([frame(order(PHOTO), window=9)]), timeout=PATIENCE)
    assert await status_of(call) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "the window is 9; this server allows 1 to 8, and 0 for its default",
    )
    await until_clean(server)


async def test_settings_after_the_first_message_end_the_stream_when_the_rest_is_answered(
    stub: Any, server: Server
) -> None:
    messages = [frame(order(PHOTO), 1), frame(order(PHOTO), 2), frame(order(PHOTO), 3, window=2)]
    call = stub.StylizeStream(sent(messages), timeout=PATIENCE)
    assert results(await read(call, 2)) == [(1, "painting"), (2, "painting")]
    status, message = await status_of(call)
    assert status is grpc.StatusCode.INVALID_ARGUMENT
    assert "settings came after the first message" in message
    await until_clean(server)
