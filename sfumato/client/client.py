"""A client that blocks. ``sfumato.client.async_client`` has the same for asyncio."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import grpc

from sfumato.client.added_style import AddedStyle, add_style_request, added_style, not_allowed
from sfumato.client.calls import Calls
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


class Client:
    """Paints photos on a server. One client may be used from many threads.

    Args:
        target: address of the server, as gRPC takes it, or of several as "host:port,host:port";
            calls go to all of them in turn, and to the others when one fails or hangs. Of a name
            that has several addresses all are used as well.
        timeout: seconds for a whole call, unless the call says otherwise.
        wait_for_ready: whether a call waits, within its timeout, for a server that is not there
            yet, and says after a second what for, in the log; if not, it fails after a few
            attempts, in about a second. One that comes back is looked for every few seconds.
        credentials: of TLS, made by ``sfumato.tls_credentials``; None for plain text.
        max_message_bytes: the largest photo file, both ways; the server has such a limit too.
        token: what the server knows the client by, if it wants to.
        plain_text_token: whether the token may leave this machine without TLS.

    Raises:
        SfumatoError: a target that cannot be understood or looked up, or a token that could be
            read on its way.
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
        """Opens a channel, which connects at the first call; see the class."""
        self._connection = Connection(
            target,
            timeout,
            wait_for_ready,
            credentials,
            max_message_bytes,
            token,
            plain_text_token,
        )
        self._calls = Calls(self._connection)

    def stylize(
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
        """Paints one photo.

        Args:
            image: a JPEG, PNG or WebP file, as bytes or as a path.
            styles: the id of a style, or weights by id; weights need not sum to one.
            strength: 0, the photo itself, to 1, the styles; None for 1.
            brush_size: size of the strokes, 0.5 to 2; None for 1, as the model has learned them.
            model: name of a model on the server; empty for its default.
            version: version of the model, or the label of one; None for the highest.
            output_format: "jpeg", "png" or "webp"; None for that of the photo.
            quality: 1 to 100, of JPEG and WebP; None for 90.
            timeout: seconds for the whole call; None for the client's.

        Raises:
            StyleError: no style, weights that are negative, not finite or all zero, or a strength
                out of its range.
            ImageError: the file cannot be read, the output format is unknown, or the brush size
                is out of its range.
            ServiceError: the server refused, failed, or was not reached; it has the status code.
        """
        request = stylize_request(
            read_photo(image),
            styles,
            model,
            version,
            output_format,
            quality,
            strength,
            brush_size,
        )
        return stylized_photo(
            self._calls.unary(lambda line: line.painting.Stylize, request, timeout)
        )

    def stylize_stream(
        self,
        frames: Iterable[Frame | bytes | str | Path],
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
    ) -> Iterator[FrameAnswer]:
        """Paints the frames of a video, several at a time; the answers come in order.

        The frames are taken on another thread, ahead of the answers by about as many as the window
        has. Ending the iteration early ends the stream.

        Args:
            frames: the frames; those that are no ``Frame`` have the styles of the frame before.
            styles: of all frames that name none: the id of a style, or weights by id.
            strength: of all frames that name none: 0, the photo itself, to 1, the styles.
            brush_size: of all frames that name none: size of the strokes, 0.5 to 2.
            model: name of a model on the server; empty for its default.
            version: version of the model, or the label of one; None for the highest.
            output_format: "jpeg", "png" or "webp"; None for that of the frame.
            quality: 1 to 100, of JPEG and WebP; None for 90.
            window: most frames inside the server at once; None for its default.
            drop_oldest: for live video: whether a frame that finds the window full replaces the
                oldest one that waits, instead of waiting itself.
            timeout: seconds for the whole stream; None for no limit, and then it does not wait for
                a server that is not there yet.

        Yields:
            What became of each frame. A frame that fails does not end the stream.

        Raises:
            SfumatoError: a value that no server would take; of a frame, once the frames before it
                have been answered.
            ServiceError: the stream failed; it has the status code.
        """
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

    def list_styles(self, model: str = "", *, timeout: float | None = None) -> list[StyleSummary]:
        """Lists the styles of a model, or of all models. Raises ServiceError."""
        request = pb.ListStylesRequest(model=model)
        return style_summaries(
            self._calls.unary(lambda line: line.painting.ListStyles, request, timeout)
        )

    def add_style(
        self, style_file: bytes | str | Path, model: str = "", *, timeout: float | None = None
    ) -> AddedStyle:
        """Adds a style to a model of a server whose operator allows it; never tried twice.

        Args:
            style_file: a file that ``python -m training add-style`` wrote, as bytes or as a path.
            model: name of the model; empty for the server's default.
            timeout: seconds for the whole call; None for the client's.

        Raises:
            StyleFileError: the file cannot be read.
            ServiceError: the server refused, failed, or was not reached; it has the status code.
        """
        request = add_style_request(style_file, model)
        try:
            return added_style(
                self._calls.unary(
                    lambda line: line.admin.AddStyle, request, timeout, repeatable=False
                )
            )
        except ServiceError as error:
            raise not_allowed(error, self._connection.target) from error.__cause__

    def health(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Asks whether the server, or one of its services, is serving.

        Raises:
            ServiceError: the server was not reached, or does not know the service.
        """
        answer = self._calls.unary(lambda line: line.health, HealthRequest(value=service), timeout)
        return answer.value == HEALTH_SERVING

    def close(self) -> None:
        """Closes the channel; running calls are cancelled."""
        self._calls.close()

    def __enter__(self) -> Self:
        """Gives the client itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the channel."""
        self.close()
