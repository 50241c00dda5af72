"""How an optimization fails; each error carries the last good image, so that nothing is lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from training.errors import TrainingError


class OptimizationError(TrainingError):
    """An optimization stopped early.

    Attributes:
        image: the best image until then [N, 3, H, W] in [0, 1]; None if there is none.
    """

    def __init__(self, message: str, image: Tensor | None = None) -> None:
        """Takes the message and the image."""
        super().__init__(message)
        self.image = image


class DivergedError(OptimizationError):
    """A term of the objective became infinite or no number."""


class TooLargeError(OptimizationError):
    """The memory does not hold images of this size."""


def is_out_of_memory(error: BaseException) -> bool:
    """Says whether ``error`` is a lack of memory; PyTorch has no own type for it on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in str(error) or "not enough memory" in str(error)
    )


def too_large(size: tuple[int, int], image: Tensor | None) -> TooLargeError:
    """Returns the error for images of ``size`` (height, width), with a size that may fit."""
    height, width = size
    smaller = max(16, 3 * max(size) // 4)
    return TooLargeError(
        f"out of memory at {width} × {height} pixels: --size {smaller} needs about half as much",
        image,
    )


@contextmanager
def memory_for(image: Tensor) -> Iterator[None]:
    """Turns a lack of memory in what is computed from ``image`` [N, 3, H, W] into our error.

    Raises:
        TooLargeError: out of memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        height, width = image.shape[-2:]
        raise too_large((height, width), None) from error
