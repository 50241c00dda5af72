"""Numbers that are not finite: they paint black and say nothing of it."""

from collections.abc import Mapping

from torch import Tensor, nn

from training.errors import TrainingError


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Returns the name of the first tensor of ``state`` that holds an infinity or a NaN."""
    return next((name for name, value in state.items() if not value.isfinite().all()), None)


def refuse_nan(network: nn.Module) -> None:
    """Raises TrainingError if a weight of ``network`` is not finite; the message names it."""
    if name := first_not_finite(network.state_dict()):
        raise TrainingError(
            f"the network's {name} holds NaN or infinity: take an earlier checkpoint"
        )
