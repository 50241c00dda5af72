"""Photos per second through the server, against the bare ONNX Runtime session. CPU.

    python -m benchmarks.server_throughput [--models DIR] [--model NAME] [--sizes 256 512]

The bare session gets decoded photos one after the other and does nothing else. The server gets
the same photos as JPEG files from a client process that keeps four requests under way, and
answers with JPEG files; decoding, batching, encoding, gRPC and the client itself have to fit into
the same cores. The two run in turn, so that both meet the same moods of the machine; the ratio is
the median of the pairs' ratios.
"""

import argparse
import asyncio
import io
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image, ImageOps

from benchmarks.machine import describe_machine
from examples.local_server import CHECKOUT, local_server
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


class BareSession:
    """The network alone, with ONNX Runtime's own settings but for its threads."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        """Opens the network of ``bundle``."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Between its turns it must not spin on the cores of the server.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            bundle.model_path, options, ["CPUExecutionProvider"]
        )
        self._style = bundle.rows[:1]

    def paint(self, photos: list[npt.NDArray[np.uint8]], count: int) -> float:
        """Paints ``count`` photos one by one; gives the seconds that it took."""
        started = time.perf_counter()
        for number in range(count):
            image = photos[number % len(photos)][None]
            self._session.run(None, {"image": image, "style": self._style})
        return time.perf_counter() - started


async def send(address: str, model: str, style: str, files: list[bytes], count: int) -> float:
    """Sends ``count`` photos, ``CLIENTS`` at a time; gives the seconds that it took."""
    numbers = iter(range(count))

    async def paint_some() -> None:
        for number in numbers:  # shared: who is free takes the next
            await client.stylize(files[number % len(files)], style, model=model, timeout=600)

    async with AsyncClient(address) as client:
        await client.list_styles()
        started = time.perf_counter()
        await asyncio.gather(*(paint_some() for _ in range(CLIENTS)))
        return time.perf_counter() - started


def client_process(pipe: Connection, address: str, model: str, style: str) -> None:
    """Answers each (files, count) from ``pipe`` with the seconds that sending them took."""
    while order := pipe.recv():
        files, count = order
        pipe.send(asyncio.run(send(address, model, style, files, count)))


def compare(bare: BareSession, pipe: Connection, size: int, pairs: int, seconds: float) -> float:
    """Prints one row; gives the median ratio."""
    files = jpeg_files(size)
    photos = [decode_photo(file).rgb for file in files]
    bare.paint(photos, 3)  # the first runs of a size are slow
    count = max(2 * CLIENTS, round(seconds / bare.paint(photos, 2) * 2))

    alone: list[float] = []
    served: list[float] = []

    def run_bare() -> None:
        alone.append(bare.paint(photos, count))

    def run_server() -> None:
        pipe.send((files, count))
        served.append(pipe.recv())

    run_server()
    served.clear()  # the first runs of a size are slow here, too
    for pair in range(pairs):
        for side in (run_bare, run_server) if pair % 2 == 0 else (run_server, run_bare):
            side()
    ratios = [one / other for one, other in zip(alone, served, strict=True)]
    print(
        f"| {size} | {count} | {count / statistics.median(alone):.2f} "
        f"| {count / statistics.median(served):.2f} | {statistics.median(ratios):.3f} "
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
    print("\n| side | photos | bare /s | server /s | ratio | of each pair |")
    print("| ---: | ---: | ---: | ---: | ---: | --- |")
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(arguments.models, log=Path(scratch) / "log") as server,
    ):
        facts = (theirs, server.address, arguments.model, bundle.styles[0].id)
        client = spawn.Process(target=client_process, args=facts)
        client.start()
        bare = BareSession(bundle, arguments.threads)
        ratios = [
            compare(bare, ours, size, arguments.pairs, arguments.seconds)
            for size in arguments.sizes
        ]
        ours.send(None)
        client.join()
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
