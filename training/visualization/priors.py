"""Priors: what keeps an optimized image from being noise, as options that two techniques share.

References:
    Yosinski et al. 2015, "Understanding Neural Networks Through Deep Visualization" (blur, small
    pixels).
    Olah, Mordvintsev, Schubert 2017, "Feature Visualization", the table of priors.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

import torch
from torch import Tensor

from training.errors import TrainingError
from training.networks.loss_network import IMAGENET_MEAN
from training.optimize.images import ImageParameterization, Pixels
from training.optimize.objective import IMAGE, Features, Objective, Term
from training.optimize.optimizers import OptimizerName
from training.optimize.perceptual_objectives import total_variation
from training.optimize.projections import Projection, bilateral, blur, chain, clip
from training.optimize.technique import Technique
from training.options import Options, Positive, not_negative, positive
from training.visualization.classifier_options import WithClassifier
from training.visualization.fourier import Fourier
from training.visualization.transforms import Transform, compose, jitter, pad, robust

FOURIER_LR: Final = 0.05
"""lucid's step size for Adam on a Fourier image."""

JITTER: Final = 16
"""Pixels of jitter where jitter is the only transformation: 1/14 of the default size."""


@dataclass(frozen=True, kw_only=True)
class Priors(Options):
    """What keeps an image from being noise.

    Args:
        image: what is optimized: a spectrum with decorrelated colours, or pixels
        robust: random transformations to survive: all is jitter, scale and rotation
        tv: weight of total variation, the roughness of the image
        l2: weight of ‖I‖², the squared distance to the mean colour (Simonyan's λ)
        blur: Gaussian filter, in pixels
        bilateral: filter that keeps edges
        filter_every: steps from filter to filter
        clip_small: set so many of the palest pixels to the mean colour after each step
    """

    image: Literal["fourier", "pixels"] = "fourier"
    robust: Literal["all", "jitter", "none"] = "all"
    tv: Annotated[float, not_negative, "W"] = 0.0
    l2: Annotated[float, not_negative, "W"] = 0.0
    blur: Annotated[float, not_negative, "σ"] = 0.0
    bilateral: Annotated[float, not_negative, "σ"] = 0.0
    filter_every: Annotated[int, positive, "N"] = 4
    clip_small: Annotated[float, not_negative, "PERCENT"] = 0.0

    group: ClassVar = ("priors", "what keeps the image from being noise")


@dataclass(frozen=True, kw_only=True)
class Visualization(WithClassifier, Priors, Technique):
    """An image that a classifier answers to, under priors."""

    steps: Positive = 256
    optimizer: OptimizerName = "adam"


def step_size(options: Visualization) -> float | None:
    """Returns ``--lr``, or lucid's for Fourier images and Adam; None is the optimizer's usual."""
    fourier = options.image == "fourier" and options.optimizer == "adam"
    return FOURIER_LR if options.lr is None and fourier else options.lr


def start(options: Visualization, init: Tensor, *, random: bool) -> ImageParameterization:
    """Returns the images to optimize.

    Args:
        options: ``image`` and ``seed`` are read.
        init: images [N, 3, H, W] to start from.
        random: start a Fourier image from random coefficients instead, and pixels from ``init``
            with noise, so that the images of a batch differ.
    """
    generator = torch.Generator().manual_seed(options.seed)
    if options.image == "fourier":
        if not random:
            return Fourier(init=init)
        shape = (len(init), init.shape[-2], init.shape[-1])
        return Fourier(shape, generator=generator).to(init.device)
    noise = 0.02 * torch.randn(init.shape, generator=generator) if random else torch.zeros(1)
    return Pixels((init + noise.to(init)).clamp(0, 1))


def transformation(options: Visualization) -> Transform | None:
    """Returns the random transformations asked for, seeded.

    Raises:
        TrainingError: L-BFGS is to compare losses under different transformations.
    """
    if options.robust == "none":
        return None
    if options.optimizer == "lbfgs":
        raise TrainingError(
            "lbfgs compares losses, which random transformations change: give --robust none, or "
            "--optimizer adam"
        )
    generator = torch.Generator().manual_seed(options.seed)
    if options.robust == "all":
        return robust(generator)
    return compose(pad(JITTER // 2), jitter(JITTER, generator))


def penalties(options: Visualization, device: torch.device) -> Objective:
    """Returns the weighted penalties asked for; an objective without terms if none are."""
    objective = Objective()
    if options.tv:
        objective += total_variation(weight=options.tv)
    if options.l2:
        objective += distance_from_mean(device, options.l2)
    return objective


def distance_from_mean(device: torch.device, weight: float = 1.0) -> Objective:
    """‖I‖² of Simonyan 2014, eq. 1, whose images are zero-centred: 0 is the mean colour."""
    mean = mean_colour(device)

    def compute(features: Features) -> Tensor:
        return (features[IMAGE] - mean).square().sum(dim=(1, 2, 3))

    return Objective((Term("L2", (IMAGE,), compute, weight),))


def mean_colour(device: torch.device) -> Tensor:
    """Returns ImageNet's mean colour [1, 3, 1, 1], the zero of the networks' own input."""
    return torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)


def projection(options: Visualization, device: torch.device) -> Projection | None:
    """Returns the filters asked for, then the range [0, 1] for pixels; None if there are none."""
    chosen: list[Projection] = []
    if options.blur:
        chosen.append(blur(options.blur, options.filter_every))
    if options.bilateral:
        chosen.append(bilateral(options.bilateral, 0.1, options.filter_every))
    if options.clip_small:
        chosen.append(clip_small(options.clip_small, mean_colour(device)))
    if options.image == "pixels":
        chosen.append(clip())  # a Fourier image has its sigmoid
    return chain(*chosen) if chosen else None


def clip_small(percent: float, mean: Tensor) -> Projection:
    """Returns a projection that sets the palest pixels to ``mean`` [1, 3, 1, 1].

    ``percent`` of the pixels of each image, those whose colour is nearest to the mean
    (Yosinski et al. 2015, "clipping pixels with small norm").
    """

    def project(image: Tensor) -> Tensor:
        norms = (image - mean).norm(dim=1, keepdim=True)  # [N, 1, H, W]
        threshold = norms.flatten(1).quantile(min(percent / 100, 1), dim=1).view(-1, 1, 1, 1)
        return torch.where(norms < threshold, mean, image)

    return project
