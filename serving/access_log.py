"""One log line per call: what was asked, how it ended, how long it took."""

import itertools
import logging
from collections.abc import Iterable
from typing import Final

from serving.call import Call

_log = logging.getLogger(__name__)

_LONGEST: Final = 60  # characters of a client's text
_MOST_STYLES: Final = 8


class AccessLog:
    """Writes a line when a call has ended."""

    def begun(self, call: Call) -> None:
        """Waits for the end."""

    def ended(self, call: Call) -> None:
        """Logs the line."""
        fields: dict[str, object] = {
            "model": f"{quoted(call.model)}/{call.version or 'latest'}",
            **call.notes,
        }
        if call.bytes_in:
            fields["bytes_in"] = call.bytes_in
        if call.stages:
            fields["bytes_out"] = call.bytes_out
            fields["batch"] = call.batch_size
            fields |= {f"{stage.name}_ms": _milliseconds(stage.seconds) for stage in call.stages}
        fields |= {"status": call.status, "ms": _milliseconds(call.seconds)}
        if call.reason:
            fields["reason"] = repr(call.reason)
        _log.info("%s %s", call.method, " ".join(f"{n}={value}" for n, value in fields.items()))


def quoted(text: str) -> str:
    """Gives a client's text shortened and escaped, so that it cannot forge a log line."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def style_list(styles: Iterable[tuple[str, float]]) -> str:
    """Gives the styles of a blend as ``'hokusai-great-wave':0.7,'munch-scream':0.3``."""
    first = list(itertools.islice(styles, _MOST_STYLES + 1))
    names = [f"{quoted(style)}:{weight:g}" for style, weight in first[:_MOST_STYLES]]
    return ",".join(names + ["…"] * (len(first) > _MOST_STYLES)) or "none"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f}"
