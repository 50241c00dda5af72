"""Between the client's own types and the messages of the protocol."""

from collections.abc import Mapping
from pathlib import Path

from sfumato.bundle.blend_weights import normalize_weights
from sfumato.bundle.quality_card import QUALITY_KEY, QualityCard
from sfumato.bundle.strength import checked_strength
from sfumato.client.stylized_photo import StyleSummary, StylizedPhoto, Timings
from sfumato.errors import ImageError, SfumatoError
from sfumato.files.file_argument import file_bytes, reason
from sfumato.images.brush_size import checked_brush_size
from sfumato.images.image_format import ImageFormat
from sfumato.v1 import stylization_service_pb2 as pb

TO_WIRE = {
    ImageFormat.JPEG: pb.IMAGE_FORMAT_JPEG,
    ImageFormat.PNG: pb.IMAGE_FORMAT_PNG,
    ImageFormat.WEBP: pb.IMAGE_FORMAT_WEBP,
}
FROM_WIRE = {value: key for key, value in TO_WIRE.items()}


def read_photo(image: bytes | str | Path) -> bytes:
    """Gives the bytes of a photo. Raises ImageError if the file cannot be read."""
    try:
        return file_bytes(image)
    except TypeError as error:
        raise ImageError(f"a photo must be {error}") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{image!s} cannot be read: {reason(error)}") from error


def stylize_request(
    image: bytes,
    styles: str | Mapping[str, float] | None,
    model: str,
    version: int | str | None,
    output_format: ImageFormat | str | None,
    quality: int | None,
    strength: float | None = None,
    brush_size: float | None = None,
) -> pb.StylizeRequest:
    """Builds a request; see ``Client.stylize``. Only a frame of a stream may have no styles.

    Raises:
        SfumatoError: a value that no server would take.
    """
    # Shares instead of weights, which may be too large or too small for the wire's float.
    shares = {} if styles is None else normalize_weights(styles)
    try:
        return pb.StylizeRequest(
            model=model,
            version=None if isinstance(version, str) else version,
            version_label=version if isinstance(version, str) else "",
            image=image,
            styles=[
                pb.WeightedStyle(style_id=style, weight=share) for style, share in shares.items()
            ],
            output_format=_output_format(output_format),
            quality=quality,
            strength=None if strength is None else checked_strength(strength),
            brush_size=None if brush_size is None else checked_brush_size(brush_size),
        )
    except (TypeError, ValueError) as error:
        raise SfumatoError(f"this cannot be sent: {error}") from error


def stylized_photo(response: pb.StylizeResponse) -> StylizedPhoto:
    """Reads the answer to a request."""
    timings = response.timings
    return StylizedPhoto(
        image=response.image,
        format=FROM_WIRE[response.format],
        width=response.width,
        height=response.height,
        model=response.model,
        version=response.version,
        timings=Timings(
            decode_ms=timings.decode_ms,
            queue_ms=timings.queue_ms,
            inference_ms=timings.inference_ms,
            encode_ms=timings.encode_ms,
            batch_size=timings.batch_size,
        ),
    )


def style_summaries(response: pb.ListStylesResponse) -> list[StyleSummary]:
    """Reads a list of styles."""
    return [
        StyleSummary(
            id=style.id,
            title=style.title,
            artist=style.artist,
            year=style.year,
            licence=style.licence,
            model=style.model,
            version=style.version,
            quality=_quality(style),
            precision=style.precision,
        )
        for style in response.styles
    ]


def _quality(style: pb.Style) -> QualityCard | None:
    # Through the reader of cards, because a server may send what is no number, too.
    entries = {field.name: value for field, value in style.quality.ListFields()}
    return QualityCard.from_card({QUALITY_KEY: entries})


def _output_format(output_format: ImageFormat | str | None) -> pb.ImageFormat.ValueType:
    if output_format is None:
        return pb.IMAGE_FORMAT_UNSPECIFIED
    try:
        return TO_WIRE[ImageFormat(output_format)]
    except ValueError:
        known = ", ".join(ImageFormat)
        raise ImageError(f"{output_format!r} cannot be written; choose one of {known}") from None
