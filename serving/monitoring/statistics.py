"""What each version of a model has done so far, as Triton counts it."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from serving.calls.call import Call
from serving.device.lane import Lane
from serving.models.repository import Repository

PAINTING: Final = frozenset({"Stylize", "StylizeStream", "ModelInfer", "ModelStreamInfer"})
"""Methods whose calls, or frames, paint."""


@dataclass
class Durations:
    """Durations added up.

    Attributes:
        count: how many.
        ns: their sum in nanoseconds.
    """

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        """Adds one."""
        self.count += 1
        self.ns += round(seconds * 1e9)


@dataclass
class VersionStatistics:
    """What one version of a model has done.

    Attributes:
        success: requests that were answered, from arrival to answer.
        fail: requests that were not.
        stages: of the answered requests, by the names of ``Stage``.
        batches: batches that the device ran, by how many photos they held.
        photos: photos of the answered requests.
        last: when the last request was answered, in milliseconds since 1970; 0 if none was.
    """

    success: Durations = field(default_factory=Durations)
    fail: Durations = field(default_factory=Durations)
    stages: defaultdict[str, Durations] = field(default_factory=lambda: defaultdict(Durations))
    batches: defaultdict[int, Durations] = field(default_factory=lambda: defaultdict(Durations))
    photos: int = 0
    last: int = 0


class ModelStatistics:
    """Counts since the server was started; a version that is loaded again counts on.

    Calls and batches are counted where they happen: a batch is counted once, whatever calls its
    photos belong to. A failed call counts for the version that would have answered, and for none
    if there is no such version, so what clients make up takes no memory.
    """

    def __init__(self, repository: Repository) -> None:
        """Counts for the models of ``repository``."""
        self._repository = repository
        self._versions: defaultdict[str, VersionStatistics] = defaultdict(VersionStatistics)

    def of(self, name: str, version: int) -> VersionStatistics:
        """Gives what a version has done; to be read, not changed."""
        return self._versions.get(_key(name, version)) or VersionStatistics()

    def ended(self, call: Call) -> None:
        """Counts a call that paints."""
        if call.method not in PAINTING:
            return
        if call.status == "OK":
            self._count_success(call, self._versions[_key(call.model, call.version)])
        elif key := self._meant(call):
            self._versions[key].fail.add(call.seconds)

    def batch_ran(self, lane: Lane, photos: int, seconds: float) -> None:
        """Counts a batch."""
        self._versions[lane.name].batches[photos].add(seconds)

    @staticmethod
    def _count_success(call: Call, counts: VersionStatistics) -> None:
        counts.success.add(call.seconds)
        counts.photos += call.photos
        counts.last = time.time_ns() // 1_000_000
        for stage in call.stages:
            counts.stages[stage.name].add(stage.seconds)

    def _meant(self, call: Call) -> str | None:
        """Gives the version that would have answered; None for none."""
        if not call.model:  # a stream as a whole, or a stranger's call: nothing was asked for
            return None
        model = self._repository.meant_by(call.model, call.version, call.label)
        return None if model is None else _key(model.name, model.version)


def _key(name: str, version: int) -> str:
    return f"{name}/{version}"
