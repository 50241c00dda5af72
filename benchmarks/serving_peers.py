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
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.load_client import Load, LoadClient
from benchmarks.machine import describe_machine
from benchmarks.peer_servers import PEERS, Peer, PeerError, install, running_peer
from benchmarks.photo_files import jpeg_files
from benchmarks.server_speed import LoadError, Speed, measure, simulated_server, some_style
from benchmarks.simulated_device import pauses_per_second
from examples.local_server import LocalServer


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


def duel(
    peer: Peer, ours: LocalServer, client: LoadClient, options: argparse.Namespace, side: int
) -> Duel:
    """Measures ``peer`` and our server in turn.

    Raises:
        PeerError: the peer does not start.
        LoadError: requests failed.
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
                except (PeerError, LoadError) as error:
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
