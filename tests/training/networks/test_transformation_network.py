"""Transformation networks."""

import pytest
import torch
import torch.nn.functional as F

from training.errors import TrainingError
from training.networks.architectures import build_network
from training.networks.fade import fade
from training.networks.hourglass import LiteHourglass, calmness
from training.networks.johnson_networks import LiteNetwork, ReferenceNetwork
from training.networks.transformation_network import ConditionalInstanceNorm, TransformationNetwork


@pytest.fixture(params=["hourglass", "hourglass-lite", "reference", "lite"])
def network(request: pytest.FixtureRequest) -> TransformationNetwork:
    torch.manual_seed(0)
    return build_network(request.param).eval()


def random_styles(network: TransformationNetwork, n: int) -> torch.Tensor:
    styles = network.neutral_style() + 0.3 * torch.randn(n, network.style_size)
    styles[:, -1] = 0.0  # paintings let nothing of the photo show through
    return styles


def test_normalization_gives_each_channel_the_mean_beta_and_the_deviation_gamma() -> None:
    norm = ConditionalInstanceNorm(2)
    x = torch.tensor([[[[0.0, 2.0]], [[10.0, 30.0]]]])  # [1, 2, 1, 2]
    y = norm(x, torch.tensor([[3.0, 5.0]]), torch.tensor([[1.0, -1.0]]))
    # (0, 2) has mean 1 and deviation 1: normalized (-1, 1); times 3 plus 1.
    torch.testing.assert_close(y[0, 0], torch.tensor([[-2.0, 4.0]]), atol=1e-4, rtol=0)
    torch.testing.assert_close(y[0, 1], torch.tensor([[-6.0, 4.0]]), atol=1e-4, rtol=0)


def test_the_folded_normalization_equals_the_explicit_formula() -> None:
    torch.manual_seed(0)
    x, gamma, beta = torch.randn(3, 4, 8, 9), torch.randn(3, 4), torch.randn(3, 4)
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
    explicit = (x - mean) / (variance + 1e-5).sqrt() * gamma[..., None, None]
    explicit = explicit + beta[..., None, None]
    torch.testing.assert_close(ConditionalInstanceNorm(4)(x, gamma, beta), explicit)


def test_half_precision_maps_are_normalized_with_float32_statistics() -> None:
    x = torch.full((1, 1, 64, 64), 300.0, dtype=torch.float16)
    x[..., ::2] = 100.0  # the sum, 819,200, is beyond float16
    y = ConditionalInstanceNorm(1)(x, torch.ones(1, 1), torch.zeros(1, 1))
    assert y.dtype == torch.float16
    assert set(y.unique().tolist()) == {-1.0, 1.0}


def test_a_style_vector_has_the_documented_length() -> None:
    # Two numbers per channel of 32 + 64 + 128 + 10 · 128 + 64 + 32 = 1,600 conditional channels,
    # and the photo's opacity.
    assert ReferenceNetwork().style_size == 3201
    # 32 + 64 + 8 · 64 + 32 = 640.
    assert LiteNetwork().style_size == 1281
    # 32 + 64 and 16 of noise, 128 + 8 · 128, back by 64 + 64 + 2 · 64, 32 with 8 of noise + 32.
    assert LiteHourglass().style_size == 2 * 1592 + 1


def test_the_photograph_is_the_photo(network: TransformationNetwork) -> None:
    photo = torch.rand(2, 3, 19, 22)
    painted = network(photo, network.photograph_style().expand(2, -1))
    torch.testing.assert_close(painted, photo, atol=1e-6, rtol=0)


def test_a_painting_lets_nothing_of_the_photo_through(network: TransformationNetwork) -> None:
    photo, style = torch.rand(2, 3, 16, 16), random_styles(network, 2)
    rendered = network.render(photo, style)
    torch.testing.assert_close(network(photo, style), rendered, atol=1e-6, rtol=0)


def test_a_blend_with_the_photograph_renders_the_painting_at_full_strength(
    network: TransformationNetwork,
) -> None:
    photo, style = torch.rand(1, 3, 16, 16), random_styles(network, 1)
    blend = 0.3 * style + 0.7 * network.photograph_style()
    rendered = network.render(photo, style)
    torch.testing.assert_close(network.render(photo, blend), rendered, atol=1e-4, rtol=0)


def test_training_leaves_the_opacity_alone(network: TransformationNetwork) -> None:
    style = random_styles(network, 1).requires_grad_()
    torch.autograd.backward(network.render(torch.rand(1, 3, 16, 16), style).sum())
    assert style.grad is not None
    assert style.grad[0, -1] == 0
    assert style.grad[0, :-1].any()


