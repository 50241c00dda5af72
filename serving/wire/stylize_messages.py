"""Between the messages of sfumato.v1 and the server's own types."""

from collections.abc import Callable
from typing import Final

from serving.calls.call import Call
from serving.calls.caller import Caller
from serving.errors import AnswerTooLargeError, InvalidRequestError
from serving.models.model import Model
from serving.models.repository import DEFAULT_MODEL
from serving.monitoring.access_log import StyleList
from serving.painting.stylizer import MOST_STYLES, Order, Painting
from sfumato.bundle.quality_card import QualityCard
from sfumato.bundle.style_info import StyleInfo
from sfumato.client.messages import FROM_WIRE, TO_WIRE
from sfumato.images.codec import DEFAULT_QUALITY, ImageFormat
from sfumato.v1 import stylization_service_pb2 as pb

_ENVELOPE_BYTES: Final = 1024  # more than a response needs beside its image


def order_of(
    request: pb.StylizeRequest,
    image: bytes,
    deadline: float | None,
    caller: Caller,
    on_start: Callable[[], None] | None = None,
) -> Order:
    """Reads a request.

    Args:
        request: what came.
        image: the photo in it, which is copied whenever it is read from the request.
        deadline: see ``Order``.
        caller: see ``Order``.
        on_start: see ``Order``.

    Raises:
        InvalidRequestError: a value out of its range.
    """
    if len(request.styles) > MOST_STYLES:
        raise InvalidRequestError(
            f"{len(request.styles)} styles are too many; a blend has at most {MOST_STYLES}"
        )
    if request.HasField("version") and request.version_label:
        raise InvalidRequestError("version and version_label exclude each other; send one")
    return Order(
        image=image,
        styles=[(style.style_id, style.weight) for style in request.styles],
        strength=request.strength if request.HasField("strength") else 1.0,
        brush_size=request.brush_size if request.HasField("brush_size") else 1.0,
        model=request.model,
        version=request.version if request.HasField("version") else None,
        label=request.version_label,
        format=_format(request.output_format),
        quality=_quality(request),
        deadline=deadline,
        caller=caller,
        on_start=on_start,
    )


def note_request(call: Call, request: pb.StylizeRequest, image: bytes) -> None:
    """Notes what is asked for; the arguments are those of ``order_of``."""
    call.model, call.version = request.model or DEFAULT_MODEL, request.version
    call.label = request.version_label
    call.bytes_in = len(image)
    call.styles = len(request.styles)
    call.notes["styles"] = StyleList((style.style_id, style.weight) for style in request.styles)
    if request.HasField("strength"):
        call.notes["strength"] = f"{request.strength:g}"
    if request.HasField("brush_size"):
        call.notes["brush_size"] = f"{request.brush_size:g}"


def note_painting(call: Call, model: Model, painting: Painting) -> None:
    """Notes what was painted."""
    call.model, call.version = model.name, model.version
    call.photos, call.batch_size = 1, painting.batch_size
    call.bytes_out = len(painting.image)
    call.stages = painting.stages
    call.notes |= {"size": f"{painting.width}x{painting.height}", "format": painting.format}


def response_to(model: Model, painting: Painting, max_message_bytes: int) -> pb.StylizeResponse:
    """Writes the answer.

    Raises:
        AnswerTooLargeError: it does not fit into ``max_message_bytes``.
    """
    most = max_message_bytes - _ENVELOPE_BYTES
    if len(painting.image) > most:
        raise AnswerTooLargeError(
            f"the painted photo has {len(painting.image):,} bytes as {painting.format}, more "
            f"than the {most:,} that fit into a message; ask for JPEG or a "
            "lower quality, or send a smaller photo"
        )
    return pb.StylizeResponse(
        image=painting.image,
        format=TO_WIRE[painting.format],
        width=painting.width,
        height=painting.height,
        model=model.name,
        version=model.version,
        timings=pb.StageTimings(
            **{f"{stage.name}_ms": 1000 * stage.seconds for stage in painting.stages},
            batch_size=painting.batch_size,
        ),
    )


def styles_of(model: Model) -> list[pb.Style]:
    """Describes the styles of a model."""
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
            precision=model.session.precision,
        )
        for style in model.bank.infos
    ]


def _format(number: pb.ImageFormat.ValueType) -> ImageFormat | None:
    if number == pb.IMAGE_FORMAT_UNSPECIFIED:
        return None
    if number not in FROM_WIRE:
        names = ", ".join(pb.ImageFormat.keys())
        raise InvalidRequestError(f"output_format is {number}; it must be one of {names}")
    return FROM_WIRE[number]


def _quality(request: pb.StylizeRequest) -> int:
    quality = request.quality if request.HasField("quality") else DEFAULT_QUALITY
    if not 1 <= quality <= 100:
        raise InvalidRequestError(f"quality is {quality}; it must be between 1 and 100")
    return quality


def _quality_card(style: StyleInfo) -> pb.QualityCard | None:
    quality = QualityCard.from_card(style.card)
    return None if quality is None else pb.QualityCard(**quality.to_json())
