"""Tells a task that was cancelled from a call that was."""

import asyncio

import grpc.aio


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
