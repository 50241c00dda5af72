r"""The network alone on a device: photos per second, latency, and how close to its limit.

    python -m benchmarks.device_speed models/default --device cpu --sizes 256 512 --batches 1 4
    python -m benchmarks.device_speed MODEL --device cuda --precision float16 \
        --option cudnn_conv_algo_search=EXHAUSTIVE --option prefer_nhwc=1

The session is the server's own, bytes in and bytes out, copies to the device included. The limit is
measured, not looked up: eight 3 x 3 convolutions of 128 to 128 channels, in the same precision on
the same device, tell how many operations a second its convolutions reach. *Of peak* is the share of
that which the network reaches, counting the multiplications and additions of its convolutions only.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from benchmarks.machine import describe_machine
from serving.batch_shape import BatchShape
from serving.onnx_runtime import CUDA, CUDA_OPTIONS, SessionSettings
from serving.session import OnnxSession
from sfumato.bundle import read_latest_bundle
from training.networks.transformation_network import build_network

CHANNELS = 128
CONVOLUTIONS = 8
PEAK_SIDE = 256


def operations(architecture: str, side: int) -> int:
    """Counts multiplications and additions of the convolutions for one photo of ``side``²."""
    network = build_network(architecture).eval()
    counted = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal counted
        assert isinstance(module, nn.Conv2d)
        counted += 2 * module.weight.numel() * output.shape[2] * output.shape[3]

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network.render(torch.zeros(1, 3, side, side), network.neutral_style()[None])
    return counted


def convolutions(dtype: int) -> bytes:
    """Builds the graph that shows how fast convolutions can be."""
    kernels = np.full((CHANNELS, CHANNELS, 3, 3), 1 / (9 * CHANNELS), np.float32)
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    weight = onnx.numpy_helper.from_array(kernels.astype(kind), "kernels")
    shape = [1, CHANNELS, PEAK_SIDE, PEAK_SIDE]
    start = helper.make_node("Expand", ["one", "shape"], ["x0"])
    layers = [
        helper.make_node("Conv", [f"x{n}", "kernels"], [f"x{n + 1}"], pads=[1, 1, 1, 1])
        for n in range(CONVOLUTIONS)
    ]
    # A number comes in and one goes out: copies to and from the device do not count here.
    end = helper.make_node("ReduceMean", [f"x{CONVOLUTIONS}"], ["mean"], keepdims=0)
    graph = helper.make_graph(
        [start, *layers, end],
        "convolutions",
        [helper.make_tensor_value_info("one", dtype, [1, 1, 1, 1])],
        [helper.make_tensor_value_info("mean", dtype, [])],
        [weight, helper.make_tensor("shape", TensorProto.INT64, [4], shape)],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def peak(provider: str, precision: str, settings: SessionSettings) -> float:
    """Measures operations per second of convolutions alone."""
    dtype = TensorProto.FLOAT16 if precision == "float16" else TensorProto.FLOAT
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.intra_op_threads or 0
    providers = [(CUDA, {**CUDA_OPTIONS, **settings.cuda_options})] if provider == CUDA else []
    session = onnxruntime.InferenceSession(
        convolutions(dtype), options, [*providers, "CPUExecutionProvider"]
    )
    one = np.ones((1, 1, 1, 1), helper.tensor_dtype_to_np_dtype(dtype))
    seconds = min(timed(lambda: session.run(None, {"one": one}))[0] for _ in range(10))
    return CONVOLUTIONS * 2 * 9 * CHANNELS**2 * PEAK_SIDE**2 / seconds


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Gives seconds, and seconds of processor time of all threads, of one call."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - processor


def main() -> None:
    """Prints the table."""
    options = _arguments()
    bundle = read_latest_bundle(options.model)
    cases = [(side, count) for side in options.sizes for count in options.batches]
    settings = SessionSettings(
        device=options.device,
        precision=options.precision,
        intra_op_threads=options.threads,
        cuda_options=dict(option.split("=", 1) for option in options.option),
        cuda_graphs=[BatchShape(s, s, n) for s, n in cases] if options.graphs else (),
    )
    session = OnnxSession(bundle, settings)
    reached = peak(session.provider, options.precision, settings)
    replays = " with CUDA graphs" if options.graphs and session.provider == CUDA else ""
    print(
        f"{describe_machine('onnxruntime-gpu')}; {bundle.network.architecture} network, "
        f"{options.precision}, {session.provider} {' '.join(options.option)}{replays}; "
        f"convolutions alone: {reached / 1e9:,.0f} GFLOP/s\n"
    )
    times = {case: _rounds(session, bundle.bank.rows[0], *case, options.rounds) for case in cases}
    print("| side | batch | photos/s | p50, ms | p99, ms | GFLOP/s | of peak | CPU ms/photo |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for (side, count), measured in times.items():
        seconds = [wall for wall, _ in measured]
        middle = statistics.median(seconds)
        speed = count * operations(bundle.network.architecture, side) / middle
        processor = statistics.median(cpu for _, cpu in measured) / count
        print(
            f"| {side} | {count} | {count / middle:,.1f} | {1e3 * middle:.1f} "
            f"| {1e3 * float(np.quantile(seconds, 0.99)):.1f} | {speed / 1e9:,.0f} "
            f"| {speed / reached:.2f} | {1e3 * processor:.1f} |",
            flush=True,
        )


def _rounds(
    session: OnnxSession, row: np.ndarray, side: int, count: int, rounds: int
) -> list[tuple[float, float]]:
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    styles = np.repeat(row[None], count, axis=0)
    for _ in range(3):
        session.run(images, styles)
    return [timed(lambda: session.run(images, styles)) for _ in range(rounds)]


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
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--graphs", action="store_true", help="replay each batch as a CUDA graph")
    return parser.parse_args()


if __name__ == "__main__":
    main()
