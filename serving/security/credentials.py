"""TLS: the server's certificate and key, the clients' authority, and their renewal."""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from serving.errors import ConfigError
from serving.security.watched_files import WatchedFiles

_log = logging.getLogger(__name__)

_FLIGHTS: Final = 4  # messages to and fro that a handshake of TLS 1.2 or 1.3 takes, at most
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"


@dataclass(frozen=True)
class TlsFiles:
    """Where the PEM files of TLS are.

    Attributes:
        certificate: the server's certificate, and those between it and its authority.
        key: its private key, not encrypted.
        client_ca: certificates of the authorities that clients must have theirs from; None: a
            client needs no certificate.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of the files."""
        optional = () if self.client_ca is None else (self.client_ca,)
        return (self.certificate, self.key, *optional)


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Gives credentials that follow the files: a renewed certificate is used for new connections.

    Raises:
        ConfigError: a file is missing or not PEM, or the key is not the certificate's.
    """
    watched = WatchedFiles(files.paths, lambda: _read(files))
    used = watched.content()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Is asked at every handshake, on a thread of gRPC; None means no change."""
        nonlocal used
        before, used = used, watched.content()
        return None if used is before else used

    return grpc.dynamic_ssl_server_credentials(
        used,
        renewed,  # type: ignore[arg-type]  # the stubs forget the None of gRPC's documentation
        require_client_authentication=files.client_ca is not None,
    )


def _read(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    certificate = _pem(files.certificate, _CERTIFICATE, "certificate")
    key = _pem(files.key, _KEY, "private key")
    _check_pair(files, certificate)
    client_ca = None
    if files.client_ca is not None:
        client_ca = _pem(files.client_ca, _CERTIFICATE, "certificate")
        _trusting(files.client_ca, client_ca)
    return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)


def _pem(path: Path, mark: bytes, kind: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the {kind} {path}: {error.strerror}") from error
    if mark not in content:
        raise ConfigError(f"{path} holds no {kind} in PEM format (-----BEGIN …)")
    return content


def _check_pair(files: TlsFiles, certificate: bytes) -> None:
    """Lets Python's TLS use the pair: gRPC only fails at each client, without saying why."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(files.certificate, files.key, password=_refuse_password(files.key))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = "the key belongs to another certificate"
        else:
            problem = f"they are damaged or of an unknown kind ({error.reason or error})"
        raise ConfigError(
            f"{files.certificate} and {files.key} cannot be used: {problem}"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read {files.certificate}, {files.key}: {error}") from error
    client = _trusting(files.certificate, certificate)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever signed it does not matter here
    try:
        _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        _log.warning(
            "clients will refuse the certificate %s: %s", files.certificate, error.verify_message
        )
    except ssl.SSLError as error:
        raise ConfigError(
            f"no client could use {files.certificate}: {error.reason or error}"
        ) from None


def _refuse_password(key: Path) -> Callable[[], str]:
    def refuse() -> str:  # otherwise OpenSSL would ask on the terminal
        raise ConfigError(f"the private key {key} is encrypted; give one that is not")

    return refuse


def _trusting(path: Path, authorities: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii", "ignore"))
    except ssl.SSLError as error:
        raise ConfigError(f"{path} holds a damaged certificate ({error.reason})") from None
    return context


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Connects the two in memory. Raises SSLCertVerificationError if the client refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_FLIGHTS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
