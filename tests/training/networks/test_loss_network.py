"""Loss network."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import vgg16, vgg19

from training.errors import TrainingError
from training.networks.loss_network import LossNetwork, channels_of, load_loss_network


def test_features_equal_those_of_torchvision() -> None:
    torch.manual_seed(0)
    vgg = vgg19(weights=None).eval()
    places = {"relu1_1": 1, "pool1": 4, "relu2_2": 8, "relu3_4": 17, "pool3": 18, "relu4_1": 20}
    network = LossNetwork(vgg.state_dict(), places)
    x = torch.rand(1, 3, 32, 40)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    features = network(x)
    # Places in torchvision's list of VGG-19, behind the ReLU or the pool.
    for layer, place in places.items():
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


def test_a_pool_needs_a_whole_block_in_front_of_it(vgg_weights: dict[str, torch.Tensor]) -> None:
    assert list(channels_of(vgg_weights)) == [
        *("relu1_1", "relu1_2", "pool1", "relu2_1", "relu2_2", "pool2", "relu3_1")
    ]
    with pytest.raises(TrainingError, match="'pool3' is not in"):
        LossNetwork(vgg_weights, ["pool3"])


@pytest.mark.parametrize(("build", "convolutions"), [(vgg16, 13), (vgg19, 16)])
def test_both_vggs_have_five_pools(build: Callable[[], nn.Module], convolutions: int) -> None:
    with torch.device("meta"):
        names = list(channels_of(build().state_dict()))
    assert [name for name in names if name.startswith("pool")] == [f"pool{i}" for i in range(1, 6)]
    assert len(names) == convolutions + 5
    assert names[-1] == "pool5"


def test_pools_do_not_change_the_digest_and_average_pooling_does(
    vgg_weights: dict[str, torch.Tensor],
) -> None:
    digest = LossNetwork(vgg_weights, ["relu2_2"]).digest()
    assert LossNetwork(vgg_weights, ["relu1_1", "pool1", "relu2_2"]).digest() == digest
    assert LossNetwork(vgg_weights, ["relu2_2"], pooling="average").digest() != digest


def test_average_pooling_is_twice_the_mean_of_four(vgg_weights: dict[str, torch.Tensor]) -> None:
    features = LossNetwork(vgg_weights, ["relu1_2", "pool1"], pooling="average")(
        torch.rand(1, 3, 4, 6)
    )
    corner = features["relu1_2"][..., :2, :2].mean(dim=(2, 3))
    torch.testing.assert_close(features["pool1"][..., 0, 0], 2 * corner)


def test_circular_padding_sees_the_image_as_a_tile(vgg_weights: dict[str, torch.Tensor]) -> None:
    network = LossNetwork(vgg_weights, ["relu2_2"], "circular")
    x = torch.rand(1, 3, 16, 24)
    rolled = network(x.roll((4, 8), (2, 3)))["relu2_2"]
    torch.testing.assert_close(rolled, network(x)["relu2_2"].roll((2, 4), (2, 3)))


def test_an_image_too_small_for_a_layer_is_an_error_that_says_what_it_needs(
    vgg_weights: dict[str, torch.Tensor],
) -> None:
    network = LossNetwork(vgg_weights, ["relu1_2", "relu3_1"], "reflect")
    with pytest.raises(TrainingError, match=r"20 × 7 pixels is too small .* relu3_1: .* 8 p"):
        network(torch.rand(1, 3, 7, 20))
    assert network(torch.rand(1, 3, 8, 8))["relu3_1"].shape == (1, 8, 2, 2)
    assert network(torch.rand(1, 3, 7, 20), ["relu1_2"])["relu1_2"].shape == (1, 4, 7, 20)


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


def test_a_failed_download_names_the_option_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(TrainingError, match=r"go online once, .* with --loss-weights FILE"):
        load_loss_network("vgg16", ["relu1_1"])
    with pytest.raises(TrainingError, match=r"with --model\.loss_weights FILE"):
        load_loss_network("vgg16", ["relu1_1"], option="--model.loss_weights")


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
