"""ONNX Runtime against torch eager: both networks, bytes in, bytes out.

    python -m benchmarks.onnx_vs_eager

The two run in turn, A B A B …, so that both meet the same moods of the machine; the ratio is the
median of the pairs' ratios.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

# Idle threads of one side must not spin on the cores of the other.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import onnxruntime
import torch
from torch import Tensor

from benchmarks.machine import describe_machine
from training.export.export import StylizationGraph, to_onnx
from training.networks.architectures import ARCHITECTURES, build_network


def milliseconds(run: Callable[[], object]) -> float:
    """Times one call."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Opens ``model`` on the CPU with ``threads`` threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


@torch.inference_mode()
def eager_pass(graph: StylizationGraph, image: Tensor, style: Tensor) -> None:
    """Runs the network in torch."""
    graph(image, style)


def compare(architecture: str, threads: int, sizes: list[int], pairs: int) -> None:
    """Prints one row per size."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    network = build_network(architecture)
    graph = StylizationGraph(network, torch.float32)
    onnx = session(to_onnx(network), threads)
    style = network.neutral_style()[None]
    for size in sizes:
        image = torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8)
        run_eager = partial(eager_pass, graph, image, style)
        run_onnx = partial(onnx.run, None, {"image": image.numpy(), "style": style.numpy()})
        for warm_up in (run_eager, run_onnx) * 2:
            warm_up()
        times = [(milliseconds(run_eager), milliseconds(run_onnx)) for _ in range(pairs)]
        eager, ours = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(a / b for a, b in times)
        print(
            f"{architecture:10} {threads:7} {size:5} {eager:10.0f} {ours:14.0f} {ratio:8.2f}",
            flush=True,
        )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine("torch", "onnxruntime", "onnxruntime-gpu"))
    print(f"{'network':10} {'threads':>7} {'side':>5} {'eager, ms':>10} {'ONNX Runtime':>14} ratio")
    for architecture in ARCHITECTURES:
        for threads in options.threads:
            compare(architecture, threads, options.sizes, options.pairs)


if __name__ == "__main__":
    main()
