"""Reflection padding."""

import torch
from torch import nn

from training.networks.reflection_padding import ReflectedConvolution, reflection_pad


def test_the_edge_is_a_mirror() -> None:
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert reflection_pad(x, 1)[0, 0, 0].tolist() == [4, 3, 4, 5, 4]
    assert reflection_pad(x, 1)[0, 0, :, 0].tolist() == [4, 1, 4, 7, 4]


def test_half_precision_stays_half_precision_under_autocast() -> None:
    x = torch.rand(1, 2, 4, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        padded = reflection_pad(x, 1)
    assert padded.dtype == torch.bfloat16
    torch.testing.assert_close(padded, reflection_pad(x, 1), rtol=0, atol=0)


def test_the_convolution_is_torchs_own_with_reflection() -> None:
    torch.manual_seed(0)
    ours = ReflectedConvolution(2, 3, 5, stride=2)
    torchs = nn.Conv2d(2, 3, 5, 2, padding=2, padding_mode="reflect")
    torchs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 2, 8, 9)
    torch.testing.assert_close(ours(x), torchs(x), rtol=0, atol=0)
