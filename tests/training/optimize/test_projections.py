"""Projections."""

import pytest
import torch

from training.optimize.projections import (
    bilateral,
    bilateral_filter,
    blur,
    chain,
    clip,
    gaussian_blur,
)


def test_clipping_limits_every_value() -> None:
    image = torch.tensor([-0.5, 0.0, 0.3, 1.0, 1.5]).view(1, 1, 1, 5)
    expected = torch.tensor([0.0, 0.0, 0.3, 1.0, 1.0]).view(1, 1, 1, 5)
    torch.testing.assert_close(clip()(image), expected)
    assert clip(0.2, 0.4)(image).flatten().tolist() == pytest.approx([0.2, 0.2, 0.3, 0.4, 0.4])


def test_projections_are_applied_in_their_order() -> None:
    some = clip(0.85, 1.05)
    image = torch.full((1, 1, 1, 1), 3.0)
    assert chain(some, clip())(image).item() == 1.0
    assert chain(clip(), some)(image).item() == pytest.approx(1.0)
    assert chain(clip(0, 0.5), some)(image).item() == pytest.approx(0.85)


def test_a_blurred_point_is_a_gaussian() -> None:
    image = torch.zeros(1, 1, 15, 15, dtype=torch.float64)
    image[..., 7, 7] = 1
    blurred = gaussian_blur(image, 1.5)[0, 0]
    assert blurred.sum() == pytest.approx(1)
    for dy, dx in ((0, 1), (2, 0), (3, 2)):
        ratio = (blurred[7 + dy, 7 + dx] / blurred[7, 7]).item()
        assert ratio == pytest.approx(2.718281828459045 ** (-(dy**2 + dx**2) / (2 * 1.5**2)))


def test_a_flat_image_stays_flat_up_to_its_border() -> None:
    image = torch.full((1, 3, 6, 6), 0.7)
    torch.testing.assert_close(gaussian_blur(image, 2.0), image)
    torch.testing.assert_close(bilateral_filter(image, 2.0, 0.1), image)


def test_no_width_blurs_nothing() -> None:
    image = torch.rand(1, 3, 5, 5)
    assert torch.equal(gaussian_blur(image, 0), image)


def test_a_bilateral_filter_keeps_a_step_and_smooths_what_lies_beside_it() -> None:
    step = torch.zeros(1, 3, 12, 12)
    step[..., 6:] = 1
    torch.testing.assert_close(bilateral_filter(step, 2.0, 0.1), step)
    generator = torch.Generator().manual_seed(0)
    rough = step + 0.03 * torch.randn(step.shape, generator=generator)
    smooth = bilateral_filter(rough, 2.0, 0.3)
    assert (smooth - step).std() < 0.5 * (rough - step).std()
    assert (gaussian_blur(step, 2.0) - step).abs().max() > 0.3  # which a Gaussian does not


def test_a_bilateral_filter_that_sees_all_colours_alike_is_gaussian() -> None:
    image = torch.rand(1, 3, 9, 11, dtype=torch.float64)
    torch.testing.assert_close(bilateral_filter(image, 1.2, 1e6), gaussian_blur(image, 1.2))


@pytest.mark.parametrize("project", [blur(1.0, every=3), bilateral(1.0, 0.5, every=3)])
def test_a_filter_may_come_at_each_third_step_only(project: object) -> None:
    assert callable(project)
    image = torch.rand(1, 3, 6, 6)
    changed = [not torch.equal(project(image), image) for _ in range(6)]
    assert changed == [False, False, True, False, False, True]


def test_an_image_smaller_than_the_filter_is_filtered_as_far_as_it_goes() -> None:
    assert gaussian_blur(torch.rand(1, 3, 3, 4), 5.0).shape == (1, 3, 3, 4)
