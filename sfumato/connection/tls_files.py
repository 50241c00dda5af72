"""The files of TLS that a client uses."""

from pathlib import Path

import grpc

from sfumato.errors import SfumatoError
from sfumato.files.file_argument import file_path, reason


def tls_credentials(
    ca: str | Path | None = None,
    certificate: str | Path | None = None,
    key: str | Path | None = None,
) -> grpc.ChannelCredentials:
    """Makes the credentials of a client.

    Args:
        ca: PEM file of the authorities to trust; None for those of gRPC.
        certificate: PEM file with the client's own certificate, for servers that demand one.
        key: PEM file with its private key.

    Raises:
        SfumatoError: a file cannot be read or is no PEM file, or one of certificate and key is
            missing.
    """
    if (certificate is None) != (key is None):
        raise SfumatoError("the client's certificate and its key belong together; give both")
    return grpc.ssl_channel_credentials(_pem(ca), _pem(key), _pem(certificate))


def _pem(path: str | Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = file_path(path).read_bytes()
    except TypeError as error:
        raise SfumatoError(f"a PEM file is given by {error}") from None
    except (OSError, ValueError) as error:
        raise SfumatoError(f"cannot read {path}: {reason(error)}") from error
    if b"-----BEGIN " not in content:
        raise SfumatoError(f"{path} is no PEM file: it has no line -----BEGIN …")
    return content
