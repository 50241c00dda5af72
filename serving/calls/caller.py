"""Among whom the server is shared."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Caller:
    """Who a call comes from. Clients share the server, and their connections what they get.

    Connections alone would not do, as a client can open any number, and clients alone neither:
    without tokens everybody behind a proxy, or on one machine, is the same.

    Attributes:
        client: name of the token, or else the host.
        connection: host and port.
    """

    client: str = ""
    connection: str = ""


NOBODY: Final = Caller()
"""Who calls from within the server."""
