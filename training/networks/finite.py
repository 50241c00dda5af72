"""Numbers that are not finite: they paint black and say nothing of it."""

from collections.abc import Mapping

from torch import Tensor


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Returns the name of the first tensor of ``state`` that holds an infinity or a NaN."""
    return next((name for name, value in state.items() if not value.isfinite().all()), None)