def test_fading_mixes_the_means_and_the_contrasts() -> None:
    photo = torch.tensor([0.2, 0.6]).expand(1, 3, 4, 2)  # mean 0.4, deviation 0.2
    painted = torch.tensor([0.6, 0.4]).expand(1, 3, 4, 2)  # mean 0.5, deviation 0.1, reversed
    half = fade(photo, painted, torch.full((1, 1, 1, 1), 0.5))
    # The plain mixture is 0.4 and 0.5; stretched from 0.05 to 0.15 it is 0.3 and 0.6.
    expected = torch.tensor([0.3, 0.6]).expand(1, 3, 4, 2)
    torch.testing.assert_close(half, expected, atol=1e-4, rtol=0)
    for opacity, end in ((1.0, photo), (0.0, painted)):
        faded = fade(photo, painted, torch.full((1, 1, 1, 1), opacity))
        torch.testing.assert_close(faded, end, atol=1e-6, rtol=0)


def test_flat_pictures_fade_to_flat_pictures() -> None:
    photo, painted = torch.full((1, 3, 4, 4), 0.2), torch.full((1, 3, 4, 4), 0.6)
    faded = fade(photo, painted, torch.full((1, 1, 1, 1), 0.5))
    torch.testing.assert_close(faded, torch.full((1, 3, 4, 4), 0.4))


@pytest.mark.parametrize("architecture", ["reference", "lite"])
def test_without_opacity_a_darker_photo_is_painted_the_same(architecture: str) -> None:
    # Why rows need an opacity at all: the first normalization forgets brightness and contrast.
    # In an hourglass contrast decides where noise is, and nothing else.
    network = build_network(architecture).eval()
    photo, style = torch.rand(1, 3, 32, 32), random_styles(network, 1)
    darker = network.render(0.5 * photo + 0.1, style)
    torch.testing.assert_close(darker, network.render(photo, style), atol=1e-2, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (17, 16), (18, 31), (35, 50), (64, 19)])
def test_the_output_has_exactly_the_size_of_the_input(
    network: TransformationNetwork, size: tuple[int, int]
) -> None:
    painted = network(torch.rand(2, 3, *size), random_styles(network, 2))
    assert painted.shape == (2, 3, *size)


def test_colours_stay_between_zero_and_one(network: TransformationNetwork) -> None:
    painted = network(torch.rand(1, 3, 32, 32), 20 * random_styles(network, 1))
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_each_image_of_a_batch_gets_its_own_style(network: TransformationNetwork) -> None:
    photos, styles = torch.rand(3, 3, 24, 28), random_styles(network, 3)
    together = network(photos, styles)
    alone = torch.cat([network(photos[i : i + 1], styles[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert not torch.allclose(together, network(photos, styles.flip(0)), atol=1e-3)


def test_every_number_of_the_style_vector_matters(network: TransformationNetwork) -> None:
    style = random_styles(network, 1).requires_grad_()
    network(torch.rand(1, 3, 32, 32), style).square().sum().backward()
    assert style.grad is not None
    used = (style.grad != 0).float().mean()
    # A channel that a ReLU kills everywhere has no gradient; whole layers may not be missing.
    assert used > 0.9


def test_the_digest_changes_with_any_weight(network: TransformationNetwork) -> None:
    before = network.digest()
    assert before == network.digest()
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1e-3
    assert network.digest() != before


def test_a_flat_area_is_painted_irregularly() -> None:
    torch.manual_seed(0)
    network = LiteHourglass().eval()
    flat = torch.full((2, 3, 64, 96), 0.4)
    painted = network(flat, random_styles(network, 1).expand(2, -1))
    torch.testing.assert_close(painted[0], painted[1])  # whatever else is in the batch
    # A network without noise repeats itself with its stride, 8 pixels.
    moved = painted[..., 8:] - painted[..., :-8]
    assert moved[..., 16:-16, 16:-16].abs().mean() > 1e-3


def test_calm_is_where_the_photo_has_no_contrast() -> None:
    photo = torch.full((1, 3, 64, 128), 0.5)
    photo[..., 64:] += 0.2 * torch.tensor([1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]).repeat(8)
    calm = calmness(F.pixel_unshuffle(photo, 2))
    assert calm.shape == (1, 1, 16, 32)
    torch.testing.assert_close(calm[..., :12], torch.ones(1, 1, 16, 12))  # 5 places from there
    # A deviation of 0.2, 51 levels, is ten times that of a half: one part in 105.
    assert calm[..., 20:].max() < 0.02


def test_the_lite_network_starts_without_a_checkerboard() -> None:
    network = LiteNetwork()
    flat = torch.full((1, 3, 32, 32), 0.4)
    painted = network(flat, network.neutral_style()[None])
    phases = torch.stack([painted[..., i::2, j::2] for i in (0, 1) for j in (0, 1)])
    torch.testing.assert_close(phases, phases[:1].expand_as(phases), atol=1e-6, rtol=0)


def test_an_unknown_architecture_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="choose one of hourglass, hourglass-lite, "):
        build_network("resnet")
