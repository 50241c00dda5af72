"""One stream of frames: read ahead within a window, painted side by side, answered in order."""

import asyncio
from collections import deque
from typing import Final

import grpc.aio

from serving.calls.call import Call, Context, deadline_of
from serving.calls.client_name import caller_of
from serving.calls.message_check import read_message
from serving.calls.streams import Answers, reading_ahead
from serving.errors import InvalidRequestError, QueueFullError
from serving.wire.engine import Engine
from serving.wire.frame import Frame, inherit
from serving.wire.stylize_messages import note_painting, note_request, order_of, response_to
from sfumato.errors import SfumatoError
from sfumato.v1 import stylization_service_pb2 as pb

_DEFAULT_WINDOW: Final = 4  # one on the device, one behind it, one in each codec
_MOST_UNANSWERED: Final = 1000  # frames that were dropped and wait for their turn to be told


class FrameStream:
    """Reads, paints and answers the frames of one stream.

    Every frame is a call of its own to all who count calls, and passes admission like one. Without
    ``drop_oldest`` nothing is read while the window is full, so HTTP/2 stops the client.
    """

    def __init__(self, call: Call, context: Context, engine: Engine) -> None:
        """Begins with the default settings, until the first message says otherwise."""
        self._call = call
        self._context = context
        self._engine = engine
        self._config = engine.config
        self._before = pb.StylizeRequest()  # whose styles the next frame inherits
        self._window = min(_DEFAULT_WINDOW, self._config.max_stream_window)
        self._drops = False
        self._room = asyncio.Semaphore(0)  # frames that may be read beyond the first
        self._inside: deque[Frame] = deque()  # in order; neither answered nor dropped
        self._unanswered: asyncio.Queue[Frame | None] = asyncio.Queue()  # None: no more to come

    async def run(self, answers: Answers) -> None:
        """Writes the ``answers`` to all frames.

        Raises:
            InvalidRequestError: a message breaks a rule of streams; the frames before it have been
                answered.
            NotServingError: the server is closed, or closed meanwhile; the frames that it had
                accepted have been answered.
            AnswerNotTakenError: see ``Answers.write``.
        """
        async with reading_ahead(self._read, self._engine.admission):
            try:
                while frame := await self._unanswered.get():
                    answer = await frame.answer
                    await answers.write(answer, str(answer.WhichOneof("result")))
                    self._leave(frame)
                    self._room.release()
                    del frame, answer  # the next may be long in coming
            finally:
                self._abandon()

    async def _read(self) -> None:
        """Accepts frames until the client sends no more."""
        try:
            message = await self._next_message()
            if message is not None:
                self._settle(message.settings)
            while message is not None:
                accepted = self._accept(message)
                message = None  # it holds a photo, and the next may be long in coming
                if accepted:
                    await self._room.acquire()
                message = await self._next_message()
                if message is not None and message.HasField("settings"):
                    raise InvalidRequestError(
                        "settings came after the first message; send them with the first one, or "
                        "open another stream"
                    )
        finally:
            self._unanswered.put_nowait(None)

    async def _next_message(self) -> pb.StylizeStreamRequest | None:
        message = await read_message(self._context)
        return message if isinstance(message, pb.StylizeStreamRequest) else None

    def _settle(self, settings: pb.StreamSettings) -> None:
        most = self._config.max_stream_window
        if settings.window > most:
            raise InvalidRequestError(
                f"the window is {settings.window}; this server allows 1 to {most}, and 0 for its "
                "default"
            )
        self._window = settings.window or self._window
        self._drops = settings.drop_oldest
        ahead = _MOST_UNANSWERED if self._drops else self._window
        self._room = asyncio.Semaphore(ahead - 1)  # the first frame has come already

    def _accept(self, message: pb.StylizeStreamRequest) -> bool:
        image = message.frame.image
        request = self._before = inherit(message.frame, self._before)
        if not image:
            return False
        call = Call(self._call.method, self._call.service, self._call.metadata)
        note_request(call, request, image)
        frame = Frame(message.frame_id, call)
        self._unanswered.put_nowait(frame)
        self._inside.append(frame)
        if self._drops and len(self._inside) > self._window:
            self._drop(next(frame for frame in self._inside if frame.can_give_way))
        if not frame.answer.done():
            self._begin(frame, request, image)
        return True

    def _begin(self, frame: Frame, request: pb.StylizeRequest, image: bytes) -> None:
        try:
            self._engine.admission.enter()
        except SfumatoError as error:
            self._fail(frame, error)
            return
        frame.admitted = True
        frame.work_on(self._paint(frame, request, image))

    async def _paint(self, frame: Frame, request: pb.StylizeRequest, image: bytes) -> None:
        try:
            order = order_of(
                request,
                image,
                deadline_of(self._context),
                caller_of(self._context),
                on_start=frame.start,
            )
            model, painting = await self._engine.stylizer.paint(order)
            note_painting(frame.call, model, painting)
            response = response_to(model, painting, self._config.max_message_bytes)
        except Exception as error:
            self._fail(frame, error)
        else:
            self._engine.calls.end(frame.call, grpc.StatusCode.OK.name)
            frame.reply(painting=response)

    def _fail(self, frame: Frame, error: Exception) -> None:
        status, message = self._engine.calls.end_by(frame.call, error, self._context)
        retry = error.retry_after_ms if isinstance(error, QueueFullError) else None
        frame.reply(
            error=pb.FrameError(code=status.value[0], message=message, retry_after_ms=retry)
        )

    def _drop(self, frame: Frame) -> None:
        frame.stop()
        self._engine.calls.end(
            frame.call, grpc.StatusCode.CANCELLED.name, "a newer frame took its place"
        )
        frame.reply(dropped=pb.DroppedFrame())
        self._leave(frame)

    def _leave(self, frame: Frame) -> None:
        """Lets a frame go whose answer has gone, or needs no memory."""
        if frame in self._inside:
            self._inside.remove(frame)
        if frame.admitted:
            frame.admitted = False
            self._engine.admission.leave()

    def _abandon(self) -> None:
        """Ends all work: nobody waits for an answer any more."""
        for frame in list(self._inside):
            frame.stop()
            if not frame.call.status:
                self._engine.calls.end_by(frame.call, asyncio.CancelledError(), self._context)
            self._leave(frame)
        self._unanswered = asyncio.Queue()  # with what was painted; the stream may stay for long
