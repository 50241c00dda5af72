"""Names of units."""

import pytest
import torch

from training.errors import TrainingError
from training.visualization.unit_names import Unit, parse_unit

MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 8.0]]]])  # [1, 2, 2, 2]


def _value(unit: Unit, place: tuple[int | None, int | None] | None = None) -> float:
    return sum(value.item() for value in unit.objective(place)({"conv": MAPS}).values())


def test_a_layer_and_a_channel_are_read() -> None:
    assert parse_unit("features.12.expand3x3:35") == Unit("features.12.expand3x3", ((35, 1),))


def test_a_sum_of_channels_is_read_with_its_signs() -> None:
    assert parse_unit("conv:3+7-12") == Unit("conv", ((3, 1), (7, 1), (12, -1)))
    assert parse_unit("conv:-3") == Unit("conv", ((3, -1),))


def test_a_channel_is_its_mean_and_a_neuron_one_place() -> None:
    assert _value(parse_unit("conv:0")) == -2.5
    assert _value(parse_unit("conv:0"), (0, 1)) == -2.0
    assert _value(parse_unit("conv:1"), (None, None)) == -8.0


def test_a_direction_is_the_sum_of_its_channels() -> None:
    assert _value(parse_unit("conv:0-1")) == -2.5 + 2.0
    assert _value(parse_unit("conv:0+1"), (1, 1)) == -12.0


@pytest.mark.parametrize("text", ["conv", "conv:", ":3", "conv:a", "conv:3+", "conv:1.5", ""])
def test_what_names_no_unit_is_an_error_that_shows_how(text: str) -> None:
    with pytest.raises(TrainingError, match="names no unit: give LAYER:CHANNEL"):
        parse_unit(text)
