"""Content, style and total-variation losses against numbers worked out by hand."""

import pytest
import torch

from training.losses.calibration import painting_grams
from training.losses.content import ContentLoss
from training.losses.edges import EdgeLoss, edges
from training.losses.gram import gram_matrix
from training.losses.lattice import LatticeLoss
from training.losses.low_frequency import LowFrequencyLoss, shading
from training.losses.luminance import fine_luminance
from training.losses.perceptual import PerceptualLoss
from training.losses.style import GramStyleLoss, gatys_scale
from training.losses.total_variation import TotalVariationLoss
from training.networks.loss_network import LossNetwork


def test_the_gram_matrix_is_the_inner_products_divided_by_channels_and_pixels() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two channels, two pixels
    # Products: 1·1+2·2 = 5, 1·3+2·4 = 11, 3·3+4·4 = 25; divided by 2 · 1 · 2.
    expected = torch.tensor([[[1.25, 2.75], [2.75, 6.25]]])
    torch.testing.assert_close(gram_matrix(features), expected)


def test_the_gram_matrix_does_not_care_where_things_are() -> None:
    features = torch.rand(1, 3, 4, 5)
    shuffled = features.flatten(2)[..., torch.randperm(20)].reshape(1, 3, 4, 5)
    torch.testing.assert_close(gram_matrix(features), gram_matrix(shuffled))


