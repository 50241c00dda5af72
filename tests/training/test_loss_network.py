"""Loss network."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import vgg19

from training.errors import TrainingError
from training.networks.loss_network import LossNetwork, load_loss_network


def test_features_equal_those_of_torchvision() -> None:
    torch.manual_seed(0)
    vgg = vgg19(weights=None).eval()
    network = LossNetwork(vgg.state_dict(), ["relu1_1", "relu2_2", "relu3_4", "relu4_1"])
    x = torch.rand(1, 3, 32, 40)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    features = network(x)
    # Places in torchvision's list of VGG-19, behind the ReLU.
    for layer, place in {"relu1_1": 1, "relu2_2": 8, "relu3_4": 17, "relu4_1": 20}.items():
        expected = vgg.features[: place + 1]((x - mean) / std)
        torch.testing.assert_close(features[layer], expected)


def test_layers_are_named_from_a_truncated_slim_file(vgg_file: Path) -> None:
    network = load_loss_network(str(vgg_file), ["relu1_2", "relu2_1", "relu3_1"])
    features = network(torch.rand(2, 3, 32, 48))
    assert {name: tuple(f.shape) for name, f in features.items()} == {
        "relu1_2": (2, 4, 32, 48),
        "relu2_1": (2, 6, 16, 24),
        "relu3_1": (2, 8, 8, 12),
    }


def test_nothing_deeper_than_the_deepest_layer_is_kept(
    vgg_weights: dict[str, torch.Tensor],
) -> None:
    names = [name for name, _ in LossNetwork(vgg_weights, ["relu1_1"]).named_buffers()]
    assert names == ["relu1_1_weight", "relu1_1_bias", "mean", "std"]


def test_a_subset_of_layers_can_be_asked_for(vgg_file: Path) -> None:
    network = load_loss_network(str(vgg_file), ["relu1_1", "relu2_1", "relu3_1"])
    x = torch.rand(1, 3, 32, 32)
    subset = network(x, ["relu2_1"])
    assert list(subset) == ["relu2_1"]
    torch.testing.assert_close(subset["relu2_1"], network(x)["relu2_1"])


def test_a_missing_layer_is_an_error_that_lists_those_there_are(vgg_file: Path) -> None:
    with pytest.raises(TrainingError, match=r"'relu4_1' is not in .* relu1_1, .*, relu3_1$"):
        load_loss_network(str(vgg_file), ["relu1_1", "relu4_1"])


def test_reflection_padding_is_read_from_the_metadata(
    tmp_path: Path, vgg_weights: dict[str, torch.Tensor]
) -> None:
    file = tmp_path / "reflect.safetensors"
    save_file(vgg_weights, file, metadata={"architecture": "vgg19, reflection padding"})
    reflecting = load_loss_network(str(file), ["relu1_1"])
    padding = LossNetwork(vgg_weights, ["relu1_1"])
    x = torch.rand(1, 3, 16, 16)
    inside = (..., slice(1, -1), slice(1, -1))
    a, b = reflecting(x)["relu1_1"], padding(x)["relu1_1"]
    torch.testing.assert_close(a[inside], b[inside])
    assert not torch.allclose(a, b)
    assert reflecting.digest() != padding.digest()


def test_the_loss_network_is_frozen_and_stays_out_of_checkpoints(vgg_file: Path) -> None:
    network = load_loss_network(str(vgg_file), ["relu3_1"])
    assert list(network.parameters()) == []
    assert network.state_dict() == {}


def test_a_missing_file_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="give a safetensors file, vgg16 or vgg19"):
        load_loss_network(str(tmp_path / "absent.safetensors"), ["relu1_1"])


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "damaged.safetensors"
    file.write_bytes(b"not a tensor in sight")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_loss_network(str(file), ["relu1_1"])


def test_weights_of_another_network_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"layer1.weight": torch.zeros(1)}, file)
    with pytest.raises(TrainingError, match=r"no VGG.*layer1\.weight"):
        load_loss_network(str(file), ["relu1_1"])
