"""The open streams of a server: how many one client may have, how they end, and a line for each."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import grpc.aio

from serving.access_log import log_stream
from serving.call import Call, Calls, Context, status_of_cancelled
from serving.client_name import client_of
from serving.errors import TooManyStreamsError

Answers = Counter[str]
"""How many answers of a stream have gone, by what they are: painting, dropped or error."""


class Streams:
    """Counts the open streams of each client. For the event loop's thread only."""

    def __init__(self, per_client: int, calls: Calls) -> None:
        """Allows each client so many streams at once; ``calls`` learns of those that fail."""
        self._per_client = per_client
        self._calls = calls
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
            run: reads and answers all messages, and counts the answers.
        """
        answers = Answers()
        try:
            with self._admitted(client_of(context)):
                await run(answers)
        except (asyncio.CancelledError, grpc.aio.BaseError):  # by the client, or the connection
            call.end(status_of_cancelled(context).name)
            log_stream(call, answers)
            raise
        except Exception as error:
            call.notes |= answers
            await self._calls.abort(error, context, self._calls.begin(call))
        call.end(grpc.StatusCode.OK.name)
        log_stream(call, answers)

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
