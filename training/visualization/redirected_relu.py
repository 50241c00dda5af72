"""Redirected ReLU: a gradient for units that are stuck at 0 (lucid, Mordvintsev et al. 2018).

Where every unit behind a ReLU is 0, the gradient is 0 too and an optimization cannot begin. For
the first steps the ReLU then lets those gradients pass that would raise its input.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from training.optimize.objective import FeatureNetwork

REDIRECTED_STEPS: Final = 16
"""lucid's number of first steps."""

_RELUS: Final[frozenset[Callable[..., Any]]] = frozenset(
    {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
)


class RedirectedReLU(nn.Module):
    """A feature network whose ReLUs pass gradients to stuck units on its first evaluations.

    The network itself is not touched: ReLUs are replaced as they are called, whether they are
    modules or functions, in-place or not.
    """

    def __init__(self, network: FeatureNetwork, steps: int = REDIRECTED_STEPS) -> None:
        """Redirects in the first ``steps`` evaluations of ``network``."""
        super().__init__()
        self._network = network
        self._left = steps

    def forward(self, x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        """Returns what ``network`` returns for ``x`` [N, 3, H, W]."""
        if self._left <= 0:
            return self._network(x, layers)
        self._left -= 1
        with _Redirect():
            return self._network(x, layers)


class _Redirect(TorchFunctionMode):
    """Replaces the ReLU while it is active, also in its in-place forms."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _RELUS:
            inputs = args[0] if args else (kwargs or {})["input"]
            return _Redirected.apply(inputs)
        return func(*args, **(kwargs or {}))


class _Redirected(torch.autograd.Function):
    """The ReLU, with lucid's gradient: where none gets through, those that raise the input do."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        plain = torch.where(x > 0, slope, 0)
        # The loss falls where the slope is negative and the input rises.
        raising = torch.where((x <= 0) & (slope > 0), 0, slope)
        nothing = plain.flatten(1).abs().amax(dim=1) == 0  # [N]
        return torch.where(nothing.view(-1, *(1,) * (x.dim() - 1)), raising, plain)
