"""Rows 9 and 10: models and servers come and go, and no request fails."""

import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.acceptance.verdict import Effort, Verdict
from benchmarks.load_client import Load, LoadClient
from benchmarks.model_folder import ModelFolder, latest_bundle
from benchmarks.photo_files import jpeg_files
from benchmarks.server_speed import LoadError, simulated_server, some_style
from examples.local_server import local_server
from sfumato.client.client import Client
from sfumato.errors import ServiceError

_SIDE: Final = 64
_POLL_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 60.0
_NOTICED_SECONDS: Final = 1.0


def reloads(effort: Effort) -> Iterator[Verdict]:
    """Row 9: versions come, go, fail and are mended under load."""
    count = effort.times(100)
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        models = ModelFolder(Path(scratch) / "models", latest_bundle())
        models.add(1)
        options = ("--device", effort.device, "--poll-seconds", str(_POLL_SECONDS))
        with local_server(models.root, log=log, options=options) as server, LoadClient() as client:
            load = Load(server.address, jpeg_files(_SIDE), some_style(), in_flight=4)
            client.run(replace(load, count=load.in_flight))
            client.start(load)
            with Client(server.address) as asker:
                _reload(models, asker, count)
                _fail_and_mend(models, asker, count + 2)
            report = client.stop()
        statuses = answered_statuses(log)
    failed = len(report.failures) + sum(statuses.values()) - statuses["OK"]
    yield Verdict(
        f"{count} reloads under load, a failed one, and its repair",
        "0 failed requests",
        f"{failed} of {report.answered + len(report.failures)} failed, "
        f"{len(report.versions)} versions answered; " + (*report.failures, "no failure")[0][:200],
        failed == 0 and report.answered >= count,
    )


def _reload(models: ModelFolder, client: Client, count: int) -> None:
    for version in range(2, count + 2):
        models.add(version)
        _wait_for(client, version)
        models.remove(version - 1)


def _fail_and_mend(models: ModelFolder, client: Client, version: int) -> None:
    models.add(version, damaged=True)
    time.sleep(_NOTICED_SECONDS)
    if (answering := _version(client)) != version - 1:
        raise LoadError(f"version {answering} answers, while {version} is damaged")
    models.add(version)
    _wait_for(client, version)


def _wait_for(client: Client, version: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _version(client) != version:
        if time.monotonic() > deadline:
            raise LoadError(f"version {version} was not served within {_PATIENCE_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def _version(client: Client) -> int:
    try:
        return client.stylize(jpeg_files(_SIDE)[0], some_style()).version
    except ServiceError as error:
        raise LoadError(f"a request failed: {error}") from error


def answered_statuses(log: Path) -> Counter[str]:
    """Counts the statuses of the calls of Stylize in a server's log."""
    lines = (line for line in log.read_text().splitlines() if " Stylize " in line)
    return Counter(line.rpartition(" status=")[2].split()[0] for line in lines)


def server_stops(effort: Effort) -> Iterator[Verdict]:
    """Row 10: one of two servers is stopped under load."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        logs = [Path(scratch) / name for name in ("first", "second")]
        servers = [stack.enter_context(simulated_server(5.0, log=log)) for log in logs]
        client = stack.enter_context(LoadClient())
        both = ",".join(server.address for server in servers)
        load = Load(both, jpeg_files(256), some_style())
        client.run(replace(load, count=load.in_flight))
        client.start(load)
        time.sleep(effort.seconds / 2)
        os.kill(servers[0].pid, signal.SIGTERM)
        time.sleep(effort.seconds / 2)
        report = client.stop()
        shares = [answered_statuses(log)["OK"] for log in logs]
    yield Verdict(
        "SIGTERM of one of two servers under load, round robin and retries",
        "0 errors",
        f"{len(report.failures)} of {report.answered + len(report.failures)} failed, answered "
        f"{shares[0]} and {shares[1]}; " + (*report.failures, "no failure")[0][:200],
        not report.failures and all(shares),
    )
