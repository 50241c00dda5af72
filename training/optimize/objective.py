"""Objectives: what an image is optimized for. They add, subtract and scale; smaller is better."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from torch import Tensor

IMAGE: Final = "image"
"""Name under which an objective finds the image itself [N, 3, H, W], before any transformation."""

Features = Mapping[str, Tensor]
"""Features [N, C, h, w] by layer name, and the image under ``IMAGE``."""


class FeatureNetwork(Protocol):
    """What objectives look through: a loss network or a classifier."""

    def __call__(self, x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        """Returns the features of ``x`` [N, 3, H, W] in [0, 1] by layer name."""
        ...


@dataclass(frozen=True)
class Term:
    """One summand of an objective.

    Attributes:
        name: what messages call it, such as ``style``; terms of one name are reported together.
        layers: what ``compute`` reads, perhaps ``IMAGE``.
        compute: gives the unweighted value [N], one per image.
        weight: what it is multiplied by.
    """

    name: str
    layers: tuple[str, ...]
    compute: Callable[[Features], Tensor]
    weight: float = 1.0


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms; always minimized."""

    terms: tuple[Term, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that some term reads, the image left out; each once."""
        named = (layer for term in self.terms for layer in term.layers if layer != IMAGE)
        return tuple(dict.fromkeys(named))

    def __call__(self, features: Features) -> dict[str, Tensor]:
        """Returns the weighted values [N] by the names of the terms; their sum is the loss."""
        values: dict[str, Tensor] = {}
        for term in self.terms:
            value = term.weight * term.compute(features)
            values[term.name] = values[term.name] + value if term.name in values else value
        return values

    def __add__(self, other: "Objective") -> "Objective":
        """Returns the sum of both."""
        return Objective(self.terms + other.terms)

    def __sub__(self, other: "Objective") -> "Objective":
        """Returns the difference: ``other`` is maximized."""
        return self + -1.0 * other

    def __mul__(self, weight: float) -> "Objective":
        """Returns the objective ``weight`` times as important."""
        return Objective(tuple(replace(t, weight=weight * t.weight) for t in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        """Returns the objective that is maximized instead."""
        return -1.0 * self
