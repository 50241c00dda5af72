"""One log line per request: what was asked, how it ended, how long it took."""

import itertools
import logging
import time
from collections.abc import Iterable
from typing import Final

_log = logging.getLogger(__name__)

_LONGEST: Final = 60  # characters of a client's text
_MOST_STYLES: Final = 8


class AccessEntry:
    """Collects the fields of one line. The clock starts when it is made."""

    def __init__(self, method: str, model: str, version: int = 0) -> None:
        """Starts a line about a call of ``method`` for ``model``; version 0 means unnamed."""
        self._started = time.monotonic()
        self._method = method
        self._fields: dict[str, object] = {"model": f"{quoted(model)}/{version or 'latest'}"}

    def note(self, **fields: object) -> None:
        """Adds fields; a client's text must be ``quoted`` before."""
        self._fields.update(fields)

    def write(self, status: str, reason: str = "") -> None:
        """Logs the line.

        Args:
            status: name of the status code.
            reason: why it is not OK.
        """
        milliseconds = 1000 * (time.monotonic() - self._started)
        self.note(status=status, ms=f"{milliseconds:.1f}")
        if reason:
            self.note(reason=repr(reason))
        fields = " ".join(f"{name}={value}" for name, value in self._fields.items())
        _log.info("%s %s", self._method, fields)


def quoted(text: str) -> str:
    """Gives a client's text shortened and escaped, so that it cannot forge a log line."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def style_list(styles: Iterable[tuple[str, float]]) -> str:
    """Gives the styles of a blend as ``'hokusai-great-wave':0.7,'munch-scream':0.3``."""
    first = list(itertools.islice(styles, _MOST_STYLES + 1))
    names = [f"{quoted(style)}:{weight:g}" for style, weight in first[:_MOST_STYLES]]
    return ",".join(names + ["…"] * (len(first) > _MOST_STYLES)) or "none"
