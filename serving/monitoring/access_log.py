"""One log line per call: what was asked, how it ended, how long it took."""

import itertools
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from serving.calls.call import Call
from serving.calls.client_text import quoted, shortened
from serving.monitoring.logs import Fields

_log = logging.getLogger(__name__)

_MOST_STYLES: Final = 8
_FROM_CLIENTS: Final = ("model", "label", "reason")
_STREAMS: Final = frozenset({"StylizeStream", "ModelStreamInfer"})
_NOTHING_AMISS: Final = frozenset({"OK", "CANCELLED"})  # CANCELLED are dropped frames, too


class AccessLog:
    """Writes a line when a call has ended.

    Of the frames of streams, thirty a second, only those that failed are on the level info.
    """

    def ended(self, call: Call) -> None:
        """Logs the line."""
        routine = call.method in _STREAMS and call.status in _NOTHING_AMISS
        level = logging.DEBUG if routine else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, CallLine(call))


def log_stream(call: Call, answers: Mapping[str, int]) -> None:
    """Logs the line of a whole stream that ended well or was cancelled, with its answers."""
    call.notes |= answers
    _log.info(CallLine(call))


class CallLine(Fields):
    """What there is to say about a call that has ended; times are in milliseconds.

    It is put into words where the line is written, and not on the event loop.
    """

    def __init__(self, call: Call) -> None:
        """Reads ``call`` when it is asked; nothing may change in there any more."""
        self.title = call.method
        self._call = call

    @property
    def fields(self) -> dict[str, object]:
        """Everything but the method."""
        call = self._call
        optional: dict[str, object] = {"model": shortened(call.model)}
        optional |= {"version": call.version, "label": shortened(call.label)}
        optional |= {"client": call.client, **call.notes}
        optional |= {"bytes_in": call.bytes_in, "bytes_out": call.bytes_out}
        optional |= {"batch": call.batch_size}
        fields = {name: value for name, value in optional.items() if value}
        fields |= {f"{stage.name}_ms": _milliseconds(stage.seconds) for stage in call.stages}
        fields |= {"status": call.status, "ms": _milliseconds(call.seconds)}
        names = {"request_id": call.request_id, "trace_id": call.trace_id, "reason": call.reason}
        return fields | {name: value for name, value in names.items() if value}

    def __str__(self) -> str:
        """Gives it as text, on one line."""
        return " ".join([self.title, *(_worded(*field) for field in self.fields.items())])


class StyleList:
    """The styles of a blend, worded like ``'hokusai-great-wave':0.7,'munch-scream':0.3``."""

    def __init__(self, styles: Iterable[tuple[str, float]]) -> None:
        """Keeps the first of ``styles``, ids and weights."""
        self._first = list(itertools.islice(styles, _MOST_STYLES + 1))

    def __str__(self) -> str:
        """Puts them into words."""
        names = [f"{quoted(style)}:{weight:g}" for style, weight in self._first[:_MOST_STYLES]]
        return ",".join(names + ["…"] * (len(self._first) > _MOST_STYLES)) or "none"


def _worded(name: str, value: object) -> str:
    if name in _FROM_CLIENTS:
        return f"{name}={value!r}"
    return f"{name}={value:.1f}" if isinstance(value, float) else f"{name}={value}"


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)
