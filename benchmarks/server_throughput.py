r"""Photos per second through the server, against the bare ONNX Runtime session.

    python -m benchmarks.server_throughput [--models DIR] [--model NAME] [--sizes 256 512]
    python -m benchmarks.server_throughput --device cuda --precision float16 --batch 8 \
        --in-flight 32 --clients 2 --option cuda-graphs=512x512x8 --goal 0.9

The bare session gets decoded photos one after the other, or ``--batch`` at once, and does nothing
else. The server gets the same photos as JPEG files from client processes that keep four requests
under way, or ``--in-flight``, and answers with JPEG files; decoding, batching, encoding, gRPC and
the clients themselves have to fit into the same cores. The two run in turn, so that both meet the
same moods of the machine; the ratio is the median of the pairs' ratios.

The ratio is worth little while other programs use the cores; the column "others" says how many
cores they took. The processor time per photo, of the bare session and of server and client
together, is less touched by them. Linux only.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime

from benchmarks.load_client import Load, LoadClient
from benchmarks.machine import describe_machine
from benchmarks.photo_files import jpeg_files
from benchmarks.processor_time import busy_seconds, processor_seconds
from examples.local_server import CHECKOUT, LocalServer, local_server
from serving.device.onnx_runtime import CUDA, CUDA_OPTIONS
from sfumato.bundle.bundle import Bundle, list_versions, read_bundle
from sfumato.images.codec import decode_photo

CLIENTS: Final = 4


class Cost(NamedTuple):
    """What painting some photos took: seconds, and seconds of processor time of all threads."""

    seconds: float
    processor: float


@dataclass(frozen=True)
class Comparison:
    """Bare session and server, measured in turn.

    Attributes:
        photos: number of photos of each measurement.
        alone: the measurements of the bare session.
        through: those of the server, client included, in the same order.
        others: cores that other programs used meanwhile.
    """

    photos: int
    alone: Sequence[Cost]
    through: Sequence[Cost]
    others: float

    @property
    def ratios(self) -> list[float]:
        """Speed of the server over that of the bare session, pair by pair."""
        return [a.seconds / b.seconds for a, b in zip(self.alone, self.through, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the pairs."""
        return statistics.median(self.ratios)


