"""What is evaluated, and by what: a bundle, its paintings and losses, the photos and the judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from sfumato.bundle.bundle import Bundle, read_latest_bundle
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from training.data.image_folder import look_through
from training.data.paintings import load_painting
from training.data.style_names import paintings_of
from training.errors import TrainingError
from training.loss_settings import (
    LossSettings,
    loss_network_of,
    perceptual_loss,
    scales_from_notes,
)
from training.losses.calibration import painting_grams
from training.losses.perceptual import PerceptualLoss
from training.networks.architectures import ARCHITECTURES
from training.networks.transformation_network import TransformationNetwork
from training.starting_point import read_trained


@dataclass(frozen=True)
class Subject:
    """A bundle with the very losses that it was trained on.

    Attributes:
        bundle: as a server reads it.
        settings: layers and weights of the losses.
        loss: the losses; its paintings are ``paintings``.
        paintings: images [1, 3, h, w] by id, in the order of the bundle.
    """

    bundle: Bundle
    settings: LossSettings
    loss: PerceptualLoss
    paintings: dict[str, Tensor]

    @property
    def style_numbers(self) -> dict[str, int]:
        """The number of each painting in ``loss``, by id."""
        return {style: number for number, style in enumerate(self.paintings)}

    @cached_property
    def noisy_network(self) -> TransformationNetwork | None:
        """The network in PyTorch, if it has noise of its own: the graph cannot move that.

        Raises:
            TrainingError: the graph is not the network that the manifest names.
        """
        architecture = ARCHITECTURES.get(self.bundle.network.architecture)
        if architecture is None or not architecture.has_noise:
            return None
        device = next(iter(self.paintings.values())).device
        return read_trained(self.bundle.path).network.to(device)

    def row(self, style: str) -> Tensor:
        """Returns the row [1, P] of a style."""
        ids = [info.id for info in self.bundle.styles]
        return torch.tensor(self.bundle.rows[ids.index(style)])[None]


def find_bundle(path: Path) -> Bundle:
    """Reads a bundle, or the highest version of a model folder.

    Raises:
        TrainingError: ``path`` is no folder.
        BundleError: no bundle, or a damaged one.
    """
    if not path.is_dir():
        raise TrainingError(
            f"{str(path)!r} is no folder: give a bundle, such as models/default/1; "
            "`python -m training export` makes one of a checkpoint"
        )
    return read_latest_bundle(path)


def load_subject(
    bundle: Bundle, styles: Path, loss_weights: str | None, device: torch.device
) -> Subject:
    """Loads the paintings and the losses of ``bundle``.

    Args:
        bundle: with the notes of a calibrated training.
        styles: folder of its paintings.
        loss_weights: ``vgg16``, ``vgg19`` or a file; None for the name in the notes.
        device: where the losses are computed.

    Raises:
        TrainingError: the notes are of an older version, a painting is missing, or the loss
            network is another than that of the training.
    """
    notes = bundle.training
    settings = LossSettings.from_notes(notes)
    ids = [info.id for info in bundle.styles if info.id != PHOTOGRAPH_STYLE]
    if not ids:
        raise TrainingError("the bundle has no painting, only photographs")
    scales = scales_from_notes(notes, ids)
    network = loss_network_of(notes, settings, loss_weights).to(device)
    paintings = _paintings(styles, ids, notes["style_size"])
    images = [image.to(device) for image in paintings]
    grams = painting_grams(network, images, settings.style_layers)
    on_device = {layer: values.to(device) for layer, values in scales.items()}
    loss = perceptual_loss(settings, network, grams, on_device).to(device)
    return Subject(
        bundle,
        settings,
        loss,
        {style: image[None] for style, image in zip(ids, images, strict=True)},
    )


def _paintings(folder: Path, ids: Sequence[str], style_size: int) -> list[Tensor]:
    files = paintings_of(look_through(folder), ids)
    return [load_painting(file, style_size) for file in files.values()]
