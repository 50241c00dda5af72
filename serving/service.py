"""StylizationService over gRPC: the only file that knows its messages and status codes."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import grpc

from serving.access_log import AccessEntry, style_list
from serving.admission import Admission
from serving.errors import (
    AnswerTooLargeError,
    DamagedModelError,
    DeadlineExpiredError,
    InvalidRequestError,
    ModelNotFoundError,
    NotServingError,
    OutOfMemoryError,
    QueueFullError,
)
from serving.repository import Model, Repository
from serving.stylizer import Order, Painting, Stylizer
from sfumato.errors import (
    FixedStrengthError,
    ImageError,
    SfumatoError,
    StyleError,
    UnknownStyleError,
)
from sfumato.image_codec import DEFAULT_QUALITY, ImageFormat
from sfumato.quality_card import QualityCard
from sfumato.style_info import StyleInfo
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1 import stylization_service_pb2_grpc as pb_grpc

_log = logging.getLogger(__name__)

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["StylizationService"].full_name

_ENVELOPE_BYTES: Final = 1024  # more than a response needs beside its image
_MAX_MESSAGE: Final = 1000  # gRPC drops calls whose status message exceeds 16 KiB of header

_FORMATS: Final = {
    pb.IMAGE_FORMAT_UNSPECIFIED: None,
    pb.IMAGE_FORMAT_JPEG: ImageFormat.JPEG,
    pb.IMAGE_FORMAT_PNG: ImageFormat.PNG,
    pb.IMAGE_FORMAT_WEBP: ImageFormat.WEBP,
}
_FORMAT_NUMBERS: Final = {known: number for number, known in _FORMATS.items() if known}

# The first type that matches counts. What is in none of them is INTERNAL.
_STATUS: Final[tuple[tuple[type[SfumatoError], grpc.StatusCode], ...]] = (
    (UnknownStyleError, grpc.StatusCode.NOT_FOUND),
    (ModelNotFoundError, grpc.StatusCode.NOT_FOUND),
    # The request may be right for another model. Whoever paints a folder can stop at the first.
    (FixedStrengthError, grpc.StatusCode.FAILED_PRECONDITION),
    (StyleError, grpc.StatusCode.INVALID_ARGUMENT),
    (ImageError, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (QueueFullError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (OutOfMemoryError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (AnswerTooLargeError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (DeadlineExpiredError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (DamagedModelError, grpc.StatusCode.FAILED_PRECONDITION),
    (NotServingError, grpc.StatusCode.UNAVAILABLE),
)

Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]


class StylizationService(pb_grpc.StylizationServiceServicer):
    """Translates between messages and the stylizer."""

    def __init__(
        self,
        *,
        repository: Repository,
        stylizer: Stylizer,
        admission: Admission,
        max_message_bytes: int,
    ) -> None:
        """Serves ``repository`` through ``stylizer`` to whom ``admission`` lets in.

        Args:
            repository: the models.
            stylizer: does the work of Stylize.
            admission: bounds the requests inside the server.
            max_message_bytes: largest response in bytes.
        """
        self._repository = repository
        self._stylizer = stylizer
        self._admission = admission
        self._max_image_bytes = max_message_bytes - _ENVELOPE_BYTES

    async def Stylize(  # noqa: N802 - the protocol's name
        self, request: pb.StylizeRequest, context: Context
    ) -> pb.StylizeResponse:
        """Paints one photo; see the protocol."""
        entry = AccessEntry("Stylize", request.model, request.version)
        entry.note(styles=style_list((style.style_id, style.weight) for style in request.styles))
        if request.HasField("strength"):
            entry.note(strength=f"{request.strength:g}")
        entry.note(bytes_in=len(request.image))
        return await _answer(self._stylize(request, context, entry), context, entry)

    async def ListStyles(  # noqa: N802 - the protocol's name
        self, request: pb.ListStylesRequest, context: Context
    ) -> pb.ListStylesResponse:
        """Lists what can be painted with; see the protocol."""
        entry = AccessEntry("ListStyles", request.model)
        return await _answer(self._list_styles(request), context, entry)

    async def _stylize(
        self, request: pb.StylizeRequest, context: Context, entry: AccessEntry
    ) -> pb.StylizeResponse:
        self._admission.enter()
        _log.debug("admitted a request, %d inside", self._admission.inside)
        # Not before the answer is sent: it occupies memory until then.
        context.add_done_callback(lambda _: self._admission.leave())  # type: ignore[arg-type]
        model, painting = await self._stylizer.paint(_order(request, context))
        _note_painting(entry, painting)
        if len(painting.image) > self._max_image_bytes:
            raise AnswerTooLargeError(
                f"the painted photo has {len(painting.image):,} bytes as {painting.format}, more "
                f"than the {self._max_image_bytes:,} that fit into a message; ask for JPEG or a "
                "lower quality, or send a smaller photo"
            )
        return _response(model, painting)

    async def _list_styles(self, request: pb.ListStylesRequest) -> pb.ListStylesResponse:
        self._admission.check_open()
        if request.model:
            models = [self._repository.find(request.model)]
        else:
            models = self._repository.latest()
        return pb.ListStylesResponse(styles=[style for m in models for style in _styles(m)])


async def _answer(
    work: Coroutine[None, None, Response], context: Context, entry: AccessEntry
) -> Response:
    """Awaits ``work``, turns its errors into a status and writes the access log."""
    try:
        response = await work
    except asyncio.CancelledError:  # gRPC cancels for the client's sake and at the deadline
        expired = context.time_remaining() == 0
        entry.write("DEADLINE_EXCEEDED" if expired else "CANCELLED")
        raise
    except SfumatoError as error:
        status, message = status_of(error), _shortened(str(error))
        entry.write(status.name, message)
        await context.abort(status, message)
    except Exception:
        _log.exception("unexpected error")
        entry.write("INTERNAL", "unexpected error")
        await context.abort(grpc.StatusCode.INTERNAL, "unexpected error; the server's log has it")
    entry.write("OK")
    return response


def status_of(error: SfumatoError) -> grpc.StatusCode:
    """Gives the status code that tells a client about ``error``."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return grpc.StatusCode.INTERNAL


