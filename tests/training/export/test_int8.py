"""Export in int8: fast on CPUs that multiply bytes, and hardly to be told from float32."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from training.errors import TrainingError
from training.export import int8
from training.export.export import to_onnx
from training.networks.architectures import build_network

pytestmark = pytest.mark.filterwarnings("default")

PHOTOS = torch.rand(9, 3, 64, 64, generator=torch.Generator().manual_seed(0))
ROWS = 2


@pytest.fixture(scope="module")
def model() -> tuple[bytes, torch.Tensor]:
    """A lite network in float32, with two styles."""
    torch.manual_seed(0)
    network = build_network("lite").eval()
    rows = network.neutral_style().repeat(ROWS, 1)
    rows[:, :-1] += 0.1 * torch.randn(ROWS, rows.shape[1] - 1)
    return to_onnx(network), rows


def operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


def test_all_convolutions_are_quantized_where_that_does_no_harm(
    model: tuple[bytes, torch.Tensor],
) -> None:
    graph, rows = model
    found = int8.quantize(graph, rows, PHOTOS)
    assert found.left_out == 0
    assert found.psnr.shape == (ROWS,)
    assert found.psnr.min() >= int8.LEAST_PSNR
    assert len(found.model) < 0.5 * len(graph)
    nodes = onnx.load_from_string(found.model).graph.node
    from_eight_bits = {
        output for node in nodes if node.op_type == "DequantizeLinear" for output in node.output
    }
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    assert len(convolutions) == operators(graph).count("Conv")
    assert all({*node.input[:2]} <= from_eight_bits for node in convolutions)


def test_the_psnr_is_that_of_the_pictures(model: tuple[bytes, torch.Tensor]) -> None:
    graph, rows = model
    found = int8.quantize(graph, rows, PHOTOS)
    sessions = [
        onnxruntime.InferenceSession(file, int8_options(), providers=["CPUExecutionProvider"])
        for file in (graph, found.model)
    ]
    held_out = (PHOTOS[1::3] * 255).round().byte().permute(0, 2, 3, 1).numpy()
    for row, psnr in zip(rows.numpy(), found.psnr, strict=True):
        style = np.broadcast_to(row, (len(held_out), row.size))
        feeds = {"image": held_out, "style": np.ascontiguousarray(style)}
        wanted, got = (session.run(None, feeds)[0].astype(float) for session in sessions)
        error = np.square(got - wanted).mean()
        assert psnr == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)


def int8_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def test_convolutions_that_hurt_stay_in_float32(
    model: tuple[bytes, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, rows = model
    whole = int8.quantize(graph, rows, PHOTOS)
    bound = float(whole.psnr.min()) + 0.5
    monkeypatch.setattr(int8, "LEAST_PSNR", bound)
    found = int8.quantize(graph, rows, PHOTOS)
    assert found.left_out > 0
    assert found.psnr.min() >= bound
    monkeypatch.setattr(int8, "LEAST_PSNR", 200.0)
    with pytest.raises(TrainingError, match=r"dB from float32 in one style, less than 200; leave"):
        int8.quantize(graph, rows, PHOTOS)
