"""The calls of a client that blocks, over connections that are renewed when they go silent."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from sfumato.client.frame_stream import AnyFrame, FrameSender, receive
from sfumato.client.frames import FrameAnswer
from sfumato.connection.call_errors import is_silence
from sfumato.connection.connection import Connection
from sfumato.connection.inspection import Inspector, behind
from sfumato.connection.line import Line
from sfumato.connection.renewal import Renewal
from sfumato.connection.targets import grpc_target
from sfumato.connection.waiting import SOON_SECONDS, Waiting
from sfumato.errors import ServiceError

_Response = TypeVar("_Response")


class Calls:
    """Makes the calls of one client."""

    def __init__(self, connection: Connection) -> None:
        """Opens channels, which connect at the first call."""
        self._connection = connection
        target = grpc_target(connection.target)  # once, because it may wait for a look-up
        self._lines = Renewal(lambda: Line(connection, target))
        self._stream_lines = Renewal(lambda: Line(connection, target, streams=True))
        self._inspector = Inspector(connection)
        self._waiting = Waiting(connection)

    def unary(
        self,
        method: Callable[[Line], "grpc.UnaryUnaryMultiCallable[Any, _Response]"],
        request: Message,
        timeout: float | None,
        *,
        repeatable: bool = True,
    ) -> _Response:
        """Makes a call of one request and one answer. Raises ServiceError.

        One that is ``repeatable`` is made again where its server turns out to hang.
        """
        seconds = self._connection.timeout if timeout is None else timeout
        self._connection.check_size(request)
        end = time.monotonic() + seconds
        while True:
            line = self._lines.begin()
            call: Any = method(line).future(
                request,
                timeout=end - time.monotonic(),
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready,
            )
            try:
                hangs = self._watch(self._lines, line, seconds, partial(_ended, call))
                if hangs and repeatable:
                    continue
                answer: _Response = call.result()
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                raise self._explain(self._lines, line, call, seconds) from error
            finally:
                call.cancel()
                self._end(self._lines, line)
            self._waiting.answered()
            return answer

    def stream(
        self, sender: FrameSender, frames: Iterable[AnyFrame], timeout: float | None
    ) -> Iterator[FrameAnswer]:
        """Begins a stream and gives its answers; see ``Client.stylize_stream``."""
        lines, seconds = self._stream_lines, timeout or 0.0
        line = lines.begin()
        call = line.painting.StylizeStream(
            sender.messages(frames),
            timeout=timeout,
            metadata=self._connection.metadata,
            wait_for_ready=self._connection.wait_for_ready and timeout is not None,
        )
        begun = threading.Event()
        watch = threading.Thread(
            target=self._watch, args=(lines, line, seconds, begun.wait), daemon=True
        )
        watch.start()

        def explain(error: grpc.RpcError, *, answered: bool) -> ServiceError:
            return self._explain(lines, line, error, seconds, answered=answered)

        def answers() -> Iterator[FrameAnswer]:
            try:
                for answer in receive(call, sender, explain):
                    begun.set()
                    self._waiting.answered()
                    yield answer
            finally:
                begun.set()
                self._end(lines, line)

        return answers()

    def close(self) -> None:
        """Closes all channels; running calls are cancelled."""
        for line in self._lines.close() | self._stream_lines.close():
            line.channel.close()

    def _watch(
        self,
        lines: Renewal[Line],
        line: Line,
        seconds: float,
        ended: Callable[[float], bool],
    ) -> bool:
        """Watches a call until its first answer, or until its server turns out to hang.

        Args:
            lines: where the line of the call comes from.
            line: the line of the call.
            seconds: how long the call waits at most; 0 for any time.
            ended: waits for the answer, for so many seconds at most, and tells whether it came.

        Returns:
            Whether the call may be with a server that hangs.
        """
        while not ended(SOON_SECONDS):
            if self._inspector.found_hanging(line.opened):
                lines.renew(line)
                return True
            if self._inspector.is_due():
                threading.Thread(target=self._inspect, args=(seconds,), daemon=True).start()
        return False

    def _inspect(self, seconds: float) -> None:
        self._waiting.learn(self._inspector.inspect(), seconds)

    def _explain(
        self,
        lines: Renewal[Line],
        line: Line,
        error: Any,
        seconds: float,
        *,
        answered: bool = False,
    ) -> ServiceError:
        if is_silence(error):
            lines.renew(line)
        error, obstacle = behind(error, self._connection), self._waiting.obstacle
        return self._connection.error(error, seconds, answered=answered, obstacle=obstacle)

    @staticmethod
    def _end(lines: Renewal[Line], line: Line) -> None:
        if lines.end(line):
            line.channel.close()


def _ended(call: Any, most_seconds: float) -> bool:
    try:
        call.exception(most_seconds)
    except grpc.FutureTimeoutError:
        return False
    except grpc.FutureCancelledError:
        pass
    return True
