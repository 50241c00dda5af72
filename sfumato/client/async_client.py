"""A client for asyncio, the same as ``sfumato.client.client`` with ``await``."""

# ruff: noqa: ASYNC109 - a deadline of gRPC, which the server learns of too

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from pathlib import Path
from typing import Self

import grpc

from sfumato.client.added_style import AddedStyle, add_style_request, added_style, not_allowed
from sfumato.client.async_calls import AsyncCalls
from sfumato.client.frame_stream import FrameSender
from sfumato.client.frames import Frame, FrameAnswer, opening
from sfumato.client.messages import read_photo, style_summaries, stylize_request, stylized_photo
from sfumato.client.stylized_photo import StyleSummary, StylizedPhoto
from sfumato.connection.address import DEFAULT_TARGET
from sfumato.connection.connection import (
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_TIMEOUT,
    HEALTH_SERVING,
    Connection,
    HealthRequest,
)
from sfumato.errors import ServiceError
from sfumato.images.image_format import ImageFormat
from sfumato.v1 import stylization_service_pb2 as pb


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
        self._calls = AsyncCalls(self._connection)

    async def stylize(
        self,
        image: bytes | str | Path,
        styles: str | Mapping[str, float],
        *,
        strength: float | None = None,
        brush_size: float | None = None,
        model: str = "",
        version: int | str | None = None,
        output_format: ImageFormat | str | None = None,
        quality: int | None = None,
        timeout: float | None = None,
    ) -> StylizedPhoto:
        """Paints one photo; arguments and errors are those of ``Client.stylize``."""
        if not isinstance(image, bytes):
            image = await asyncio.to_thread(read_photo, image)
        request = stylize_request(
            image, styles, model, version, output_format, quality, strength, brush_size
        )
        return stylized_photo(
            await self._calls.unary(lambda line: line.painting.Stylize, request, timeout)
        )

    def stylize_stream(
        self,
        frames: AsyncIterable[Frame | bytes | str | Path] | Iterable[Frame | bytes | str | Path],
        styles: str | Mapping[str, float] | None = None,
        *,
        strength: float | None = None,
        brush_size: float | None = None,
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
            opening(
                stylize_request(
                    b"", styles, model, version, output_format, quality, strength, brush_size
                ),
                window,
                drop_oldest,
            )
        )
        return self._calls.stream(sender, frames, timeout)

    async def list_styles(
        self, model: str = "", *, timeout: float | None = None
    ) -> list[StyleSummary]:
        """Lists the styles of a model, or of all models. Raises ServiceError."""
        request = pb.ListStylesRequest(model=model)
        return style_summaries(
            await self._calls.unary(lambda line: line.painting.ListStyles, request, timeout)
        )

    async def add_style(
        self, style_file: bytes | str | Path, model: str = "", *, timeout: float | None = None
    ) -> AddedStyle:
        """Adds a style to a model; arguments and errors are those of ``Client.add_style``."""
        request = await asyncio.to_thread(add_style_request, style_file, model)
        try:
            return added_style(
                await self._calls.unary(
                    lambda line: line.admin.AddStyle, request, timeout, repeatable=False
                )
            )
        except ServiceError as error:
            raise not_allowed(error, self._connection.target) from error.__cause__

    async def health(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Asks whether the server is serving; see ``Client.health``."""
        answer = await self._calls.unary(
            lambda line: line.health, HealthRequest(value=service), timeout
        )
        return answer.value == HEALTH_SERVING

    async def close(self) -> None:
        """Closes the channel; running calls are cancelled."""
        await self._calls.close()

    async def __aenter__(self) -> Self:
        """Gives the client itself."""
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Closes the channel."""
        await self.close()
