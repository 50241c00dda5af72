"""Paints a video on a server: decoding, painting and encoding at the same time."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc

from sfumato.client.async_client import AsyncClient
from sfumato.client.frames import FailedFrame, Frame, FrameAnswer, PaintedFrame
from sfumato.client.reopening import Reopening
from sfumato.client.stylized_photo import StylizedPhoto
from sfumato.errors import ServiceError
from sfumato.images.codec import ImageFormat, decode_photo, encode_photo
from sfumato.video.reader import VideoPicture, VideoReader
from sfumato.video.style_fade import StyleFade
from sfumato.video.writer import VideoWriter

T = TypeVar("T")

_FRAME_QUALITY: Final = 95  # of JPEG on the way; from here on colours keep their resolution
_WORTH_ANOTHER_TRY: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True)
class VideoOrder:
    """What a video is painted with.

    Attributes:
        fade: the styles over time.
        strength: 0, the video itself, to 1, the styles; None for 1.
        brush_size: size of the strokes, 0.5 to 2; None for 1.
        model: name of a model on the server; empty for its default.
        version: version of the model, or the label of one; None for the highest.
        lossless: whether frames travel as PNG instead of JPEG.
        window: most frames inside the server at once; None for its default.
        patience: seconds in which the server owes an answer, is full or is away, after which to
            give up.
    """

    fade: StyleFade
    strength: float | None = None
    brush_size: float | None = None
    model: str = ""
    version: int | str | None = None
    lossless: bool = False
    window: int | None = None
    patience: float = 60.0


@dataclass(frozen=True)
class _Sent:
    frame: Frame
    pts: int


class VideoPainter:
    """Takes one video from its reader through a server to its writer.

    A frame that the server had no room for is sent again by itself. A stream that breaks, because
    its server stopped, is opened again with the frames that were not answered; with several
    servers, another one takes over.
    """

    def __init__(
        self, client: AsyncClient, reader: VideoReader, writer: VideoWriter, order: VideoOrder
    ) -> None:
        """Gets ready; nothing is read or sent before ``paint``."""
        self._client = client
        self._reader = reader
        self._writer = writer
        self._order = order
        self._format = ImageFormat.PNG if order.lossless else ImageFormat.JPEG
        self._unanswered: deque[_Sent] = deque()
        self._reading: asyncio.Future[_Sent | None] | None = None
        self._idle_until = 0.0
        self._decoder: ThreadPoolExecutor
        self._encoder: ThreadPoolExecutor

    async def paint(self, on_frame: Callable[[], object]) -> int:
        """Paints all frames.

        Args:
            on_frame: called after each.

        Returns:
            How many there were.

        Raises:
            VideoError: the video cannot be read, or the new one not written.
            ServiceError: the server refused a frame, failed or was not reached.
        """
        # The threads end before anybody closes the files that they work on.
        with ThreadPoolExecutor(1) as self._decoder, ThreadPoolExecutor(1) as self._encoder:
            try:
                return await self._paint_all(on_frame)
            finally:
                self._reader.stop()  # or whoever gives up waits for a long way to a frame

    async def _paint_all(self, on_frame: Callable[[], object]) -> int:
        count, reopening = 0, Reopening(self._order.patience)
        while True:
            try:
                async with aclosing(self._paintings()) as paintings:
                    async for photo in paintings:
                        await self._write(photo)
                        count += 1
                        reopening.painted()
                        on_frame()
                break
            except ServiceError as error:
                await reopening.wait(error)
        await self._in(self._encoder, self._writer.finish)
        return count

    async def _write(self, photo: StylizedPhoto) -> None:
        pts = self._unanswered.popleft().pts

        def write() -> None:
            pixels = photo.width * photo.height  # the server bounds it, not this side
            self._writer.write(decode_photo(photo.image, max_pixels=pixels).rgb, pts)

        await self._in(self._encoder, write)

    async def _paintings(self) -> AsyncGenerator[StylizedPhoto, None]:
        """Opens a stream; yields its paintings."""
        stream = self._client.stylize_stream(
            self._frames(),
            strength=self._order.strength,
            brush_size=self._order.brush_size,
            model=self._order.model,
            version=self._order.version,
            output_format=self._format,
            quality=_FRAME_QUALITY,
            window=self._order.window,
        )
        async with aclosing(stream) as answers:
            while (answer := await self._next_answer(answers)) is not None:
                yield await self._painting(answer)

    async def _next_answer(self, answers: AsyncGenerator[FrameAnswer, None]) -> FrameAnswer | None:
        begun = time.monotonic()
        answer = asyncio.ensure_future(anext(answers, None))
        try:
            while not answer.done():
                now = time.monotonic()
                since = now if self._server_is_idle() else max(begun, self._idle_until)
                if now - since >= self._order.patience:
                    raise ServiceError(
                        f"no answer from the server within {self._order.patience:g} s; allow a "
                        "longer --timeout, or send smaller frames with --size",
                        grpc.StatusCode.DEADLINE_EXCEEDED,
                    )
                await asyncio.wait([answer], timeout=since + self._order.patience - now)
            return answer.result()
        finally:
            answer.cancel()  # the generator can be closed only when nobody is inside
            await asyncio.wait([answer])

    def _server_is_idle(self) -> bool:
        """Tells whether the next frame is being read, and all others are answered."""
        reading = self._reading is not None and not self._reading.done()
        return reading and not self._unanswered

    async def _painting(self, answer: FrameAnswer) -> StylizedPhoto:
        if isinstance(answer, PaintedFrame):
            return answer.photo
        assert isinstance(answer, FailedFrame)
        if answer.error.code not in _WORTH_ANOTHER_TRY:
            raise answer.error
        return await self._paint_again(self._unanswered[0].frame)

    async def _paint_again(self, frame: Frame) -> StylizedPhoto:
        """Sends a frame by itself until the server has room for it, or patience ends."""
        end = time.monotonic() + self._order.patience
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._paint_once(frame)
            except ServiceError as error:  # after all tries of the client
                if error.retry_after is None:
                    raise
                wait = max(pause, error.retry_after)
                if time.monotonic() + wait > end:
                    raise
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _paint_once(self, frame: Frame) -> StylizedPhoto:
        assert isinstance(frame.image, bytes)
        assert frame.styles is not None
        return await self._client.stylize(
            frame.image,
            frame.styles,
            strength=self._order.strength,
            brush_size=self._order.brush_size,
            model=self._order.model,
            version=self._order.version,
            output_format=self._format,
            quality=_FRAME_QUALITY,
        )

    async def _frames(self) -> AsyncGenerator[Frame, None]:
        """Yields what was not answered when the last stream broke, and then the rest."""
        for sent in list(self._unanswered):
            yield sent.frame
        while (sent_now := await self._next()) is not None:
            self._unanswered.append(sent_now)
            yield sent_now.frame

    async def _next(self) -> _Sent | None:
        """Reads a frame. If the wait for it is cancelled, the next call gets it."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._in(self._decoder, self._read))
        sent = await asyncio.shield(self._reading)
        self._reading = None
        return sent

    def _read(self) -> _Sent | None:
        picture = self._reader.next()
        sent = None if picture is None else _Sent(self._frame(picture), picture.pts)
        if not self._unanswered:
            self._idle_until = time.monotonic()
        return sent

    def _frame(self, picture: VideoPicture) -> Frame:
        image = encode_photo(picture.rgb, format=self._format, quality=_FRAME_QUALITY)
        return Frame(image, self._order.fade.shares(picture.seconds))

    async def _in(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
