"""A process of its own that keeps a server busy, and tells how that went."""

import asyncio
import contextlib
import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from benchmarks.protocols import PROTOCOLS, Send

LONGEST_CALL_SECONDS = 600.0


@dataclass(frozen=True)
class Load:
    """What to send.

    Attributes:
        address: the server's, host:port; several separated by commas are taken in turn.
        files: photos, sent one after the other and again from the start.
        style: id of a style.
        model: name of the model; empty for the default.
        protocol: a name of ``PROTOCOLS``.
        in_flight: requests under way at once.
        count: requests in all; None for no limit.
        seconds: after which no further request is sent.
    """

    address: str
    files: Sequence[bytes]
    style: str = ""
    model: str = ""
    protocol: str = "stylize"
    in_flight: int = 8
    count: int | None = None
    seconds: float = LONGEST_CALL_SECONDS


@dataclass
class LoadReport:
    """How it went.

    Attributes:
        latencies: seconds of each answered request.
        failures: what was said instead of an answer.
        versions: versions of the model in the answers, where the protocol tells.
        seconds: from the first request to the last answer.
        processor: processor time of the client in seconds.
    """

    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)
    seconds: float = 0.0
    processor: float = 0.0

    @property
    def answered(self) -> int:
        """Number of answers."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds


class LoadClient:
    """The process; used as a context manager. One load at a time."""

    def __enter__(self) -> Self:
        """Starts the process."""
        spawn = multiprocessing.get_context("spawn")  # gRPC and fork do not go together
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_answer_loads, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Ends the process."""
        self._pipe.close()
        if error is not None:
            self._process.terminate()
        self._process.join()

    def run(self, load: Load) -> LoadReport:
        """Sends ``load`` and waits for its end."""
        self.start(load)
        return self.result()

    def start(self, load: Load) -> None:
        """Begins to send."""
        self._pipe.send(load)

    def stop(self) -> LoadReport:
        """Lets what is under way finish, and sends no more."""
        self._pipe.send(None)
        return self.result()

    def result(self) -> LoadReport:
        """Waits for the end of the load."""
        report: LoadReport = self._pipe.recv()
        return report


def _answer_loads(pipe: "Connection[Any, Any]") -> None:
    with contextlib.suppress(EOFError, KeyboardInterrupt):  # the benchmark has ended
        while True:
            load = pipe.recv()
            if load is not None:  # a late "stop" is for the load before
                pipe.send(asyncio.run(_send_all(load, pipe.poll)))


async def _send_all(load: Load, stopped: Callable[[], bool]) -> LoadReport:
    report = LoadReport()
    numbers = itertools.count() if load.count is None else iter(range(load.count))
    opened = PROTOCOLS[load.protocol](load.address, load.model, load.style, load.in_flight)
    async with opened as send:
        started, used = time.perf_counter(), time.process_time()
        last = started + load.seconds

        async def send_some() -> None:
            for number in numbers:  # shared: who is free takes the next
                if time.perf_counter() >= last or stopped():
                    return
                await _send_one(send, load.files[number % len(load.files)], report)

        await asyncio.gather(*(send_some() for _ in range(load.in_flight)))
        report.seconds = time.perf_counter() - started
        report.processor = time.process_time() - used
    return report


async def _send_one(send: Send, file: bytes, report: LoadReport) -> None:
    began = time.perf_counter()
    try:
        version = await send(file)
    except Exception as error:  # whatever a server or a library says is a finding, not our end
        report.failures.append(f"{type(error).__name__}: {error}")
    else:
        report.latencies.append(time.perf_counter() - began)
        report.versions.add(version)
