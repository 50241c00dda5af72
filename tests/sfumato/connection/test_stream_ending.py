"""How a stream of grpc.aio ended, in the versions of grpcio that are allowed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio
from grpc.aio import Metadata

from sfumato.connection.stream_ending import StreamEnding

REASON = (grpc.StatusCode.PERMISSION_DENIED, "not for you")
WRITE = (grpc.StatusCode.INTERNAL, "Internal error from Core")


class OldCall:
    """A call of grpcio 1.81, which tells of its end again whenever its status is replaced."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], Any]] = []
        self._status = REASON

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        self._callbacks.append(partial(callback, self))

    def end(self, status: tuple[grpc.StatusCode, str]) -> None:
        self._status = status
        for callback in self._callbacks:
            callback()

    async def code(self) -> grpc.StatusCode:
        return self._status[0]

    async def details(self) -> str:
        return self._status[1]

    async def debug_error_string(self) -> str:
        return f"core: {self._status[1]}"

    async def trailing_metadata(self) -> Metadata:
        return Metadata()


async def test_a_status_that_a_write_replaces_is_the_one_that_counts() -> None:
    call = OldCall()
    ending = StreamEnding(call)
    call.end(REASON)
    call.end(WRITE)
    error = await ending.error(grpc.aio.AioRpcError(WRITE[0], Metadata(), Metadata(), WRITE[1]))
    assert (error.code(), error.details()) == REASON
    assert error.debug_error_string() == "core: not for you"


async def test_a_status_that_comes_after_a_write_has_failed_counts_too() -> None:
    call = OldCall()
    ending = StreamEnding(call)
    call.end(WRITE)
    call.end(REASON)
    error = await ending.error(grpc.aio.AioRpcError(WRITE[0], Metadata(), Metadata(), WRITE[1]))
    assert (error.code(), error.details()) == REASON


async def test_a_write_that_comes_after_a_good_ending_is_no_error_of_the_code_ok() -> None:
    call = OldCall()
    ending = StreamEnding(call)
    call.end((grpc.StatusCode.OK, ""))
    call.end(WRITE)
    raised = grpc.aio.AioRpcError(WRITE[0], Metadata(), Metadata(), WRITE[1])
    assert await ending.error(raised) is raised
