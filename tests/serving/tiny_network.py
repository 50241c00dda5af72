"""A network so small that its output can be computed by hand: image · gain + offset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from sfumato.bundle.bundle import Bundle, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo

STYLES = {"plain": (1.0, 0.0), "dark": (0.5, 0.0), "light": (1.0, 100.0)}
"""Gain and offset of each style: its row of two numbers."""

DIGEST = "sha256:" + "0" * 64


def tiny_graph(*, shrink: int = 0, style_size: int = 2, output: str = "stylized") -> bytes:
    """Builds stylized = clip(round(image · style[:, 0] + style[:, 1])) as an ONNX file.

    Args:
        shrink: rows cut off the output, for a network that breaks the contract.
        style_size: P that the graph asks for; only the first two numbers are used.
        output: name of the output.
    """
    constants = [
        helper.make_tensor("first", TensorProto.INT64, [1], [0]),
        helper.make_tensor("second", TensorProto.INT64, [1], [1]),
        helper.make_tensor("per_photo", TensorProto.INT64, [4], [-1, 1, 1, 1]),
        helper.make_tensor("lowest", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("highest", TensorProto.FLOAT, [], [255.0]),
        helper.make_tensor("start", TensorProto.INT64, [1], [shrink]),
        helper.make_tensor("end", TensorProto.INT64, [1], [2**31 - 1]),
        helper.make_tensor("rows", TensorProto.INT64, [1], [1]),
    ]
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["style", "first"], ["gain_column"], axis=1),
        helper.make_node("Gather", ["style", "second"], ["offset_column"], axis=1),
        helper.make_node("Reshape", ["gain_column", "per_photo"], ["gain"]),
        helper.make_node("Reshape", ["offset_column", "per_photo"], ["offset"]),
        helper.make_node("Mul", ["pixels", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["shifted"]),
        helper.make_node("Round", ["shifted"], ["rounded"]),
        helper.make_node("Clip", ["rounded", "lowest", "highest"], ["clipped"]),
        helper.make_node("Slice", ["clipped", "start", "end", "rows"], ["cut"]),
        helper.make_node("Cast", ["cut"], [output], to=TensorProto.UINT8),
    ]
    photos: list[str | int | None] = ["N", "H", "W", 3]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, photos),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", style_size]),
        ],
        [helper.make_tensor_value_info(output, TensorProto.UINT8, ["N", "K", "W", 3])],
        constants,
    )
    return _finished(graph)


def with_a_number_in(file: str, graph: bytes) -> bytes:
    """Moves a number of the tiny network, 255 in float32, into a file beside it."""
    model = onnx.load_from_string(graph)
    [highest] = [tensor for tensor in model.graph.initializer if tensor.name == "highest"]
    highest.ClearField("float_data")
    highest.data_location = TensorProto.EXTERNAL
    highest.external_data.add(key="location", value=file)
    moved: bytes = model.SerializeToString()
    return moved


def endless_graph() -> bytes:
    """Builds a network that copies the photo after style[0, 0] rounds of counting."""
    count = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["still_go_on"]),
            helper.make_node("Add", ["counted", "counted"], ["counted_on"]),
        ],
        "count",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("counted", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("still_go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("counted_on", TensorProto.FLOAT, []),
        ],
    )
    nodes = [
        helper.make_node("ReduceMax", ["style"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["rounds"], to=TensorProto.INT64),
        helper.make_node("Loop", ["rounds", "yes", "zero"], ["total"], body=count),
        helper.make_node("Cast", ["total"], ["nothing"], to=TensorProto.UINT8),
        helper.make_node("Add", ["image", "nothing"], ["stylized"]),
    ]
    photos: list[str | int | None] = ["N", "H", "W", 3]
    graph = helper.make_graph(
        nodes,
        "endless",
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, photos),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, ["N", 2]),
        ],
        [helper.make_tensor_value_info("stylized", TensorProto.UINT8, photos)],
        [
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )
    return _finished(graph)


def _finished(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_tiny_bundle(
    folder: Path,
    *,
    styles: Mapping[str, tuple[float, ...]] = STYLES,
    graph: bytes | None = None,
    float16: bool = False,
    int8: bool = False,
    cards: Mapping[str, Mapping[str, Any]] | None = None,
) -> Bundle:
    """Writes a bundle of the tiny network to ``folder``, <models>/<name>/<version>."""
    rows = np.array(list(styles.values()), np.float32)
    return write_bundle(
        folder,
        network=NetworkInfo("tiny", DIGEST, rows.shape[1], 16),
        styles=[
            StyleInfo(style, style.title(), "A", "1900", card=(cards or {}).get(style, {}))
            for style in styles
        ],
        rows=rows,
        training={},
        model=graph or tiny_graph(),
        model_float16=tiny_graph() if float16 else None,
        model_int8=tiny_graph() if int8 else None,
    )


def endless_models(folder: Path) -> Path:
    """Makes a model folder; the style "now" is painted at once, and "never" takes for ever."""
    rows = {"now": (0.0, 0.0), "never": (1e18, 0.0)}
    write_tiny_bundle(folder / "endless" / "default" / "1", styles=rows, graph=endless_graph())
    return folder / "endless"


def paint(image: np.ndarray, gain: float, offset: float) -> np.ndarray:
    """Computes what the tiny network does, uint8 in and out."""
    return np.clip(np.round(image * np.float32(gain) + np.float32(offset)), 0, 255).astype(np.uint8)
