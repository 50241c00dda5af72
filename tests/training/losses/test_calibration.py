"""Calibration of the style losses, and how a model keeps it."""

import pytest
import torch
from torch import Tensor

from training.errors import TrainingError
from training.loss_settings import LossSettings, build_loss, perceptual_loss, scales_from_notes
from training.losses.calibration import calibrate, painting_grams
from training.losses.gram import gram_matrix
from training.networks.loss_network import LossNetwork

LAYERS = ("relu1_1", "relu2_1")
SETTINGS = LossSettings(("relu3_1",), LAYERS, style_strength=1.0, total_variation_weight=0.0)


@pytest.fixture
def network(vgg_weights: dict[str, Tensor]) -> LossNetwork:
    return LossNetwork(vgg_weights, SETTINGS.layers)


@pytest.fixture
def paintings() -> list[Tensor]:
    """A loud painting and a pale one, of different sizes."""
    torch.manual_seed(0)
    return [torch.rand(3, 32, 48), 0.5 + 0.02 * torch.rand(3, 40, 36)]


@pytest.fixture
def photos() -> Tensor:
    torch.manual_seed(1)
    return torch.rand(3, 3, 32, 32) * torch.tensor([0.3, 0.6, 1.0]).view(3, 1, 1, 1)


def test_the_scale_is_the_mean_squared_distance_of_photos_and_painting(
    network: LossNetwork, paintings: list[Tensor], photos: Tensor
) -> None:
    grams = painting_grams(network, paintings, LAYERS)
    scales = calibrate(network, grams, photos)
    features = network(photos, ["relu2_1"])["relu2_1"]
    distances = (gram_matrix(features) - grams["relu2_1"][1]).square().mean(dim=(1, 2))  # [K]
    torch.testing.assert_close(scales["relu2_1"][1], distances.mean())
    assert {layer: len(values) for layer, values in scales.items()} == dict.fromkeys(LAYERS, 2)


def test_unstyled_photos_cost_one_for_every_painting_and_layer(
    network: LossNetwork, paintings: list[Tensor], photos: Tensor
) -> None:
    loss, _ = build_loss(SETTINGS, network, paintings, photos)
    for painting in (0, 1):
        styles = torch.full((3,), painting)
        features = network(photos)
        for layer, layer_loss in loss.style_losses.items():
            mean = layer_loss(features[layer], styles).mean()
            torch.testing.assert_close(mean, torch.tensor(1.0))
        torch.testing.assert_close(loss(photos, photos, styles).style.mean(), torch.tensor(1.0))


def test_a_louder_loss_network_gives_the_same_losses(
    vgg_weights: dict[str, Tensor], paintings: list[Tensor], photos: Tensor
) -> None:
    louder = {k: 7 * v if k.startswith("features.0.") else v for k, v in vgg_weights.items()}
    painted = torch.rand(3, 3, 32, 32)
    styles = torch.tensor([0, 1, 0])
    totals = [
        build_loss(SETTINGS, LossNetwork(weights, SETTINGS.layers), paintings, photos)[0](
            photos, painted, styles
        ).total
        for weights in (vgg_weights, louder)
    ]
    torch.testing.assert_close(totals[0], totals[1])


def test_the_notes_of_a_model_give_its_loss_back(
    network: LossNetwork, paintings: list[Tensor], photos: Tensor
) -> None:
    loss, scales = build_loss(SETTINGS, network, paintings, photos)
    notes = {
        "content_layers": ["relu3_1"],
        "style_layers": list(LAYERS),
        "style_strength": 1.0,
        "total_variation_weight": 0.0,
        **SETTINGS.conventions(network, ["loud", "pale"], scales),
    }
    assert notes["gram_normalization"] == "C·H·W"
    assert notes["loss_network"] == network.digest()
    assert notes["style_weight"] == 50
    grams = painting_grams(network, [paintings[1]], LAYERS)
    again = perceptual_loss(
        LossSettings.from_notes(notes), network, grams, scales_from_notes(notes, ["pale"])
    )
    painted = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(
        again(photos, painted, torch.zeros(3, dtype=torch.long)).total,
        loss(photos, painted, torch.ones(3, dtype=torch.long)).total,
    )


def test_notes_without_calibration_are_refused() -> None:
    with pytest.raises(TrainingError, match="style_strength"):
        LossSettings.from_notes({"content_layers": [], "style_layers": [], "style_weight": 80})
    with pytest.raises(TrainingError, match="no calibration for 'new'"):
        scales_from_notes({"calibration": {"relu1_1": {"old": 1.0}}}, ["new"])
