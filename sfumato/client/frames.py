"""The frames of a stream as a client sees them: what is sent, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from sfumato.client.messages import read_photo, stylize_request, stylized_photo
from sfumato.client.stylized_photo import StylizedPhoto
from sfumato.errors import ImageError, ServiceError, SfumatoError
from sfumato.v1 import stylization_service_pb2 as pb

_STATUS = {status.value[0]: status for status in grpc.StatusCode}


@dataclass(frozen=True)
class Frame:
    """One frame that is sent.

    Attributes:
        image: a JPEG, PNG or WebP file, as bytes or as a path.
        styles: the id of a style, or weights by id; None for those of the frame before.
        strength: 0, the photo itself, to 1, the styles; None for that of the frame before.
        brush_size: size of the strokes, 0.5 to 2; None for that of the frame before.
    """

    image: bytes | str | Path
    styles: str | Mapping[str, float] | None = None
    strength: float | None = None
    brush_size: float | None = None


@dataclass(frozen=True)
class PaintedFrame:
    """A frame that was painted.

    Attributes:
        number: which one, from 0.
        photo: the painted frame.
    """

    number: int
    photo: StylizedPhoto


@dataclass(frozen=True)
class DroppedFrame:
    """A frame that gave way to a newer one.

    Attributes:
        number: which one, from 0.
    """

    number: int


@dataclass(frozen=True)
class FailedFrame:
    """A frame that could not be painted.

    Attributes:
        number: which one, from 0.
        error: why.
    """

    number: int
    error: ServiceError


FrameAnswer = PaintedFrame | DroppedFrame | FailedFrame


def opening(
    inherited: pb.StylizeRequest, window: int | None, drop_oldest: bool
) -> pb.StylizeStreamRequest:
    """Builds the first message: the settings, and what all frames inherit, without an image.

    Raises:
        SfumatoError: a value that no server would take.
    """
    try:
        settings = pb.StreamSettings(window=window or 0, drop_oldest=drop_oldest)
    except (TypeError, ValueError) as error:
        raise SfumatoError(
            f"a window of {window} cannot be sent; it is a whole number of frames, such as 4"
        ) from error
    return pb.StylizeStreamRequest(
        settings=settings,
        frame=inherited,
    )


def frame_message(number: int, frame: Frame | bytes | str | Path) -> pb.StylizeStreamRequest:
    """Builds the message of one frame.

    Raises:
        ImageError: the file cannot be read, or is empty.
        StyleError: see ``Client.stylize``.
    """
    if not isinstance(frame, Frame):
        frame = Frame(frame)
    image = read_photo(frame.image)
    if not image:
        raise ImageError(f"frame {number} is empty; it must be a JPEG, PNG or WebP file")
    request = stylize_request(
        image, frame.styles, "", None, None, None, frame.strength, frame.brush_size
    )
    return pb.StylizeStreamRequest(frame=request, frame_id=number)


def frame_answer(response: pb.StylizeStreamResponse) -> FrameAnswer:
    """Reads the answer to one frame."""
    if response.HasField("painting"):
        return PaintedFrame(response.frame_id, stylized_photo(response.painting))
    if response.HasField("dropped"):
        return DroppedFrame(response.frame_id)
    failure = response.error
    status = _STATUS.get(failure.code, grpc.StatusCode.UNKNOWN)
    message = failure.message or f"the server answered {status.name}"
    retry = failure.retry_after_ms / 1000 if failure.HasField("retry_after_ms") else None
    return FailedFrame(response.frame_id, ServiceError(message, status, retry))
