"""Streams of frames through the two clients, against a real server with the tiny network."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc.aio import AioRpcError, Metadata

from sfumato import (
    AsyncClient,
    Client,
    DroppedFrame,
    FailedFrame,
    Frame,
    FrameAnswer,
    ImageError,
    PaintedFrame,
    ServiceError,
    SfumatoError,
    StyleError,
    decode_photo,
)
from tests.serving.running import PATIENCE, ServerProcess
from tests.serving.tiny_network import paint, write_tiny_bundle
from tests.sfumato.image_files import Pixels, encode, picture

PICTURES = [picture(40 + number, 30) for number in range(10)]
FRAMES = [encode(pixels, "PNG") for pixels in PICTURES]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    write_tiny_bundle(folder / "models" / "default" / "1")
    with ServerProcess(folder / "models", folder) as server:
        yield server.address


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with Client(server) as client:
        yield client


def pixels_of(answer: FrameAnswer) -> Pixels:
    assert isinstance(answer, PaintedFrame)
    return decode_photo(answer.photo.image).rgb


def test_frames_are_painted_in_order(client: Client) -> None:
    answers = list(client.stylize_stream(FRAMES, "dark", window=2, timeout=PATIENCE))
    assert [answer.number for answer in answers] == list(range(10))
    for answer, pixels in zip(answers, PICTURES, strict=True):
        np.testing.assert_array_equal(pixels_of(answer), paint(pixels, 0.5, 0))


async def test_the_other_client_does_the_same(server: str) -> None:
    async def frames() -> AsyncIterator[bytes]:
        for frame in FRAMES:
            yield frame

    async with AsyncClient(server) as client:
        answers = [answer async for answer in client.stylize_stream(frames(), "dark")]
    for answer, pixels in zip(answers, PICTURES, strict=True):
        np.testing.assert_array_equal(pixels_of(answer), paint(pixels, 0.5, 0))


def test_a_frame_may_have_its_own_style_which_later_ones_keep(
    client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "frame.png"
    file.write_bytes(FRAMES[0])
    frames: list[Frame | bytes | Path] = [
        Frame(file, "dark"),
        file,
        Frame(FRAMES[0], {"light": 2}),
        FRAMES[0],
    ]
    answers = list(client.stylize_stream(frames, "plain"))
    dark, light = paint(PICTURES[0], 0.5, 0), paint(PICTURES[0], 1, 100)
    for answer, expected in zip(answers, [dark, dark, light, light], strict=True):
        np.testing.assert_array_equal(pixels_of(answer), expected)


def test_a_frame_that_fails_says_why_and_the_others_are_painted(client: Client) -> None:
    answers = list(client.stylize_stream([FRAMES[0], b"no image", FRAMES[1]], "plain"))
    assert [type(answer) for answer in answers] == [PaintedFrame, FailedFrame, PaintedFrame]
    failed = answers[1]
    assert isinstance(failed, FailedFrame)
    assert failed.error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "JPEG" in str(failed.error)


def test_frames_are_not_taken_far_ahead_of_the_answers(client: Client) -> None:
    taken = []

    def frames() -> Iterator[bytes]:
        for number in range(400):
            taken.append(number)
            yield large

    large = encode(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), "PNG")
    answers = client.stylize_stream(frames(), "plain", window=2)
    next(answers)
    assert len(taken) < 400
    assert isinstance(answers, Iterator)
    answers.close()  # type: ignore[attr-defined]


def test_old_frames_are_dropped_if_asked(client: Client) -> None:
    frames = FRAMES * 20
    answers = list(client.stylize_stream(frames, "plain", window=1, drop_oldest=True))
    kinds = {type(answer) for answer in answers}
    assert len(answers) == len(frames)
    assert kinds <= {PaintedFrame, DroppedFrame}
    assert PaintedFrame in kinds


def test_a_mistake_in_a_frame_is_raised_once_those_before_it_are_answered(client: Client) -> None:
    answers = client.stylize_stream([FRAMES[0], Frame(FRAMES[1], {"plain": -1})], "plain")
    assert isinstance(next(answers), PaintedFrame)
    with pytest.raises(StyleError, match="not negative"):
        next(answers)


@pytest.mark.parametrize("error", [KeyError("camera"), SystemExit("camera")])
def test_an_error_of_the_programs_own_frames_reaches_it(
    client: Client, error: BaseException
) -> None:
    def frames() -> Iterator[bytes]:
        yield FRAMES[0]
        raise error

    answers = client.stylize_stream(frames(), "plain", timeout=20)
    assert isinstance(next(answers), PaintedFrame)
    with pytest.raises(type(error), match="camera"):
        next(answers)


async def test_so_it_does_in_the_other_client(server: str) -> None:
    async with AsyncClient(server) as client:
        answers = client.stylize_stream([FRAMES[0], Path("no such file")], "plain")
        assert isinstance(await anext(answers), PaintedFrame)
        with pytest.raises(ImageError, match="cannot be read"):
            await anext(answers)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AioRpcError(grpc.StatusCode.ABORTED, Metadata(), Metadata(), "camera"), "camera"),
        (asyncio.InvalidStateError("camera"), "camera"),
        (asyncio.CancelledError(), "what gives the frames was cancelled"),
    ],
    ids=["of another stream", "of another call", "cancelled"],
)
async def test_so_it_does_if_it_looks_like_one_of_the_stream_or_of_its_task(
    server: str, error: BaseException, told: str
) -> None:
    async def frames() -> AsyncIterator[bytes]:
        yield FRAMES[0]
        raise error

    kind = SfumatoError if isinstance(error, asyncio.CancelledError) else type(error)
    async with AsyncClient(server) as client, asyncio.timeout(PATIENCE):
        answers = client.stylize_stream(frames(), "plain")
        assert isinstance(await anext(answers), PaintedFrame)
        with pytest.raises(kind, match=told):
            await anext(answers)


def test_an_empty_frame_is_a_mistake(client: Client) -> None:
    with pytest.raises(ImageError, match="frame 0 is empty"):
        list(client.stylize_stream([b""], "plain"))


def test_a_stream_that_the_server_refuses_raises_its_reason(client: Client) -> None:
    with pytest.raises(ServiceError, match="the window is 99") as refused:
        list(client.stylize_stream(FRAMES, "plain", window=99))
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("window", [-1, 5_000_000_000])
def test_a_window_that_no_message_can_hold_is_refused_at_once(client: Client, window: int) -> None:
    with pytest.raises(SfumatoError, match=f"a window of {window} cannot be sent"):
        client.stylize_stream(FRAMES, "plain", window=window)


def test_a_stream_without_a_server_fails_soon(free_target: str) -> None:
    with Client(free_target) as client, pytest.raises(ServiceError, match="no server at"):
        list(client.stylize_stream(FRAMES, "plain"))


def test_a_stream_that_ends_late_says_so(client: Client) -> None:
    late = threading.Event()

    def frames() -> Iterator[bytes]:
        yield FRAMES[0]
        late.wait(PATIENCE)

    with pytest.raises(
        ServiceError, match=r"^not all frames were painted by .* within 2 s"
    ) as error:
        list(client.stylize_stream(frames(), "dark", timeout=2))
    late.set()
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
