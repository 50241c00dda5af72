"""Text of clients, fit to be shown: in the log and in messages."""

from typing import Final

_LONGEST: Final = 60  # characters


def shortened(text: str) -> str:
    """Gives the beginning of a client's text."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def quoted(text: str) -> str:
    """Gives a client's text shortened and escaped, so that it cannot forge a log line."""
    return repr(shortened(text))
