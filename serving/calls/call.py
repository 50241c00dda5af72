"""One call, or one frame of a stream: what was asked, how it went, and who is told about it.

Every front door makes a ``Call`` for what it answers. Whoever wants to know (access log, metrics,
statistics, traces) is an observer and sees the same record, so they cannot disagree.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast

import grpc

from serving.calls.client_name import client_name
from serving.calls.client_text import REQUEST_ID, request_id
from serving.calls.statuses import message_of, status_of, trailing_metadata
from serving.timing import Stage
from sfumato.errors import SfumatoError

_log = logging.getLogger(__name__)

Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]

HEALTH_METHODS: Final = "/grpc.health.v1.Health/"
"""Beginning of the methods that are answered whatever else the server is busy with."""

AUTHORIZATION: Final = "authorization"
"""Name of the metadata that carries a token."""

_UNEXPECTED: Final = "unexpected error; the server's log has it"


@dataclass(eq=False)
class Call:
    """What is known about a call so far.

    Attributes:
        method: name of the method, such as "Stylize".
        service: full name of the service.
        metadata: what the client sent along, such as a request id or a trace, but no token; never
            logged whole.
        client: name of the token that let it in; empty without tokens.
        model: name of the model: as asked, and as found once that is known.
        version: version of the model; 0 while that is not known.
        label: label by which the client asked for a version; empty for none.
        photos: how many photos it is about.
        styles: how many styles they are painted in.
        batch_size: photos in the batch that it was part of.
        bytes_in: bytes of the photo files or tensors that came.
        bytes_out: bytes of those that go.
        stages: where the time went.
        notes: further fields for the log; a client's text must be ``quoted`` there.
        trace_id: name of the trace that it is part of, 32 hexadecimal digits; empty without one.
        status: name of the status code; empty until the end.
        reason: why the status is not OK.
        started: by ``time.monotonic()``.
        ended: by the same clock; 0 until the end.
    """

    method: str
    service: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    client: str = field(default_factory=client_name.get)
    model: str = ""
    version: int = 0
    label: str = ""
    photos: int = 0
    styles: int = 0
    batch_size: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    stages: Sequence[Stage] = ()
    notes: dict[str, object] = field(default_factory=dict)
    trace_id: str = ""
    status: str = ""
    reason: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    @property
    def request_id(self) -> str:
        """By what the client finds it again."""
        return self.metadata.get(REQUEST_ID, "")

    @property
    def seconds(self) -> float:
        """How long the call took, once it has ended."""
        return self.ended - self.started

    def end(self, status: str, reason: str = "") -> None:
        """Notes how the call ended, and when."""
        self.status, self.reason, self.ended = status, reason, time.monotonic()


class CallObserver(Protocol):
    """Is told about calls, on the event loop's thread; must be quick and must not raise."""

    def ended(self, call: Call) -> None:
        """A call has been answered, has failed or was cancelled."""


class Calls:
    """Watches over calls: turns their errors into statuses and tells the observers."""

    def __init__(self, observers: Sequence[CallObserver]) -> None:
        """Tells ``observers``, in their order."""
        self._observers = tuple(observers)

    def end(self, call: Call, status: str, reason: str = "") -> None:
        """Tells that ``call`` is over."""
        call.end(status, reason)
        for observer in self._observers:
            observer.ended(call)

    def end_by(
        self, call: Call, error: BaseException, context: Context
    ) -> tuple[grpc.StatusCode, str]:
        """Tells that ``call`` is over because of ``error``; gives what the client is told."""
        if isinstance(error, asyncio.CancelledError):  # for the client's sake, or at the deadline
            status = status_of_cancelled(context)
            self.end(call, status.name)
            return status, ""
        if isinstance(error, SfumatoError):
            status, message = status_of(error), message_of(error)
            self.end(call, status.name, message)
            return status, message
        _log.error("unexpected error", exc_info=error)
        self.end(call, grpc.StatusCode.INTERNAL.name, "unexpected error")
        return grpc.StatusCode.INTERNAL, _UNEXPECTED

    async def fail(self, error: Exception, context: Context, call: Call) -> None:
        """Ends ``call`` because of ``error``, and tells the client its status."""
        status, message = self.end_by(call, error, context)
        trailing = trailing_metadata(error) if isinstance(error, SfumatoError) else ()
        await send_status(context, status, message, trailing)

    async def refuse(self, method: str, error: SfumatoError, context: Context) -> None:
        """Tells the client of ``/service/method`` an error; nothing else is known of the call."""
        service, _, name = method.strip("/").rpartition("/")
        await self.fail(error, context, Call(name, service, metadata_of(context)))

    async def answer(self, work: Awaitable[Response], context: Context, call: Call) -> Response:
        """Awaits the answer to ``call``; an error of ours becomes the status of the call."""
        try:
            response = await work
        except asyncio.CancelledError as error:
            self.end_by(call, error, context)
            raise
        except Exception as error:
            await self.fail(error, context, call)
            return cast("Response", None)  # the status has gone, and this goes nowhere
        self.end(call, grpc.StatusCode.OK.name)
        return response


async def send_status(
    context: Context,
    status: grpc.StatusCode,
    message: str,
    trailing: Sequence[tuple[str, str]] = (),
) -> None:
    """Ends a call of gRPC with an error; its method has nothing to do but return.

    The context keeps the error by which ``abort`` would end the method. With its traceback, or
    that of the error before it, and so the frames of the method and the photo in them, they are a
    circle that only the garbage collector finds.
    """
    try:
        await context.abort(status, message, (*trailing, *(context.trailing_metadata() or ())))
    except grpc.aio.AbortError as error:
        error.__traceback__ = error.__context__ = None


def deadline_of(context: Context) -> float | None:
    """Gives the time by ``time.monotonic()`` after which the client waits no more."""
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


def status_of_cancelled(context: Context) -> grpc.StatusCode:
    """Tells whether a call that was cancelled has come to its deadline."""
    expired = context.time_remaining() == 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED


def metadata_of(context: Context) -> dict[str, str]:
    """Gives the text entries of a call's metadata by name, of several the last; no token.

    The request's id is always among them, and from here on goes back with the answer.
    """
    entries = {
        name: value
        for name, value in context.invocation_metadata() or ()
        if isinstance(value, str) and name != AUTHORIZATION
    }
    entries[REQUEST_ID] = request_id(entries.get(REQUEST_ID, ""))
    context.set_trailing_metadata(((REQUEST_ID, entries[REQUEST_ID]),))
    return entries
