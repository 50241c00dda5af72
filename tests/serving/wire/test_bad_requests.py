import struct
import zlib
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.device.session import OnnxSession
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.photos import decode, draw, encode
from tests.serving.running import connected, order, refused, running
from tests.serving.tiny_network import tiny_graph, with_a_number_in, write_tiny_bundle

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND

PHOTO = encode(draw())


def bomb() -> bytes:
    """A PNG file of a few bytes that says it has 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*content) for content in chunks)


BAD_PHOTOS = {
    "zero bytes": (b"", "empty"),
    "a text": (b"Dear server, please paint my house.", "JPEG, PNG or WebP"),
    "a truncated JPEG": (encode(draw(400, 300), "JPEG")[:-5000], "truncated or damaged"),
    "a truncated PNG": (PHOTO[: len(PHOTO) // 2], "truncated or damaged"),
    "a GIF": (encode(draw(), "GIF"), "JPEG, PNG or WebP"),
    "a bomb": (bomb(), "50000 x 50000 pixels"),
    "one pixel": (encode(draw(1, 1)), "1 x 1 pixels; each side needs at least 16"),
    "a strip": (encode(draw(15, 4000)), "15 x 4000 pixels; each side needs at least 16"),
}

BAD_ORDERS: dict[str, tuple[Any, grpc.StatusCode, str]] = {
    "an unknown style": (order(PHOTO, "lihgt"), NOT_FOUND, "did you mean 'light'?"),
    "a style like no other": (order(PHOTO, "xyz"), NOT_FOUND, "plain, dark, light"),
    "an unknown model": (order(PHOTO, model="defualt"), NOT_FOUND, "did you mean 'default'?"),
    "a model like no other": (order(PHOTO, model="xyz"), NOT_FOUND, "there are 'default'"),
    "a path as model": (order(PHOTO, model="../models/default"), NOT_FOUND, "no model"),
    "an unknown version": (order(PHOTO, version=7), NOT_FOUND, "has no version 7; there are 1"),
    "version zero": (order(PHOTO, version=0), NOT_FOUND, "has no version 0; there are 1"),
    "no style": (order(PHOTO, {}), INVALID, "no style is given"),
    "a negative weight": (order(PHOTO, {"plain": -1.0}), INVALID, "not negative"),
    "a weight that is no number": (order(PHOTO, {"dark": float("nan")}), INVALID, "finite"),
    "an infinite weight": (order(PHOTO, {"dark": float("inf")}), INVALID, "finite"),
    "only zero weights": (order(PHOTO, {"plain": 0.0, "dark": 0.0}), INVALID, "zero"),
    "quality 0": (order(PHOTO, quality=0), INVALID, "quality is 0; it must be between 1 and 100"),
    "quality 101": (order(PHOTO, quality=101), INVALID, "between 1 and 100"),
    "an unknown format": (order(PHOTO, output_format=99), INVALID, "IMAGE_FORMAT_WEBP"),
    "a repeated style": (
        pb.StylizeRequest(
            image=PHOTO,
            styles=[pb.WeightedStyle(style_id="dark", weight=weight) for weight in (1, 2)],
        ),
        INVALID,
        "twice",
    ),
    "an endless name": (order(PHOTO, "x" * 100_000), NOT_FOUND, "there are plain"),
}


async def assert_still_serving(stub: Any) -> None:
    photo = draw()
    answer = await stub.Stylize(order(encode(photo)))
    np.testing.assert_array_equal(decode(answer.image), photo)


@pytest.mark.parametrize("photo", BAD_PHOTOS)
async def test_a_bad_photo_is_refused_and_serving_goes_on(stub: Any, photo: str) -> None:
    file, words = BAD_PHOTOS[photo]
    status, message = await refused(stub, order(file))
    assert status is INVALID
    assert words in message
    await assert_still_serving(stub)


@pytest.mark.parametrize("case", BAD_ORDERS)
async def test_a_bad_order_is_refused_and_serving_goes_on(stub: Any, case: str) -> None:
    request, expected, words = BAD_ORDERS[case]
    status, message = await refused(stub, request)
    assert status is expected
    assert words in message
    await assert_still_serving(stub)


async def test_the_pixel_limit_can_be_set_and_is_told(models: Path) -> None:
    async with running(models, max_pixels=1000) as server, connected(server) as stub:
        assert len((await stub.Stylize(order(encode(draw(50, 20))))).image) > 0
        status, message = await refused(stub, order(encode(draw(51, 20))))
    assert status is INVALID
    assert "51 x 20 pixels" in message


async def test_a_message_over_the_limit_is_refused(models: Path) -> None:
    photo = encode(draw(100, 100))
    async with running(models, max_message_bytes=4096) as server, connected(server) as stub:
        status, message = await refused(stub, order(photo))
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in message
        await assert_still_serving(stub)


async def test_an_answer_that_fits_into_no_message_is_refused(models: Path) -> None:
    photo = encode(draw(100, 100), "JPEG", quality=30)
    request = order(photo, output_format=pb.IMAGE_FORMAT_PNG)
    async with running(models, max_message_bytes=16_384) as server, connected(server) as stub:
        status, message = await refused(stub, request)
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "ask for JPEG" in message
        await assert_still_serving(stub)


async def test_a_photo_that_its_format_cannot_hold_is_refused_before_it_is_painted(
    stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object) -> None:
        raise AssertionError("it was painted")

    monkeypatch.setattr(OnnxSession, "run", run)
    request = order(encode(draw(65_501, 16)), output_format=pb.IMAGE_FORMAT_JPEG)
    status, message = await refused(stub, request)
    assert status is INVALID
    assert message.startswith("65501 x 16 pixels do not fit into JPEG")


async def test_listing_an_unknown_model_is_refused(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.ListStyles(pb.ListStylesRequest(model="defualt"))
    assert refusal.value.code() is NOT_FOUND
    assert "did you mean 'default'?" in (refusal.value.details() or "")


DAMAGES = {
    "a changed network": lambda folder: (folder / "model.onnx").write_bytes(b"changed"),
    "no network": lambda folder: (folder / "model.onnx").unlink(),
    "no styles": lambda folder: (folder / "styles.safetensors").unlink(),
    "no manifest": lambda folder: (folder / "bundle.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_model_says_why_while_others_are_served(models: Path, damage: str) -> None:
    write_tiny_bundle(models / "broken" / "1")
    DAMAGES[damage](models / "broken" / "1")
    await assert_broken(models, "broken/1")


async def test_a_graph_that_is_not_onnx_counts_as_damage(models: Path) -> None:
    write_tiny_bundle(models / "broken" / "1", graph=b"no graph")
    await assert_broken(models, "ONNX Runtime refuses broken/1/model.onnx")


async def test_a_graph_with_other_names_counts_as_damage(models: Path) -> None:
    write_tiny_bundle(models / "broken" / "1", graph=tiny_graph(output="picture"))
    await assert_broken(models, "it must have image, style, stylized")


async def test_a_graph_with_numbers_in_another_file_counts_as_damage(models: Path) -> None:
    """No digest covers that file, and whoever changes it changes the network that is served."""
    write_tiny_bundle(models / "broken" / "1", graph=with_a_number_in("w.bin", tiny_graph()))
    (models / "broken" / "1" / "w.bin").write_bytes(struct.pack("<f", 255))
    await assert_broken(models, "ONNX Runtime refuses broken/1/model.onnx")


async def test_a_graph_for_other_rows_counts_as_damage(models: Path) -> None:
    write_tiny_bundle(models / "broken" / "1", graph=tiny_graph(style_size=3))
    await assert_broken(models, "takes 3 numbers per style, the rows have 2")


async def test_a_network_that_changes_the_size_counts_as_damage(models: Path) -> None:
    write_tiny_bundle(models / "broken" / "1", graph=tiny_graph(shrink=1))
    await assert_broken(models, "the network does not take [1, 256, 256, 3] and keep that size")


async def assert_broken(models: Path, words: str) -> None:
    async with running(models) as server, connected(server) as stub:
        status, message = await refused(stub, order(PHOTO, model="broken"))
        assert status is grpc.StatusCode.FAILED_PRECONDITION
        assert words in message
        assert str(models) not in message
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.ListStyles(pb.ListStylesRequest(model="broken"))
        assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        await assert_still_serving(stub)


async def test_below_a_damaged_version_the_next_good_one_answers(models: Path) -> None:
    write_tiny_bundle(models / "default" / "2")
    (models / "default" / "2" / "model.onnx").unlink()
    async with running(models) as server, connected(server) as stub:
        assert (await stub.Stylize(order(PHOTO))).version == 1
        status, _ = await refused(stub, order(PHOTO, version=2))
    assert status is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_model_without_float16_says_so_where_float16_is_served(models: Path) -> None:
    write_tiny_bundle(models / "half" / "1", float16=True)
    async with running(models, precision="float16") as server, connected(server) as stub:
        assert (await stub.Stylize(order(PHOTO, model="half"))).model == "half"
        status, message = await refused(stub, order(PHOTO))
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert "has no float16 network; serve it with --precision auto" in message
