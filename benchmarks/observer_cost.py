"""What watching costs: processor time of each observer for one call.

Run ``python -m benchmarks.observer_cost``. The call is a painted photo, with all its stages; the
log goes to /dev/null, and spans are made and batched but sent nowhere.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from serving.calls.call import Call, CallObserver
from serving.command_line import read_config
from serving.device.worker_threads import WorkerThreads
from serving.models.live_models import LiveModels
from serving.models.repository import Repository
from serving.monitoring.access_log import AccessLog
from serving.monitoring.logs import JsonFormatter, OneLineFormatter
from serving.monitoring.metrics import Metrics
from serving.monitoring.tracing import Traces
from serving.timing import Stage

_STAGES: Final = ("decode", "queue", "inference", "encode")


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Has nothing to close."""


def _painted(number: int) -> Call:
    start = time.monotonic()
    call = Call("Stylize", "sfumato.v1.StylizationService", {"x-request-id": f"{number:016x}"})
    call.model, call.version, call.photos, call.batch_size, call.styles = "default", 1, 1, 1, 2
    call.bytes_in, call.bytes_out = 70_000, 60_000
    call.notes = {"styles": "'plain':1", "size": "512x512", "format": "jpeg"}
    call.stages = [
        Stage(name, start + index / 100, start + (index + 1) / 100)
        for index, name in enumerate(_STAGES)
    ]
    call.end("OK")
    return call


def _microseconds(observer: CallObserver, calls: int) -> float:
    seconds = 0.0
    for number in range(calls):
        call = _painted(number)
        start = time.thread_time()
        observer.ended(call)
        seconds += time.thread_time() - start
    return 1e6 * seconds / calls


def _log_as(formatter: logging.Formatter) -> AccessLog:
    handler = logging.StreamHandler(Path("/dev/null").open("w", encoding="utf-8"))  # noqa: SIM115
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    return AccessLog()


def main() -> None:
    """Prints a line for each observer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    calls: int = parser.parse_args().calls
    _report("traces", Traces(BatchSpanProcessor(_Nowhere(), max_queue_size=1 << 20)), calls)
    _report("metrics", Metrics(_no_models()), calls)
    _report("access log, text", _log_as(OneLineFormatter("%(asctime)s %(message)s")), calls)
    _report("access log, JSON", _log_as(JsonFormatter()), calls)


def _no_models() -> Repository:
    return LiveModels(read_config([]), WorkerThreads(0, "device"), None).repository


def _report(name: str, observer: CallObserver, calls: int) -> None:
    _microseconds(observer, calls // 10)
    best = min(_microseconds(observer, calls) for _ in range(3))
    print(f"{name:18} {best:6.1f} µs a call")


if __name__ == "__main__":
    main()
