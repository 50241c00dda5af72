"""Flaws of pictures, measured on painters whose flaws are known."""

import math

import pytest
import torch
from torch import Tensor

from training.evaluation.measures.flaws import (
    calm_area,
    calm_picture,
    detail_kept,
    halo,
    lattice,
    painted_share,
    step_picture,
)


def as_it_is(photos: Tensor) -> Tensor:
    return photos


def glowing(photos: Tensor) -> Tensor:
    """Brightens 16 columns beside the edge by 20 levels."""
    painted = photos.clone()
    painted[..., 196:212] += 20 / 255
    return painted


def test_who_changes_nothing_has_no_flaw_but_an_empty_sky() -> None:
    fine = calm_area(as_it_is)
    assert halo(as_it_is) < 0.2  # the means of 3,584 and more values with a deviation of 2
    assert all(found < 0.5 for found in lattice(fine).values())
    assert painted_share(fine, torch.rand(1, 3, 64, 64)) < 1e-3
    photos = torch.rand(2, 3, 32, 32)
    assert detail_kept(photos, photos) == pytest.approx(1, abs=1e-5)


def test_a_halo_is_told_in_levels() -> None:
    assert halo(glowing) == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_lattice_is_told_in_levels_by_its_period(period: int) -> None:
    columns = torch.arange(512)
    wave = 6 * torch.cos(2 * math.pi * columns / period)  # root mean square 6 / √2, or 6 of ± 6

    def paint(photos: Tensor) -> Tensor:
        return photos + wave / 255

    found = lattice(calm_area(paint))
    expected = 6.0 if period == 2 else 6 / math.sqrt(2)
    # The box of 15 pixels takes no more than a fifteenth of it away, or adds it.
    assert found[period] == pytest.approx(expected, rel=0.08)
    assert all(found[finer] < 0.5 for finer in (2, 4, 8) if finer < period)


def test_strokes_at_random_places_are_painted_and_no_lattice() -> None:
    generator = torch.Generator().manual_seed(1)

    def paint(photos: Tensor) -> Tensor:
        return photos + 0.05 * torch.randn(1, 1, *photos.shape[-2:], generator=generator)

    fine = calm_area(paint)
    painting = 0.5 + 0.05 * torch.randn(1, 1, 200, 200, generator=generator).expand(1, 3, -1, -1)
    assert painted_share(fine, painting) == pytest.approx(1, rel=0.05)
    # σ is 12.4 levels; what is left beyond chance is chance itself, of the order of σ / √n.
    assert all(found < 0.5 for found in lattice(fine).values())


def test_detail_counts_by_its_place_and_sign_and_not_by_its_contrast() -> None:
    photos = torch.rand(1, 3, 8, 8).repeat_interleave(16, 2).repeat_interleave(16, 3)
    assert detail_kept(photos, 1 - photos) == pytest.approx(-1, abs=1e-5)
    assert detail_kept(photos, torch.full_like(photos, 0.5)) == pytest.approx(0, abs=1e-3)
    faint = 0.5 + 0.1 * photos
    assert detail_kept(photos, faint) == pytest.approx(1, abs=1e-3)


def test_the_noise_of_a_sensor_is_in_the_sky_if_it_is_asked_for() -> None:
    fine = calm_area(as_it_is, noise=3.0)
    # White noise of 3 levels, and of rounding 1 / 12, less the part of its box mean.
    expected = math.sqrt((9 + 1 / 12) * (1 - 1 / 15**2))
    assert fine.square().mean().sqrt().item() == pytest.approx(expected, rel=0.02)


def test_the_drawn_pictures_are_bytes_and_always_the_same() -> None:
    for draw in (step_picture, calm_picture):
        picture = draw()
        assert torch.equal(picture, draw())
        torch.testing.assert_close(picture * 255, (picture * 255).round(), atol=1e-4, rtol=0)
