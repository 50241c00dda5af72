"""Peak memory of ``make demo``: the demonstration and the server that it starts. Linux only.

    python -m benchmarks.demo_memory [--models DIR]

Counted is the proportional set size, in which a page that two processes share counts half in
each, read every few milliseconds; so the sum is what the machine must have.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.processor_time import family

CHECKOUT = Path(__file__).resolve().parent.parent
INTERVAL_SECONDS = 0.01
MEBIBYTE = 1024  # in kB, as /proc counts


def memory(pid: int) -> int:
    """Gives the proportional set size of a process in kB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def watch(demo: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    """Waits for the demonstration to end.

    Returns:
        The highest kB of the demonstration, of its server, and of both at one moment.
    """
    peaks = (0, 0, 0)
    while demo.poll() is None:
        own, served = memory(demo.pid), sum(map(memory, family(demo.pid)[1:]))
        now = (own, served, own + served)
        peaks = (max(peaks[0], now[0]), max(peaks[1], now[1]), max(peaks[2], now[2]))
        time.sleep(INTERVAL_SECONDS)
    return peaks


def main() -> int:
    """Runs the command line and gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "models", help="model folder")
    models = parser.parse_args().models.resolve()
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "examples.demo", "--models", str(models), "--out", out]
        started = time.monotonic()
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as demo:
            peaks = watch(demo)
        seconds = time.monotonic() - started
    if demo.returncode != 0:
        return 1
    print(f"{describe_machine('onnxruntime-gpu', 'onnxruntime')}; {seconds:.1f} s\n")
    print("| process | peak memory |\n| --- | ---: |")
    for name, peak in zip(("demo", "server", "both at once"), peaks, strict=True):
        print(f"| {name} | {peak / MEBIBYTE:.0f} MiB |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
