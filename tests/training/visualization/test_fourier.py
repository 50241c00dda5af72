"""Fourier image."""

import math

import pytest
import torch
from torch import Tensor

from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.objective import IMAGE, Features, Objective, Term
from training.visualization.fourier import MARGIN, Fourier


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _radius(height: int, width: int) -> Tensor:
    return torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)[None, :])


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (9, 12), (12, 7), (1, 5)])
@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("sigmoid", [True, False])
def test_an_image_to_start_from_comes_back(
    size: tuple[int, int], decorrelate: bool, sigmoid: bool
) -> None:
    photo = 0.05 + 0.9 * torch.rand(2, 3, *size, generator=_generator())
    image = Fourier(init=photo, decorrelate=decorrelate, sigmoid=sigmoid)
    torch.testing.assert_close(image(), photo, atol=1e-6, rtol=0)


def test_black_and_white_come_back_within_half_a_grey_level() -> None:
    photo = torch.zeros(1, 3, 6, 6)
    photo[..., 3:] = 1.0
    assert (Fourier(init=photo)() - photo).abs().max() <= MARGIN + 1e-6


def test_an_image_can_be_set_later() -> None:
    photo = 0.05 + 0.9 * torch.rand(1, 3, 6, 5, generator=_generator())
    image = Fourier((1, 6, 5))
    image.set_image(photo)
    torch.testing.assert_close(image(), photo, atol=1e-6, rtol=0)


def test_the_amplitude_of_a_random_image_falls_as_one_over_the_frequency() -> None:
    planes = Fourier((16, 64, 64), decorrelate=False, sigmoid=False, generator=_generator())()
    power = torch.fft.fft2(planes).abs().square().mean(dim=(0, 1))  # [64, 64]
    radius = _radius(64, 64)
    inside = (radius > 0.03) & (radius < 0.5)
    x, y = radius[inside].log(), power[inside].log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    assert slope.item() == pytest.approx(-2.0, abs=0.1)  # power, so twice the amplitude's


def test_without_decay_the_spectrum_is_flat() -> None:
    planes = Fourier(
        (16, 32, 32), decay=0, decorrelate=False, sigmoid=False, generator=_generator()
    )()
    power = torch.fft.fft2(planes).abs().square().mean(dim=(0, 1))
    radius = _radius(32, 32)
    low, high = power[(radius > 0.05) & (radius < 0.2)].mean(), power[radius > 0.4].mean()
    assert (low / high).item() == pytest.approx(1.0, abs=0.15)


def test_colours_go_together_as_those_of_photographs() -> None:
    image = Fourier((8, 32, 32), sigmoid=False, generator=_generator())()
    red, green, blue = image.transpose(0, 1).flatten(1)
    correlation = torch.corrcoef(torch.stack([red, green, blue]))
    assert correlation[0, 1] > 0.9
    assert correlation[0, 2] > 0.7
    assert correlation[0, 2] < correlation[1, 2]


def test_the_largest_colour_direction_has_norm_one() -> None:
    columns = Fourier((1, 4, 4)).mixing.norm(dim=0)
    assert columns.max().item() == pytest.approx(1.0)
    # lucid: the norm of (0.26, 0.27, 0.27).
    assert math.hypot(0.26, 0.27, 0.27) * Fourier((1, 4, 4)).mixing[0, 0].item() == pytest.approx(
        0.26
    )


def test_one_seed_gives_one_image_bit_by_bit() -> None:
    first, second = (Fourier((2, 9, 8), generator=_generator(5))() for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, Fourier((2, 9, 8), generator=_generator(6))())


def test_the_sigmoid_keeps_the_image_between_black_and_white() -> None:
    image = Fourier((1, 16, 16), std=10.0, generator=_generator())()
    assert 0 <= image.min() < 0.1
    assert 0.9 < image.max() <= 1


def _noisy_target() -> Objective:
    """Distance to white noise, as frequencies see it: every frequency pulls equally."""
    target = torch.rand(1, 3, 32, 32, generator=_generator())

    def compute(features: Features) -> Tensor:
        return (features[IMAGE] - target).square().sum(dim=(1, 2, 3))

    return Objective((Term("distance", (IMAGE,), compute),))


def test_it_learns_less_of_the_high_frequencies_than_pixels_do() -> None:
    def share_of_high_frequencies(image: Pixels | Fourier) -> float:
        result = optimize(
            image, _noisy_target(), lambda _x, _layers: {}, steps=10, optimizer="adam", lr=0.02
        )
        power = torch.fft.fft2(result.image - result.image.mean()).abs().square()
        return float(power[..., _radius(32, 32) > 0.25].sum() / power.sum())

    grey = torch.full((1, 3, 32, 32), 0.5)
    assert share_of_high_frequencies(Fourier(init=grey)) < 0.6 * share_of_high_frequencies(
        Pixels(grey)
    )


def test_neither_shape_nor_image_is_an_error() -> None:
    with pytest.raises(ValueError, match="shape or an image"):
        Fourier()
