"""Variants of the training for ``benchmarks.ablation``: all of it, and without one part each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from training.loss_settings import LossSettings, build_loss
from training.losses.perceptual import LossTerms
from training.module import MultiStyleModule
from training.networks.hourglass import LiteHourglass
from training.networks.loss_network import LossNetwork, load_loss_network

SHIFT_WEIGHT: Final = 60.0
_SHIFT_MARGIN: Final = 8
"""Pixels at the border that see what the other picture does not have."""

_TRUE_DEPTH: Final = "relu3_4"
"""Layers up to this one are the true network's, in ``TrueFineLayers``."""


class WithoutNoise(MultiStyleModule):
    """The same network, and zeros where its noise was."""

    def setup(self, stage: str) -> None:
        """Empties the noise."""
        super().setup(stage)
        assert isinstance(self.network, LiteHourglass)
        self.network.noise.values.zero_()


class _WithoutSkips(LiteHourglass):
    def join(self, x: Tensor, skip: Tensor) -> Tensor:
        del skip
        return x


class WithoutSkips(MultiStyleModule):
    """The same network with the same first weights; the way up gets nothing of the way down."""

    def setup(self, stage: str) -> None:
        """Takes the skips away."""
        weights = self.network.state_dict()
        self.network = _WithoutSkips()
        self.network.load_state_dict(weights)
        super().setup(stage)


class ShiftConsistency(MultiStyleModule):
    """Paints each photo a second time without its first row and column, as the first time."""

    def paint_and_judge(self, photos: Tensor, styles: Tensor, origin: Tensor) -> LossTerms:
        """Adds the mean square difference of the two pictures to the total."""
        rows = self.rows[styles]
        painted = self.network.render(photos, rows, origin)
        moved = self.network.render(photos[..., 1:, 1:], rows, origin + 1)
        inner = slice(_SHIFT_MARGIN, -_SHIFT_MARGIN)
        change = (moved - painted[..., 1:, 1:])[..., inner, inner].square().mean(dim=(1, 2, 3))
        terms: LossTerms = self.loss(photos, painted, styles)
        return replace(terms, total=terms.total + SHIFT_WEIGHT * change)


class TwoLossNetworks(LossNetwork):
    """Two loss networks as one: each gives the layers that it has."""

    def __init__(self, fine: LossNetwork, deep: LossNetwork) -> None:
        """Takes the layers of both."""
        nn.Module.__init__(self)
        self.fine, self.deep = fine, deep
        self.layers = (*fine.layers, *deep.layers)

    def forward(self, x: Tensor, layers: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Returns the features of ``x`` [N, 3, H, W] by name."""
        wanted = set(self.layers if layers is None else layers)
        features: dict[str, Tensor] = {}
        for network in (self.fine, self.deep):
            if own := wanted.intersection(network.layers):
                features |= network(x, own)
        return features


class TrueFineLayers(MultiStyleModule):
    """The true VGG-19 judges as deep as its file goes, the loss network of all others below."""

    weights = ""
    """File or name of the true network."""

    def setup(self, stage: str) -> None:
        """Builds the losses anew, with both networks."""
        super().setup(stage)
        settings = LossSettings.from_notes(self.hparams)
        fine = [layer for layer in settings.layers if layer <= _TRUE_DEPTH]
        deep = [layer for layer in settings.layers if layer > _TRUE_DEPTH]
        network = TwoLossNetworks(
            load_loss_network(self.weights, fine, option="--true-weights"),
            load_loss_network(self.hparams["loss_weights"], deep),
        )
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        images = [painting.image for painting in data.paintings]
        photos = data.calibration_photos()
        self.loss, _ = build_loss(settings, network, images, photos)


@dataclass(frozen=True)
class Variant:
    """A training that differs from the configuration in one thing.

    Attributes:
        title: what is different.
        options: of the module, in place of the configuration's.
        module: the module.
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    module: type[MultiStyleModule] = MultiStyleModule

    def build(self, **options: Any) -> MultiStyleModule:
        """Builds the module; the first weights are the same whatever was drawn before."""
        torch.manual_seed(0)
        return self.module(**{**options, **self.options})


VARIANTS: Final = {
    "all": Variant("all of it"),
    "no-low-frequency": Variant("without low-frequency loss", {"low_frequency_weight": 0.0}),
    "no-edge": Variant("without edge loss", {"edge_weight": 0.0}),
    "no-lattice": Variant("without lattice loss", {"lattice_weight": 0.0}),
    "no-noise": Variant("without noise", module=WithoutNoise),
    "no-skips": Variant("without skips", module=WithoutSkips),
    "content-relu3-3": Variant("content at relu3_3 alone", {"content_layers": ("relu3_3",)}),
    "strength-1": Variant("style_strength 1", {"style_strength": 1.0}),
    "lite": Variant("lite network, same losses", {"architecture": "lite"}),
    "shift": Variant("with shift consistency", module=ShiftConsistency),
    "true-vgg": Variant("with the true VGG-19 to relu3_4", module=TrueFineLayers),
}
"""By the name on the command line."""
