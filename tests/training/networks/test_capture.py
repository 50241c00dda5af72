"""Capture."""

import pytest
import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.networks.capture import capture, summarize


def _negative_then_relu() -> nn.Sequential:
    """A convolution whose output is -x, and an in-place ReLU behind it."""
    convolution = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(convolution.weight, -1.0)
    return nn.Sequential(convolution, nn.ReLU(inplace=True))


def _hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_an_in_place_relu_behind_a_layer_changes_nothing_of_what_is_captured() -> None:
    model = _negative_then_relu()
    with capture(model, ["0", "1"]) as outputs:
        model(torch.tensor([[[[1.0, -2.0]]]]))
    assert outputs["0"].flatten().tolist() == [-1.0, 2.0]
    assert outputs["1"].flatten().tolist() == [0.0, 2.0]


def test_what_is_captured_gives_the_gradient_of_the_layer_itself() -> None:
    model = _negative_then_relu()
    x = torch.tensor([[[[1.0, -2.0]]]], requires_grad=True)
    with capture(model, ["0"]) as outputs:
        model(x)
    (slope,) = torch.autograd.grad(outputs["0"].sum(), x)
    assert slope.flatten().tolist() == [-1.0, -1.0]


def test_the_model_returns_the_same_with_and_without_capture() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1))
    x = torch.rand(1, 3, 5, 5)
    with capture(model, ["0", "1", "2"]):
        captured = model(x)
    assert torch.equal(captured, model(x))


def test_hooks_are_gone_after_the_block() -> None:
    model = _negative_then_relu()
    with capture(model, ["0", "1"]):
        assert _hooks(model) == 2
    assert _hooks(model) == 0


def test_hooks_are_gone_after_an_error_in_the_block() -> None:
    model = _negative_then_relu()
    with pytest.raises(ZeroDivisionError), capture(model, ["0"]):
        raise ZeroDivisionError
    assert _hooks(model) == 0


def test_hooks_are_gone_after_an_unknown_layer() -> None:
    model = _negative_then_relu()
    with pytest.raises(TrainingError), capture(model, ["0", "7"]):
        pass
    assert _hooks(model) == 0


def test_an_unknown_layer_is_an_error_that_lists_those_there_are() -> None:
    model = _negative_then_relu()
    expected = r"no layer 'features\.3'; layers are 0 … 1 \(2 in all\)$"
    with pytest.raises(TrainingError, match=expected), capture(model, ["features.3"]):
        pass


def test_a_misspelt_layer_is_an_error_that_names_the_nearest() -> None:
    model = nn.ModuleDict({"features": nn.ReLU()})
    with pytest.raises(TrainingError, match="but there is features;"), capture(model, ["feature"]):
        pass


def test_a_layer_that_returns_no_tensor_is_an_error() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    model = nn.Sequential(Pair())
    with pytest.raises(TrainingError, match="'0' returns no tensor"), capture(model, ["0"]):
        model(torch.zeros(1))


def test_numbered_siblings_are_listed_as_a_range() -> None:
    layers = ["features", *(f"features.{i}" for i in range(13)), "features.3.squeeze", "logits"]
    assert summarize(layers) == "features, features.0 … features.12, logits (16 in all)"


def test_a_long_list_is_shortened_in_the_middle() -> None:
    text = summarize([f"mixed{letter}" for letter in "abcdefghijklmnopqrst"])
    assert text.startswith("mixeda, mixedb, ")
    assert text.endswith("…, mixeds, mixedt (20 in all)")
