"""Objectives of units."""

import pytest
import torch
from torch import Tensor

from training.errors import TrainingError
from training.optimize.objective import Objective
from training.visualization.unit_objectives import (
    channel,
    direction,
    diversity,
    dream,
    logit,
    neuron,
    probability,
    relative_diversity,
)

MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 8.0]]]])  # [1, 2, 2, 2]


def _value(objective: Objective, activations: Tensor) -> Tensor:
    (value,) = objective(dict.fromkeys(objective.layers, activations)).values()
    return value


def test_a_neuron_is_one_number_and_by_default_the_centre() -> None:
    assert _value(neuron("conv", 0, 0, 1), MAPS).tolist() == [-2.0]
    assert _value(neuron("conv", 1), MAPS).tolist() == [-8.0]


def test_a_channel_is_the_mean_over_its_places() -> None:
    assert _value(channel("conv", 0), MAPS).tolist() == [-2.5]


def test_a_channel_of_a_linear_layer_is_its_number() -> None:
    assert _value(channel("fc", 1), torch.tensor([[5.0, 7.0], [1.0, 2.0]])).tolist() == [-7.0, -2.0]


def test_the_direction_of_one_channel_is_the_channel() -> None:
    along = direction("conv", torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(_value(along, MAPS), _value(channel("conv", 0), MAPS))


def test_a_direction_of_each_place_is_the_mean_dot_product() -> None:
    # 1·1 + 2·2 + 3·3 + 4·4 + 8·8 = 94, over four places.
    assert _value(direction("conv", MAPS[0]), MAPS).tolist() == [-23.5]


def test_a_cosine_of_one_leaves_the_direction_alone() -> None:
    plain, careful = direction("conv", MAPS[0]), direction("conv", MAPS[0], cosine_power=2)
    torch.testing.assert_close(_value(careful, MAPS), _value(plain, MAPS))


def test_the_power_of_the_cosine_prefers_the_direction_to_strength() -> None:
    v = torch.tensor([1.0, 0.0])
    askew = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)  # cosine 3/5
    assert _value(direction("conv", v, cosine_power=1), askew).item() == pytest.approx(-3 * 3 / 5)


def test_a_dream_is_half_the_squared_norm() -> None:
    assert _value(dream("conv"), MAPS).tolist() == [-(1 + 4 + 9 + 16 + 64) / 2]


def test_the_gradient_of_a_dream_is_the_activation_passed_back_as_its_own_gradient() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 6, 6, requires_grad=True)
    convolution = torch.nn.Conv2d(3, 4, 3)
    activations = convolution(x)
    (expected,) = torch.autograd.grad(activations, x, activations.detach(), retain_graph=True)
    (slope,) = torch.autograd.grad(_value(dream("conv"), activations).sum(), x)
    torch.testing.assert_close(slope, -expected)


def test_a_logit_is_the_score_and_a_probability_the_share() -> None:
    scores = torch.tensor([[0.0, 2.0]])
    assert _value(logit(1), scores).tolist() == [-2.0]
    assert _value(probability(1), scores).item() == pytest.approx(-0.880797)


def test_the_directions_of_a_logit_and_of_a_probability_differ() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    (of_logit,) = torch.autograd.grad(_value(logit(0), scores).sum(), scores)
    (of_probability,) = torch.autograd.grad(_value(probability(0), scores).sum(), scores)
    assert of_logit.tolist() == [[-1.0, 0.0, 0.0]]
    assert of_probability[0, 0] < 0 < of_probability[0, 1] < of_probability[0, 2]


def test_the_diversity_of_identical_images_is_one() -> None:
    torch.testing.assert_close(_value(diversity("conv"), MAPS.expand(3, -1, -1, -1)), torch.ones(3))


def test_the_diversity_of_orthogonal_images_is_zero() -> None:
    batch = torch.zeros(2, 2, 2, 2)
    batch[0, 0], batch[1, 1] = 1.0, 1.0
    assert _value(diversity("conv"), batch).tolist() == [0.0, 0.0]


def test_the_diversity_of_a_single_image_is_zero() -> None:
    assert _value(diversity("conv"), MAPS).tolist() == [0.0]


def test_diversity_has_a_gradient_where_nothing_is_active() -> None:
    maps = torch.zeros(2, 2, 2, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(_value(diversity("conv"), maps).sum(), maps)
    assert torch.isfinite(slope).all()


def test_diversity_counts_in_units_of_the_answer() -> None:
    maps = torch.full((2, 2, 2, 2), 3.0)
    values = relative_diversity("conv", channel("conv", 0), 0.5)({"conv": maps})
    assert values["diversity"].tolist() == pytest.approx([1.5, 1.5])  # half of 3, at cosine 1


def test_diversity_leaves_the_size_of_the_answer_alone() -> None:
    maps = torch.rand(2, 2, 2, 2, requires_grad=True)
    value = relative_diversity("conv", channel("conv", 0), 1.0)({"conv": maps})["diversity"]
    (slope,) = torch.autograd.grad(value.sum(), maps)
    # The cosine does not change with the scale of the features, so neither does the term.
    assert (slope * maps).flatten(1).sum(dim=1).abs().max() < 1e-5


def test_an_image_that_answers_nothing_is_not_pushed_away_from_the_others() -> None:
    maps = torch.rand(3, 2, 2, 2)
    maps[0, 0] = 0.0
    maps.requires_grad_()
    value = relative_diversity("conv", channel("conv", 0), 1.0)({"conv": maps})["diversity"]
    (slope,) = torch.autograd.grad(value.sum(), maps)
    assert value[0] == 0
    assert slope[0].abs().max() == 0 < slope[1].abs().max()


def test_objectives_of_units_add_and_their_negative_makes_a_unit_answer_less() -> None:
    joint = 2 * channel("conv", 0) - neuron("conv", 1)
    values = joint({"conv": MAPS})
    assert {name: value.item() for name, value in values.items()} == {
        "channel": -5.0,
        "neuron": 8.0,
    }


def test_a_channel_out_of_range_is_an_error_that_says_how_many_there_are() -> None:
    with pytest.raises(TrainingError, match="'conv' has no channel 2: it has 2, counted from 0"):
        _value(channel("conv", 2), MAPS)
    with pytest.raises(TrainingError, match="no channel -1"):
        _value(neuron("conv", -1), MAPS)


def test_a_place_out_of_range_is_an_error_that_gives_the_size() -> None:
    with pytest.raises(TrainingError, match="row 2, column 0: it has 2 rows and 2 columns"):
        _value(neuron("conv", 0, 2, 0), MAPS)


def test_a_direction_of_another_length_is_an_error() -> None:
    with pytest.raises(TrainingError, match="has 3 numbers, but layer 'conv' has 2 channels"):
        _value(direction("conv", torch.ones(3)), MAPS)


def test_a_class_out_of_range_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no class 2: there are 0 to 1"):
        _value(logit(2), torch.zeros(1, 2))


def test_activations_that_are_no_maps_are_an_error() -> None:
    with pytest.raises(TrainingError, match=r"\[1, 4, 8\] are no maps"):
        _value(channel("tokens", 0), torch.zeros(1, 4, 8))
