"""A bundle of an untrained network, as fit and export would make it, and a judge for it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from sfumato.bundle.bundle import write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo
from tests.training.drawn_data import draw_paintings, draw_photos, write_slim_vgg
from training.data.image_folder import find_images
from training.data.paintings import load_paintings
from training.data.photos import center_crops
from training.export.export import to_onnx
from training.loss_settings import LossSettings, build_loss
from training.networks.johnson_networks import LiteNetwork
from training.networks.loss_network import load_loss_network

SETTINGS = LossSettings(("relu2_1",), ("relu1_1", "relu2_1"), 1.0, 10.0)
STYLE_SIZE = 48
IDS = ("blue", "green", "red")


class DrawnBundle:
    """Everything that ``evaluate`` needs, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.photos = draw_photos(folder / "photos")
        self.paintings = draw_paintings(folder / "paintings")
        self.weights = write_slim_vgg(folder / "vgg.safetensors")
        self.judge = _write_judge(folder / "judge.safetensors")
        self.path = folder / "model" / "1"
        self.graph, self.rows, self.network = _graph()
        self.notes = self._notes()
        self.write(self.path)

    def write(self, path: Path, ids: Sequence[str] = IDS, **notes: object) -> Path:
        """Writes the bundle with styles ``ids`` and other ``notes``; None takes a note away."""
        kept = {key: value for key, value in (self.notes | notes).items() if value is not None}
        infos = [StyleInfo(style, title=style.title(), card={"kept": 1}) for style in ids]
        rows = [*(IDS.index(style) for style in ids), -1]
        write_bundle(
            path,
            network=self.network,
            styles=[*infos, StyleInfo("photograph")],
            rows=self.rows[rows].numpy(),
            training=kept,
            model=self.graph,
        )
        return path

    def _notes(self) -> dict[str, object]:
        network = load_loss_network(str(self.weights), SETTINGS.layers)
        images = [painting.image for painting in load_paintings(self.paintings, STYLE_SIZE)]
        photos = center_crops(find_images(self.photos), 4, 32)
        _, scales = build_loss(SETTINGS, network, images, photos)
        return {
            "content_layers": list(SETTINGS.content_layers),
            "style_layers": list(SETTINGS.style_layers),
            "style_strength": SETTINGS.style_strength,
            "total_variation_weight": SETTINGS.total_variation_weight,
            "loss_weights": self.weights.name,
            "style_size": STYLE_SIZE,
            **SETTINGS.conventions(network, IDS, scales),
        }


def _graph() -> tuple[bytes, torch.Tensor, NetworkInfo]:
    torch.manual_seed(0)
    network = LiteNetwork().eval()
    rows = network.neutral_style() + 0.2 * torch.randn(4, network.style_size)
    rows[:, -1] = torch.tensor([0.0, 0.0, 0.0, 1.0])  # the photograph lets the photo through
    info = NetworkInfo("lite", network.digest(), network.style_size)
    return to_onnx(network), rows.detach(), info


def _write_judge(file: Path) -> Path:
    torch.manual_seed(0)
    save_file(squeezenet1_1(weights=None).state_dict(), file)
    return file
