"""Alarms of the training."""

import torch

from training.alarms import saturated_share, twins


def test_black_and_white_values_are_saturated_and_grey_ones_are_not() -> None:
    images = torch.tensor([[[[0.0, 0.005, 0.5, 1.0]]]])
    assert saturated_share(images) == 0.75


def test_two_styles_that_paint_alike_are_twins() -> None:
    photo = torch.rand(1, 3, 8, 8)
    other = 1 - photo
    assert twins(torch.cat([photo, other, photo + 0.001]), 0.02) == [(0, 2)]


def test_different_styles_are_no_twins() -> None:
    painted = torch.stack([torch.full((3, 4, 4), level) for level in (0.1, 0.2, 0.3)])
    # Neighbours are 0.1 apart, root mean square.
    assert twins(painted, 0.099) == []
    assert twins(painted, 0.101) == [(0, 1), (1, 2)]
