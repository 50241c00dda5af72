"""DeepDream: more of what a layer sees in a photo (Mordvintsev, Olah, Tyka 2015).

Octave by octave, small first: the photo at the octave's size plus the detail dreamt so far, steps
along the gradient divided by its root mean square, the image rolled at random before each. The
original divides by the mean of the absolute gradient, which is about 0.8 times as large.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final

import torch
from torch import Tensor

from training.errors import TrainingError
from training.networks.loss_network import load_loss_network
from training.optimize.images import Pixels
from training.optimize.loop import Result
from training.optimize.objective import FeatureNetwork, Objective
from training.optimize.optimizers import OptimizerName
from training.optimize.picture_file import fit, read_picture, resize
from training.optimize.projections import clip
from training.optimize.pyramid import Problem, Size, optimize_pyramid
from training.optimize.technique import Technique
from training.options import Positive
from training.visualization.classifier_options import WithClassifier
from training.visualization.transforms import roll
from training.visualization.unit_names import parse_unit
from training.visualization.unit_objectives import dream

DEFAULT_LAYER: Final = "features.10"
"""Of SqueezeNet: fur, eyes and faces."""

SMALLEST: Final = 48
"""Shorter side of the smallest octave; below it the networks' deeper layers see nothing."""

_OF_A_VGG: Final = re.compile(r"relu\d_\d|pool\d")


@dataclass(frozen=True, kw_only=True)
class DeepDream(WithClassifier, Technique):
    """A photo in which whatever a layer sees in it is strengthened, octave by octave.

    Args:
        photo: where the dream begins, an image file
        layer: of the classifier, such as features.7, or of a VGG, such as relu3_1; LAYER:CHANNEL
            dreams of one channel; several are dreamt together (default features.10)
        octaves: sizes, --steps at each
        octave_scale: size to size
        jitter: pixels of random shift
        work: folder for finished octaves; the same command goes on there after an interruption
    """

    photo: Path
    layer: Annotated[tuple[Annotated[str, "LAYER"], ...], {"action": "append", "nargs": None}] = (
        DEFAULT_LAYER,
    )
    octaves: Positive = 4
    octave_scale: Annotated[float, "S"] = 1.4
    jitter: Annotated[int, "N"] = 32
    work: Annotated[Path | None, "DIR"] = None
    size: Positive = 512
    steps: Positive = 20
    optimizer: OptimizerName = "sgd"

    positional: ClassVar = ("photo",)
    incidental: ClassVar = Technique.incidental | {"octaves"}

    def make(self) -> Result:
        """Dreams.

        Raises:
            TrainingError: a layer, the network or the photo is not there, or the photo too small.
        """
        if self.optimizer == "lbfgs" and self.jitter > 0:
            raise TrainingError(
                "lbfgs compares losses, which jitter changes: give --jitter 0, or --optimizer sgd"
            )
        device = self.chosen_device()
        photo = read_picture(self.photo, self.size).to(device)
        sizes = octaves(photo, self.octaves, self.octave_scale)
        network = self._network(device)
        objective = dream_of(self.layer)
        with torch.no_grad():  # what is wrong is said before the work begins
            objective(network(resize(photo, sizes[0]), objective.layers))

        def build(level: int, size: Size, previous: Tensor | None) -> Problem:
            generator = torch.Generator().manual_seed(self.seed + level)
            smaller = None if level == 0 else resize(photo, sizes[level - 1])
            return Problem(
                Pixels(with_detail(resize(photo, size), previous, smaller)),
                objective,
                network,
                self.steps,
                self.optimizer,
                self.lr,
                transform=roll(max(0, self.jitter), generator),
                project=clip(),
            )

        result = optimize_pyramid(
            sizes,
            build,
            work=self.work,
            fingerprint=self.fingerprint(),
            observe=self.watch_level,
        )
        return replace(result, image=at_full_size(result.image.to(device), photo))

    def _network(self, device: torch.device) -> FeatureNetwork:
        """Returns a VGG if the layers are named as a VGG's, the classifier otherwise."""
        plain = [name.partition(":")[0] for name in self.layer]
        if not all(_OF_A_VGG.fullmatch(name) for name in plain):
            return self.load_classifier(device)
        source = str(self.weights or self.network or "vgg19")
        return load_loss_network(source, plain, option="--weights").to(device)


def dream_of(names: Iterable[str]) -> Objective:
    """Returns the objective of layers (½‖a‖²) and units (``LAYER:CHANNEL``), added."""
    objective = Objective()
    for name in names:
        objective += parse_unit(name).objective() if ":" in name else dream(name)
    return objective


def octaves(photo: Tensor, count: int, scale: float) -> list[Size]:
    """Returns sizes from small to that of ``photo`` [1, 3, H, W], ``scale`` from one to the next.

    Those with a side below ``SMALLEST`` are left out.

    Raises:
        TrainingError: the photo itself is too small, or the scale not above 1.
    """
    if not scale > 1:
        raise TrainingError(f"octaves must grow: --octave-scale {scale:g} is not above 1")
    height, width = photo.shape[-2:]
    if min(height, width) < SMALLEST:
        raise TrainingError(
            f"a photo of {width} × {height} is too small to dream of: its shorter side must be "
            f"{SMALLEST} or more, so give a larger --size or a photo that is less narrow"
        )
    sizes = [fit(photo.shape, round(max(height, width) / scale**k)) for k in range(count)]
    return [size for size in reversed(sizes) if min(size) >= SMALLEST]


def with_detail(base: Tensor, previous: Tensor | None, smaller: Tensor | None) -> Tensor:
    """Returns the photo at an octave's size plus the detail of the octave before, enlarged.

    Args:
        base: the photo at the octave's size [1, 3, H, W].
        previous: the result of the octave before, enlarged to that size; None in the first.
        smaller: the photo at the size of the octave before.
    """
    if previous is None or smaller is None:
        return base
    detail = previous.to(base) - resize(smaller, (base.shape[-2], base.shape[-1]))
    return (base + detail).clamp(0, 1)


def at_full_size(image: Tensor, photo: Tensor) -> Tensor:
    """Returns the dream at the photo's size [1, 3, H, W].

    Ctrl-C may leave ``image`` [1, 3, h, w] at a smaller octave's.
    """
    height, width = photo.shape[-2:]
    smaller = resize(photo, (image.shape[-2], image.shape[-1]))
    return with_detail(photo, resize(image, (height, width)), smaller)
