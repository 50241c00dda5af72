"""Says in the log what strangers could read with these settings."""

import logging

from serving.config import ServerConfig
from sfumato.connection.address import is_loopback

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
