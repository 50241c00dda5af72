"""Rows 1 to 5: how much of the device's speed arrives at the client."""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.acceptance.verdict import Effort, Verdict, spread
from benchmarks.load_client import Load, LoadClient
from benchmarks.model_folder import MODELS, latest_bundle
from benchmarks.photo_files import jpeg_files
from benchmarks.server_speed import Speed, measure, simulated_server, some_style
from benchmarks.server_throughput import BareSession, ServedSession, compare
from benchmarks.serving_peers import compare as compare_peers
from benchmarks.serving_peers import parse_arguments
from benchmarks.simulated_device import pauses_per_second
from examples.local_server import CHECKOUT, LocalServer, local_server
from sfumato.bundle.bundle import read_bundle

_SIDE: Final = 512
_COST_PAUSE_MS: Final = 2.0


def real_network(effort: Effort) -> Iterator[Verdict]:
    """Row 1: the server against the bare session."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, models in (("default", MODELS), ("reference", Path(scratch))):
            if name == "reference":
                _write_reference_network(models / "default")
            yield _against_bare_session(name, models, effort)


def _write_reference_network(folder: Path) -> None:
    """Writes a network of random weights; in a process of its own, which takes torch with it."""
    command = [sys.executable, "-m", "benchmarks.random_network", str(folder)]
    subprocess.run(command, check=True, cwd=CHECKOUT)


def _against_bare_session(name: str, models: Path, effort: Effort) -> Verdict:
    threads = os.cpu_count() or 1
    bundle = read_bundle(latest_bundle(models))
    options = ("--device", effort.device, "--intra-op-threads", str(threads))
    with contextlib.ExitStack() as stack:
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log"
        server = stack.enter_context(local_server(models, log=log, options=options))
        client = stack.enter_context(LoadClient())
        bare = BareSession(bundle, threads, effort.device)
        served = ServedSession(server, [client], "", bundle.styles[0].id)
        found = compare(bare, served, 256, effort.pairs, effort.seconds)
    return Verdict(
        f"server / bare session, 256² JPEG, {name} network, {bare.provider}",
        "≥ 0.97",
        spread(found.ratios),
        found.ratio >= 0.97,
    )


def five_milliseconds(effort: Effort) -> Iterator[Verdict]:
    """Row 2: a simulated device of 5 ms."""
    yield _against_pauses(5.0, 0.96, effort)


def two_milliseconds(effort: Effort) -> Iterator[Verdict]:
    """Row 3: a simulated device of 2 ms; and two batches at once, for which it has a queue."""
    yield _against_pauses(2.0, 0.93, effort)
    yield _against_queue(2.0, 0.93, effort)


def _against_pauses(milliseconds: float, goal: float, effort: Effort) -> Verdict:
    ratios: list[float] = []
    bare_ratios: list[float] = []
    for speed, bare in _beside_bare_service(milliseconds, effort):
        ideal = pauses_per_second(milliseconds / 1000, effort.seconds / 2)
        ratios.append(speed.per_second / ideal)
        bare_ratios.append(bare.per_second / ideal)
    return Verdict(
        f"server / pauses alone, {milliseconds:g} ms device, {_SIDE}² JPEG",
        f"≥ {goal}",
        f"{spread(ratios)}; bare service {spread(bare_ratios)}",
        statistics.median(ratios) >= goal,
    )


def _against_queue(milliseconds: float, goal: float, effort: Effort) -> Verdict:
    with simulated_server(milliseconds, "--batches-at-once", "2") as server, LoadClient() as client:
        speeds = [_speed(server, client, effort) for _ in range(1 + effort.pairs)]
    ratios = [speed.per_second * milliseconds / 1000 for speed in speeds[1:]]  # the first warms up
    return Verdict(
        f"server, two batches at once / device that is never idle, {milliseconds:g} ms, "
        f"{_SIDE}² JPEG",
        f"≥ {goal}",
        spread(ratios),
        statistics.median(ratios) >= goal,
    )


def processor_cost(effort: Effort) -> Iterator[Verdict]:
    """Row 4: processor time of a request."""
    speeds = list(_beside_bare_service(_COST_PAUSE_MS, effort))
    costs, bare_costs = zip(
        *((speed.milliseconds, bare.milliseconds) for speed, bare in speeds), strict=True
    )
    yield Verdict(
        f"server CPU per {_SIDE}² JPEG request, {_COST_PAUSE_MS:g} ms device",
        "≤ 2.8 ms",
        f"{spread(costs, 2)} ms; bare service {spread(bare_costs, 2)} ms",
        statistics.median(costs) <= 2.8,
    )


def _beside_bare_service(milliseconds: float, effort: Effort) -> Iterator[tuple[Speed, Speed]]:
    """Measures our server and the least that such a service can be, in turn."""
    with (
        simulated_server(milliseconds) as ours,
        simulated_server(milliseconds, module="benchmarks.bare_service") as bare,
        LoadClient() as client,
    ):
        _speed(ours, client, effort), _speed(bare, client, effort)  # warm
        for _ in range(effort.pairs):
            yield _speed(ours, client, effort), _speed(bare, client, effort)


def _speed(server: LocalServer, client: LoadClient, effort: Effort) -> Speed:
    load = Load(server.address, jpeg_files(_SIDE), some_style(), seconds=effort.seconds)
    return measure(client, load, server.pid)


def peers(effort: Effort) -> Iterator[Verdict]:
    """Row 5: other inference servers; those that are installed in build/peers."""
    options = parse_arguments([])
    options.pairs, options.seconds = max(1, effort.pairs // 2), effort.seconds
    with contextlib.redirect_stdout(sys.stderr):
        ratios = compare_peers(options)
    for (title, side), ratio in ratios.items():
        yield Verdict(
            f"server / {title}, 2 ms device, {side}²",
            "> 1",
            f"{ratio:.2f}" if isinstance(ratio, float) else ratio,
            ratio > 1 if isinstance(ratio, float) else None,
        )
