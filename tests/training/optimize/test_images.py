"""Pixels and the noise to start from."""

import pytest
import torch

from training.optimize.failures import TooLargeError, is_out_of_memory, memory_for
from training.optimize.images import Pixels, noise, noise_like


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pixels_are_a_copy_and_give_copies() -> None:
    init = torch.zeros(1, 3, 2, 2)
    image = Pixels(init)
    shown = image()
    image.set_image(torch.ones(1, 3, 2, 2))
    assert init.sum() == shown.sum() == 0
    assert image().sum() == 12


def test_every_pixel_is_a_parameter_of_its_own() -> None:
    image = Pixels(torch.rand(1, 3, 2, 2))
    weights = torch.rand(1, 3, 2, 2)
    (slope,) = torch.autograd.grad((weights * image()).sum(), image.values)
    assert torch.equal(slope, weights)


def test_noise_is_grey_within_range_and_hangs_on_its_seed() -> None:
    first, again, other = (noise(40, 30, generator=seeded(s)) for s in (1, 1, 2))
    assert first.shape == (1, 3, 40, 30)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= first.min() < first.max() <= 1
    assert first.mean().item() == pytest.approx(0.5, abs=0.01)


def test_noise_like_a_texture_has_its_colours() -> None:
    texture = torch.tensor([0.3, 0.5, 0.6]).view(1, 3, 1, 1) + 0.05 * torch.randn(1, 3, 30, 30)
    like = noise_like(texture, (50, 60), generator=seeded(0))
    assert like.shape == (1, 3, 50, 60)
    dims = (2, 3)
    torch.testing.assert_close(like.mean(dims), texture.mean(dims), atol=0.01, rtol=0)
    torch.testing.assert_close(like.std(dims), texture.std(dims), atol=0.01, rtol=0)


def test_a_lack_of_memory_outside_the_loop_names_a_size_too() -> None:
    image = torch.empty(1, 3, 3000, 4000, device="meta")
    match = "4000 × 3000 pixels: --size 3000 needs"
    with pytest.raises(TooLargeError, match=match), memory_for(image):
        torch.empty(1 << 60)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_every_lack_of_memory_is_known(error: BaseException) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("can't allocate memory"))
