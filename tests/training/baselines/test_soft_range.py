"""The price for leaving [0, 1]."""

import torch

from tests.training.drawn_data import slim_vgg_weights
from training.baselines.soft_range import kept_in_range, soft_range
from training.networks.loss_network import LossNetwork
from training.optimize.images import Pixels
from training.optimize.objective import IMAGE, Objective, Term


def test_pixels_in_range_cost_nothing_and_others_their_squared_excess() -> None:
    image = torch.tensor([0.0, 0.3, 1.0, 1.5, -0.5, 0.7]).reshape(1, 3, 1, 2)
    # (0.5² + 0.5²) / 6 pixels, times the weight.
    torch.testing.assert_close(soft_range(12.0)({IMAGE: image})["range"], torch.tensor([1.0]))


def test_the_price_pulls_a_pixel_back() -> None:
    image = torch.tensor([1.5, 0.5, -0.5]).reshape(1, 3, 1, 1).requires_grad_()
    (slope,) = torch.autograd.grad(soft_range(3.0)({IMAGE: image})["range"].sum(), image)
    torch.testing.assert_close(slope.flatten(), torch.tensor([1.0, 0.0, -1.0]))


def test_the_price_grows_with_the_scale_of_the_objective() -> None:
    network = LossNetwork(slim_vgg_weights(), ["relu1_1"])
    image = Pixels(torch.full((1, 3, 4, 4), 2.0))
    mean = Objective((Term("mean", (IMAGE,), lambda f: f[IMAGE].mean(dim=(1, 2, 3))),))
    prices = [
        kept_in_range(scale * mean, network, image)({IMAGE: image().detach()})["range"].item()
        for scale in (1.0, 1e6)
    ]
    # The flat grey picture costs 0.5 · scale; the excess is 1 everywhere.
    torch.testing.assert_close(torch.tensor(prices), torch.tensor([150.0, 150e6]))
