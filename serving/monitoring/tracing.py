"""Traces for OpenTelemetry: a span for each call, and one for each of its stages.

Attributes follow OpenTelemetry's conventions for spans of gRPC (semantic conventions 1.40, release
candidate); what they have no name for begins with "sfumato.". Sampling, headers and resource
attributes are set by OpenTelemetry's own variables (OTEL_*).
"""

import asyncio
import logging
import time
from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.calls.call import Call
from serving.calls.client_text import shortened
from sfumato import __version__

_log = logging.getLogger(__name__)

_SERVICE: Final = "sfumato"
_SERVERS_FAULT: Final = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""Statuses that the conventions call errors of a server; the others are the client's."""

_PARENT: Final = TraceContextTextMapPropagator()  # W3C: traceparent and tracestate


class Traces:
    """Makes spans of calls; an observer. The parent is the span that the client names, if any."""

    def __init__(self, processor: SpanProcessor) -> None:
        """Gives the spans that have ended to ``processor``."""
        own = Resource.create({"service.name": _SERVICE, "service.version": __version__})
        resource = own.merge(OTELResourceDetector().detect())  # the operator's word counts
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(_SERVICE, __version__)

    @classmethod
    def to_collector(cls, endpoint: str) -> "Traces":
        """Sends the spans to an OTLP collector, such as ``http://127.0.0.1:4317``.

        A thread sends them; what it cannot keep up with, or deliver within ten seconds, is lost.
        """
        return cls(BatchSpanProcessor(OTLPSpanExporter(endpoint)))

    def ended(self, call: Call) -> None:
        """Makes the span of a call, with a span below it for each stage, and notes its trace."""
        offset = time.time_ns() - time.monotonic_ns()  # one for the whole call: no gap, no overlap
        method = f"{call.service}/{call.method}"
        span = self._tracer.start_span(
            method,
            _PARENT.extract(call.metadata),
            SpanKind.SERVER,
            {"rpc.system.name": "grpc", "rpc.method": method},
            start_time=_nanoseconds(call.started) + offset,
        )
        context = span.get_span_context()
        call.trace_id = format_trace_id(context.trace_id) if context.is_valid else ""
        if not span.is_recording():
            return
        below = set_span_in_context(span)
        for stage in call.stages:
            started, ended = _nanoseconds(stage.started), _nanoseconds(stage.ended)
            child = self._tracer.start_span(stage.name, below, start_time=started + offset)
            child.end(ended + offset)
        span.set_attributes(_attributes(call))
        if call.status in _SERVERS_FAULT:
            span.set_attribute("error.type", call.status)
            span.set_status(Status(StatusCode.ERROR, call.reason))
        span.end(_nanoseconds(call.ended) + offset)

    async def close(self, seconds: float) -> None:
        """Sends what is left, for so many seconds at most; what remains then is lost."""
        # A daemon: the library waits up to half a minute, and the process must be able to end.
        sending = Thread(target=self._provider.shutdown, daemon=True, name="last traces")
        sending.start()
        await asyncio.to_thread(sending.join, seconds)
        if sending.is_alive():
            _log.warning("the last traces could not be delivered")


def _attributes(call: Call) -> dict[str, str | int]:
    known: dict[str, str | int] = {
        "rpc.response.status_code": call.status,
        "sfumato.request.id": call.request_id,
        "sfumato.model.name": shortened(call.model),
        "sfumato.model.version": call.version,
        "sfumato.photos": call.photos,
        "sfumato.styles": call.styles,
        "sfumato.batch.size": call.batch_size,
        "sfumato.received_bytes": call.bytes_in,
        "sfumato.sent_bytes": call.bytes_out,
    }
    return {name: value for name, value in known.items() if value}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
