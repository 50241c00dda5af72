"""ONNX: writes a network as a graph from bytes to bytes, and compares it with PyTorch.

The only file of training that knows ONNX and ONNX Runtime.
"""

import contextlib
import copy
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# ONNX Runtime would otherwise report its use to its maker; it looks when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.errors import TrainingError
from training.export.check_pictures import check_cases
from training.networks.architectures import build_network
from training.networks.transformation_network import TransformationNetwork

OPSET: Final = 18

TOLERANCES: Final = {torch.float32: 1, torch.float16: 16}
"""Largest difference in levels of 255. In float32 only a value on the edge of rounding may move."""


_NETWORK_PREFIX: Final = "network."
"""Under this name ``StylizationGraph`` holds the network, so its weights have it in the file."""


class StylizationGraph(nn.Module):
    """The network with its pre- and post-processing: bytes in, bytes out."""

    def __init__(self, network: TransformationNetwork, dtype: torch.dtype) -> None:
        """Runs a copy of ``network`` in ``dtype``, float32 or float16."""
        super().__init__()
        self.network = copy.deepcopy(network).float().eval()
        if dtype == torch.float16:
            self.network.halve()

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """Paints ``image`` uint8 [N, H, W, 3] with ``style`` float32 [N, P]; uint8 [N, H, W, 3]."""
        levels = self.levels(image, style).round().clamp(0, 255).to(torch.uint8)
        return levels.permute(0, 2, 3, 1)

    def levels(self, image: Tensor, style: Tensor) -> Tensor:
        """Paints like ``forward``, but in float32 [N, 3, H, W]: bytes do not show a NaN."""
        x = image.permute(0, 3, 1, 2).float() / 255  # [N, 3, H, W]
        y: Tensor = self.network(x, style)
        return y * 255


def network_from_onnx(model: bytes, architecture: str) -> TransformationNetwork:
    """Builds the network whose weights ``to_onnx`` wrote in float32.

    Raises:
        TrainingError: no such architecture, or the file is no graph of it.
    """
    network = build_network(architecture)
    try:
        graph = onnx.load_from_string(model).graph
    except Exception as error:  # protobuf's error type depends on its implementation
        raise TrainingError(f"the network's file is no ONNX file: {error}") from error
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    try:
        weights = {
            name: torch.tensor(arrays[f"{_NETWORK_PREFIX}{name}"]) for name in network.state_dict()
        }
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"the graph is no {architecture!r} network: {error}") from error
    return network.eval()


class ServedGraph:
    """A bundle's graph in ONNX Runtime, as a server runs it."""

    def __init__(self, model: Path, *, device: str = "cpu", threads: int = 0) -> None:
        """Loads the ONNX file ``model``.

        Args:
            model: the file, in float32 or float16.
            device: ``cuda`` takes the GPU if ONNX Runtime can; see ``provider``.
            threads: how many of the CPU; 0 for one per core.

        Raises:
            TrainingError: ONNX Runtime cannot load the file.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        wanted = ["CUDAExecutionProvider"] * (device == "cuda") + ["CPUExecutionProvider"]
        there = onnxruntime.get_available_providers()
        providers = [provider for provider in wanted if provider in there]
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=providers)
        except Exception as error:  # the runtime's error types are not public
            raise TrainingError(f"ONNX Runtime cannot load {str(model)!r}: {error}") from error

    @property
    def provider(self) -> str:
        """The execution provider in use, such as ``CPUExecutionProvider``."""
        name: str = self._session.get_providers()[0]
        return name

    def __call__(self, photos: Tensor, rows: Tensor) -> Tensor:
        """Paints ``photos`` [N, 3, H, W] in [0, 1], rounded to bytes, in styles ``rows`` [N, P].

        Returns:
            The pictures [N, 3, H, W] in [0, 1], in steps of 1/255.
        """
        images = (photos * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
        feeds = {"image": images.cpu().numpy(), "style": rows.cpu().numpy()}
        (painted,) = self._session.run(None, feeds)
        return torch.from_numpy(painted).permute(0, 3, 1, 2).to(photos) / 255


@dataclass(frozen=True)
class ParityReport:
    """How far ONNX Runtime and PyTorch lie apart."""

    cases: int
    largest: int
    """Largest difference in levels of 255."""
    mean: float
    """Mean difference in levels of 255."""


def to_onnx(network: TransformationNetwork, dtype: torch.dtype = torch.float32) -> bytes:
    """Writes ``network`` as an ONNX file with any batch size, height and width."""
    graph = StylizationGraph(network, dtype)
    image = torch.zeros(2, 37, 50, 3, dtype=torch.uint8)
    style = network.neutral_style().float().repeat(2, 1)
    dynamic = torch.export.Dim.DYNAMIC
    with _quiet_exporter():
        program = torch.onnx.export(
            graph,
            (image, style),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image", "style"],
            output_names=["stylized"],
            dynamic_shapes={"image": {0: dynamic, 1: dynamic, 2: dynamic}, "style": {0: dynamic}},
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _name_dimensions(model)
    _drop_traces(model)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def check_parity(
    network: TransformationNetwork,
    rows: Tensor,
    model: bytes,
    dtype: torch.dtype = torch.float32,
) -> ParityReport:
    """Compares ``model`` in ONNX Runtime with ``network`` in PyTorch on all of ``check_cases``.

    PyTorch always computes in float32, so the report on a float16 file includes what half
    precision costs.

    Args:
        network: the network that was exported.
        rows: style rows [S, P].
        model: the ONNX file.
        dtype: precision of the file, which decides the tolerance.

    Raises:
        TrainingError: an output has the wrong shape, is not finite, or differs by more than the
            tolerance.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    reference = StylizationGraph(network, torch.float32)
    differences: list[NDArray[np.int16]] = []
    for image, style in check_cases(network, rows):
        with torch.no_grad():
            levels = reference.levels(image, style)
        if not levels.isfinite().all():
            raise TrainingError(
                "the network paints what is not finite (NaN) in one of its styles; nothing was "
                "written: export an earlier checkpoint"
            )
        expected = levels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        feeds = {"image": image.numpy(), "style": style.numpy()}
        (painted,) = session.run(None, feeds)
        if painted.shape != expected.shape:
            raise TrainingError(
                f"the exported network turns {list(image.shape)} into {list(painted.shape)}; "
                "nothing was written"
            )
        differences.append(np.abs(painted.astype(np.int16) - expected.astype(np.int16)).ravel())
    report = _report(differences)
    if report.largest > TOLERANCES[dtype]:
        raise TrainingError(
            f"ONNX Runtime differs from PyTorch by up to {report.largest} of 255 levels, more "
            f"than {TOLERANCES[dtype]}; nothing was written"
        )
    return report


def _report(differences: list[NDArray[np.int16]]) -> ParityReport:
    everything = np.concatenate(differences)
    return ParityReport(len(differences), int(everything.max()), float(everything.mean()))


def _name_dimensions(model: onnx.ModelProto) -> None:
    """Calls the free dimensions N, H and W instead of what the tracer called them."""
    axes = {"image": ("N", "H", "W"), "style": ("N",), "stylized": ("N", "H", "W")}
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(
            value.type.tensor_type.shape.dim, axes[value.name], strict=False
        ):
            dimension.dim_param = name
    # Shapes in between are expressions of the tracer's names; the checker infers them anew.
    del model.graph.value_info[:]


def _drop_traces(model: onnx.ModelProto) -> None:
    """Removes the exporter's notes: they hold stack traces with the trainer's paths."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silences the exporter's own deprecation warnings and progress lines."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
