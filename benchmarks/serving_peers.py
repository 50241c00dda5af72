"""The server against other inference servers, all on a device that only pauses. Linux only.

    python -m benchmarks.serving_peers [--install] [--milliseconds 2] [--sizes 256 512]

Each peer runs in an environment of its own in build/peers; ``--install`` makes those that are
missing (1.3 GB in all). A peer gets pictures in its usual way: files as JPEG where it takes them,
raw pixels where tensors are all it knows. One picture is on the device at a time; a client in
another process, on the same cores, keeps eight requests under way. A peer and the server are
measured in turn; the ratio is the median of the pairs' ratios. A peer that cannot be installed or
started is listed with the reason.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load_client import Load, LoadClient
from benchmarks.machine import describe_machine
from benchmarks.peer_servers import PEERS, Peer, PeerError, install, running_peer
from benchmarks.photo_files import jpeg_files
from benchmarks.processor_time import busy_seconds, family, processor_seconds
from benchmarks.simulated_device import pauses_per_second
from examples.local_server import CHECKOUT, LocalServer, local_server
from sfumato.bundle import list_versions, read_bundle

MODELS = CHECKOUT / "models"


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


@dataclass(frozen=True)
class Duel:
    """A peer and the server, in turn.

    Attributes:
        peer: the measurements of the peer.
        ours: those of the server, in the same order.
    """

    peer: Sequence[Speed]
    ours: Sequence[Speed]

    @property
    def ratios(self) -> list[float]:
        """Speed of the server over that of the peer, pair by pair."""
        return [o.per_second / p.per_second for o, p in zip(self.ours, self.peer, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the pairs."""
        return statistics.median(self.ratios)


@contextlib.contextmanager
def simulated_server(milliseconds: float, *options: str) -> Iterator[LocalServer]:
    """Runs our server with a device that takes so long."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(
            MODELS,
            log=Path(scratch) / "log",
            options=("--device", "cpu", *options),
            program=("benchmarks.simulated_device", str(milliseconds)),
        ) as server,
    ):
        yield server


def some_style(models: Path = MODELS) -> str:
    """Gives the id of a style of the default model."""
    folder = models / "default"
    return read_bundle(folder / str(list_versions(folder)[-1])).styles[0].id


def measure(client: LoadClient, load: Load, pid: int) -> Speed:
    """Sends ``load`` to the server that is process ``pid`` and its descendants.

    Raises:
        PeerError: requests failed.
    """
    pids = family(pid)
    started, busy, used = time.monotonic(), busy_seconds(), processor_seconds(*pids)
    report = client.run(load)
    server = processor_seconds(*pids) - used
    foreign = busy_seconds() - busy - server - report.processor
    if report.failures:
        raise PeerError(f"{len(report.failures)} requests failed: {report.failures[0][:300]}")
    return Speed(
        report.per_second,
        1000 * server / report.answered,
        max(0.0, foreign / (time.monotonic() - started)),
    )


def duel(
    peer: Peer, ours: LocalServer, client: LoadClient, options: argparse.Namespace, side: int
) -> Duel:
    """Measures ``peer`` and our server in turn.

    Raises:
        PeerError: the peer does not start, or requests failed.
    """
    files = jpeg_files(side)
    with running_peer(peer, options.milliseconds, client, files[0]) as (address, pid):
        to_peer = Load(address, files, protocol=peer.protocol, seconds=options.seconds)
        to_us = Load(ours.address, files, some_style(), seconds=options.seconds)
        for load in (to_peer, to_us):
            client.run(replace(load, seconds=options.seconds / 4))
        pairs = [
            (measure(client, to_peer, pid), measure(client, to_us, ours.pid))
            for _ in range(options.pairs)
        ]
    return Duel(*zip(*pairs, strict=True))


def row(peer: Peer, side: int, found: Duel) -> str:
    """Writes one row of the table."""
    middle = statistics.median
    others = max(speed.others for speed in (*found.peer, *found.ours))
    return (
        f"| {peer.title} | {peer.sends} | {side} "
        f"| {middle(speed.per_second for speed in found.peer):.0f} "
        f"| {middle(speed.milliseconds for speed in found.peer):.1f} "
        f"| {middle(speed.per_second for speed in found.ours):.0f} "
        f"| {middle(speed.milliseconds for speed in found.ours):.1f} "
        f"| {found.ratio:.2f} | {', '.join(f'{ratio:.2f}' for ratio in found.ratios)} "
        f"| {others:.2f} |"
    )


def compare(options: argparse.Namespace) -> dict[tuple[str, int], float | str]:
    """Prints a row per peer and size; gives the ratios, or why there is none, by both."""
    ideal = pauses_per_second(options.milliseconds / 1000, options.seconds)
    print(f"device: {options.milliseconds:g} ms, one at a time: at most {ideal:.0f} a second\n")
    print(
        "| peer | pictures | side | peer /s | peer CPU ms | server /s | server CPU ms | ratio "
        "| pairs | others |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |"
    )
    results: dict[tuple[str, int], float | str] = {}
    with LoadClient() as client, simulated_server(options.milliseconds) as ours:
        for peer in (peer for peer in PEERS if peer.name in options.peers):
            for side in options.sizes:
                try:
                    if options.install:
                        install(peer)
                    found = duel(peer, ours, client, options, side)
                except PeerError as error:
                    print(f"| {peer.title} | not measured: {error} |", flush=True)
                    results[peer.title, side] = str(error)
                else:
                    print(row(peer, side, found), flush=True)
                    results[peer.title, side] = found.ratio
    return results


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="+", choices=names, default=names)
    parser.add_argument("--install", action="store_true", help="make missing environments")
    parser.add_argument("--milliseconds", type=float, default=2.0, help="of the device")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="sides in pixels")
    parser.add_argument("--pairs", type=int, default=3, help="measurements of either side")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a measurement")
    return parser.parse_args(arguments)


def main() -> int:
    """Runs the command line; gives 0 if the server is ahead of every peer that was measured."""
    options = parse_arguments()
    print(describe_machine("grpcio", "protobuf", "simplejpeg"))
    ratios = [ratio for ratio in compare(options).values() if isinstance(ratio, float)]
    return 0 if ratios and min(ratios) > 1 else 1


if __name__ == "__main__":
    sys.exit(main())