class BareSession:
    """The network alone, with ONNX Runtime's own settings but for its threads."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int,
        device: str = "cpu",
        precision: str = "float32",
        batch: int = 1,
    ) -> None:
        """Opens the network of ``bundle`` on "cpu" or "cuda"; it gets ``batch`` photos at once."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        if device == "cuda":
            onnxruntime.preload_dlls()
        on_gpu = [(CUDA, CUDA_OPTIONS)] if device == "cuda" else []
        path = bundle.float16_path if precision == "float16" else bundle.model_path
        if path is None:
            raise SystemExit("this model has no network in float16; leave --precision out")
        self._session = onnxruntime.InferenceSession(
            path, options, [*on_gpu, "CPUExecutionProvider"]
        )
        self.provider: str = self._session.get_providers()[0]
        if on_gpu and self.provider != CUDA:
            raise SystemExit(f"the bare session fell back to {self.provider}")
        self.batch = batch
        self._styles = np.repeat(bundle.rows[:1], batch, axis=0)

    def paint(self, photos: list[npt.NDArray[np.uint8]], count: int) -> Cost:
        """Paints ``count`` photos, a multiple of the batch."""
        batches = [
            np.stack([photos[(first + more) % len(photos)] for more in range(self.batch)])
            for first in range(len(photos))
        ]
        started, used = time.perf_counter(), time.process_time()
        for number in range(count // self.batch):
            image = batches[number % len(batches)]
            self._session.run(None, {"image": image, "style": self._styles})
        return Cost(time.perf_counter() - started, time.process_time() - used)


class ServedSession:
    """The network behind the server, and the processes that send photos to it."""

    def __init__(
        self,
        server: LocalServer,
        clients: Sequence[LoadClient],
        model: str,
        style: str,
        in_flight: int = CLIENTS,
    ) -> None:
        """Sends to ``server`` from ``clients``, which have ``in_flight`` requests together."""
        self._server, self._clients = server, clients
        self._model, self._style = model, style
        self._in_flight = in_flight

    def paint(self, files: list[bytes], count: int) -> Cost:
        """Paints about ``count`` photos; the processor time is that of clients and server."""
        used = processor_seconds(self._server.pid)
        sharing = len(self._clients)
        share = -(-count // sharing)
        load = Load(
            self._server.address,
            files,
            self._style,
            self._model,
            in_flight=max(1, self._in_flight // sharing),
            count=share,
        )
        for client in self._clients:
            client.start(load)
        reports = [client.result() for client in self._clients]
        failures = [failure for report in reports for failure in report.failures]
        if failures:
            raise SystemExit(f"{len(failures)} requests failed: {failures[0]}")
        used = processor_seconds(self._server.pid) - used
        seconds = max(report.seconds for report in reports)
        return Cost(
            seconds * count / (share * sharing),
            sum(report.processor for report in reports) + used,
        )


def compare(
    bare: BareSession, served: ServedSession, size: int, pairs: int, seconds: float
) -> Comparison:
    """Measures both in turn, ``pairs`` times about ``seconds`` each."""
    files = jpeg_files(size)
    photos = [decode_photo(file).rgb for file in files]
    some = 3 * bare.batch
    bare.paint(photos, some)  # the first runs of a size are slow
    served.paint(files, max(CLIENTS, some))
    count = max(2 * CLIENTS, round(seconds / bare.paint(photos, some).seconds * some))
    count = -(-count // bare.batch) * bare.batch
    alone: list[Cost] = []
    through: list[Cost] = []
    started, busy = time.perf_counter(), busy_seconds()
    for pair in range(pairs):
        if pair % 2 == 0:
            alone.append(bare.paint(photos, count))
            through.append(served.paint(files, count))
        else:
            through.append(served.paint(files, count))
            alone.append(bare.paint(photos, count))
    others = busy_seconds() - busy - sum(cost.processor for cost in alone + through)
    return Comparison(count, alone, through, others / (time.perf_counter() - started))


def row(size: int, found: Comparison) -> str:
    """Writes one row of the table."""
    count, alone, through = found.photos, found.alone, found.through
    return (
        f"| {size} | {count} "
        f"| {count / statistics.median(cost.seconds for cost in alone):.2f} "
        f"| {count / statistics.median(cost.seconds for cost in through):.2f} "
        f"| {found.ratio:.3f} "
        f"| {statistics.median(cost.processor for cost in alone) / count * 1000:.1f} "
        f"| {statistics.median(cost.processor for cost in through) / count * 1000:.1f} "
        f"| {found.others:.2f} "
        f"| {', '.join(f'{ratio:.3f}' for ratio in found.ratios)} |"
    )


def main() -> int:
    """Runs the command line; gives 0 if every median reaches the goal."""
    arguments = parse_arguments()
    folder = arguments.models / arguments.model
    bundle = read_bundle(folder / str(list_versions(folder)[-1]))
    bare = BareSession(
        bundle, arguments.threads, arguments.device, arguments.precision, arguments.batch
    )
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "grpcio", "simplejpeg"))
    print(
        f"{bundle.network.architecture} network, {bare.provider}, {arguments.threads} threads, "
        f"{arguments.precision}, {arguments.batch} photos at once; {arguments.in_flight} requests "
        f"under way from {arguments.clients} clients {' '.join(arguments.option)}"
    )
    print(
        "\n| side | photos | bare /s | server /s | ratio | bare CPU ms | server CPU ms | others "
        "| pairs |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    )
    options = [
        *("--device", arguments.device, "--intra-op-threads", str(arguments.threads)),
        *("--precision", arguments.precision),
        *(f"--{option}" for option in arguments.option),
    ]
    ratios = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(
            local_server(arguments.models, log=scratch / "log", options=options)
        )
        clients = [stack.enter_context(LoadClient()) for _ in range(arguments.clients)]
        served = ServedSession(
            server, clients, arguments.model, bundle.styles[0].id, arguments.in_flight
        )
        for size in arguments.sizes:
            found = compare(bare, served, size, arguments.pairs, arguments.seconds)
            print(row(size, found), flush=True)
            ratios.append(found.ratio)
    print(f"\ngoal: at least {arguments.goal}")
    return 0 if min(ratios) >= arguments.goal else 1


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=CHECKOUT / "models", help="model folder")
    parser.add_argument("--model", default="default", help="name of the model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="sides in pixels")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of either side")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a measurement")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of ONNX Runtime")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float32")
    parser.add_argument("--batch", type=int, default=1, help="photos of the bare session at once")
    parser.add_argument("--in-flight", type=int, default=CLIENTS, help="requests under way")
    parser.add_argument("--clients", type=int, default=1, help="processes that send them")
    parser.add_argument("--option", action="append", default=[], help="of the server: name=value")
    parser.add_argument("--goal", type=float, default=0.97, help="least ratio")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
