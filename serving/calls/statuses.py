"""Which gRPC status tells a client about which error."""

from typing import Final, Protocol, TypeVar

import grpc

from serving.errors import (
    AdminDisabledError,
    AnswerNotTakenError,
    AnswerTooLargeError,
    DamagedModelError,
    DeadlineExpiredError,
    InvalidRequestError,
    ModelNotFoundError,
    NotServingError,
    OutOfMemoryError,
    PermissionDeniedError,
    QueueFullError,
    StyleExistsError,
    TooManyStreamsError,
    UnauthenticatedError,
)
from sfumato.errors import (
    FixedStrengthError,
    ImageError,
    SfumatoError,
    StyleError,
    StyleFileError,
    UnknownStyleError,
)

MAX_MESSAGE: Final = 1000  # gRPC drops calls whose status message exceeds 16 KiB of header
PUSHBACK: Final = "grpc-retry-pushback-ms"
"""Trailing metadata (gRFC A6): when to try again, in milliseconds; below zero, never."""

# The first type that matches counts. What is in none of them is INTERNAL.
_STATUS: Final[tuple[tuple[type[SfumatoError], grpc.StatusCode], ...]] = (
    (UnknownStyleError, grpc.StatusCode.NOT_FOUND),
    (ModelNotFoundError, grpc.StatusCode.NOT_FOUND),
    # The request may be right for another model. Whoever paints a folder can stop at the first.
    (FixedStrengthError, grpc.StatusCode.FAILED_PRECONDITION),
    (StyleExistsError, grpc.StatusCode.ALREADY_EXISTS),
    (StyleError, grpc.StatusCode.INVALID_ARGUMENT),
    (StyleFileError, grpc.StatusCode.INVALID_ARGUMENT),
    (ImageError, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (QueueFullError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TooManyStreamsError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (OutOfMemoryError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (AnswerTooLargeError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (AnswerNotTakenError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (DeadlineExpiredError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (DamagedModelError, grpc.StatusCode.FAILED_PRECONDITION),
    (NotServingError, grpc.StatusCode.UNAVAILABLE),
    (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (PermissionDeniedError, grpc.StatusCode.PERMISSION_DENIED),
    (AdminDisabledError, grpc.StatusCode.UNIMPLEMENTED),
)


def status_of(error: SfumatoError) -> grpc.StatusCode:
    """Gives the status code that tells a client about ``error``."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return grpc.StatusCode.INTERNAL


def message_of(error: SfumatoError) -> str:
    """Gives the message of ``error``, no longer than gRPC carries."""
    message = str(error)
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"


def trailing_metadata(error: SfumatoError) -> tuple[tuple[str, str], ...]:
    """Gives the trailing metadata of ``error``: when a client may try again.

    Clients that retry RESOURCE_EXHAUSTED would also retry what can never work, such as an answer
    that is too large; a negative pushback keeps them from it.
    """
    if isinstance(error, QueueFullError):
        return ((PUSHBACK, str(error.retry_after_ms)),)
    if status_of(error) is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ((PUSHBACK, "-1"),)
    return ()


class _Answer(Protocol):
    def ByteSize(self) -> int: ...  # noqa: N802 - protobuf's name


Answer = TypeVar("Answer", bound=_Answer)


def fitting(answer: Answer, max_message_bytes: int) -> Answer:
    """Gives ``answer`` back if it fits into a message.

    Not for painted photos: protobuf writes the whole message to learn its size.

    Raises:
        AnswerTooLargeError: it does not.
    """
    size = answer.ByteSize()
    if size > max_message_bytes:
        raise AnswerTooLargeError(
            f"the answer has {size:,} bytes, more than the {max_message_bytes:,} of a message; "
            "ask about fewer models, or have the operator raise max_message_bytes"
        )
    return answer
