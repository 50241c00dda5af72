"""Shapes of batches, as an operator writes them."""

import re
from dataclasses import dataclass

from serving.errors import ConfigError


@dataclass(frozen=True)
class BatchShape:
    """A number of photos of one size, in pixels."""

    width: int
    height: int
    photos: int

    @property
    def image(self) -> tuple[int, int, int, int]:
        """Shape of the batch's array, [N, H, W, 3]."""
        return (self.photos, self.height, self.width, 3)

    @property
    def pixels(self) -> int:
        """Pixels of all its photos."""
        return self.width * self.height * self.photos


def read_batch_shapes(text: str) -> tuple[BatchShape, ...]:
    """Reads shapes such as ``512x512x8,1024x768x1``: width x height x photos, comma between.

    Raises:
        ConfigError: a part of ``text`` is no shape.
    """
    return tuple(_read(part.strip()) for part in text.split(","))


def _read(part: str) -> BatchShape:
    numbers = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})x([1-9]\d{0,3})", part)
    if numbers is None:
        raise ConfigError(
            f"{part!r} is not the shape of a batch; write width x height x photos, "
            "such as 512x512x8, and a comma between two"
        )
    return BatchShape(*map(int, numbers.groups()))
