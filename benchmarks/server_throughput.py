"""Photos per second through the server, against the bare ONNX Runtime session. CPU.

    python -m benchmarks.server_throughput [--models DIR] [--model NAME] [--sizes 256 512]

The bare session gets decoded photos one after the other and does nothing else. The server gets
the same photos as JPEG files from a client process that keeps four requests under way, and
answers with JPEG files; decoding, batching, encoding, gRPC and the client itself have to fit into
the same cores. The two run in turn, so that both meet the same moods of the machine; the ratio is
the median of the pairs' ratios.

The ratio is worth little while other programs use the cores; the column "others" says how many
cores they took. The processor time per photo, of the bare session and of server and client
together, is less touched by them. Linux only.
"""

import argparse
import asyncio
import contextlib
import io
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image, ImageOps

from benchmarks.machine import describe_machine
from examples.local_server import CHECKOUT, LocalServer, local_server
from sfumato.async_client import AsyncClient
from sfumato.bundle import Bundle, list_versions, read_bundle
from sfumato.image_codec import decode_photo

CLIENTS = 4
PHOTOS = sorted((CHECKOUT / "examples" / "photos").glob("*.jpg"))


def jpeg_files(size: int) -> list[bytes]:
    """Cuts the example photos to ``size`` x ``size`` pixels."""
    files = []
    for path in PHOTOS:
        with Image.open(path) as photo:
            square = ImageOps.fit(photo.convert("RGB"), (size, size))
        file = io.BytesIO()
        square.save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


class Cost(NamedTuple):
    """What painting some photos took: seconds, and seconds of processor time of all threads."""

    seconds: float
    processor: float


def processor_seconds(pid: int) -> float:
    """Gives the processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user, system


def busy_seconds() -> float:
    """Gives the time that all cores together have been busy since the machine started."""
    user, nice, system, _idle, _wait, interrupts, soft, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


class BareSession:
    """The network alone, with ONNX Runtime's own settings but for its threads."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        """Opens the network of ``bundle``."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            bundle.model_path, options, ["CPUExecutionProvider"]
        )
        self._style = bundle.rows[:1]

    def paint(self, photos: list[npt.NDArray[np.uint8]], count: int) -> Cost:
        """Paints ``count`` photos one by one."""
        started, used = time.perf_counter(), time.process_time()
        for number in range(count):
            image = photos[number % len(photos)][None]
            self._session.run(None, {"image": image, "style": self._style})
        return Cost(time.perf_counter() - started, time.process_time() - used)


async def send(address: str, model: str, style: str, files: list[bytes], count: int) -> Cost:
    """Sends ``count`` photos, ``CLIENTS`` at a time; gives what it took in this process."""
    numbers = iter(range(count))

    async def paint_some() -> None:
        for number in numbers:  # shared: who is free takes the next
            await client.stylize(files[number % len(files)], style, model=model, timeout=600)

    async with AsyncClient(address) as client:
        await client.list_styles()
        started, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(paint_some() for _ in range(CLIENTS)))
        return Cost(time.perf_counter() - started, time.process_time() - used)


def client_process(pipe: Connection, address: str, model: str, style: str) -> None:
    """Answers each (files, count) from ``pipe`` with the cost of sending them."""
    with contextlib.suppress(EOFError):  # the benchmark has ended
        while True:
            files, count = pipe.recv()
            pipe.send(asyncio.run(send(address, model, style, files, count)))


class ServedSession:
    """The network behind the server, and the process that sends photos to it."""

    def __init__(self, server: LocalServer, model: str, style: str) -> None:
        """Starts the client process."""
        spawn = multiprocessing.get_context("spawn")
        self._pid = server.pid
        self._pipe, theirs = spawn.Pipe()
        arguments = (theirs, server.address, model, style)
        spawn.Process(target=client_process, args=arguments, daemon=True).start()

    def paint(self, files: list[bytes], count: int) -> Cost:
        """Paints ``count`` photos; the processor time is that of client and server."""
        used = processor_seconds(self._pid)
        self._pipe.send((files, count))
        client: Cost = self._pipe.recv()
        return Cost(client.seconds, client.processor + processor_seconds(self._pid) - used)


def compare(
    bare: BareSession, served: ServedSession, size: int, pairs: int, seconds: float
) -> float:
    """Prints one row; gives the median ratio."""
    files = jpeg_files(size)
    photos = [decode_photo(file).rgb for file in files]
    bare.paint(photos, 3)  # the first runs of a size are slow
    served.paint(files, CLIENTS)
    count = max(2 * CLIENTS, round(seconds / bare.paint(photos, 2).seconds * 2))
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
    others /= time.perf_counter() - started
    ratios = [a.seconds / b.seconds for a, b in zip(alone, through, strict=True)]
    print(
        f"| {size} | {count} "
        f"| {count / statistics.median(cost.seconds for cost in alone):.2f} "
        f"| {count / statistics.median(cost.seconds for cost in through):.2f} "
        f"| {statistics.median(ratios):.3f} "
        f"| {statistics.median(cost.processor for cost in alone) / count * 1000:.1f} "
        f"| {statistics.median(cost.processor for cost in through) / count * 1000:.1f} "
        f"| {others:.2f} "
        f"| {', '.join(f'{ratio:.3f}' for ratio in ratios)} |",
        flush=True,
    )
    return statistics.median(ratios)


def main() -> int:
    """Runs the command line; gives 0 if every median reaches the goal."""
    arguments = parse_arguments()
    folder = arguments.models / arguments.model
    bundle = read_bundle(folder / str(list_versions(folder)[-1]))
    os.environ |= {"SFUMATO_DEVICE": "cpu", "SFUMATO_INTRA_OP_THREADS": str(arguments.threads)}
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "grpcio", "simplejpeg"))
    print(f"{bundle.network.architecture} network, {arguments.threads} threads, {CLIENTS} clients")
    print(
        "\n| side | photos | bare /s | server /s | ratio | bare CPU ms | server CPU ms | others "
        "| pairs |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    )
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(arguments.models, log=Path(scratch) / "log") as server,
    ):
        bare = BareSession(bundle, arguments.threads)
        served = ServedSession(server, arguments.model, bundle.styles[0].id)
        ratios = [
            compare(bare, served, size, arguments.pairs, arguments.seconds)
            for size in arguments.sizes
        ]
    print(f"\ngoal: at least {arguments.goal}")
    return 0 if min(ratios) >= arguments.goal else 1


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "models", help="model folder")
    parser.add_argument("--model", default="default", help="name of the model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="sides in pixels")
    parser.add_argument("--pairs", type=int, default=5, help="measurements of either side")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a measurement")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of ONNX Runtime")
    parser.add_argument("--goal", type=float, default=0.97, help="least ratio")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
