"""Classifier."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from training.errors import TrainingError
from training.networks.classifier import Classifier, load_classifier

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def _squeezenet(classes: int = 1000) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = squeezenet1_1(weights=None, num_classes=classes)
    return model.eval()


def _write(path: Path, model: nn.Module, metadata: dict[str, str] | None = None) -> Path:
    save_file({key: value.half() for key, value in model.state_dict().items()}, path, metadata)
    return path


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip
    return Classifier(model, "tiny", ("cat", "dog"))


def test_images_are_normalized_by_imagenets_mean_and_deviation(classifier: Classifier) -> None:
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(classifier(x)["logits"], classifier.model((x - MEAN) / STD))


def test_a_layer_is_its_output_before_an_in_place_relu(classifier: Classifier) -> None:
    x = torch.rand(2, 3, 8, 8)
    features = classifier(x, ["1", "0"])
    expected = classifier.model.get_submodule("0")((x - MEAN) / STD)
    assert list(features) == ["1", "0"]
    torch.testing.assert_close(features["0"], expected)
    torch.testing.assert_close(features["1"], expected.relu())
    assert features["0"].min() < 0


def test_an_unknown_layer_is_an_error_that_lists_those_there_are(classifier: Classifier) -> None:
    with pytest.raises(TrainingError, match=r"no layer 'conv1'; layers are 0 … 4, logits"):
        classifier(torch.rand(1, 3, 8, 8), ["conv1"])


def test_an_image_that_is_too_small_is_an_error_that_gives_its_size(classifier: Classifier) -> None:
    with pytest.raises(TrainingError, match="2 × 1 is too small for tiny: enlarge it"):
        classifier(torch.rand(1, 3, 1, 2))


def test_a_classifier_is_frozen(classifier: Classifier) -> None:
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    assert not any(module.training for module in classifier.model.modules())


def test_a_file_of_half_precision_gives_the_scores_of_its_weights(tmp_path: Path) -> None:
    model = _squeezenet()
    file = _write(tmp_path / "a.safetensors", model, {"architecture": "torchvision squeezenet1_1"})
    model.half().float()  # rounds as the file does
    x = torch.rand(1, 3, 40, 40)
    classifier = load_classifier(weights=file)
    torch.testing.assert_close(classifier(x)["logits"], model((x - MEAN) / STD))
    assert classifier.class_index("volcano") == 980


def test_the_architecture_is_recognized_by_its_shapes(tmp_path: Path) -> None:
    classifier = load_classifier(weights=_write(tmp_path / "a.safetensors", _squeezenet(7)))
    assert classifier.name == "squeezenet1_1"
    assert classifier(torch.rand(1, 3, 40, 40))["logits"].shape == (1, 7)
    assert classifier.classes == tuple("0123456")


def test_weights_of_another_architecture_are_an_error_that_names_a_key(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.safetensors", _squeezenet())
    with pytest.raises(TrainingError, match=r"not of squeezenet1_0: 'features\..*' (is|has)"):
        load_classifier("squeezenet1_0", file)


def test_weights_that_fit_no_classifier_are_an_error(vgg_file: Path) -> None:
    with pytest.raises(TrainingError, match=r"fit no classifier .* --network NAME"):
        load_classifier(weights=vgg_file)


def test_a_missing_or_damaged_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no file"):
        load_classifier(weights=tmp_path / "absent.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"noise")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_classifier(weights=damaged)


def test_an_unknown_architecture_is_an_error_that_names_some() -> None:
    with pytest.raises(TrainingError, match=r"'resnet19' is no classifier .* resnet18"):
        load_classifier("resnet19")


def test_a_network_with_another_normalization_is_an_error() -> None:
    with pytest.raises(TrainingError, match="efficientnet_v2_l does not take"):
        load_classifier("efficientnet_v2_l")


def test_googlenets_layers_are_named_though_its_relus_are_functions() -> None:
    from torchvision.models import googlenet

    torch.manual_seed(0)
    model = googlenet(weights=None, init_weights=False, aux_logits=False).eval()
    network = Classifier(model, "googlenet", [str(k) for k in range(1000)])
    maps: Tensor = network(torch.rand(1, 3, 64, 64), ["inception4a"])["inception4a"]
    assert maps.shape == (1, 512, 4, 4)
