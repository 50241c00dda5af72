"""The one loop of all slow baselines: an image, an objective, a network, an optimizer.

References:
    Gatys, Ecker, Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks".
    Mordvintsev, Pezzotti, Schubert, Olah 2018, "Differentiable Image Parameterizations".
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.optimize.failures import DivergedError, is_out_of_memory, too_large
from training.optimize.images import ImageParameterization
from training.optimize.objective import IMAGE, FeatureNetwork, Objective
from training.optimize.optimizers import OptimizerName, drive

_PROBE = 0.01
"""Largest change of a pixel when the projection is asked which way is open."""

ImageFunction = Callable[[Tensor], Tensor]
"""Images [N, 3, H, W] in, images out."""


@dataclass(frozen=True)
class Progress:
    """What an observer learns at each step.

    Attributes:
        step: number of the step, from 1.
        steps: how many there will be.
        loss: weighted sum of the terms, summed over the batch, before the step's update.
        terms: the weighted values by name, summed over the batch.
        image: gives the images before the update [N, 3, H, W], clamped to [0, 1].
    """

    step: int
    steps: int
    loss: float
    terms: Mapping[str, float]
    image: Callable[[], Tensor]


@dataclass(frozen=True)
class Result:
    """What an optimization gives.

    Attributes:
        image: images [N, 3, H, W] in [0, 1].
        losses: one per step, before that step's update, summed over the batch.
        interrupted: whether Ctrl-C ended it.
    """

    image: Tensor
    losses: list[float]
    interrupted: bool


def optimize(
    image: ImageParameterization,
    objective: Objective,
    network: FeatureNetwork,
    *,
    steps: int,
    optimizer: OptimizerName = "lbfgs",
    lr: float | None = None,
    transform: ImageFunction | None = None,
    gradient: ImageFunction | None = None,
    project: ImageFunction | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Result:
    """Changes ``image`` until ``objective`` is small.

    A step is one evaluation of the objective and its gradient. With ``lbfgs`` the line search
    evaluates too, so ``steps`` is the number of evaluations, not of directions, and the best
    image that was evaluated is the result. It ends before ``steps`` where nothing more can be
    gained. With the other optimizers each evaluation is followed by one update.

    Args:
        image: what is changed, in place.
        objective: what is minimized.
        network: what the objective looks through; it is left as it was found.
        steps: how many evaluations, 0 or more.
        optimizer: ``lbfgs`` (strong Wolfe line search), ``adam``, ``sgd`` (the gradient divided
            by its root mean square over each image, as in DeepDream) or ``sign`` (its sign, as
            in FGSM and PGD).
        lr: step size; None stands for the optimizer's usual one. For ``sgd`` and ``sign`` it is
            in units of the image, that is, of [0, 1].
        transform: applied between the image and the network: jitter, scale, rotation.
        gradient: applied to the gradient with respect to the pixels [N, 3, H, W].
        project: applied to the image after each update: clip, blur. With ``lbfgs`` it
            should limit each value by itself, as clip does.
        on_step: told about each step.

    Raises:
        DivergedError: a term became infinite or no number; it carries the last good image.
        TooLargeError: out of memory.
        TrainingError: every weight of the objective is 0, or ``steps`` is negative.
    """
    if not any(term.weight for term in objective.terms):
        raise TrainingError("every weight is 0, so nothing would change: give one that is not")
    if steps < 0:
        raise TrainingError(f"{steps} steps cannot be taken: give 0 or more")
    run = _Run(image, objective, network, steps, transform, on_step)
    run.shape_gradient = _gradient_shaper(optimizer, gradient)
    if optimizer == "lbfgs":
        run.limit = project
    settle = None if project is None else _Projection(image, project)
    with _left_as_found(network):
        try:
            drive(optimizer, run, settle, steps=steps, lr=lr)
            return Result(run.last_image(), run.losses, interrupted=False)
        except KeyboardInterrupt:
            run.restore()
            if settle is not None:
                settle()
            return Result(_shown(image().detach()), run.losses, interrupted=True)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            height, width = image().shape[-2:]
            raise too_large((height, width), run.best_image()) from error


class _Projection:
    """Projects the image in place."""

    def __init__(self, image: ImageParameterization, project: ImageFunction) -> None:
        self._image, self._project = image, project

    @torch.no_grad()
    def __call__(self) -> None:
        self._image.set_image(self._project(self._image()))


class _Run:
    """Evaluates the objective, remembers the losses and the best parameters."""

    def __init__(
        self,
        image: ImageParameterization,
        objective: Objective,
        network: FeatureNetwork,
        steps: int,
        transform: ImageFunction | None,
        on_step: Callable[[Progress], None] | None,
    ) -> None:
        self.parameters = [p for p in image.parameters() if p.requires_grad]
        self.losses: list[float] = []
        self.shape_gradient: ImageFunction | None = None
        self.limit: ImageFunction | None = None
        self._image, self._objective, self._network = image, objective, network
        self._steps, self._transform, self._on_step = steps, transform, on_step
        self._best_loss = math.inf
        self._best: list[Tensor] | None = None

    def evaluate(self) -> float:
        """Returns the loss and leaves the gradients in the parameters."""
        step = len(self.losses) + 1
        with torch.enable_grad():
            image = self._image()
            pixels = image.detach().requires_grad_()
            terms = {name: value.sum() for name, value in self._terms(pixels).items()}
            total = torch.stack(list(terms.values())).sum()
            numbers = {name: value.item() for name, value in terms.items()}
            self._check(numbers, step)
            (slope,) = torch.autograd.grad(total, pixels)
            if not torch.isfinite(slope).all():
                self._check(dict.fromkeys(self._terms_without_slope(), math.nan), step)
            shaped = slope if self.shape_gradient is None else self.shape_gradient(slope)
            if self.limit is not None:
                shaped = _inward(pixels.detach(), shaped, self.limit)
            gradients = torch.autograd.grad(image, self.parameters, shaped)
        for parameter, value in zip(self.parameters, gradients, strict=True):
            parameter.grad = value
        loss = total.item()
        self.losses.append(loss)
        self._remember(loss)
        if self._on_step is not None:
            shown = image.detach()
            self._on_step(Progress(step, self._steps, loss, numbers, lambda: _shown(shown)))
        return loss

    def restore(self) -> None:
        """Sets the parameters to the best that were evaluated; see ``_remember``."""
        if self._best is not None:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, self._best, strict=True):
                    parameter.copy_(value)

    def last_image(self) -> Tensor:
        """Returns the image behind the last update, which nobody has looked at yet."""
        image = self._image().detach()
        if not torch.isfinite(image).all():
            raise DivergedError(
                "the last step led to an image that is no number: give a smaller --lr",
                self.best_image(),
            )
        return _shown(image)

    def best_image(self) -> Tensor | None:
        """Returns the best image evaluated [N, 3, H, W] in [0, 1]; None before the first."""
        if self._best is None:
            return None
        self.restore()
        return _shown(self._image().detach())

    def _terms(self, pixels: Tensor) -> dict[str, Tensor]:
        seen = pixels if self._transform is None else self._transform(pixels)
        layers = self._objective.layers
        features = self._network(seen, layers) if layers else {}
        return self._objective({**features, IMAGE: pixels})

    def _remember(self, loss: float) -> None:
        # Losses under random transformations cannot be compared: there the latest is the best.
        if self._best is None or loss < self._best_loss or self._transform is not None:
            self._best_loss = loss
            self._best = [parameter.detach().clone() for parameter in self.parameters]

    def _check(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"the term {name!r} became infinite or no number at step {step}: "
                    "give it a smaller weight, or a smaller --lr",
                    self.best_image(),
                )

    def _terms_without_slope(self) -> list[str]:
        """Names the terms whose gradient is infinite or no number."""
        pixels = self._image().detach().requires_grad_()
        names = []
        for name, value in self._terms(pixels).items():
            slope = torch.autograd.grad(value.sum(), pixels, retain_graph=True)[0]
            if not torch.isfinite(slope).all():
                names.append(name)
        return names or ["gradient"]


def _gradient_shaper(optimizer: str, gradient: ImageFunction | None) -> ImageFunction | None:
    """Chains the caller's function and what ``sgd`` and ``sign`` do to the gradient."""
    shapers: dict[str, ImageFunction] = {"sgd": _unit_rms, "sign": torch.sign}
    own = shapers.get(optimizer)
    if gradient is None or own is None:
        return gradient or own
    first, then = gradient, own
    return lambda slope: then(first(slope))


def _unit_rms(slope: Tensor) -> Tensor:
    """Divides by the root mean square over each image."""
    return slope / slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)


@torch.no_grad()
def _inward(image: Tensor, slope: Tensor, project: ImageFunction) -> Tensor:
    """Drops the parts of the gradient against which the projection holds the image.

    Where a pixel at its bound is pushed outwards, a step leads nowhere; left in, the gradient
    there would spoil the curvature that L-BFGS estimates.
    """
    step = _PROBE / slope.abs().amax().clamp(min=1e-30)
    held = project(image - step * slope) == image
    return slope.masked_fill(held, 0)


def _shown(image: Tensor) -> Tensor:
    return image.clamp(0, 1)


@contextmanager
def _left_as_found(network: FeatureNetwork) -> Iterator[None]:
    """Runs a network in evaluation mode and puts each module's mode back."""
    modules = list(network.modules()) if isinstance(network, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, training in zip(modules, modes, strict=True):
            module.training = training
