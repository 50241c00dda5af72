"""Adding a style to a running server: what is sent, what comes back, and what a refusal means."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from sfumato.errors import ServiceError, StyleFileError
from sfumato.files.file_argument import file_bytes, reason
from sfumato.v1 import admin_service_pb2 as pb


@dataclass(frozen=True)
class AddedStyle:
    """What a server has made of a style file.

    Attributes:
        style_id: id of the style.
        versions: versions of the model that serve it now.
        stored: whether the server has kept the file; if not, the style is gone after a restart.
    """

    style_id: str
    versions: tuple[int, ...]
    stored: bool


def add_style_request(style_file: bytes | str | Path, model: str) -> pb.AddStyleRequest:
    """Builds a request. Raises StyleFileError if the file cannot be read."""
    try:
        return pb.AddStyleRequest(model=model, style_file=file_bytes(style_file))
    except TypeError as error:
        raise StyleFileError(f"a style file must be {error}") from None
    except (OSError, ValueError) as error:
        raise StyleFileError(f"{style_file!s} cannot be read: {reason(error)}") from error


def added_style(response: pb.AddStyleResponse) -> AddedStyle:
    """Reads the answer to a request."""
    return AddedStyle(response.style_id, tuple(response.versions), response.stored)


def not_allowed(error: ServiceError, target: str) -> ServiceError:
    """Explains a server that does not know the method; other errors are given back."""
    if error.code is not grpc.StatusCode.UNIMPLEMENTED:
        return error
    return ServiceError(
        f"the server at {target} takes no styles: its operator must start it with --admin true",
        error.code,
    )
