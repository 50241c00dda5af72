"""The port at which the server listens, with TLS if that is wanted."""

import logging
import socket

import grpc.aio

from serving.config import ServerConfig
from serving.errors import ConfigError
from serving.security.credentials import TlsFiles, server_credentials
from sfumato.connection.address import is_loopback


def open_port(server: grpc.aio.Server, config: ServerConfig) -> int:
    """Lets ``server`` listen; gives the port, which the system chooses if ``config`` says 0.

    Raises:
        ConfigError: the port cannot be opened, or the files of TLS cannot be used.
    """
    host, port = config.host, config.port
    tls = None
    if config.tls_cert is not None and config.tls_key is not None:
        tls = server_credentials(TlsFiles(config.tls_cert, config.tls_key, config.tls_client_ca))
    try:
        # gRPC does not say why it cannot listen, so ask the operating system first.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
        if tls is not None:
            return server.add_secure_port(address_of(host, port), tls)
        return server.add_insecure_port(address_of(host, port))
    except (OSError, RuntimeError) as error:
        reason = _reason(error) if isinstance(error, OSError) else "gRPC refuses it"
        raise ConfigError(
            f"cannot listen on {address_of(host, port)}: {reason}; "
            "choose another --host or --port (0 takes a free port)"
        ) from error


def _reason(error: OSError) -> str:
    # create_server adds the address, which our message names already.
    return str(error.strerror or error).partition(" (while attempting")[0]


def address_of(host: str, port: int) -> str:
    """Gives ``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_log = logging.getLogger(__name__)


def warn_of_exposure(config: ServerConfig) -> None:
    """Warns of what can be read on its way to other machines.

    It is allowed all the same: TLS often ends in a proxy, and a container listens on every
    address of a network that is its own.
    """
    if is_loopback(config.host) or config.tls_cert is not None:
        return
    what = "tokens and photos" if config.token_file else "photos"
    _log.warning(
        "%s is not this machine alone and there is no TLS: %s travel as plain text; "
        "give tls_cert and tls_key unless something in front of the server encrypts",
        config.host,
        what,
    )
