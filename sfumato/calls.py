"""The calls of a client that blocks, over connections that are renewed when they go silent."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from sfumato.call_errors import is_silence
from sfumato.connection import Connection
from sfumato.errors import ServiceError
from sfumato.frame_stream import AnyFrame, FrameSender, receive
from sfumato.frames import FrameAnswer
from sfumato.hidden_failure import behind
from sfumato.line import LIVE_REQUEST, Line
from sfumato.renewal import SILENT_SECONDS, Renewal
from sfumato.targets import grpc_target
from sfumato.waiting import SOON_SECONDS, Waiting

_Response = TypeVar("_Response")


class Calls:
    """Makes the calls of one client."""

    def __init__(self, connection: Connection) -> None:
        """Opens a channel."""
        self._connection = connection
        target = grpc_target(connection.target)  # once, because it may wait for a look-up
        self._lines = Renewal(lambda: Line(connection, target))
        self._waiting = Waiting(connection)

    def unary(
        self,
        method: Callable[[Line], "grpc.UnaryUnaryMultiCallable[Any, _Response]"],
        request: Message,
        timeout: float | None,
    ) -> _Response:
        """Makes a call of one request and one answer. Raises ServiceError."""
        seconds = self._connection.timeout if timeout is None else timeout
        self._connection.check_size(request)
        line = self._lines.begin()
        call: Any = method(line).future(
            request,
            timeout=seconds,
            metadata=self._connection.metadata,
            wait_for_ready=self._connection.wait_for_ready,
        )
        try:
            self._watch(line, seconds, lambda most: _ended(call, most))
            answer: _Response = call.result()
        except (grpc.RpcError, grpc.FutureCancelledError) as error:
            raise self._explain(line, call, seconds) from error
        finally:
            call.cancel()
            self._end(line)
        self._waiting.answered()
        return answer

    def stream(
        self, sender: FrameSender, frames: Iterable[AnyFrame], timeout: float | None
    ) -> Iterator[FrameAnswer]:
        """Begins a stream and gives its answers; see ``Client.stylize_stream``."""
        seconds = timeout or 0.0
        line = self._lines.begin()
        call = line.painting.StylizeStream(
            sender.messages(frames),
            timeout=timeout,
            metadata=self._connection.metadata,
            wait_for_ready=self._connection.wait_for_ready and timeout is not None,
        )
        answered = threading.Event()
        threading.Thread(
            target=self._watch, args=(line, seconds, answered.wait), daemon=True
        ).start()

        def explain(error: grpc.RpcError, *, answered: bool) -> ServiceError:
            return self._explain(line, error, seconds, answered=answered)

        def answers() -> Iterator[FrameAnswer]:
            try:
                for answer in receive(call, sender, explain):
                    answered.set()
                    self._waiting.answered()
                    yield answer
            finally:
                answered.set()
                self._end(line)

        return answers()

    def close(self) -> None:
        """Closes all channels; running calls are cancelled."""
        for line in self._lines.close():
            line.channel.close()

    def _watch(self, line: Line, seconds: float, ended: Callable[[float], bool]) -> None:
        """Watches a call until it ends, or has waited so long that nothing is left to do.

        ``ended`` waits for the end, for so many seconds at most, and tells whether it has come.
        """
        if ended(SOON_SECONDS):
            return
        asking: Any = line.live.future(
            LIVE_REQUEST, timeout=SOON_SECONDS, metadata=self._connection.metadata
        )

        def learn(_: object) -> None:
            if not ended(0):
                self._waiting.learn(behind(asking, self._connection), seconds)
                if is_silence(asking):
                    self._lines.renew(line)

        asking.add_done_callback(learn)
        if not ended(SILENT_SECONDS - SOON_SECONDS):
            self._lines.renew(line)

    def _explain(
        self, line: Line, error: Any, seconds: float, *, answered: bool = False
    ) -> ServiceError:
        if is_silence(error):
            self._lines.renew(line)
        error, obstacle = behind(error, self._connection), self._waiting.obstacle
        return self._connection.error(error, seconds, answered=answered, obstacle=obstacle)

    def _end(self, line: Line) -> None:
        if self._lines.end(line):
            line.channel.close()


def _ended(call: Any, most_seconds: float) -> bool:
    try:
        call.exception(most_seconds)
    except grpc.FutureTimeoutError:
        return False
    except grpc.FutureCancelledError:
        pass
    return True
