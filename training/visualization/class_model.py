"""Class model: an image that a classifier scores highest for a class (Simonyan et al. 2014).

Deviations, all of them options: instead of zero-centred pixels and λ‖I‖² alone, a Fourier image
under random transformations (Olah et al. 2017) is the default. ``--image pixels --robust none
--init mean --l2 λ --optimizer sgd`` is Simonyan's.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from training.optimize.loop import Result
from training.optimize.picture_file import read_picture
from training.optimize.sheet import Entry, optimize_sheet
from training.options import Positive
from training.visualization.priors import (
    Visualization,
    mean_colour,
    penalties,
    projection,
    start,
    step_size,
    transformation,
)
from training.visualization.redirected_relu import RedirectedReLU
from training.visualization.unit_objectives import logit, probability


@dataclass(frozen=True, kw_only=True)
class ClassModel(Visualization):
    """An image that a classifier takes for a class, from noise or a photo.

    Several classes give a sheet.

    Args:
        classes: name or index of a class of ImageNet, such as volcano, 'bell cote' or 980
        init: noise (default), mean (the mean colour) or a photo, an image file
        probability: maximize the probability, behind the softmax, instead of the score before it
    """

    classes: tuple[Annotated[str, "CLASS"], ...]
    init: Annotated[str, "START"] = "noise"
    probability: bool = False
    size: Positive = 224

    positional: ClassVar = ("classes",)

    def make(self) -> Result:
        """Makes a class model of each class.

        Raises:
            TrainingError: a class, the network or the photo is not there, or the image too small.
        """
        device = self.chosen_device()
        network = self.load_classifier(device)
        indices = [network.class_index(text) for text in self.classes]
        init = self.start_image(device)
        with torch.no_grad():
            network(init)  # an image that is too small is told before the work begins
        score = probability if self.probability else logit
        entries = [
            Entry(
                network.classes[index],
                start(self, init, random=self.init == "noise"),
                score(index) + penalties(self, device),
                RedirectedReLU(network),
                transformation(self),
                projection(self, device),
            )
            for index in indices
        ]
        return optimize_sheet(self, entries, step_size(self))

    def start_image(self, device: torch.device) -> Tensor:
        """Returns the photo, or the mean colour in a square, [1, 3, H, W]."""
        if self.init in ("noise", "mean"):
            return mean_colour(device).repeat(1, 1, self.size, self.size)
        return read_picture(Path(self.init), self.size).to(device)
