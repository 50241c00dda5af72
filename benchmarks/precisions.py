r"""A bundle's networks side by side on the CPU: how fast, and how far from float32.

    python -m benchmarks.precisions models/default --photos DIR --sizes 512 --threads 1 2

Runs of all precisions alternate, so whatever else the machine does slows them alike; times are
medians. PSNR is that of the painted bytes to the float32 picture, over the photos, for each style.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from serving.config import Precision
from serving.device.onnx_runtime import SessionSettings
from serving.device.session import OnnxSession
from sfumato.bundle.bundle import Bundle, read_latest_bundle
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from training.data.image_folder import find_images
from training.data.photos import center_crops

_SIDE = 256  # of the photos that are compared

Pixels = npt.NDArray[np.uint8]
Sessions = dict[str, OnnxSession]


def main() -> None:
    """Prints both tables."""
    options = _arguments()
    bundle = read_latest_bundle(options.model)
    files = find_images(options.photos)
    print(f"{describe_machine('onnxruntime-gpu', 'onnxruntime')}; {bundle.network.architecture}\n")
    for threads in options.threads:
        sessions = _sessions(bundle, threads)
        if threads == options.threads[0]:
            heads = "".join(f" {name}, ms | times as fast |" for name in sessions)
            print(f"| side | threads |{heads}\n| ---: | ---: |" + " ---: | ---: |" * len(sessions))
        for side in options.sizes:
            times = _times(sessions, bundle, _pixels(files, 1, side), options.rounds)
            cells = [f" {1e3 * t:.1f} | {times['float32'] / t:.2f} |" for t in times.values()]
            print(f"| {side} | {threads} |{''.join(cells)}", flush=True)
    _compare(bundle, _pixels(files, options.count, _SIDE))


def _sessions(bundle: Bundle, threads: int) -> Sessions:
    precisions: list[Precision] = ["float32"]
    precisions += ["float16"] * (bundle.float16_path is not None)
    precisions += ["int8"] * (bundle.int8_path is not None)
    return {
        precision: OnnxSession(
            bundle,
            SessionSettings(device="cpu", precision=precision, intra_op_threads=threads),
        )
        for precision in precisions
    }


def _pixels(files: list[Path], count: int, side: int) -> Pixels:
    crops = (center_crops(files, count, side) * 255).round().byte()  # [K, 3, side, side]
    return np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy())


def _times(sessions: Sessions, bundle: Bundle, photo: Pixels, rounds: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(rounds + 1):  # the first is the warm-up
        for name, session in sessions.items():
            session.run(photo, bundle.rows[:1])  # after another network's run all caches are cold
            started = time.perf_counter()
            session.run(photo, bundle.rows[:1])
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(all_of[1:]) for name, all_of in seconds.items()}


def _compare(bundle: Bundle, photos: Pixels) -> None:
    sessions = _sessions(bundle, 1)
    exact = sessions.pop("float32")
    heads = "".join(f" {name} |" for name in sessions)
    print(f"\n{len(photos)} photos of {_SIDE}²\n\n| PSNR, dB |{heads}")
    print("| --- |" + " ---: |" * len(sessions))
    for style in bundle.bank.ids:
        if style == PHOTOGRAPH_STYLE:
            continue
        rows = np.tile(bundle.bank.row(style), (len(photos), 1))
        wanted = exact.run(photos, rows).astype(np.float32)
        errors = [np.square(s.run(photos, rows) - wanted).mean() for s in sessions.values()]
        cells = [f" {10 * np.log10(255**2 / max(error, 1e-6)):.1f} |" for error in errors]
        print(f"| {style} |{''.join(cells)}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="bundle, or folder of versions")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=8, help="photos that are compared")
    return parser.parse_args()


if __name__ == "__main__":
    main()
