"""The options of the command line about where the server is and how it is reached."""

import argparse
import os
from pathlib import Path
from typing import Any, Final

from sfumato.cli.option_types import positive
from sfumato.connection.address import DEFAULT_TARGET
from sfumato.errors import SfumatoError

TOKEN_VARIABLE: Final = "SFUMATO_TOKEN"  # noqa: S105 - its name, not a token


def add_server_options(parser: argparse.ArgumentParser, timeout: float) -> None:
    """Adds the options; ``timeout`` is the default, in seconds."""
    parser.add_argument(
        "--server",
        default=DEFAULT_TARGET,
        metavar="HOST:PORT",
        help=f"address of the server, or of several with commas (default: {DEFAULT_TARGET})",
    )
    parser.add_argument(
        "--timeout",
        type=positive(float),
        default=timeout,
        metavar="SECONDS",
        help=f"for each call (default: {timeout:g})",
    )
    group = parser.add_argument_group("security")
    group.add_argument("--tls", action="store_true", help="use TLS, trusting the usual authorities")
    group.add_argument(
        "--tls-ca", type=Path, metavar="PEM", help="use TLS, trusting the authorities of this file"
    )
    group.add_argument(
        "--tls-cert", type=Path, metavar="PEM", help="show this certificate to the server"
    )
    group.add_argument("--tls-key", type=Path, metavar="PEM", help="its private key")
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"file with the token for the server (default: the variable {TOKEN_VARIABLE})",
    )
    group.add_argument(
        "--plain-text-token",
        action="store_true",
        help="send the token without TLS even to other machines",
    )


def client_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Gives the arguments of ``Client`` and ``AsyncClient`` that the options ask for.

    Raises:
        SfumatoError: a file of TLS, or that of the token, cannot be used.
    """
    return {
        "target": options.server,
        "timeout": options.timeout,
        "wait_for_ready": False,
        "credentials": _credentials(options),
        "token": _token(options.token_file),
        "plain_text_token": options.plain_text_token,
    }


def _credentials(options: argparse.Namespace) -> object:
    files = (options.tls_ca, options.tls_cert, options.tls_key)
    if not options.tls and files == (None, None, None):
        return None
    from sfumato.connection.tls_files import (
        tls_credentials,  # it brings gRPC, which --help need not wait for
    )

    return tls_credentials(*files)


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "").strip()
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SfumatoError(f"cannot read the token in {file}: {error}") from None
    if not token:
        raise SfumatoError(f"{file} holds no token")
    return token
