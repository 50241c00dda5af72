"""How things stand at the moment Prometheus asks: what is inside, what waits, what is served."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.calls.admission import Admission
from serving.calls.streams import Streams
from serving.models.model import ModelState
from serving.models.repository import Repository
from serving.painting.batcher import Batcher

_PATIENCE_SECONDS: Final = 2.0
"""Longer than the event loop is ever busy; less than the 10 seconds after which a scrape fails."""


class LiveMetrics(Collector):
    """Looks at the parts of a server whenever it is asked; to be made in a running event loop.

    Nothing is kept, so what was unloaded is gone from the next answer on.
    """

    def __init__(
        self,
        repository: Repository,
        admission: Admission,
        batcher: Batcher,
        streams: Streams,
    ) -> None:
        """Looks at the parts."""
        self._loop = asyncio.get_running_loop()
        self._repository = repository
        self._admission = admission
        self._batcher = batcher
        self._streams = streams

    def describe(self) -> Iterable[Metric]:
        """Gives all families, on the event loop's thread."""
        return [*self._levels(), *self._models()]

    def collect(self) -> Iterable[Metric]:
        """Gives all families; none if the event loop is stuck, which is a finding, too.

        Called on a thread of the metrics' server, while all that is looked at belongs to the
        event loop's thread.
        """
        reading = asyncio.run_coroutine_threadsafe(self._read(), self._loop)
        try:
            return reading.result(_PATIENCE_SECONDS)
        except TimeoutError:
            reading.cancel()
            return []

    async def _read(self) -> Iterable[Metric]:
        return self.describe()

    def _levels(self) -> list[Metric]:
        return [
            GaugeMetricFamily(
                "sfumato_ready",
                "1 while requests are let in; 0 while the server starts or stops.",
                self._admission.is_open,
            ),
            GaugeMetricFamily(
                "sfumato_requests_in_flight",
                "Requests inside, from admission to the sent answer.",
                self._admission.inside,
            ),
            GaugeMetricFamily(
                "sfumato_queue_length", "Photos that wait for a batch.", self._batcher.waiting
            ),
            GaugeMetricFamily("sfumato_streams_open", "Open streams.", self._streams.open),
        ]

    def _models(self) -> list[Metric]:
        loaded = GaugeMetricFamily(
            "sfumato_model_loaded",
            "1 for each version that is served, and what it really runs on.",
            labels=("model", "version", "provider", "precision"),
        )
        styles = GaugeMetricFamily(
            "sfumato_model_styles",
            "Styles of each version that is served.",
            labels=("model", "version"),
        )
        versions = GaugeMetricFamily(
            "sfumato_model_versions",
            "Versions in the model folder, by how they stand.",
            labels=("state",),
        )
        for model in self._repository:
            name = (model.name, str(model.version))
            loaded.add_metric((*name, model.session.provider, model.session.precision), 1)
            styles.add_metric(name, len(model.bank.infos))
        counts = Counter(entry.state for entry in self._repository.index())
        for state in ModelState:
            versions.add_metric((state,), counts[state])
        return [loaded, styles, versions]
