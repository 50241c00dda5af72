"""The name of a request, by which it is found in the logs of client and server."""

import random
import re
from typing import Final

REQUEST_ID: Final = "x-request-id"
"""Metadata of the request, and trailing metadata of the answer."""

_USABLE: Final = re.compile(r"[0-9A-Za-z._:=+/-]{1,64}")


def request_id(given: str) -> str:
    """Gives the id that the client has given, if it is short and safe to log, or a new one."""
    if _USABLE.fullmatch(given):
        return given
    # No secret: and asking the system for better ones gives up the interpreter's lock.
    return f"{random.getrandbits(64):016x}"


_LONGEST: Final = 60  # characters


def shortened(text: str) -> str:
    """Gives the beginning of a client's text."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def quoted(text: str) -> str:
    """Gives a client's text shortened and escaped, so that it cannot forge a log line."""
    return repr(shortened(text))
