from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.config import ServerConfig
from serving.server import Server
from sfumato.inference import open_inference_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.photos import Pixels, decode, draw, encode
from tests.serving.running import MAX_MESSAGE, PATIENCE, order, running, until, until_inside
from tests.serving.tensors import (
    files_request,
    infer_refused,
    infer_request,
    inferring,
    pixels_of,
)
from tests.serving.tiny_network import paint, write_tiny_bundle

INVALID = grpc.StatusCode.INVALID_ARGUMENT
WAITING = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}


def photos(number: int = 2) -> Pixels:
    """Draws photos of one size, uint8 [N, 20, 24, 3]."""
    return np.stack([draw(24, 20, seed) for seed in range(number)])


async def test_photos_come_back_painted_in_the_style_that_a_parameter_names(tensors: Any) -> None:
    request = infer_request({"image": photos()}, style="dark", id="seven")
    answer = await tensors.ModelInfer(request)
    np.testing.assert_array_equal(pixels_of(answer), paint(photos(), 0.5, 0.0))
    assert (answer.model_name, answer.model_version, answer.id) == ("default", "1", "seven")


async def test_a_parameter_can_blend_styles(tensors: Any) -> None:
    request = infer_request({"image": photos()}, style="dark:1, plain:3")
    answer = await tensors.ModelInfer(request)
    np.testing.assert_array_equal(pixels_of(answer), paint(photos(), 0.875, 0.0))


async def test_each_photo_has_weights_of_its_own(tensors: Any) -> None:
    weights = np.array([[0, 1, 0], [0.5, 0, 0.5]], np.float32)
    answer = await tensors.ModelInfer(infer_request({"image": photos(), "style_weights": weights}))
    dark, half_light = pixels_of(answer)
    np.testing.assert_array_equal(dark, paint(photos()[0], 0.5, 0.0))
    np.testing.assert_array_equal(half_light, paint(photos()[1], 1.0, 50.0))


async def test_each_photo_can_have_a_row_of_its_own(tensors: Any) -> None:
    rows = np.array([[0.25, 0], [1, 7]], np.float32)
    answer = await tensors.ModelInfer(infer_request({"style": rows, "image": photos()}))
    np.testing.assert_array_equal(pixels_of(answer)[0], paint(photos()[0], 0.25, 0.0))
    np.testing.assert_array_equal(pixels_of(answer)[1], paint(photos()[1], 1.0, 7.0))


@pytest.mark.parametrize(
    ("kind", "value"), [("double_param", 0.5), ("string_param", "0.5"), ("int64_param", 0)]
)
async def test_strength_is_a_number_of_any_kind(tmp_path: Path, kind: str, value: Any) -> None:
    styles = {"dark": (0.5, 0.0), "photograph": (1.0, 0.0)}
    write_tiny_bundle(tmp_path / "default" / "1", styles=styles)
    request = infer_request({"image": photos()}, style="dark")
    setattr(request.parameters["strength"], kind, value)
    async with running(tmp_path) as server, inferring(server) as tensors:
        answer = await tensors.ModelInfer(request)
    gain = 1.0 - 0.5 * float(value)
    np.testing.assert_array_equal(pixels_of(answer), paint(photos(), gain, 0.0))


async def test_typed_contents_are_as_good_as_raw_ones(tensors: Any) -> None:
    weights = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    raw = infer_request({"image": photos(), "style_weights": weights})
    typed = pb.ModelInferRequest()
    typed.CopyFrom(raw)
    del typed.raw_input_contents[:]
    typed.inputs[0].contents.uint_contents.extend(photos().ravel().tolist())
    typed.inputs[1].contents.fp32_contents.extend(weights.ravel().tolist())
    answers = [await tensors.ModelInfer(request) for request in (raw, typed)]
    assert answers[0] == answers[1]


async def test_image_files_are_decoded(tensors: Any) -> None:
    files = [encode(photo) for photo in photos()]
    typed = files_request(files, style="dark")
    raw = pb.ModelInferRequest()
    raw.CopyFrom(typed)
    raw.inputs[0].ClearField("contents")
    elements = [len(file).to_bytes(4, "little") + file for file in files]
    raw.raw_input_contents.append(b"".join(elements))
    for request in (typed, raw):
        answer = await tensors.ModelInfer(request)
        np.testing.assert_array_equal(pixels_of(answer), paint(photos(), 0.5, 0.0))


async def test_both_protocols_share_a_batch(models: Path) -> None:
    photo = draw(24, 20, 5)
    settings = {"max_batch_size": 3, "max_batch_delay_ms": 60_000}
    async with (
        running(models, **settings) as server,
        grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel,
        inferring(server) as tensors,
    ):
        pair = tensors.ModelInfer(infer_request({"image": photos()}, style="dark"))
        await until_inside(server, 1)
        stylized = await StylizationServiceStub(channel).Stylize(order(encode(photo)))
        assert stylized.timings.batch_size == 3
        np.testing.assert_array_equal(decode(stylized.image), photo)
        np.testing.assert_array_equal(pixels_of(await pair), paint(photos(), 0.5, 0.0))


async def test_a_version_is_a_number_or_a_label_and_nothing_means_the_newest(models: Path) -> None:
    write_tiny_bundle(models / "default" / "12")
    (models / "default" / "labels.json").write_text('{"stable": 1}')
    async with running(models) as server, inferring(server) as tensors:
        for asked, found in (("", "12"), ("1", "1"), ("12", "12"), ("stable", "1")):
            request = infer_request({"image": photos()}, style="plain", model_version=asked)
            assert (await tensors.ModelInfer(request)).model_version == found
        metadata = await tensors.ModelMetadata(pb.ModelMetadataRequest(name="default"))
        assert list(metadata.versions) == ["1", "12"]
        for unknown in ("2", "canary", "-1", "1.0"):
            request = infer_request({"image": photos()}, style="plain", model_version=unknown)
            status, _ = await infer_refused(tensors, request)
            assert status is grpc.StatusCode.NOT_FOUND


