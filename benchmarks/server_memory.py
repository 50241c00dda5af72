"""Peak memory of the server after photos of growing size. Linux only.

    python -m benchmarks.server_memory [--models DIR] [--model NAME] [--sizes 512 1024 2048 …]

The sizes are painted by one server, one after the other. VmHWM is the most physical memory that
the process ever had, VmRSS what it has after the photo.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.photo_files import photo_file
from benchmarks.process_memory import mebibytes
from examples.local_server import CHECKOUT, local_server
from sfumato.client.client import Client


def memory(pid: int) -> str:
    """Gives the highest and the present memory of a process, as two cells of a table."""
    return f"{mebibytes(pid, 'VmHWM'):.0f} MiB | {mebibytes(pid, 'VmRSS'):.0f} MiB"


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "models", help="model folder")
    parser.add_argument("--model", default="default", help="name of the model")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[512, 1024, 2048, 2828, 3464, 4898], help="sides"
    )
    arguments = parser.parse_args()
    os.environ["SFUMATO_DEVICE"] = "cpu"
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "grpcio", "simplejpeg"))
    print(f"models: {', '.join(sorted(p.name for p in arguments.models.iterdir() if p.is_dir()))}")
    print("\n| after | VmHWM | VmRSS | ms |\n| --- | ---: | ---: | ---: |")
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(arguments.models, log=Path(scratch) / "log") as server,
        Client(server.address, timeout=600) as client,
    ):
        print(f"| the start | {memory(server.pid)} | {1000 * server.start_seconds:.0f} |")
        style = client.list_styles(arguments.model)[0].id
        for side in arguments.sizes:
            painted = client.stylize(photo_file(1, side, side), style, model=arguments.model)
            spent = painted.timings.inference_ms
            print(f"| {side} x {side} | {memory(server.pid)} | {spent:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
