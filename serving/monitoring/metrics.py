"""What Prometheus can ask for: counts and times of calls, of batches, and of the device.

All of it is about what has happened. How things stand at the moment is in ``live_metrics``.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from serving.calls.call import Call
from serving.device.lane import Lane
from serving.models.repository import Repository

SECONDS: Final = tuple(
    milliseconds / 1000
    for milliseconds in (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 10e3, 30e3, 60e3)
)
"""Upper bounds. A GPU paints a small photo in milliseconds, a CPU a large one in tens of seconds,
and clients wait a minute unless told otherwise; steps of 2.5 keep a quantile that is read off
them within that factor, at the price of 16 time series."""

PHOTOS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)
"""Upper bounds: a batch of one is told from one of two, a nearly full one from a full one."""


class Metrics:
    """Counts calls and batches as they end; an observer of both.

    Labels have few values, whatever clients send: a model that is not served is the empty label.

    Attributes:
        registry: what is exported.
    """

    def __init__(self, repository: Repository) -> None:
        """Starts at zero; knows the models of ``repository``."""
        # A second time series beside each, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        self._repository = repository
        self._requests = self._counter(
            "sfumato_requests",
            "Calls and frames of streams that have ended, by the name of their status.",
            *("method", "model", "version", "code"),
        )
        self._request_seconds = self._histogram(
            "sfumato_request_seconds",
            "Time from the arrival of a call or frame to its answer.",
            *("method", "model"),
        )
        self._stage_seconds = self._histogram(
            "sfumato_stage_seconds",
            "Time of an answered request in a stage: decode, queue, inference or encode.",
            *("stage", "model"),
        )
        self._photos = self._counter("sfumato_photos", "Painted and answered photos.", "model")
        self._received = self._counter(
            "sfumato_received_bytes",
            "Bytes of the photos, as files or tensors, that came.",
            "model",
        )
        self._sent = self._counter(
            "sfumato_sent_bytes", "Bytes of painted photos, as files or tensors.", "model"
        )
        self._batch_size = self._histogram(
            "sfumato_batch_size",
            "Photos in a batch that the device has run; every batch counts once.",
            "model",
            buckets=PHOTOS,
        )
        self._busy = self._counter(
            "sfumato_device_busy_seconds",
            "Time of all batches on the device, also of those that run at once.",
            "model",
        )

    def ended(self, call: Call) -> None:
        """Counts a call."""
        model, version = self._labels(call)
        self._requests(call.method, model, version, call.status).inc()
        self._request_seconds(call.method, model).observe(call.seconds)
        if call.bytes_in:
            self._received(model).inc(call.bytes_in)
        if call.stages and call.status == "OK":
            self._photos(model).inc(call.photos)
            self._sent(model).inc(call.bytes_out)
            for stage in call.stages:
                self._stage_seconds(stage.name, model).observe(stage.seconds)

    def batch_ran(self, lane: Lane, photos: int, seconds: float) -> None:
        """Counts a batch."""
        model = lane.name.rpartition("/")[0]
        self._batch_size(model).observe(photos)
        self._busy(model).inc(seconds)

    def _counter(self, name: str, meaning: str, *labels: str) -> Callable[..., Counter]:
        # Kept in a cache, because looking labels up takes longer than counting.
        return cache(Counter(name, meaning, labels, registry=self.registry).labels)

    def _histogram(
        self, name: str, meaning: str, *labels: str, buckets: Sequence[float] = SECONDS
    ) -> Callable[..., Histogram]:
        registry = self.registry
        return cache(Histogram(name, meaning, labels, registry=registry, buckets=buckets).labels)

    def _labels(self, call: Call) -> tuple[str, str]:
        """Gives name and version of the model that painted, or would have; empty if none would."""
        if call.stages:
            return call.model, str(call.version)
        if not (call.model or call.bytes_in):  # nothing was asked for
            return "", ""
        model = self._repository.meant_by(call.model, call.version, call.label)
        return ("", "") if model is None else (model.name, str(model.version))
