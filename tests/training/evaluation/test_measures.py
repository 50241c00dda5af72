"""Single measures, on pictures whose values are known."""

import math

import pytest
import torch
from torch import Tensor

from training.evaluation.measures.frequencies import finest_share, power_spectrum, spectral_line
from training.evaluation.measures.similarity import nearest, pairwise_rms, psnr, ssim
from training.evaluation.measures.speed import Speed
from training.evaluation.measures.stability import (
    add_noise,
    noise_rms,
    shift,
    shift_rms,
    shift_rms_with_noise,
)
from training.evaluation.measures.style_measures import placed_painter
from training.losses.luminance import fine
from training.networks.hourglass import LiteHourglass
from training.networks.noise_field import NoiseField


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


def test_noise_that_moves_along_is_no_instability(photos: Tensor) -> None:
    field = NoiseField()

    def paint(each: Tensor, place: int) -> Tensor:
        noise: Tensor = field(each, 1, [1], torch.tensor([place, place]))
        return each + noise

    assert shift_rms_with_noise(paint, photos).tolist() == pytest.approx([0, 0], abs=1e-5)
    # Left where it is, pairs of values, each of variance 1, are compared.
    still = shift_rms(lambda each: paint(each, 0), photos, paint(photos, 0))
    assert still.tolist() == pytest.approx([2**0.5] * 2, rel=0.05)


@torch.no_grad()
def test_an_hourglass_paints_by_the_place_in_its_noise() -> None:
    torch.manual_seed(0)
    network = LiteHourglass().eval()
    row, grey = network.neutral_style()[None], torch.full((1, 3, 64, 64), 0.5)
    paint = placed_painter(network, row)
    served = (network(grey, row) * 255).round() / 255
    assert torch.equal(paint(grey, 0), served)
    assert not torch.equal(paint(grey, 1), served)


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


def test_white_noise_has_its_variance_at_every_frequency_and_no_line() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = 5 * torch.randn(1, 1, 240, 466, generator=generator)
    assert power_spectrum(noise).mean().item() == pytest.approx(25, rel=0.03)
    assert spectral_line(noise) < 3
    assert spectral_line(torch.zeros(1, 1, 240, 466)) == 1


def test_a_wave_stands_out_by_its_power() -> None:
    columns = torch.arange(466)
    wave = (2 * torch.cos(2 * math.pi * columns * 30 / 128)).expand(1, 1, 240, 466)
    # Hann's window of 128 sums up to 64, its square to 48: (2 / 2)² · (64 / 48^½)⁴, and around it
    # nothing but the noise of one level that is always added.
    assert spectral_line(wave) == pytest.approx(1 + 64**4 / 48**2, rel=1e-3)
    noise = 10 * torch.randn(1, 1, 240, 466, generator=torch.Generator().manual_seed(0))
    # By the noise, 72 times; less for what nine tenths of the neighbours do not exceed, not quite
    # twice the mean.
    assert 72 / 2 < spectral_line(wave + noise) < 72 * 1.2
    assert spectral_line(0.5 * wave + noise) > 8


def test_strokes_have_no_line_whatever_their_size_and_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    for height, width in ((3, 3), (9, 9), (1, 15), (5, 41)):
        strokes = torch.randn(1, 1, 320, 560, generator=generator)
        for _ in range(2):  # a tent: a box alone erases frequencies of its own
            strokes = torch.nn.functional.avg_pool2d(strokes, (height, width), stride=1)
        strokes = fine(15 * strokes / strokes.std())
        assert spectral_line(strokes) < 10


@pytest.mark.parametrize("cell", [2, 4, 8, 16, 32])
def test_the_noise_of_the_networks_has_no_line(cell: int) -> None:
    field = NoiseField()(torch.zeros(1, 1, 254, 480), 1, [cell], torch.zeros(2, dtype=torch.long))
    assert spectral_line(fine(20 * field)) < 10


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
