"""Noise as a function of place."""

import torch
from torch import Tensor

from training.networks.noise_field import NoiseField, draw_origin

CELLS = (4, 8, 32)


def noise(height: int, width: int, row: int = 0, column: int = 0, stride: int = 4) -> Tensor:
    like = torch.zeros(1, 1, height, width)
    field: Tensor = NoiseField()(like, stride, CELLS, torch.tensor([row, column]))
    return field


def test_there_is_one_map_per_scale_and_always_the_same() -> None:
    assert noise(20, 30).shape == (1, 3, 20, 30)
    assert torch.equal(noise(20, 30), noise(20, 30))


def test_a_window_is_a_part_of_the_whole() -> None:
    whole = noise(120, 140)
    # 28 and 52 pixels are 7 and 13 places, and no whole number of the larger cells.
    torch.testing.assert_close(noise(40, 50, 28, 52), whole[..., 7:47, 13:63])


def test_a_finer_map_has_the_coarser_one_between_its_places() -> None:
    # Places of stride 2 have their middles at 1, 3, 5, …; those of stride 4 at 2, 6, 10, … pixels:
    # half-way between two, where the bilinear field is their mean unless a cell ends there.
    fine, coarse = noise(16, 16, stride=2)[0, 2], noise(8, 8, stride=4)[0, 2]
    mean = fine.reshape(8, 2, 8, 2).mean(dim=(1, 3))
    inside = torch.ones(8, dtype=torch.bool)
    inside[[3, 4]] = False  # around the middle of the first cell, at 16 pixels
    torch.testing.assert_close(mean[inside][:, inside], coarse[inside][:, inside])


def test_places_a_cell_apart_are_independent() -> None:
    field = noise(600, 600)[0, 0]  # a new value at each place
    assert abs(field.mean().item()) < 0.02
    for lag in ((0, 256), (239, 0), (1, 1), (256, 239)):
        a, b = field[lag[0] :, lag[1] :], field[: 600 - lag[0], : 600 - lag[1]]
        # The mean of n products of independent values has a deviation of 1 / √n.
        assert abs((a * b).mean().item()) < 5 / a.numel() ** 0.5


def test_origins_are_drawn_from_the_generator() -> None:
    first = draw_origin(torch.Generator().manual_seed(3))
    assert torch.equal(first, draw_origin(torch.Generator().manual_seed(3)))
    assert first.shape == (2,)
    assert first.min() >= 0
