"""Networks that hold NaN or infinity, which paint black and say nothing of it."""

from torch import nn

from training.errors import TrainingError


def refuse_nan(network: nn.Module) -> None:
    """Raises TrainingError if a weight of ``network`` is not finite; the message names it."""
    for name, weight in network.state_dict().items():
        if not weight.isfinite().all():
            raise TrainingError(
                f"the network's {name} holds NaN or infinity: take an earlier checkpoint"
            )
