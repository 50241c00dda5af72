"""Answers a call with an error before any of its messages is read."""

from typing import TYPE_CHECKING, Any, NoReturn

import grpc

from serving.call import Call, Calls, Context, metadata_of
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]


def refusal(method: str, error: SfumatoError, calls: Calls) -> "Handler":
    """Makes the handler that answers a call.

    It is one of streams, whatever the method is, because only those begin before a message has
    come: a photo that is going to be refused is neither received nor kept.

    Args:
        method: of the call, as "/service/Method".
        error: why it is refused.
        calls: learn about it.
    """

    async def answer(_: object, context: Context) -> None:
        await refuse(method, error, calls, context)

    return grpc.stream_stream_rpc_method_handler(answer)


async def refuse(method: str, error: SfumatoError, calls: Calls, context: Context) -> NoReturn:
    """Answers a call with an error, and tells ``calls``; the arguments are those of ``refusal``."""
    service, _, name = method.strip("/").rpartition("/")
    await calls.abort(error, context, calls.begin(Call(name, service, metadata_of(context))))
