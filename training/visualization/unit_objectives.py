"""Objectives of units: neuron, channel, direction, layer, class, and how alike a batch is.

Each is negative where the unit answers, so that minimizing it makes the unit answer more; the
negative of an objective (``-channel(…)``) makes it answer less.

References:
    Olah, Mordvintsev, Schubert 2017, "Feature Visualization".
    Simonyan, Vedaldi, Zisserman 2014, "Deep Inside Convolutional Networks", eq. 1.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from training.errors import TrainingError
from training.losses.gram import at_least_float32
from training.networks.classifier import LOGITS
from training.optimize.objective import Features, Objective, Term


def neuron(layer: str, c: int, y: int | None = None, x: int | None = None) -> Objective:
    """One number of a layer: channel ``c`` in row ``y`` and column ``x``, by default the centre."""

    def compute(maps: Tensor) -> Tensor:
        of_channel = _channel(maps, layer, c)  # [N, h, w]
        height, width = of_channel.shape[-2:]
        row, column = height // 2 if y is None else y, width // 2 if x is None else x
        if not (0 <= row < height and 0 <= column < width):
            raise TrainingError(
                f"layer {layer!r} has no unit in row {row}, column {column}: "
                f"it has {height} rows and {width} columns here, counted from 0"
            )
        return -of_channel[:, row, column]

    return _one("neuron", layer, compute)


def channel(layer: str, c: int) -> Objective:
    """Mean of channel ``c`` over all places."""
    return _one("channel", layer, lambda maps: -_channel(maps, layer, c).mean(dim=(1, 2)))


def direction(layer: str, v: Tensor, cosine_power: float = 0.0) -> Objective:
    """Mean over all places of the dot product of the activations with ``v``.

    Args:
        layer: name of the layer.
        v: the direction: [C], one for all places, or [C, h, w], one for each, as for a
            caricature of a photo, whose own activations are the directions. It is resized where
            the layer has another size.
        cosine_power: each product is multiplied by this power of the cosine between the two: 0
            leaves the product alone; more asks for the direction rather than for strength.
    """

    def compute(maps: Tensor) -> Tensor:
        maps = _as_maps(maps)
        if len(v) != maps.shape[1]:
            raise TrainingError(
                f"the direction has {len(v)} numbers, but layer {layer!r} has "
                f"{maps.shape[1]} channels"
            )
        along = v.to(maps).reshape(1, len(v), *(v.shape[1:] or (1, 1)))
        if v.dim() > 1 and v.shape[1:] != maps.shape[2:]:
            along = F.interpolate(along, maps.shape[2:], mode="bilinear", align_corners=False)
        dot = (maps * along).sum(dim=1)  # [N, h, w]
        if cosine_power:
            norms = maps.norm(dim=1) * along.norm(dim=1)
            # The floor keeps a way out: at a cosine of 0 the gradient would vanish.
            dot = dot * (dot / norms.clamp(min=1e-6)).clamp(min=0.1) ** cosine_power
        return -dot.mean(dim=(1, 2))

    return _one("direction", layer, compute)


def dream(layer: str) -> Objective:
    """½‖a‖² of a whole layer: the gradient is each activation taken as its own gradient."""
    return _one("dream", layer, lambda maps: -maps.flatten(1).square().sum(dim=1) / 2)


def logit(k: int) -> Objective:
    """Score of class ``k`` before the softmax."""
    return _one("logit", LOGITS, lambda scores: -_class(scores, k))


def probability(k: int) -> Objective:
    """Probability of class ``k``, behind the softmax: it also rises where other scores fall."""
    return _one("probability", LOGITS, lambda scores: -_class(scores.softmax(dim=1), k))


def diversity(layer: str) -> Objective:
    """How alike an image's activations are to those of the others in the batch.

    The mean cosine between its Gram matrix and each of theirs: 1 if all are the same, 0 if no
    channel of one goes together with a channel of another, and 0 for a single image.
    """
    return _one("diversity", layer, lambda maps: _mean_of_others(likeness(maps)))


def relative_diversity(layer: str, answer: Objective, weight: float) -> Objective:
    """Diversity in units of the answer: those of two layers differ by orders of magnitude.

    Two images are pushed apart as strongly as the weaker of the two answers. So an image that
    answers nothing yet is left to find an answer first.

    Args:
        layer: where the images of a batch shall differ.
        answer: the objective that they share, of the same layer.
        weight: how much of its answer an image gives up to differ altogether.
    """

    def compute(features: Features) -> Tensor:
        strength = torch.stack(list(answer(features).values())).sum(dim=0).detach().abs()  # [N]
        weaker = torch.minimum(strength[:, None], strength[None, :])  # [N, N]
        return _mean_of_others(weaker * likeness(at_least_float32(features[layer])))

    return Objective((Term("diversity", (layer,), compute, weight),))


def likeness(maps: Tensor) -> Tensor:
    """Returns the cosines [N, N] between the Gram matrices of ``maps`` [N, C, h, w]."""
    flat = _as_maps(maps).flatten(2)  # [N, C, h·w]
    grams = (flat @ flat.transpose(1, 2)).flatten(1)  # [N, C·C]
    grams = grams / grams.norm(dim=1, keepdim=True).clamp(min=1e-10)
    cosines: Tensor = grams @ grams.T
    return cosines


def _mean_of_others(pairs: Tensor) -> Tensor:
    """Returns for each row of ``pairs`` [N, N] the mean without the diagonal, [N]."""
    n = len(pairs)
    others = ~torch.eye(n, dtype=torch.bool, device=pairs.device)
    mean: Tensor = (pairs * others).sum(dim=1) / max(n - 1, 1)
    return mean


def _one(name: str, layer: str, compute: Callable[[Tensor], Tensor]) -> Objective:
    """Returns an objective of one term that reads one layer, in float32 at least."""

    def of_features(features: Features) -> Tensor:
        return compute(at_least_float32(features[layer]))

    return Objective((Term(name, (layer,), of_features),))


def _as_maps(activations: Tensor) -> Tensor:
    """Returns activations as [N, C, h, w]; those of a linear layer have a single place."""
    if activations.dim() == 2:
        return activations[:, :, None, None]
    if activations.dim() == 4:
        return activations
    raise TrainingError(
        f"activations of shape {list(activations.shape)} are no maps [N, C, h, w]: "
        "choose a convolutional or a linear layer"
    )


def _channel(activations: Tensor, layer: str, c: int) -> Tensor:
    """Returns channel ``c`` of a layer, [N, h, w]."""
    maps = _as_maps(activations)
    if not 0 <= c < maps.shape[1]:
        raise TrainingError(
            f"layer {layer!r} has no channel {c}: it has {maps.shape[1]}, counted from 0"
        )
    return maps[:, c]


def _class(scores: Tensor, k: int) -> Tensor:
    """Returns column ``k`` of scores [N, K]."""
    if not 0 <= k < scores.shape[1]:
        raise TrainingError(f"there is no class {k}: there are 0 to {scores.shape[1] - 1}")
    return scores[:, k]
