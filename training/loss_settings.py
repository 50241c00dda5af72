"""What the losses of a model are made of, as its options and its bundle name it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from training.errors import TrainingError
from training.losses.calibration import Scales, calibrate, painting_grams
from training.losses.perceptual import STYLE_WEIGHT, PerceptualLoss
from training.networks.loss_network import LossNetwork, load_loss_network

GRAM_NORMALIZATION = "C·H·W"

_LATER_WEIGHTS: Final = ("low_frequency_weight", "edge_weight", "lattice_weight")


@dataclass(frozen=True)
class LossSettings:
    """Layers and weights of the perceptual loss.

    Attributes:
        content_layers: layers that hold the photo.
        style_layers: layers that hold the painting.
        style_strength: the one knob, 1 is balanced.
        total_variation_weight: weight of the total-variation loss.
        low_frequency_weight: weight of the low-frequency loss, against halos.
        edge_weight: weight of the edge loss, for the photo's detail.
        lattice_weight: weight of the lattice loss.
    """

    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    style_strength: float
    total_variation_weight: float
    low_frequency_weight: float = 0.0
    edge_weight: float = 0.0
    lattice_weight: float = 0.0

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "LossSettings":
        """Reads the options of ``fit``, or the training notes of a bundle.

        Raises:
            TrainingError: notes of a model whose style losses were not calibrated.
        """
        try:
            return cls(
                tuple(notes["content_layers"]),
                tuple(notes["style_layers"]),
                float(notes["style_strength"]),
                float(notes["total_variation_weight"]),
                # Models of the first networks were trained without these.
                *(float(notes.get(name, 0.0)) for name in _LATER_WEIGHTS),
            )
        except KeyError as error:
            raise TrainingError(
                f"the model does not say its {error}: it was trained by an older version, "
                "train it again"
            ) from error

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that the loss network must return."""
        return (*self.style_layers, *self.content_layers)

    def conventions(
        self, network: LossNetwork, styles: Sequence[str], scales: Scales
    ) -> dict[str, Any]:
        """Returns what a checkpoint and a bundle keep beside the options, in JSON types."""
        return {
            "loss_network": network.digest(),
            "gram_normalization": GRAM_NORMALIZATION,
            "style_weight": STYLE_WEIGHT * self.style_strength,
            "calibration": {
                layer: dict(zip(styles, values.tolist(), strict=True))
                for layer, values in scales.items()
            },
        }


def build_loss(
    settings: LossSettings,
    network: LossNetwork,
    paintings: Sequence[Tensor],
    photos: Tensor,
) -> tuple[PerceptualLoss, Scales]:
    """Builds the loss of ``paintings``, images [3, h, w], calibrated on ``photos`` [K, 3, H, W].

    Returns:
        The loss, and the scales [S] by style layer.
    """
    grams = painting_grams(network, paintings, settings.style_layers)
    scales = calibrate(network, grams, photos)
    return perceptual_loss(settings, network, grams, scales), scales


def perceptual_loss(
    settings: LossSettings, network: LossNetwork, grams: Mapping[str, Tensor], scales: Scales
) -> PerceptualLoss:
    """Builds the loss from Gram matrices [S, C, C] and scales [S], both by style layer."""
    return PerceptualLoss(
        network,
        grams,
        scales,
        content_layers=settings.content_layers,
        style_strength=settings.style_strength,
        total_variation_weight=settings.total_variation_weight,
        low_frequency_weight=settings.low_frequency_weight,
        edge_weight=settings.edge_weight,
        lattice_weight=settings.lattice_weight,
    )


def loss_network_of(
    notes: Mapping[str, Any], settings: LossSettings, source: str | None
) -> LossNetwork:
    """Loads the loss network with which a model was trained.

    Args:
        notes: the model's training notes.
        settings: the layers that it must return.
        source: ``vgg16``, ``vgg19`` or a file; None for the name in the notes.

    Raises:
        TrainingError: a file is needed and was not given, or the weights are others.
    """
    noted = str(notes.get("loss_weights", ""))
    if source is None and noted not in ("vgg16", "vgg19"):
        raise TrainingError(
            f"the model was trained with the loss network {noted!r}: give that file with "
            "--loss-weights"
        )
    network = load_loss_network(source or noted, settings.layers)
    expected = str(notes.get("loss_network", "unknown"))
    if network.digest() != expected:
        raise TrainingError(
            f"{Path(source or noted).name!r} is another loss network than that of the training "
            f"({network.digest()[:19]}…, not {expected[:19]}…): give --loss-weights the weights of "
            f"its training, {noted!r}"
        )
    return network


def scales_from_notes(notes: Mapping[str, Any], styles: Sequence[str]) -> dict[str, Tensor]:
    """Reads the scales [S] of ``styles`` by layer, as ``LossSettings.conventions`` wrote them.

    Raises:
        TrainingError: the notes lack the calibration, or that of a style.
    """
    try:
        return {
            layer: torch.tensor([values[style] for style in styles])
            for layer, values in notes["calibration"].items()
        }
    except (KeyError, AttributeError) as error:
        raise TrainingError(f"the model has no calibration for {error}: train it again") from error
