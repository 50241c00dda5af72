"""What a device can do: convolutions a second, and numbers through its memory.

Both are measured with ONNX Runtime. A run is made larger until its start no longer counts, and
repeated until the device has raised its clocks: the first milliseconds of a GPU that was idle are
several times slower. The numbers are random, as a device spends less power on equal ones.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from serving.device.onnx_runtime import CUDA, CUDA_OPTIONS

_CHANNELS: Final = 128
_SIDE: Final = 256
_LAYERS: Final = 8
_LONG_RUN: Final = 0.02  # seconds
_MOST_AT_ONCE: Final = 64  # a GiB in float16
_SECONDS: Final = 1.0  # of repeated runs
_LEAST_RUNS: Final = 3


@dataclass(frozen=True)
class Limits:
    """Of a device, in one precision.

    Attributes:
        operations: multiplications and additions of convolutions a second.
        bytes: read from memory or written to it a second.
    """

    operations: float
    bytes: float


def measure_limits(
    provider: str, precision: str, options: Mapping[str, str], threads: int | None
) -> Limits:
    """Measures a device; on CUDA, convolutions have the layout of numbers that suits them.

    Args:
        provider: name of the execution provider.
        precision: "float32" or "float16".
        options: of the CUDA provider.
        threads: of ONNX Runtime on the CPU; None for its own choice.
    """
    kind = TensorProto.FLOAT16 if precision == "float16" else TensorProto.FLOAT
    numbers = _CHANNELS * _SIDE**2
    row = np.random.default_rng(1).normal(0, 1, (1, _CHANNELS, 1, _SIDE))
    row = row.astype(helper.tensor_dtype_to_np_dtype(kind))
    layouts = ("0", "1") if provider == CUDA else ("0",)

    def photos_per_second(layer: str, layout: str) -> float:
        own = {**CUDA_OPTIONS, **options, "prefer_nhwc": layout}
        providers = [(CUDA, own)] if provider == CUDA else []
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads or 0
        settings.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            _chain(layer, kind), settings, [*providers, "CPUExecutionProvider"]
        )

        def run(count: int) -> None:
            shape = np.array([count, _CHANNELS, _SIDE, _SIDE], np.int64)
            session.run(None, {"row": row, "shape": shape})

        return _fastest(run)

    convolved = max(photos_per_second("Conv", layout) for layout in layouts)
    negated = photos_per_second("Neg", "0")
    written = 2 * _LAYERS + 1  # the first array is only written
    return Limits(
        operations=convolved * _LAYERS * 2 * 9 * _CHANNELS * numbers,
        bytes=negated * written * numbers * helper.tensor_dtype_to_np_dtype(kind).itemsize,
    )


def _chain(layer: str, kind: int) -> bytes:
    """Builds a graph of one layer after the other; only few numbers come in and go out."""
    generator = np.random.default_rng(0)
    kernels = generator.normal(0, (9 * _CHANNELS) ** -0.5, (_CHANNELS, _CHANNELS, 3, 3))
    kernels = kernels.astype(helper.tensor_dtype_to_np_dtype(kind))
    more: dict[str, Any] = {"pads": [1, 1, 1, 1]} if layer == "Conv" else {}
    weights = ["kernels"] if layer == "Conv" else []
    nodes = [
        helper.make_node("Expand", ["row", "shape"], ["x0"]),
        *(
            helper.make_node(layer, [f"x{n}", *weights], [f"x{n + 1}"], **more)
            for n in range(_LAYERS)
        ),
        helper.make_node("Slice", [f"x{_LAYERS}", "first", "second"], ["corner"]),
    ]
    graph = helper.make_graph(
        nodes,
        "chain",
        [
            helper.make_tensor_value_info("row", kind, [1, _CHANNELS, 1, _SIDE]),
            helper.make_tensor_value_info("shape", TensorProto.INT64, [4]),
        ],
        [helper.make_tensor_value_info("corner", kind, [1, 1, 1, 1])],
        [
            onnx.numpy_helper.from_array(kernels, "kernels"),
            helper.make_tensor("first", TensorProto.INT64, [4], [0] * 4),
            helper.make_tensor("second", TensorProto.INT64, [4], [1] * 4),
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()


def _fastest(run: Callable[[int], object]) -> float:
    """Gives photos per second of the best run."""
    count, best = 1, 0.0
    while True:
        shortest, runs, end = float("inf"), 0, time.perf_counter() + _SECONDS
        while runs < _LEAST_RUNS or time.perf_counter() < end:
            started = time.perf_counter()
            run(count)
            shortest = min(shortest, time.perf_counter() - started)
            runs += 1
        best = max(best, count / shortest)
        if shortest >= _LONG_RUN or count >= _MOST_AT_ONCE:
            return best
        count *= 4
