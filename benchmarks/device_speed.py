r"""The network alone on a device: photos per second, latency, and how close to its limits.

    python -m benchmarks.device_speed models/default --device cpu --sizes 256 512 --batches 1 4
    python -m benchmarks.device_speed MODEL --device cuda --precision float16 \
        --option cudnn_conv_algo_search=EXHAUSTIVE --option use_tf32=0

The session is the server's own, bytes in and bytes out, copies to the device included; *device*
is the median where the bytes stay on the device. The limits are measured, not looked up
(``convolution_peak``), in the same precision on the same device. The *floor* is the time that the
network's convolutions take at the least: for their multiplications and additions at the speed of
convolutions alone, or for reading their inputs and writing their outputs once, whichever is more.
*Of peak* is the share of the speed of convolutions alone that the network reaches on the device.
Processor time of a thread that waits for a GPU counts, as CUDA lets it spin.

With ``--after size`` each run follows one of another size, as in a server that gets photos of all
sizes; with ``--after number`` one of another number of photos.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from onnxruntime import OrtValue
from torch import Tensor, nn

from benchmarks.convolution_peak import Limits, measure_limits
from benchmarks.machine import describe_machine
from serving.batch_shape import BatchShape
from serving.device.onnx_runtime import (
    CUDA,
    SessionSettings,
    create_on_cuda,
    open_network,
    replaying_run,
)
from serving.device.session import OnnxSession
from sfumato.bundle.bundle import Bundle, read_latest_bundle
from training.networks.architectures import build_network

_WARM_UP_RUNS = 3


class Work(NamedTuple):
    """What the convolutions of a network do for one photo.

    Attributes:
        operations: multiplications and additions.
        numbers: read or written, each input and output once.
    """

    operations: int
    numbers: int

    def floor(self, photos: int, limits: Limits, precision: str) -> float:
        """Gives the least seconds for so many photos."""
        size = 2 if precision == "float16" else 4
        return photos * max(self.operations / limits.operations, self.numbers * size / limits.bytes)


@functools.cache
def work(architecture: str, side: int) -> Work:
    """Counts for one photo of ``side``²."""
    network = build_network(architecture).eval()
    operations = numbers = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal operations, numbers
        assert isinstance(module, nn.Conv2d)
        operations += 2 * module.weight.numel() * output.shape[2] * output.shape[3]
        numbers += inputs[0].numel() + output.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network.render(torch.zeros(1, 3, side, side), network.neutral_style()[None])
    return Work(operations, numbers)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Gives seconds, and seconds of processor time of all threads, of one call."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - processor


def main() -> None:
    """Prints the table."""
    options = _arguments()
    bundle = read_latest_bundle(options.model)
    architecture = bundle.network.architecture
    cases = [(side, count) for side in options.sizes for count in options.batches]
    settings = SessionSettings(
        device=options.device,
        precision=options.precision,
        intra_op_threads=options.threads,
        cuda_options=dict(option.split("=", 1) for option in options.option),
        cuda_graphs=[BatchShape(s, s, n) for s, n in cases] if options.graphs else (),
    )
    session = OnnxSession(bundle, settings)
    limits = measure_limits(
        session.provider, options.precision, settings.cuda_options, options.threads
    )
    replays = " with CUDA graphs" if options.graphs and session.provider == CUDA else ""
    print(
        f"{describe_machine('onnxruntime-gpu', 'onnxruntime')}; {architecture} network, "
        f"{options.precision}, {session.provider} {' '.join(options.option)}{replays}; "
        f"convolutions alone: {limits.operations / 1e9:,.0f} GFLOP/s, "
        f"memory: {limits.bytes / 1e9:,.0f} GB/s\n"
    )
    print(
        "| side | batch | photos/s | p50, ms | p99, ms | device, ms | floor, ms | of peak "
        "| CPU ms/photo |\n" + "| ---: " * 9 + "|"
    )
    device = Resident(bundle, settings, session.provider)
    for number, (side, count) in enumerate(cases, start=1):
        images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
        styles = np.repeat(bundle.bank.rows[:1], count, axis=0)
        measured = _rounds(session, images, styles, options.rounds, options.after)
        seconds = [wall for wall, _ in measured]
        middle = statistics.median(seconds)
        processor = statistics.median(cpu for _, cpu in measured) / count
        alone = device.median(number, images, styles, options.rounds)
        needed = work(architecture, side)
        reached = count * needed.operations / alone / limits.operations
        print(
            f"| {side} | {count} | {count / middle:,.1f} | {1e3 * middle:.2f} "
            f"| {1e3 * float(np.quantile(seconds, 0.99)):.2f} | {1e3 * alone:.2f} "
            f"| {1e3 * needed.floor(count, limits, options.precision):.2f} "
            f"| {reached:.2f} | {1e3 * processor:.2f} |",
            flush=True,
        )


class Resident:
    """The network with inputs and outputs that stay on the device."""

    def __init__(self, bundle: Bundle, settings: SessionSettings, provider: str) -> None:
        """Opens the network once more."""
        path = bundle.float16_path if settings.precision == "float16" else bundle.model_path
        assert path is not None  # or the server's session had not been opened
        self._replay = bool(settings.cuda_graphs) and provider == CUDA
        self._network = (
            create_on_cuda(path, settings, enable_cuda_graph="1")
            if self._replay
            else open_network(path, settings)
        )
        self._memory = "cuda" if provider == CUDA else "cpu"
        self._device = int(settings.cuda_options.get("device_id", "0"))

    def median(self, number: int, images: np.ndarray, styles: np.ndarray, rounds: int) -> float:
        """Gives the seconds of a run; ``number`` is that of its graph."""
        binding = self._network.io_binding()
        for name, array in (("image", images), ("style", styles)):
            binding.bind_ortvalue_input(
                name, OrtValue.ortvalue_from_numpy(array, self._memory, self._device)
            )
        painted = OrtValue.ortvalue_from_shape_and_type(
            images.shape, np.uint8, self._memory, self._device
        )
        binding.bind_ortvalue_output("stylized", painted)
        binding.synchronize_inputs()
        run_options = replaying_run(number) if self._replay else None

        def run() -> None:
            self._network.run_with_iobinding(binding, run_options)

        for _ in range(_WARM_UP_RUNS):
            run()
        return statistics.median(timed(run)[0] for _ in range(rounds))


def _rounds(
    session: OnnxSession, images: np.ndarray, styles: np.ndarray, rounds: int, after: str
) -> list[tuple[float, float]]:
    other, other_styles = images, styles
    if after == "size":
        other = np.ascontiguousarray(images[:, : images.shape[1] // 2])
    elif after == "number":
        other, other_styles = (
            np.concatenate([images, images[:1]]),
            np.repeat(styles[:1], len(images) + 1, 0),
        )
    measured = []
    for _ in range(_WARM_UP_RUNS + rounds):
        if after != "same":
            session.run(other, other_styles)
        measured.append(timed(lambda: session.run(images, styles)))
    return measured[_WARM_UP_RUNS:]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="bundle, or folder of versions")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float32")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--after", choices=("same", "size", "number"), default="same")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--graphs", action="store_true", help="replay each batch as a CUDA graph")
    return parser.parse_args()


if __name__ == "__main__":
    main()
