"""Redirected ReLU."""

from collections.abc import Callable, Iterable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.visualization.redirected_relu import RedirectedReLU
from training.visualization.unit_objectives import channel

Rectify = Callable[[Tensor], Tensor]

RECTIFIERS: dict[str, Rectify] = {
    "module": nn.ReLU(),
    "in-place module": nn.ReLU(inplace=True),
    "function": F.relu,
    "torch function": torch.relu,
    "in-place torch function": torch.relu_,
    "method": Tensor.relu,
    "in-place method": Tensor.relu_,
}


class _Stuck(nn.Module):
    """relu(mean of the image - 1): 0, with a gradient of 0, for every dark image."""

    def __init__(self, rectify: Rectify) -> None:
        super().__init__()
        self._rectify = rectify

    def forward(self, x: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        maps = self._rectify(x.mean(dim=1, keepdim=True) - 1)
        return dict.fromkeys(layers, maps)


def _slope(network: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(-network(x, ["unit"])["unit"].sum(), x)
    return slope


@pytest.mark.parametrize("rectify", RECTIFIERS.values(), ids=list(RECTIFIERS))
def test_a_stuck_unit_gets_a_gradient_in_every_form_of_the_relu(rectify: Rectify) -> None:
    x = torch.zeros(1, 3, 2, 2)
    assert _slope(_Stuck(rectify), x).abs().max() == 0
    torch.testing.assert_close(_slope(RedirectedReLU(_Stuck(rectify)), x), -torch.ones_like(x) / 3)


def test_a_stuck_unit_is_rescued_by_the_loop() -> None:
    def run(network: nn.Module) -> float:
        image = Pixels(torch.full((1, 3, 2, 2), 0.8))
        result = optimize(
            image, channel("unit", 0), network, steps=30, optimizer="sgd", lr=0.05
        )  # fmt: skip
        return result.losses[-1]

    assert run(_Stuck(F.relu)) == 0
    assert run(RedirectedReLU(_Stuck(F.relu))) < -0.1


def test_after_its_steps_the_relu_is_the_plain_one() -> None:
    network = RedirectedReLU(_Stuck(F.relu), steps=1)
    x = torch.zeros(1, 3, 2, 2)
    assert _slope(network, x).abs().max() > 0
    assert _slope(network, x).abs().max() == 0


def test_where_a_gradient_gets_through_nothing_is_redirected() -> None:
    x = torch.zeros(1, 3, 1, 2)
    x[..., 1] = 2.0
    torch.testing.assert_close(_slope(RedirectedReLU(_Stuck(F.relu)), x), _slope(_Stuck(F.relu), x))


def test_each_image_of_a_batch_is_rescued_by_itself() -> None:
    x = torch.zeros(2, 3, 1, 2)
    x[1, ..., 1] = 2.0
    slope = _slope(RedirectedReLU(_Stuck(F.relu)), x)
    assert slope[0].abs().min() > 0
    assert slope[1, :, 0, 0].tolist() == [0.0, 0.0, 0.0]


def test_a_gradient_that_would_lower_the_input_further_is_not_redirected() -> None:
    x = torch.zeros(1, 3, 2, 2, requires_grad=True)
    loss = RedirectedReLU(_Stuck(F.relu))(x, ["unit"])["unit"].sum()
    (slope,) = torch.autograd.grad(loss, x)
    assert slope.abs().max() == 0


def test_the_features_are_those_of_the_network() -> None:
    torch.manual_seed(0)
    x = 2 * torch.rand(2, 3, 4, 4)
    expected = _Stuck(F.relu)(x, ["unit"])["unit"]
    assert torch.equal(RedirectedReLU(_Stuck(F.relu))(x, ["unit"])["unit"], expected)
