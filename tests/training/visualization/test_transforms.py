"""Random transformations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training.errors import TrainingError
from training.visualization.transforms import (
    Transform,
    compose,
    jitter,
    pad,
    random_rotate,
    random_scale,
    robust,
    roll,
    rotate,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _image(height: int = 6, width: int = 8) -> Tensor:
    return torch.rand(2, 3, height, width, generator=_generator(1))


IDENTITIES: dict[str, Callable[[torch.Generator], Transform]] = {
    "pad": lambda _: pad(0),
    "jitter": lambda generator: jitter(0, generator),
    "roll": lambda generator: roll(0, generator),
    "scale": lambda generator: random_scale([1.0], generator),
    "rotate": lambda generator: random_rotate([0.0], generator),
    "nothing composed": lambda _: compose(),
}


@pytest.mark.parametrize("build", IDENTITIES.values(), ids=list(IDENTITIES))
def test_by_nothing_is_the_identity(build: Callable[[torch.Generator], Transform]) -> None:
    assert torch.equal(build(_generator())(_image()), _image())


def test_padding_is_grey_and_the_image_stays_inside() -> None:
    padded = pad(2)(_image())
    assert padded.shape == (2, 3, 10, 12)
    assert torch.equal(padded[..., 2:-2, 2:-2], _image())
    assert set(padded[..., :2, :].flatten().tolist()) == {0.5}


def test_jitter_cuts_each_window_there_is() -> None:
    image, generator = torch.arange(9.0).view(1, 1, 3, 3), _generator()
    cut = jitter(1, generator)
    windows = [cut(image) for _ in range(60)]
    assert {tuple(window.shape) for window in windows} == {(1, 1, 2, 2)}
    assert {window[0, 0, 0, 0].item() for window in windows} == {0.0, 1.0, 3.0, 4.0}


def test_jitter_as_large_as_the_image_is_an_error_that_gives_both() -> None:
    with pytest.raises(TrainingError, match="8 × 6 is too small for a jitter of 6 pixels"):
        jitter(6, _generator())(_image())


def test_rolling_moves_every_pixel_and_loses_none() -> None:
    image = torch.arange(20.0).view(1, 1, 4, 5)
    rolled = roll(3, _generator(2))(image)
    assert not torch.equal(rolled, image)
    assert sorted(rolled.flatten().tolist()) == list(range(20))


def test_the_gradient_of_rolling_comes_back_to_its_pixel() -> None:
    image = torch.zeros(1, 1, 4, 4, requires_grad=True)
    weights = torch.arange(16.0).view(1, 1, 4, 4)
    (slope,) = torch.autograd.grad((roll(2, _generator(3))(image) * weights).sum(), image)
    torch.testing.assert_close(roll(2, _generator(3))(slope), weights)


def test_scaling_takes_one_of_the_scales() -> None:
    shrink = random_scale([0.5, 2.0], _generator())
    sizes = {tuple(shrink(_image()).shape[-2:]) for _ in range(20)}
    assert sizes == {(3, 4), (12, 16)}


def test_scaling_keeps_a_flat_image_flat() -> None:
    flat = torch.full((1, 3, 6, 6), 0.3)
    torch.testing.assert_close(
        random_scale([1.5], _generator())(flat), torch.full((1, 3, 9, 9), 0.3)
    )


def test_a_quarter_turn_is_counterclockwise() -> None:
    image = _image(6, 6)
    turned = random_rotate([90.0], _generator())(image)
    torch.testing.assert_close(turned, torch.rot90(image, 1, dims=(-2, -1)), atol=1e-5, rtol=0)


def test_half_a_turn_turns_an_oblong_image_too() -> None:
    torch.testing.assert_close(rotate(_image(), 180.0), _image().flip(-1, -2), atol=1e-5, rtol=0)


def test_turning_does_not_shear_an_oblong_image() -> None:
    image = torch.zeros(1, 1, 9, 21)
    image[0, 0, 4, 14] = 1.0  # four pixels right of the centre
    turned = rotate(image, 90.0)
    assert divmod(int(turned.argmax()), 21) == (0, 10)  # four pixels above it


def test_corners_that_come_into_view_are_grey() -> None:
    turned = rotate(torch.ones(1, 1, 20, 20), 45.0)
    assert turned[0, 0, 0, 0].item() == pytest.approx(0.5)
    assert turned[0, 0, 10, 10].item() == pytest.approx(1.0)


def test_one_seed_gives_one_sequence_bit_by_bit() -> None:
    image = torch.rand(1, 3, 40, 40, generator=_generator())
    first, second = robust(_generator(4)), robust(_generator(4))
    assert all(torch.equal(first(image), second(image)) for _ in range(3))


def test_the_standard_transformations_keep_the_size_within_a_tenth() -> None:
    transform = robust(_generator())
    for _ in range(10):
        height, width = transform(torch.rand(1, 3, 100, 60)).shape[-2:]
        # 100 + 24 - 8 = 116, scaled by 0.9 to 1.1, - 4.
        assert 100 <= height <= 124
        assert 64 <= width <= 80
