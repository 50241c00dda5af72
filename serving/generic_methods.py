"""Adds services to a server of gRPC without registering each of their methods with its core."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import grpc


def with_generic_methods(server: grpc.aio.Server) -> grpc.aio.Server:
    """Gives what the code that protoc makes can add services to, as if it were ``server``.

    For each registered method grpc.aio keeps a task that waits for the method's next call, and
    with every call it goes through all of them: twenty here. Generic handlers do the same with a
    single task.
    """
    return cast(grpc.aio.Server, _GenericMethods(server))


class _GenericMethods:
    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, _service: str, _methods: Mapping[str, Any]) -> None:
        pass  # the generic handlers have the same methods
