"""How fast a server answers, and what that costs it in processor time."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load_client import Load, LoadClient
from benchmarks.model_folder import MODELS, latest_bundle
from benchmarks.processor_time import busy_seconds, family, processor_seconds
from examples.local_server import LocalServer, local_server
from sfumato.bundle.bundle import read_bundle
from sfumato.errors import SfumatoError


class LoadError(SfumatoError):
    """Requests of a measurement failed."""


@dataclass(frozen=True)
class Speed:
    """One measurement.

    Attributes:
        per_second: answers per second.
        milliseconds: processor time of the server per answer, all its processes.
        others: cores that other programs used meanwhile.
    """

    per_second: float
    milliseconds: float
    others: float


@contextlib.contextmanager
def simulated_server(
    milliseconds: float,
    *options: str,
    log: Path | None = None,
    module: str = "benchmarks.simulated_device",
) -> Iterator[LocalServer]:
    """Runs our server, or another ``module`` of the same arguments, and a device of so long."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(
            MODELS,
            log=log or Path(scratch) / "log",
            options=("--device", "cpu", *options),
            program=(module, str(milliseconds)),
        ) as server,
    ):
        yield server


def some_style(models: Path = MODELS) -> str:
    """Gives the id of a style of the default model."""
    return read_bundle(latest_bundle(models)).styles[0].id


def measure(client: LoadClient, load: Load, pid: int) -> Speed:
    """Sends ``load`` to the server that is process ``pid`` and its descendants.

    Raises:
        LoadError: requests failed.
    """
    pids = family(pid)
    started, busy, used = time.monotonic(), busy_seconds(), processor_seconds(*pids)
    report = client.run(load)
    server = processor_seconds(*pids) - used
    foreign = busy_seconds() - busy - server - report.processor
    if report.failures:
        raise LoadError(f"{len(report.failures)} requests failed: {report.failures[0][:300]}")
    return Speed(
        report.per_second,
        1000 * server / report.answered,
        max(0.0, foreign / (time.monotonic() - started)),
    )
