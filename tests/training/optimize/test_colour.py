"""Colours kept: luminance, CORAL."""

import pytest
import torch
from torch import Tensor

from training.optimize.colour import (
    ColourBlind,
    PaintedLuminance,
    coral,
    luminance,
    match_luminance,
)


def _picture(seed: int, height: int = 24, width: int = 32) -> Tensor:
    """Correlated random colours within [0.1, 0.9]."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(1, 3, height, width, generator=generator)
    mixed = torch.einsum("ij,njhw->nihw", torch.rand(3, 3, generator=generator), colours)
    return 0.1 + 0.8 * mixed / mixed.amax()


def _mean_and_covariance(image: Tensor) -> tuple[Tensor, Tensor]:
    colours = image.squeeze(0).flatten(1)
    return colours.mean(dim=1), torch.cov(colours, correction=0)


def test_luminance_weighs_red_green_and_blue_as_the_eye_does() -> None:
    image = torch.eye(3).reshape(1, 3, 1, 3)  # a red, a green and a blue pixel
    torch.testing.assert_close(luminance(image).flatten(), torch.tensor([0.299, 0.587, 0.114]))


def test_a_matched_luminance_has_the_targets_mean_and_deviation() -> None:
    image = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    target = torch.tensor([0.4, 0.6]).reshape(1, 1, 1, 2)
    torch.testing.assert_close(match_luminance(image, target), target)


def test_a_flat_luminance_is_matched_by_its_mean() -> None:
    flat = torch.full((1, 1, 2, 2), 0.9)
    matched = match_luminance(flat, torch.tensor([0.2, 0.4]).reshape(1, 1, 1, 2))
    torch.testing.assert_close(matched, torch.full((1, 1, 2, 2), 0.3))


def test_coral_gives_the_targets_mean_and_covariance() -> None:
    target = _picture(1, 10, 70)
    mean, covariance = _mean_and_covariance(coral(_picture(0), target))
    expected_mean, expected_covariance = _mean_and_covariance(target)
    torch.testing.assert_close(mean, expected_mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(covariance, expected_covariance, atol=1e-4, rtol=0)


def test_coral_of_a_picture_to_itself_changes_nothing() -> None:
    torch.testing.assert_close(coral(_picture(2), _picture(2)), _picture(2), atol=1e-5, rtol=0)


def test_coral_scales_independent_channels_by_their_deviations() -> None:
    # Red is ±0.1 around 0.5, green and blue are ±0.2; the target's are ±0.2, ±0.1, ±0.2.
    signs = torch.tensor([[1, 1, 1, 1, -1, -1, -1, -1], [1, 1, -1, -1, 1, 1, -1, -1]])
    signs = torch.cat([signs, torch.tensor([[1, -1, 1, -1, 1, -1, 1, -1]])]).float()
    image = (0.5 + torch.tensor([[0.1], [0.2], [0.2]]) * signs).reshape(1, 3, 2, 4)
    target = (0.4 + torch.tensor([[0.2], [0.1], [0.2]]) * signs).reshape(1, 3, 2, 4)
    torch.testing.assert_close(coral(image, target), target)


def test_coral_of_a_grey_painting_is_finite() -> None:
    grey = _picture(3)[:, :1].expand(1, 3, 24, 32)
    recoloured = coral(grey, _picture(4))
    assert torch.isfinite(recoloured).all()
    torch.testing.assert_close(recoloured.mean(dim=(2, 3)), _picture(4).mean(dim=(2, 3)))


def test_a_painted_luminance_that_is_the_photos_gives_the_photo() -> None:
    photo = torch.rand(1, 3, 6, 8)
    torch.testing.assert_close(PaintedLuminance(photo, photo)(), photo)


def test_a_painted_luminance_keeps_the_photos_chroma() -> None:
    photo = 0.3 + 0.4 * torch.rand(1, 3, 6, 8)
    painted = PaintedLuminance(photo, photo + 0.2 * torch.rand(1, 1, 6, 8))()
    assert (painted - photo).abs().max() > 0.05
    torch.testing.assert_close(painted - luminance(painted), photo - luminance(photo))


@pytest.mark.parametrize("level", [0.0, 0.02, 0.5, 0.97, 1.0])
def test_where_the_chroma_has_no_room_it_is_reduced_and_its_hue_kept(level: float) -> None:
    photo = torch.rand(1, 3, 6, 8)
    painted = PaintedLuminance(photo, torch.full_like(photo, level))()
    assert painted.amin() >= -1e-6
    assert painted.amax() <= 1 + 1e-6
    torch.testing.assert_close(luminance(painted), torch.full((1, 1, 6, 8), level))
    chroma, own = painted - luminance(painted), photo - luminance(photo)
    share = (chroma * own).sum(dim=1, keepdim=True) / own.square().sum(dim=1, keepdim=True)
    torch.testing.assert_close(chroma, share * own)


def test_a_painted_luminance_takes_over_an_images_luminance() -> None:
    photo, other = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    image = PaintedLuminance(photo, photo)
    image.set_image(other)
    torch.testing.assert_close(luminance(image()), luminance(other))


def test_a_colour_blind_network_sees_no_difference_between_colours_of_one_luminance() -> None:
    network = ColourBlind(lambda x, layers: dict.fromkeys(layers, 2 * x))
    image = torch.rand(1, 3, 4, 4)
    seen = network(image, ["all"])["all"]
    torch.testing.assert_close(seen, 2 * luminance(image).expand(1, 3, 4, 4))
