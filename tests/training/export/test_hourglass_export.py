"""An hourglass, noise and all, as a graph of ONNX."""

import torch

from training.export.export import check_parity, to_onnx
from training.networks.hourglass import Hourglass


class TinyHourglass(Hourglass):
    """The same layers, narrower."""

    architecture = "tiny"

    def __init__(self) -> None:
        super().__init__((8, 8, 16), blocks=1, fine_blocks=1)


def test_an_hourglass_with_its_noise_is_exported_as_it_paints() -> None:
    torch.manual_seed(0)
    network = TinyHourglass().eval()
    paintings = network.neutral_style() + 0.2 * torch.randn(2, network.style_size)
    paintings[:, -1] = 0.0
    rows = torch.cat([paintings, network.photograph_style()[None]])
    report = check_parity(network, rows, to_onnx(network))  # raises if they differ
    assert report.cases > 40
