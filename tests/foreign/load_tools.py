"""Loads a server with perf_analyzer and h2load, which must be on the PATH, and tells what passed.

    python -m tests.foreign.load_tools

perf_analyzer 2.48 is in the wheel of tritonclient 2.48 (the newer ones need a newer glibc, and
what PyPI calls perf-analyzer is empty) and needs the libraries libb64 (Debian: libb64-0d) and the
CUDA runtime (PyPI: nvidia-cuda-runtime-cu12). h2load is in Debian's nghttp2-client.
"""

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.foreign.run import SERVICE
from tests.serving.running import ServerProcess
from tests.serving.tensors import infer_request
from tests.serving.tiny_network import write_tiny_bundle

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
WAYS = {
    "unary": [],
    "4 photos a request": ["-b", "4"],
    "stream": ["--streaming"],
    "4 requests at once": ["--async", "--concurrency-range", "4"],
}
REQUESTS = 500


def main() -> int:
    """Runs both tools and prints the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_tiny_bundle(folder / "models" / "default" / "1")
        with ServerProcess(folder / "models", folder) as server:
            results = dict([*_perf_analyzer(server.address, folder), _h2load(server, folder)])
            alive = server.process.poll() is None
    print("| tool | result |\n| --- | --- |")
    for tool, result in results.items():
        print(f"| {tool} | {result} |")
    return 0 if alive and set(results.values()) == {"pass"} else 1


def _perf_analyzer(address: str, folder: Path) -> Iterator[tuple[str, str]]:
    # Left alone it would send random numbers as style_weights and as style.
    weights = {"content": [0.5, 0.5, 0.0], "shape": [3]}
    photo = {"content": PHOTO.ravel().tolist(), "shape": list(PHOTO.shape)}
    data = folder / "data.json"
    data.write_text(json.dumps({"data": [{"image": photo, "style_weights": weights}]}))
    server = ["-m", "default", "-u", address, "-i", "grpc", "--input-data", str(data)]
    # This is no measurement: however busy the machine is, the numbers are stable enough.
    brief = ["--measurement-interval", "1500", "--stability-percentage", "999"]
    for name, options in WAYS.items():
        output = _run("perf_analyzer", *server, *brief, *options)
        # What it reads from ModelStatistics.
        complete = "throughput:" in output and "compute infer" in output
        yield f"perf_analyzer, {name}", "pass" if complete else output[-300:]


def _h2load(server: ServerProcess, folder: Path) -> tuple[str, str]:
    message = infer_request({"image": PHOTO[None]}, style="dark").SerializeToString()
    body = folder / "body"
    body.write_bytes(b"\0" + struct.pack(">I", len(message)) + message)  # a frame of gRPC
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    load = ["-n", str(REQUESTS), "-c", "4", "-m", "4", "-d", str(body)]
    before = server.log.count("status=OK")
    output = _run("h2load", *load, *headers, f"http://{server.address}/{SERVICE}/ModelInfer")
    # It sees the status of HTTP only, which is always 200; the server's log has that of gRPC.
    answered = server.log.count("status=OK") - before
    return "h2load", "pass" if answered == REQUESTS else f"{answered} answered; {output[-300:]}"


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return " ".join((done.stdout + done.stderr).split())


if __name__ == "__main__":
    sys.exit(main())
