"""A client for asyncio, the same as ``sfumato.client`` with ``await``."""

# ruff: noqa: ASYNC109 - a deadline of gRPC, which the server learns of too

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Self, TypeVar
from weakref import WeakSet

import grpc
import grpc.aio
from google.protobuf.message import Message

from sfumato.added_style import AddedStyle, add_style_request, added_style, not_allowed
from sfumato.address import DEFAULT_TARGET
from sfumato.cancellation import channel_closed, is_for_this_task
from sfumato.connection import (
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_TIMEOUT,
    HEALTH_METHOD,
    HEALTH_SERVING,
    Connection,
    HealthRequest,
    HealthResponse,
)
from sfumato.errors import ServiceError
from sfumato.frame_stream import FrameSender, async_receive
from sfumato.frames import Frame, FrameAnswer, opening
from sfumato.images.image_format import ImageFormat
from sfumato.messages import read_photo, style_summaries, stylize_request, stylized_photo
from sfumato.stylized_photo import StyleSummary, StylizedPhoto
from sfumato.targets import grpc_target
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response")


class AsyncClient:
    """Paints photos on a server, any number at the same time.

    To be made in a coroutine and used in the same event loop. The arguments are those of
    ``Client``.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait_for_ready: bool = True,
        credentials: grpc.ChannelCredentials | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        token: str = "",
        plain_text_token: bool = False,
    ) -> None:
        """Opens a channel, which connects at the first call; see ``Client``."""
        self._connection = Connection(
            target,
            timeout,
            wait_for_ready,
            credentials,
            max_message_bytes,
            token,
            plain_text_token,
        )
        self._channel = _open(self._connection)
        self._stub = StylizationServiceStub(self._channel)
        self._streams: WeakSet[grpc.aio.Call] = WeakSet()
        self._admin = AdminServiceStub(self._channel)
        self._check = self._channel.unary_unary(
            HEALTH_METHOD, HealthRequest.SerializeToString, HealthResponse.FromString
        )

    async def stylize(
        self,
        image: bytes | Path,
        styles: str | Mapping[str, float],
        *,
        strength: float | None = None,
        model: str = "",
        version: int | str | None = None,
        output_format: ImageFormat | str | None = None,
        quality: int | None = None,
        timeout: float | None = None,
    ) -> StylizedPhoto:
        """Paints one photo; arguments and errors are those of ``Client.stylize``."""
        if not isinstance(image, bytes):
            image = await asyncio.to_thread(read_photo, image)
        request = stylize_request(image, styles, model, version, output_format, quality, strength)
        return stylized_photo(await self._call(self._stub.Stylize, request, timeout))

    def stylize_stream(
        self,
        frames: AsyncIterable[Frame | bytes | Path] | Iterable[Frame | bytes | Path],
        styles: str | Mapping[str, float] | None = None,
        *,
        strength: float | None = None,
        model: str = "",
        version: int | str | None = None,
        output_format: ImageFormat | str | None = None,
        quality: int | None = None,
        window: int | None = None,
        drop_oldest: bool = False,
        timeout: float | None = None,
    ) -> AsyncGenerator[FrameAnswer, None]:
        """Paints the frames of a video; see ``Client.stylize_stream``. It begins when iterated."""
        sender = FrameSender(
            opening(styles, model, version, output_format, quality, strength, window, drop_oldest)
        )

        def open_call() -> grpc.aio.Call:
            call = self._stub.StylizeStream(
                timeout=timeout,
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready and timeout is not None,
            )
            self._streams.add(call)
            return call

        explain = partial(self._connection.error, timeout=timeout or 0)
        return async_receive(open_call, sender, frames, explain)

    async def list_styles(
        self, model: str = "", *, timeout: float | None = None
    ) -> list[StyleSummary]:
        """Lists the styles of a model, or of all models. Raises ServiceError."""
        request = pb.ListStylesRequest(model=model)
        return style_summaries(await self._call(self._stub.ListStyles, request, timeout))

    async def add_style(
        self, style_file: bytes | Path, model: str = "", *, timeout: float | None = None
    ) -> AddedStyle:
        """Adds a style to a model; arguments and errors are those of ``Client.add_style``."""
        request = await asyncio.to_thread(add_style_request, style_file, model)
        try:
            return added_style(await self._call(self._admin.AddStyle, request, timeout))
        except ServiceError as error:
            raise not_allowed(error, self._connection.target) from error.__cause__

    async def health(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Asks whether the server is serving; see ``Client.health``."""
        answer = await self._call(self._check, HealthRequest(value=service), timeout)
        return answer.value == HEALTH_SERVING

    async def close(self) -> None:
        """Closes the channel; running calls are cancelled."""
        for call in list(self._streams):
            call.cancel()  # grpcio 1.81 forgets those that have been answered
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """Gives the client itself."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Closes the channel."""
        await self.close()

    async def _call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]",
        request: _Request,
        timeout: float | None,
    ) -> _Response:
        seconds = self._connection.timeout if timeout is None else timeout
        self._connection.check_size(request)
        try:
            return await method(
                request,
                timeout=seconds,
                metadata=self._connection.metadata,
                wait_for_ready=self._connection.wait_for_ready,
            )
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error, seconds) from error
        except asyncio.CancelledError as cancelled:
            if is_for_this_task():
                raise
            raise self._connection.error(channel_closed(), seconds) from cancelled


def _open(connection: Connection) -> grpc.aio.Channel:
    target, options = grpc_target(connection.target), connection.channel_options()
    if connection.credentials is None:
        return grpc.aio.insecure_channel(target, options)
    return grpc.aio.secure_channel(target, connection.credentials, options)