def _order(request: pb.StylizeRequest, context: Context) -> Order:
    remaining = context.time_remaining()
    return Order(
        image=request.image,
        styles=[(style.style_id, style.weight) for style in request.styles],
        strength=request.strength if request.HasField("strength") else 1.0,
        model=request.model,
        version=request.version if request.HasField("version") else None,
        format=_format(request.output_format),
        quality=_quality(request),
        deadline=None if remaining is None else time.monotonic() + remaining,
    )


def _format(number: pb.ImageFormat.ValueType) -> ImageFormat | None:
    if number not in _FORMATS:
        names = ", ".join(pb.ImageFormat.Name(known) for known in _FORMATS)
        raise InvalidRequestError(f"output_format is {number}; it must be one of {names}")
    return _FORMATS[number]


def _quality(request: pb.StylizeRequest) -> int:
    quality = request.quality if request.HasField("quality") else DEFAULT_QUALITY
    if not 1 <= quality <= 100:
        raise InvalidRequestError(f"quality is {quality}; it must be between 1 and 100")
    return quality


def _response(model: Model, painting: Painting) -> pb.StylizeResponse:
    painted = painting.painted
    return pb.StylizeResponse(
        image=painting.image,
        format=_FORMAT_NUMBERS[painting.format],
        width=painting.width,
        height=painting.height,
        model=model.name,
        version=model.version,
        timings=pb.StageTimings(
            decode_ms=1000 * painting.decode_seconds,
            queue_ms=1000 * painted.queue_seconds,
            inference_ms=1000 * painted.inference_seconds,
            encode_ms=1000 * painting.encode_seconds,
            batch_size=painted.batch_size,
        ),
    )


def _styles(model: Model) -> list[pb.Style]:
    return [
        pb.Style(
            id=style.id,
            title=style.title,
            artist=style.artist,
            year=style.year,
            licence=style.licence,
            model=model.name,
            version=model.version,
            quality=_quality_card(style),
        )
        for style in model.bundle.styles
    ]


def _quality_card(style: StyleInfo) -> pb.QualityCard | None:
    quality = QualityCard.from_card(style.card)
    return None if quality is None else pb.QualityCard(**quality.to_json())


def _note_painting(entry: AccessEntry, painting: Painting) -> None:
    entry.note(
        size=f"{painting.width}x{painting.height}",
        format=painting.format,
        bytes_out=len(painting.image),
        batch=painting.painted.batch_size,
        decode_ms=f"{1000 * painting.decode_seconds:.1f}",
        queue_ms=f"{1000 * painting.painted.queue_seconds:.1f}",
        inference_ms=f"{1000 * painting.painted.inference_seconds:.1f}",
        encode_ms=f"{1000 * painting.encode_seconds:.1f}",
    )


def _shortened(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else message[:_MAX_MESSAGE] + "…"
