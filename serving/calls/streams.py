"""The open streams of a server: how many one client may have, how they end, and a line for each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc.aio

from serving.calls.admission import Admission
from serving.calls.call import Call, Calls, Context, send_status, status_of_cancelled
from serving.calls.client_name import client_of
from serving.calls.time_limit import retrieve
from serving.errors import AnswerNotTakenError, TooManyStreamsError


class Answers:
    """The answers of one stream.

    Attributes:
        written: how many the client has taken, by what they are: painting, dropped or error.
    """

    def __init__(self, context: Context, max_seconds: float) -> None:
        """Writes to the client of ``context``, which must take each within ``max_seconds``."""
        self._context = context
        self._max_seconds = max_seconds
        self._writing: asyncio.Future[None] | None = None
        self.written = Counter[str]()

    async def write(self, answer: Any, kind: str) -> None:
        """Writes an answer once the client takes it.

        Raises:
            AnswerNotTakenError: it does not. The frames of the stream would hold their places in
                the server for as long as it is connected. Nothing more can be written.
        """
        self._writing = asyncio.ensure_future(self._context.write(answer))
        self._writing.add_done_callback(retrieve)
        try:
            done, _ = await asyncio.wait([self._writing], timeout=self._max_seconds)
        except asyncio.CancelledError:
            self._writing.cancel()
            raise
        if not done:
            raise AnswerNotTakenError(
                f"an answer was not taken within {self._max_seconds:g} seconds; read the answers "
                "of a stream while you send"
            )
        self._writing.result()
        self.written[kind] += 1

    async def last_one_taken(self) -> None:
        """Waits for a client that takes its time; gRPC cannot tell it anything before."""
        if self._writing is not None:
            await self._writing


class Streams:
    """Counts the open streams of each client. For the event loop's thread only."""

    def __init__(
        self,
        per_client: int,
        max_download_seconds: float,
        calls: Calls,
        log: Callable[[Call, Mapping[str, int]], None],
    ) -> None:
        """Starts without streams.

        Args:
            per_client: how many each client may have open at once.
            max_download_seconds: how long an answer may wait for its client.
            calls: learn of those streams that fail.
            log: is told of those that end well or are cancelled, with their answers by kind.
        """
        self._per_client = per_client
        self._max_download_seconds = max_download_seconds
        self._calls = calls
        self._log = log
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Number of streams that are open, of all clients."""
        return self._open.total()

    async def answer(
        self, call: Call, context: Context, run: Callable[[Answers], Awaitable[None]]
    ) -> None:
        """Runs a stream; an error of ours aborts it with its status.

        Args:
            call: stands for the stream as a whole.
            context: of the stream.
            run: reads and answers all messages.
        """
        answers = Answers(context, self._max_download_seconds)
        try:
            with self._admitted(client_of(context)):
                try:
                    await run(answers)
                except AnswerNotTakenError as error:
                    call.notes |= answers.written
                    status, message = self._calls.end_by(call, error, context)
                    await answers.last_one_taken()  # its frames have gone, its place stays
                    await send_status(context, status, message)
                    return
        except (asyncio.CancelledError, grpc.aio.BaseError):  # by the client, or the connection
            if not call.status:
                call.end(status_of_cancelled(context).name)
                self._log(call, answers.written)
            raise
        except Exception as error:
            call.notes |= answers.written
            await self._calls.fail(error, context, call)
            return
        call.end(grpc.StatusCode.OK.name)
        self._log(call, answers.written)

    @contextmanager
    def _admitted(self, client: str) -> Iterator[None]:
        if self._open[client] >= self._per_client:
            raise TooManyStreamsError(
                f"this client has {self._open[client]} streams open, its limit; "
                "close one, or send the frames through one that is open"
            )
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


@asynccontextmanager
async def reading_ahead(
    read: Callable[[], Coroutine[Any, Any, None]], admission: Admission
) -> AsyncIterator[None]:
    """Runs ``read`` beside the block, which answers what it reads and is to end with it.

    Whatever ``read`` raises is raised when the block has ended.

    Raises:
        NotServingError: the server is closed, or closed meanwhile; the block has answered what
            had been read until then.
    """
    admission.check_open()
    reading = asyncio.create_task(read())
    reading.add_done_callback(retrieve)
    closing = asyncio.create_task(_stop_at_closing_time(reading, admission))
    try:
        yield
        await asyncio.wait([reading])
    finally:
        closing.cancel()
        reading.cancel()
    if reading.cancelled():
        admission.check_open()
    reading.result()


async def _stop_at_closing_time(reading: asyncio.Task[None], admission: Admission) -> None:
    await admission.closing()
    reading.cancel()