def test_the_gram_matrix_is_float32_even_under_autocast() -> None:
    features = torch.full((1, 2, 300, 300), 10.0, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        gram = gram_matrix(features)
    assert gram.dtype == torch.float32
    torch.testing.assert_close(gram, torch.full((1, 2, 2), 50.0))


def test_style_loss_is_zero_for_the_painting_and_one_for_nothing() -> None:
    features = torch.rand(2, 3, 6, 6)
    loss = GramStyleLoss(gram_matrix(features))
    torch.testing.assert_close(loss(features, torch.tensor([0, 1])), torch.zeros(2))
    nothing = loss(torch.zeros(2, 3, 6, 6), torch.tensor([0, 1]))
    torch.testing.assert_close(nothing, torch.ones(2))


def test_style_loss_compares_each_image_with_its_own_painting() -> None:
    targets = torch.stack([torch.eye(2), 2 * torch.eye(2)])
    loss = GramStyleLoss(targets)
    features = torch.zeros(2, 2, 1, 2)
    features[:, 0, 0, 0] = features[:, 1, 0, 1] = 2.0  # Gram: 4 / (2·1·2) = 1 on the diagonal
    # Against the unit matrix 0; against twice it (1² + 1²) / (2² + 2²) = 1 / 4.
    torch.testing.assert_close(loss(features, torch.tensor([0, 1])), torch.tensor([0.0, 0.25]))


def test_style_loss_means_the_same_for_a_loud_and_a_quiet_painting() -> None:
    features, painting = torch.rand(1, 3, 5, 5), torch.rand(1, 3, 5, 5)
    quiet = GramStyleLoss(gram_matrix(0.1 * painting))(0.1 * features, torch.tensor([0]))
    loud = GramStyleLoss(gram_matrix(10 * painting))(10 * features, torch.tensor([0]))
    torch.testing.assert_close(quiet, loud)


def test_a_layer_without_features_on_the_painting_gives_a_finite_loss() -> None:
    loss = GramStyleLoss(torch.zeros(1, 2, 2))
    assert torch.isfinite(loss(torch.rand(1, 2, 3, 3), torch.tensor([0]))).all()


def test_content_loss_is_the_squared_error_over_the_photos_energy() -> None:
    loss = ContentLoss(torch.tensor([[[[1.0, 3.0]]]]))
    # ((2-1)² + (3-3)²) / (1² + 3²) = 0.1
    torch.testing.assert_close(loss(torch.tensor([[[[2.0, 3.0]]]])), torch.tensor([0.1]))


@pytest.mark.parametrize(("beta", "expected"), [(2.0, 5.0), (1.0, 5**0.5), (4.0, 25.0)])
def test_total_variation_is_a_power_of_the_gradients_length(beta: float, expected: float) -> None:
    image = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    # One pixel has both neighbours: (2² + 1²)^(β/2).
    torch.testing.assert_close(TotalVariationLoss(beta)(image), torch.tensor([expected]))


def test_total_variation_is_the_mean_over_pixels_and_channels() -> None:
    ramp = torch.arange(5.0).expand(1, 3, 4, 5)  # horizontal steps of 1, vertical ones of 0
    torch.testing.assert_close(TotalVariationLoss()(ramp), torch.tensor([1.0]))
    torch.testing.assert_close(TotalVariationLoss()(2 * ramp), torch.tensor([4.0]))


def test_total_variation_of_a_flat_image_has_a_gradient() -> None:
    image = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    TotalVariationLoss(1.0)(image).sum().backward()
    assert image.grad is not None
    torch.testing.assert_close(image.grad, torch.zeros_like(image))


def test_a_mask_of_ones_changes_no_gram_matrix() -> None:
    features = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(gram_matrix(features, torch.ones(4, 5)), gram_matrix(features))


def test_a_binary_mask_gives_the_gram_matrix_of_its_region() -> None:
    features = torch.rand(1, 3, 4, 6)
    mask = torch.zeros(4, 6)
    mask[:, :2] = 1
    inside = gram_matrix(features[..., :2])
    torch.testing.assert_close(gram_matrix(features, mask), inside)
    features[..., 2:] = torch.rand(1, 3, 4, 4)  # what is outside has no effect
    torch.testing.assert_close(gram_matrix(features, mask), inside)


def test_the_gatys_scale_gives_his_equation_four() -> None:
    features, painting = torch.rand(1, 3, 4, 5), torch.rand(1, 3, 4, 5)
    f, p = features.flatten(2)[0], painting.flatten(2)[0]  # [N_l, M_l] = [3, 20]
    expected = (f @ f.T - p @ p.T).square().sum() / (4 * 3**2 * 20**2)
    loss = GramStyleLoss(gram_matrix(painting), torch.tensor([gatys_scale(3)]))
    torch.testing.assert_close(loss(features, torch.tensor([0]))[0], expected)


def test_the_gradient_of_the_style_loss_is_gatys_equation_six() -> None:
    features = torch.rand(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    painting = torch.rand(1, 3, 2, 2, dtype=torch.float64)
    loss = GramStyleLoss(gram_matrix(painting), torch.tensor([gatys_scale(3)]))
    loss(features, torch.tensor([0])).sum().backward()
    f, p = features.detach().flatten(2)[0], painting.flatten(2)[0]  # N_l = 3, M_l = 4
    expected = (f @ f.T - p @ p.T) @ f / (3**2 * 4**2)
    assert features.grad is not None
    torch.testing.assert_close(features.grad.flatten(2)[0], expected)


@pytest.fixture
def loss(vgg_weights: dict[str, torch.Tensor]) -> PerceptualLoss:
    torch.manual_seed(1)
    network = LossNetwork(vgg_weights, ["relu1_1", "relu2_1", "relu3_1"])
    paintings = [torch.rand(3, 32, 48), torch.rand(3, 40, 32)]
    return PerceptualLoss(
        network,
        painting_grams(network, paintings, ["relu1_1", "relu2_1"]),
        None,
        content_layers=["relu3_1"],
        style_strength=0.5,
        total_variation_weight=5.0,
        low_frequency_weight=2.0,
        edge_weight=3.0,
        lattice_weight=7.0,
    )


def test_the_total_is_the_weighted_sum_of_the_terms(loss: PerceptualLoss) -> None:
    photos, painted = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    terms = loss(photos, painted, torch.tensor([1, 0]))
    expected = terms.content + 25 * terms.style + 5 * terms.total_variation
    expected = expected + 2 * terms.low_frequency + 3 * terms.edge + 7 * terms.lattice
    torch.testing.assert_close(terms.total, expected)
    assert terms.total.shape == (2,)


def test_an_unchanged_photo_has_no_content_loss(loss: PerceptualLoss) -> None:
    photos = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(loss(photos, photos, torch.tensor([0])).content, torch.zeros(1))


def test_the_painting_itself_has_no_style_loss(loss: PerceptualLoss) -> None:
    torch.manual_seed(1)
    painting = torch.rand(1, 3, 32, 48)  # the first that the fixture draws
    terms = loss(torch.rand(1, 3, 32, 48), painting, torch.tensor([0]))
    torch.testing.assert_close(terms.style, torch.zeros(1), atol=1e-9, rtol=0)


def test_the_painted_photo_gets_gradients_and_the_photo_none(loss: PerceptualLoss) -> None:
    photos = torch.rand(1, 3, 32, 32, requires_grad=True)
    painted = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(photos, painted, torch.tensor([0])).total.sum().backward()
    assert photos.grad is None
    assert painted.grad is not None
    assert painted.grad.abs().sum() > 0


def test_a_pattern_of_the_stride_has_its_mean_square_as_lattice_loss() -> None:
    grey = torch.full((1, 3, 48, 48), 0.5)
    grey[..., ::2] += 0.1  # columns of 0.6 and 0.5: ± 0.05 around their mean
    # The box of 15 columns holds 7 of the column's own kind and 8 of the other.
    amplitude = 0.05 * (1 + 1 / 15)
    for period in (2, 4, 8):
        found = LatticeLoss([period])(grey)
        torch.testing.assert_close(found, torch.tensor([amplitude**2]), atol=1e-6, rtol=0)
    assert LatticeLoss([3])(grey) < 1e-4  # rounds of three see both columns alike


def test_strokes_at_random_places_are_no_lattice() -> None:
    strokes = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    # White noise of variance v leaves v / cells of it in each of the folded places.
    fine = fine_luminance(strokes)
    variance, cells = fine.square().mean(), (fine.shape[-1] // 8) ** 2
    assert LatticeLoss([8])(strokes) < 3 * variance / cells


def test_shading_forgets_brightness_contrast_and_strokes() -> None:
    torch.manual_seed(0)
    photo = torch.rand(1, 3, 4, 4).repeat_interleave(16, 2).repeat_interleave(16, 3)
    strokes = 0.1 * torch.tensor([1.0, -1.0]).repeat(32)
    loss = LowFrequencyLoss()
    assert loss(shading(photo), 0.5 * photo + 0.2 + strokes) < 1e-4
    torch.testing.assert_close(loss(shading(photo), -photo), torch.tensor([4.0]), atol=0.05, rtol=0)


def test_a_glow_along_an_edge_has_a_low_frequency_loss() -> None:
    step = torch.zeros(1, 3, 64, 128)
    step[..., 64:] = 0.8
    glowing = step.clone()
    glowing[..., 64:80] = 1.0
    # Standardized, the step is -1 and 1. Over eight columns of boxes the glow's are 0, 0, 0, 0, 1,
    # 0.8, 0.8, 0.8: mean 0.425, deviation √(0.365 − 0.180625).
    values = torch.tensor([0.0] * 4 + [1.0] + [0.8] * 3)
    wanted = torch.tensor([-1.0] * 4 + [1.0] * 4)
    found = (values - values.mean()) / values.std(correction=0)
    expected = (found - wanted).square().mean()
    torch.testing.assert_close(
        LowFrequencyLoss()(shading(step), glowing), expected[None], atol=1e-2, rtol=0
    )


def test_the_edge_loss_compares_gradients_where_the_photo_has_them() -> None:
    photo = torch.zeros(1, 3, 32, 32)
    photo[..., 16:] = 0.5
    loss = EdgeLoss()
    torch.testing.assert_close(loss(edges(photo), photo), torch.zeros(1), atol=1e-4, rtol=0)
    # Fainter, brighter or painted over where the photo is calm is as good; reversed is worst.
    painted = 0.2 * photo + 0.3
    painted[..., :8] = torch.rand(1, 3, 32, 8)
    torch.testing.assert_close(loss(edges(photo), painted), torch.zeros(1), atol=1e-3, rtol=0)
    torch.testing.assert_close(loss(edges(photo), -photo), torch.full((1,), 2.0), atol=1e-3, rtol=0)


def test_a_photo_without_edges_asks_for_none() -> None:
    flat, painted = torch.full((1, 3, 32, 32), 0.5), torch.rand(1, 3, 32, 32, requires_grad=True)
    EdgeLoss()(edges(flat), painted).sum().backward()
    assert painted.grad is not None
    assert painted.grad.abs().max() < 1e-3
