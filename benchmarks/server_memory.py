"""Peak memory of the server after photos of growing size. Linux only.

    python -m benchmarks.server_memory [--models DIR] [--model NAME] [--sizes 512 1024 2048]

The sizes are painted by one server, one after the other. VmHWM is the most physical memory that
the process ever had, VmRSS what it has after the photo.
"""

import argparse
import io
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

from benchmarks.machine import describe_machine
from examples.local_server import CHECKOUT, local_server
from sfumato.client import Client

MEBIBYTE = 1024  # in kB, as /proc counts


def jpeg_file(side: int) -> bytes:
    """Scales an example photo to ``side`` x ``side`` pixels."""
    with Image.open(CHECKOUT / "examples" / "photos" / "china.jpg") as photo:
        square = ImageOps.fit(photo.convert("RGB"), (side, side))
    file = io.BytesIO()
    square.save(file, "JPEG", quality=90)
    return file.getvalue()


def memory(pid: int) -> str:
    """Gives the highest and the present memory of a process, as two cells of a table."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    peak, now = (int(kilobytes[name]) / MEBIBYTE for name in ("VmHWM", "VmRSS"))
    return f"{peak:.0f} MiB | {now:.0f} MiB"


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "models", help="model folder")
    parser.add_argument("--model", default="default", help="name of the model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048], help="sides")
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
            painted = client.stylize(jpeg_file(side), style, model=arguments.model)
            spent = painted.timings.inference_ms
            print(f"| {side} x {side} | {memory(server.pid)} | {spent:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
