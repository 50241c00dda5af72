"""Single measures, on pictures whose values are known."""

import math

import pytest
import torch
from torch import Tensor

from training.evaluation.measures.similarity import finest_share, nearest, pairwise_rms, psnr, ssim
from training.evaluation.measures.speed import Speed
from training.evaluation.measures.stability import add_noise, noise_rms, shift, shift_rms


@pytest.fixture
def photos() -> Tensor:
    return torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def test_a_painter_that_returns_the_photo_is_stable_under_shifts(photos: Tensor) -> None:
    assert shift_rms(lambda each: each, photos, photos).tolist() == [0, 0]


def test_a_shift_moves_down_and_right_and_repeats_the_border(photos: Tensor) -> None:
    moved = shift(photos)
    assert moved.shape == photos.shape
    assert torch.equal(moved[..., 1:, 1:], photos[..., :-1, :-1])
    assert torch.equal(moved[..., 0, 1:], photos[..., 0, :-1])


def test_a_painter_that_draws_a_fixed_grid_is_unstable_by_the_grid(photos: Tensor) -> None:
    columns = torch.arange(40) % 2  # black and white: each pixel differs after the shift
    grid = columns.float().expand(1, 3, 32, 40)
    found = shift_rms(lambda _: grid, photos[:1], grid)
    assert found.item() == pytest.approx(1.0)


def test_noise_is_one_per_cent_and_always_the_same() -> None:
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert noise_rms(lambda each: each, grey, grey, 0).item() == pytest.approx(0.01, rel=0.03)
    assert torch.equal(add_noise(grey, 3), add_noise(grey, 3))
    assert not torch.equal(add_noise(grey, 3), add_noise(grey, 4))


def test_noise_stays_between_black_and_white() -> None:
    noisy = add_noise(torch.ones(1, 3, 8, 8), 0)
    assert noisy.max() == 1
    assert noisy.min() < 1


def test_an_image_is_all_like_itself(photos: Tensor) -> None:
    assert ssim(photos, photos).tolist() == pytest.approx([1, 1])
    assert psnr(photos, photos).tolist() == [100, 100]


def test_a_flat_image_is_hardly_like_noise(photos: Tensor) -> None:
    assert ssim(torch.full_like(photos, 0.5), photos).abs().max() < 0.05


def test_a_tenth_of_the_range_is_twenty_decibel(photos: Tensor) -> None:
    dark = 0.5 * photos
    assert psnr(dark + 0.1, dark).tolist() == pytest.approx([20, 20], rel=1e-4)


def test_a_checkerboard_lies_in_the_finest_frequencies_and_a_ramp_does_not() -> None:
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    board = ((x + y) % 2).float().expand(1, 3, 32, 32)
    wave = torch.cos(2 * math.pi * x / 32).expand(1, 3, 32, 32)
    assert finest_share(board).item() == pytest.approx(1000)
    assert finest_share(wave).item() == pytest.approx(0, abs=1e-6)
    assert finest_share(torch.full((1, 3, 32, 32), 0.3)).item() == pytest.approx(0, abs=1e-3)


def test_distances_are_symmetric_and_one_from_black_to_white() -> None:
    black, white = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 255)
    grey = torch.full((1, 3, 4, 4), 51)
    distances = pairwise_rms([each.to(torch.uint8) for each in (black, white, grey)])
    expected = [[0, 1, 0.2], [1, 0, 0.8], [0.2, 0.8, 0]]
    torch.testing.assert_close(distances, torch.tensor(expected))
    assert nearest(distances, 1, [0, 1, 2]) == 2
    assert nearest(distances, 1, [0, 1]) == 0
    assert nearest(distances, 1, [1]) is None


def test_the_speed_up_is_iterations_by_the_ratio_of_the_times() -> None:
    assert Speed(256, 0.02, 0.08).speed_up(100) == pytest.approx(400)
    assert Speed(1024, 0.02, None).speed_up(100) is None
