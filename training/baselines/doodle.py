"""Doodles and landscapes from masks, semantic style transfer (Champandard 2016).

Deviation: statistics of regions (Gatys et al. 2017, section 4.1) instead of patches, as in
fast-neural-doodle (Ulyanov 2016).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from training.baselines.doodle_objective import doodle_objective, noise_of_regions
from training.baselines.mask_file import read_mask
from training.baselines.region_masks import RegionMask, align, check_proportions, read_regions
from training.baselines.soft_range import kept_in_range
from training.baselines.style_options import TV_WEIGHT, WithLayers
from training.errors import TrainingError
from training.networks.loss_network import LossNetwork, load_loss_network
from training.optimize.failures import memory_for
from training.optimize.images import Pixels
from training.optimize.loop import Result
from training.optimize.objective import Objective
from training.optimize.perceptual_objectives import content, total_variation
from training.optimize.picture_file import fit, read_picture, resize
from training.optimize.pyramid import Problem, Size, coarse_to_fine, optimize_pyramid
from training.optimize.technique import Technique, WithLevels, WithLossNetwork
from training.options import NotNegative, Positive


@dataclass(frozen=True)
class Material:
    """What a doodle is made of: the painting [1, 3, h, w], both masks, perhaps a photo."""

    painting: Tensor
    painting_mask: RegionMask
    new_mask: RegionMask
    photo: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Doodle(WithLayers, WithLossNetwork, Technique, WithLevels):
    """A new map of regions, painted as a painter painted the old one.

    A mask is a picture whose colours name regions, such as blue for water; the same colour means
    the same in both masks. With --photo, it is painted region by region.

    Args:
        painting: the painting, an image file
        painting_mask: its regions; of any size, but the same proportions
        new_mask: the regions wanted; of any proportions
        photo: a photo to paint, with the new mask's regions
        content_weight: of the photo
        style_weight: of the painting
        tv_weight: of the total variation
    """

    painting: Path
    painting_mask: Path
    new_mask: Path
    photo: Path | None = None
    content_weight: NotNegative = 1.0
    style_weight: NotNegative = 100.0
    tv_weight: NotNegative = TV_WEIGHT
    size: Positive = 512
    steps: Positive = 200
    levels: Positive = 3

    positional: ClassVar = ("painting", "painting_mask", "new_mask")

    def make(self) -> Result:
        """Paints a doodle.

        Raises:
            TrainingError: a file is no image, masks do not fit, or a region is too small.
        """
        if self.style_weight == 0:
            raise TrainingError(
                "the style weight is 0, so the masks would mean nothing: give a larger"
            )
        device = self.chosen_device()
        material = self._read_material(device)
        for path, mask in (
            (self.painting_mask, material.painting_mask),
            (self.new_mask, material.new_mask),
        ):
            print(f"regions of {path}: {mask.describe()}")
        photos = self.content_layers if self.photo and self.content_weight else ()
        layers = tuple(dict.fromkeys(photos + self.style_layers))
        network = load_loss_network(self.loss_weights, layers).to(device)

        full_size = fit(material.new_mask.shape, self.size)
        self._objective(network, material, full_size)  # what cannot be done is said at once

        def build(_: int, size: Size, previous: Tensor | None) -> Problem:
            start = _start(material, size, self.seed) if previous is None else previous
            image = Pixels(start.to(device))
            objective = self._objective(network, material, size)
            with memory_for(start):
                objective = kept_in_range(objective, network, image)
            return Problem(image, objective, network, self.steps, self.optimizer, self.lr)

        return optimize_pyramid(
            coarse_to_fine(full_size, self.levels),
            build,
            work=self.work,
            fingerprint=self.fingerprint(),
            observe=self.watch_level,
        )

    def _read_material(self, device: torch.device) -> Material:
        """Reads painting, masks and photo.

        Raises:
            TrainingError: a file is no image, a mask has one region or does not fit its picture,
                or the new mask has a colour that the painting's lacks.
        """
        painting = read_picture(self.painting, self.style_size or self.size)
        painting_mask = _read_regions(self.painting_mask)
        check_proportions(painting_mask, painting, "the painting")
        new_mask = align(_read_regions(self.new_mask), painting_mask)
        photo = None
        if self.photo is not None:
            photo = read_picture(self.photo, self.size)
            check_proportions(new_mask, photo, "the photo")
            photo = photo.to(device)
        return Material(painting.to(device), painting_mask, new_mask, photo)

    def _objective(self, network: LossNetwork, material: Material, size: Size) -> Objective:
        """Returns the objective of a level; the painting is reduced as much as the picture."""
        longer = round(max(size) / self.size * max(material.painting.shape[-2:]))
        painting = resize(material.painting, fit(material.painting.shape, longer))
        blank = torch.zeros(1, 3, *size).to(painting)
        photo = blank if material.photo is None else resize(material.photo, size)
        with torch.no_grad(), memory_for(blank):
            canvas, theirs = network(photo), network(painting, self.style_layers)
        objective: Objective = doodle_objective(
            theirs,
            material.painting_mask,
            canvas,
            material.new_mask,
            self.style_layers,
            coarse=max(size) < self.size,
        )
        objective *= self.style_weight
        if material.photo is not None and self.content_weight:
            share = self.content_weight / len(self.content_layers)
            for layer in self.content_layers:
                objective += content(layer, canvas[layer], share)
        if self.tv_weight:
            objective += total_variation(weight=self.tv_weight)
        return objective


def _read_regions(path: Path) -> RegionMask:
    regions = read_regions(read_mask(path))
    if len(regions.colours) < 2:
        raise TrainingError(
            f"{str(path)!r} has one region only ({regions.describe()}): paint each kind of region "
            "in a flat colour of its own, in 8 bits per channel or in grey of 16"
        )
    return regions


def _start(material: Material, size: Size, seed: int) -> Tensor:
    """Returns the photo, or noise with the colours of the regions."""
    if material.photo is not None:
        return resize(material.photo, size)
    generator = torch.Generator().manual_seed(seed)
    return noise_of_regions(
        material.painting, material.painting_mask, material.new_mask, size, generator
    )
