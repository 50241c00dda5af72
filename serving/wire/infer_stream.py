"""One stream of requests: several under way at once, answered in their order."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio

from serving.calls.admission import Admission
from serving.calls.call import Context
from serving.calls.message_check import read_message
from serving.calls.streams import Answers, reading_ahead
from sfumato.inference import open_inference_pb2 as pb

Answer = Callable[
    [pb.ModelInferRequest, ExitStack], Coroutine[Any, Any, pb.ModelStreamInferResponse]
]
"""Answers one request, whatever happens; what it puts on the stack is undone once the answer is
sent, or nobody waits for it any more."""

WINDOW: Final = 4  # one request on the device, one behind it, one in each codec


@dataclass(eq=False)
class _Pending:
    answer: asyncio.Task[pb.ModelStreamInferResponse]
    inside: ExitStack

    def close(self) -> None:
        self.answer.cancel()
        self.inside.close()


class InferStream:
    """Reads requests and writes their answers.

    While the window is full, or the client reads no answers, nothing more is read, and HTTP/2
    stops the client.
    """

    def __init__(self, context: Context, admission: Admission, answer: Answer) -> None:
        """Answers the requests of a call by ``answer``, until the server closes."""
        self._context = context
        self._admission = admission
        self._answer = answer
        self._pending: asyncio.Queue[_Pending | None] = asyncio.Queue()  # None: no more to come
        self._room = asyncio.Semaphore(WINDOW)

    async def run(self, answers: Answers) -> None:
        """Writes the ``answers`` to all requests.

        Raises:
            NotServingError: the server is closed, or closed meanwhile; the requests that had come
                in have been answered.
            AnswerNotTakenError: see ``Answers.write``.
        """
        async with reading_ahead(self._read, self._admission):
            try:
                while pending := await self._pending.get():
                    await self._write(pending, answers)
                    del pending  # the next may be long in coming
            finally:
                self._abandon()

    async def _read(self) -> None:
        try:
            await self._room.acquire()
            while (request := await read_message(self._context)) is not grpc.aio.EOF:
                inside = ExitStack()
                answer = asyncio.create_task(self._answer(request, inside))
                self._pending.put_nowait(_Pending(answer, inside))
                del request, answer
                await self._room.acquire()
        finally:
            self._pending.put_nowait(None)

    async def _write(self, pending: _Pending, answers: Answers) -> None:
        try:
            answer = await pending.answer
            await answers.write(answer, "error" if answer.error_message else "painting")
        finally:
            pending.close()
        self._room.release()

    def _abandon(self) -> None:
        while not self._pending.empty():
            if pending := self._pending.get_nowait():
                pending.close()