async def test_unknown_names_are_not_found(tensors: Any) -> None:
    status, message = await infer_refused(tensors, infer_request({"image": photos()}, style="drak"))
    assert status is grpc.StatusCode.NOT_FOUND
    assert "did you mean 'dark'?" in message
    request = infer_request({"image": photos()}, style="dark")
    request.model_name = "defualt"
    status, message = await infer_refused(tensors, request)
    assert status is grpc.StatusCode.NOT_FOUND
    assert "did you mean 'default'?" in message


async def test_a_style_is_given_once(tensors: Any) -> None:
    status, message = await infer_refused(tensors, infer_request({"image": photos()}))
    assert status is INVALID
    assert "no style is given" in message
    weights = np.ones((2, 3), np.float32)
    both = infer_request({"image": photos(), "style_weights": weights}, style="dark")
    status, message = await infer_refused(tensors, both)
    assert status is INVALID
    assert "input style_weights and as parameter style; send only one" in message


async def test_a_message_names_the_tensor_what_was_found_and_what_was_expected(
    tensors: Any,
) -> None:
    weights = np.ones((2, 4), np.float32)
    request = infer_request({"image": photos(), "style_weights": weights})
    status, message = await infer_refused(tensors, request)
    assert status is INVALID
    assert message == (
        "input 'style_weights' has shape [2, 4]; it must be [2, 3]: for each photo one weight per "
        "style, in the order of ListStyles"
    )
    request = infer_request({"image": photos()}, style="dark")
    request.raw_input_contents[0] = bytes(10)
    status, message = await infer_refused(tensors, request)
    assert status is INVALID
    assert message == (
        "input 'image' has 10 bytes in raw_input_contents; UINT8 [2, 20, 24, 3] needs 2,880"
    )


async def test_the_pixels_of_all_photos_count(models: Path) -> None:
    async with running(models, max_pixels=24 * 20 * 2) as server, inferring(server) as tensors:
        await tensors.ModelInfer(infer_request({"image": photos(2)}, style="plain"))
        request = infer_request({"image": photos(3)}, style="plain")
        status, message = await infer_refused(tensors, request)
        assert status is INVALID
        assert "3 x 24 x 20 pixels; a request may hold 960 in all" in message
        files = files_request([encode(photo) for photo in photos(3)])
        assert (await infer_refused(tensors, files))[0] is INVALID


async def test_an_answer_that_fits_into_no_message_is_refused_before_it_is_painted(
    models: Path,
) -> None:
    file = encode(np.zeros((100, 100, 3), np.uint8))
    async with running(models, max_message_bytes=16_384) as server, inferring(server) as tensors:
        status, message = await infer_refused(tensors, files_request([file]))
        assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "30,000 bytes" in message


async def test_a_full_server_refuses_and_says_when_to_come_back(models: Path) -> None:
    request = infer_request({"image": photos()}, style="plain")
    async with running(models, max_queue_size=1, **WAITING) as server, inferring(server) as tensors:
        inside = tensors.ModelInfer(request, timeout=PATIENCE)
        await until_inside(server, 1)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await tensors.ModelInfer(request)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-retry-pushback-ms" in dict(refusal.value.trailing_metadata())
        inside.cancel()
        await until_inside(server, 0)


async def test_a_cancelled_request_takes_all_its_photos_back(models: Path) -> None:
    request = infer_request({"image": photos(5)}, style="plain")
    async with running(models, **WAITING) as server, inferring(server) as tensors:
        inside = tensors.ModelInfer(request, timeout=PATIENCE)
        await until_waiting(server, 5)
        inside.cancel()
        await until_waiting(server, 0)
        await until_inside(server, 0)


async def test_a_deadline_takes_all_photos_back(models: Path) -> None:
    request = infer_request({"image": photos(5)}, style="plain")
    async with running(models, **WAITING) as server, inferring(server) as tensors:
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await tensors.ModelInfer(request, timeout=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until_waiting(server, 0)
        await until_inside(server, 0)


class PickySession:
    """Paints nothing, and fails at a photo that begins with a black pixel."""

    provider = "Picky"
    precision = "float32"

    def __init__(self) -> None:
        self.painted = 0

    def warm_up_runs(self, _batch_size: int, /) -> Sequence[Callable[[], None]]:
        """Needs none."""
        return ()

    def run(self, images: Pixels, styles: Any, /) -> Pixels:
        """Gives the photos back."""
        if not images[0, 0, 0].any():
            raise ValueError("too dark")
        self.painted += len(images)
        return images.copy()


async def test_a_photo_that_fails_takes_its_siblings_back(models: Path) -> None:
    session = PickySession()
    many = np.full((40, 20, 24, 3), 200, np.uint8)
    many[0, 0, 0] = 0
    server = Server(
        ServerConfig(models=models, port=0, max_batch_size=1), open_session=lambda _: session
    )
    await server.start()
    async with inferring(server) as tensors:
        status, message = await infer_refused(tensors, infer_request({"image": many}, style="dark"))
        assert status is grpc.StatusCode.INTERNAL
        assert "too dark" in message
        await until_inside(server, 0)
        await until_waiting(server, 0)
    await server.stop()
    assert session.painted < 39


async def until_waiting(server: Server, number: int) -> None:
    """Waits until so many photos wait for the device."""
    await until(lambda: server._batcher.waiting == number)
