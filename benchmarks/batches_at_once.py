"""What it brings to run several batches at once on a CPU: photos per second, and latency. Linux.

    python -m benchmarks.batches_at_once [--at-once 2] [--sizes 256 512]

Two servers, one with ``--batches-at-once 1`` and one with more, get the same JPEG photos in turn,
so that both meet the same moods of the machine; the ratios are medians of the pairs' ratios.
"""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.load_client import Load, LoadClient
from benchmarks.machine import describe_machine
from benchmarks.model_folder import MODELS
from benchmarks.photo_files import jpeg_files
from benchmarks.server_speed import LoadError, some_style
from examples.local_server import LocalServer, local_server

_IN_FLIGHT: Final = (1, 2, 4)
_WARM_UP_SECONDS: Final = 1.0


@dataclass
class _Measured:
    speeds: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)  # medians, in milliseconds

    def add(self, client: LoadClient, load: Load) -> None:
        report = client.run(load)
        if report.failures:
            raise LoadError(f"{len(report.failures)} requests failed: {report.failures[0][:300]}")
        self.speeds.append(report.per_second)
        self.latencies.append(1000 * median(report.latencies))


@contextlib.contextmanager
def _server(at_once: int) -> Iterator[LocalServer]:
    options = ("--device", "cpu", "--batches-at-once", str(at_once))
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(MODELS, log=Path(scratch) / "log", options=options) as server,
    ):
        yield server


def _row(size: int, in_flight: int, one: _Measured, many: _Measured) -> str:
    return (
        f"| {size} | {in_flight} "
        f"| {median(one.speeds):.1f} | {median(many.speeds):.1f} "
        f"| {_ratio(many.speeds, one.speeds):.2f} "
        f"| {median(one.latencies):.0f} | {median(many.latencies):.0f} "
        f"| {_ratio(many.latencies, one.latencies):.2f} |"
    )


def _ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="sides in pixels")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of either server")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a measurement")
    arguments = parser.parse_args()
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "grpcio", "simplejpeg"))
    many = arguments.at_once
    print(
        f"\n| side | in flight | 1 at once, /s | {many} at once, /s | ratio "
        f"| 1 at once, ms | {many} at once, ms | ratio |\n" + "| ---: " * 8 + "|"
    )
    style = some_style()
    with _server(1) as first, _server(many) as second, LoadClient() as client:
        for size in arguments.sizes:
            files = jpeg_files(size)
            for in_flight in _IN_FLIGHT:
                measured = _Measured(), _Measured()
                for pair in range(arguments.pairs + 1):
                    seconds = arguments.seconds if pair else _WARM_UP_SECONDS
                    for server, found in zip((first, second), measured, strict=True):
                        load = Load(
                            server.address, files, style, in_flight=in_flight, seconds=seconds
                        )
                        (found if pair else _Measured()).add(client, load)
                print(_row(size, in_flight, *measured), flush=True)


if __name__ == "__main__":
    main()
