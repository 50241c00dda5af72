"""Every error that Sfumato raises on purpose: the message says what is wrong and what would do."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


class SfumatoError(Exception):
    """Base of all errors of this package."""


class BundleError(SfumatoError):
    """A model bundle is missing, damaged, of another format version or inconsistent."""


class StyleError(SfumatoError):
    """A style, its row or the weights of a blend are invalid."""


class UnknownStyleError(StyleError):
    """A style id that the bank does not have."""


class FixedStrengthError(StyleError):
    """A strength below 1, of a model that has no style to mix in for that."""


class StyleFileError(SfumatoError):
    """A style file is damaged or belongs to another network."""


class ImageError(SfumatoError):
    """A photo cannot be painted; base of the two kinds of reason."""


class InvalidImageError(ImageError):
    """Not an image in a format that is read, truncated, damaged or too small."""


class ImageTooLargeError(ImageError):
    """More pixels than the limit."""


class VideoError(SfumatoError):
    """A video cannot be read or written."""


class ServiceError(SfumatoError):
    """A call to the server failed.

    Attributes:
        code: the gRPC status code of the answer.
        retry_after: seconds after which a full server wants to be asked again; None if it did not
            say, or asking again is in vain.
    """

    def __init__(
        self, message: str, code: "grpc.StatusCode", retry_after: float | None = None
    ) -> None:
        """Keeps the status code, and when to try again, beside the message."""
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
