"""Texture synthesis (Gatys, Ecker, Bethge 2015, "Texture Synthesis Using CNNs").

Deviations: pixels are kept in [0, 1] by clipping instead of bounds of the optimizer; each layer
is on its own scale; the weights are not rescaled to a mean activation of 1; the noise to start
from has the texture's mean colour and contrast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

import torch
from torch import Tensor

from training.baselines.texture_statistics import (
    COMPONENTS,
    Statistic,
    choose_layers,
    parameter_count,
    texture_objective,
)
from training.errors import TrainingError
from training.networks.loss_network import (
    LossNetwork,
    PaddingMode,
    Pooling,
    channels_of,
    load_loss_weights,
)
from training.optimize.failures import memory_for
from training.optimize.images import Pixels, noise_like
from training.optimize.loop import Result
from training.optimize.picture_file import fit, read_picture, resize, resize_tile
from training.optimize.projections import clip
from training.optimize.pyramid import Problem, Size, coarse_to_fine, optimize_pyramid
from training.optimize.technique import Technique, WithLevels, WithLossNetwork
from training.options import Positive, positive

TILE_STEP: Final = 16
"""Sides of a tile are multiples of it: four poolings then cut nothing off."""


@dataclass(frozen=True, kw_only=True)
class TextureSynthesis(WithLossNetwork, Technique, WithLevels):
    """A new texture that has the statistics of a given one.

    With VGG-19, means has 1,024 parameters, pca 10,400, gram 176,640, gram with --layers all
    852,128.

    Args:
        texture: the texture, an image file
        statistic: what describes a layer: its means over places, its Gram matrix, or the Gram
            matrix of its principal components
        layers: pools (relu1_1 and the pools), all, or names with commas
        up_to: deepest layer of pools and all
        components: principal components per layer
        texture_size: longer side of the texture (default: --size)
        tileable: let opposite edges fit together
        pooling: average: as Gatys; softer
    """

    texture: Path
    statistic: Statistic = "gram"
    layers: str = "pools"
    up_to: str = "pool4"
    components: Positive = COMPONENTS
    texture_size: Annotated[int | None, positive] = None
    tileable: bool = False
    pooling: Pooling = "max"

    positional: ClassVar = ("texture",)

    def make(self) -> Result:
        """Synthesizes a texture.

        Raises:
            TrainingError: the file is no image, the network lacks a layer, or a size does not fit.
        """
        if self.tileable and self.size % TILE_STEP:
            raise TrainingError(
                f"a tile's side must be a multiple of {TILE_STEP}: "
                f"--size {max(TILE_STEP, round(self.size / TILE_STEP) * TILE_STEP)} is near"
            )
        texture = read_picture(self.texture, self.texture_size or self.size)
        weights, padding = load_loss_weights(self.loss_weights)
        channels = channels_of(weights)
        self._check_depth(channels)
        layers = choose_layers(self.layers, self.up_to, list(channels))
        count = parameter_count([channels[n] for n in layers], self.statistic, self.components)
        print(f"{count:,} parameters: {self.statistic} of {', '.join(layers)}")
        device = self.chosen_device()

        def network(padding: PaddingMode) -> LossNetwork:
            return LossNetwork(weights, layers, padding, self.pooling).to(device)

        seen = network(padding)
        return optimize_pyramid(
            self._sizes(),
            self._builder(texture.to(device), seen, network("circular") if self.tileable else seen),
            work=self.work,
            fingerprint=self.fingerprint(),
            observe=self.watch_level,
            enlarge=resize_tile if self.tileable else resize,
        )

    def _builder(
        self, whole: Tensor, network: LossNetwork, judge: LossNetwork
    ) -> Callable[[int, Size, Tensor | None], Problem]:
        """Builds the problem of each level; the texture is as much smaller as the level is.

        Args:
            whole: the texture [1, 3, h, w].
            network: sees the texture.
            judge: sees the picture.
        """

        def build(_: int, size: Size, previous: Tensor | None) -> Problem:
            longer = round(max(whole.shape) * size[0] / self.size)
            texture = resize(whole, fit(whole.shape, longer))
            with torch.no_grad(), memory_for(texture):
                features = network(texture)
            generator = torch.Generator().manual_seed(self.seed)
            start = noise_like(texture, size, generator=generator) if previous is None else previous
            return Problem(
                Pixels(start.to(texture)),
                texture_objective(features, network.layers, self.statistic, self.components),
                judge,
                self.steps,
                self.optimizer,
                self.lr,
                project=clip(),
            )

        return build

    def _sizes(self) -> list[Size]:
        sizes = coarse_to_fine((self.size, self.size), self.levels)
        if self.tileable:
            return [(side, side) for side, _ in sizes if side % TILE_STEP == 0]
        return sizes

    def _check_depth(self, channels: dict[str, int]) -> None:
        """Says which models are possible where the weights end early."""
        if self.layers not in ("pools", "all") or self.up_to in channels:
            return
        pools = [name for name in channels if name.startswith("pool")]
        if not pools or not self.up_to.startswith("pool"):
            raise TrainingError(f"no layer {self.up_to!r}: choose of {', '.join(channels)}")
        width = [channels[n] for n in choose_layers("pools", pools[-1], list(channels))]
        every = [channels[n] for n in choose_layers("all", pools[-1], list(channels))]
        raise TrainingError(
            f"the loss network's weights end at {list(channels)[-1]}, before {self.up_to}: give "
            f"--up-to {pools[-1]}, which allows {parameter_count(width, 'means'):,} (means), "
            f"{parameter_count(width, 'pca'):,} (pca), {parameter_count(width, 'gram'):,} (gram) "
            f"or {parameter_count(every, 'gram'):,} (gram, --layers all) parameters"
        )
