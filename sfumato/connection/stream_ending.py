"""How a stream of grpc.aio ended, whatever a write made of it."""

import asyncio
from typing import Any, Final

import grpc.aio

_MILLISECONDS: Final = 1000  # a status that comes after the write comes within one or two


class StreamEnding:
    """The status that a stream ended with.

    A write that fails because the stream is over replaces the status, and with it the server's
    reason, by an INTERNAL of gRPC's own (grpc/grpc#36066). The real one has come before that, or
    comes just after.
    """

    def __init__(self, call: Any) -> None:
        """Listens for the end of ``call``, which has just begun."""
        self._call = call
        self._first: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    async def error(self, raised: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """Gives the error that the stream ended with, for the one that it raised.

        That one, if the server ended the stream well: what could not be sent is lost all the same.
        """
        error = raised if self._first is None else self._first
        for _ in range(_MILLISECONDS):
            if not write_failed(error):
                return raised if error.code() is grpc.StatusCode.OK else error
            await asyncio.sleep(0.001)
            error = await _status(self._call)
        return raised

    def _keep(self, call: Any) -> None:
        if self._first is not None:
            return  # grpcio 1.81 tells once more when a write has failed
        try:
            _status(call).send(None)  # it waits for nothing: the call is over
        except StopIteration as end:
            self._first = end.value


def write_failed(error: grpc.RpcError) -> bool:
    """Tells whether an error is what grpc.aio makes of a message that could not be sent."""
    internal = error.code() is grpc.StatusCode.INTERNAL
    return internal and (error.details() or "").startswith("Internal error from Core")


async def _status(call: Any) -> grpc.aio.AioRpcError:
    details, trailers = await call.details(), await call.trailing_metadata()
    core = await call.debug_error_string()
    return grpc.aio.AioRpcError(await call.code(), grpc.aio.Metadata(), trailers, details, core)


def is_for_this_task() -> bool:
    """Tells whether a CancelledError is meant for the task that runs, and has to go on."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def channel_closed() -> grpc.aio.AioRpcError:
    """Gives what gRPC's other API raises of a call whose channel is closed meanwhile.

    grpc.aio raises CancelledError, which would end the task as if somebody had cancelled it.
    """
    none = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, none, none, "Channel closed!")
