"""What a classifier still recognizes, on colours whose classes are known by hand."""

import pytest
import torch
from torch import Tensor

from tests.training.baselines.tiny_classifier import colour_classes
from training.evaluation.measures.recognition import Recognition

RED, BLUE, BLACK = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)


def flat(*colours: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colours)[..., None, None].expand(-1, -1, 4, 4)


@pytest.mark.parametrize(
    ("photo", "painted", "found"),
    [
        (RED, RED, True),
        (BLACK, RED, True),  # d is the second of red
        (BLUE, BLACK, True),  # blue is the fifth of black
        (RED, BLACK, False),  # red is the seventh
    ],
)
def test_the_first_class_must_be_among_the_first_five(
    photo: tuple[float, float, float], painted: tuple[float, float, float], found: bool
) -> None:
    assert Recognition(colour_classes(), flat(photo))(flat(painted)) == float(found)


def test_it_is_a_share_of_the_photos() -> None:
    recognition = Recognition(colour_classes(), flat(RED, BLUE, RED, RED))
    assert recognition(flat(RED, BLACK, BLACK, BLACK)) == 0.5
