"""What can go wrong inside the server; ``statuses`` turns each kind into a gRPC status code."""

from sfumato.errors import SfumatoError


class ConfigError(SfumatoError):
    """The server cannot start with these settings on this machine."""


class ModelNotFoundError(SfumatoError):
    """No model or version of that name."""


class DamagedModelError(SfumatoError):
    """The model is in the folder, but its files cannot be used."""


class NotServingError(SfumatoError):
    """The server is starting or draining; the same request may work elsewhere or later."""


class AnswerNotTakenError(SfumatoError):
    """The client of a stream does not read its answers."""


class QueueFullError(SfumatoError):
    """As many requests as the server admits are inside it already.

    Attributes:
        retry_after_ms: when trying again makes sense, in milliseconds.
    """

    def __init__(self, message: str, retry_after_ms: int) -> None:
        """Keeps the time beside the message."""
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class AnswerTooLargeError(SfumatoError):
    """The painted photo does not fit into one message."""


class DeadlineExpiredError(SfumatoError):
    """Nobody waits for the answer any more, or it cannot be ready in time."""


class InferenceError(SfumatoError):
    """The session failed on a batch."""


class OutOfMemoryError(SfumatoError):
    """The device has not enough memory for a batch."""


class InvalidRequestError(SfumatoError):
    """A value of the request is out of its range."""


class TooManyStreamsError(SfumatoError):
    """The client has as many streams open as it may have."""


class StyleExistsError(SfumatoError):
    """The model has a style of that id already."""


class UnauthenticatedError(SfumatoError):
    """The call carries no token that the server knows."""


class PermissionDeniedError(SfumatoError):
    """The token of the call does not allow it."""


class AdminDisabledError(SfumatoError):
    """The operator does not let clients change what is served."""
