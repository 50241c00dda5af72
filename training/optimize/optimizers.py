"""Optimizers of images: L-BFGS with a strong Wolfe line search, Adam, plain and sign steps.

References:
    Nocedal and Wright 2006, "Numerical Optimization", sections 3.5 and 7.2 (L-BFGS).
    Goodfellow, Shlens, Szegedy 2015, "Explaining and Harnessing Adversarial Examples" (sign).
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol, get_args

import torch
from torch import Tensor

OptimizerName = Literal["lbfgs", "adam", "sgd", "sign"]
OPTIMIZERS: Final[tuple[str, ...]] = get_args(OptimizerName)

USUAL_LR: Final[dict[str, float]] = {"lbfgs": 1.0, "adam": 0.02, "sgd": 0.01, "sign": 1 / 255}
"""Step sizes for images in [0, 1]."""

_HISTORY: Final = 50
"""Curvature pairs kept; each is as large as two images."""

_LINE_SEARCH: Final = 25
"""Evaluations that one line search may take, the limit of PyTorch's own before 2.15."""


class Evaluated(Protocol):
    """What is driven: parameters, and their loss and gradients."""

    parameters: list[torch.nn.Parameter]
    losses: list[float]

    def evaluate(self) -> float:
        """Returns the loss and leaves the gradients in the parameters."""
        ...

    def restore(self) -> None:
        """Sets the parameters to the best that were evaluated."""
        ...


def drive(
    name: OptimizerName,
    run: Evaluated,
    settle: Callable[[], None] | None,
    *,
    steps: int,
    lr: float | None,
) -> None:
    """Evaluates ``run`` at most ``steps`` times and moves its parameters downhill.

    Args:
        name: which optimizer.
        run: what is minimized.
        settle: called after each update, to project the parameters.
        steps: number of evaluations.
        lr: step size; None stands for the usual one.
    """
    lr = USUAL_LR[name] if lr is None else lr
    if name == "lbfgs":
        _LBFGS(run, settle, steps, lr).minimize()
        return
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(run.parameters, lr=lr)
        if name == "adam"
        else torch.optim.SGD(run.parameters, lr=lr)
    )
    for _ in range(steps):
        run.evaluate()
        optimizer.step()
        if settle is not None:
            settle()


class _BudgetSpentError(Exception):
    """Ends a line search in the middle."""


class _LBFGS:
    """PyTorch's L-BFGS, one direction at a time, with the evaluations counted.

    PyTorch derives the length of the line search from ``max_eval``, which by default follows
    ``max_iter``: with one direction per call the search would get no evaluation and stand still
    for ever. So ``max_eval`` is given. Tolerances are 0, because losses of any scale are welcome.

    Projection (Bertsekas 1982, "Projected Newton methods"): the line search follows the projected
    path, so what it accepts is what remains.
    """

    def __init__(
        self, run: Evaluated, settle: Callable[[], None] | None, steps: int, lr: float
    ) -> None:
        self._run, self._settle, self._steps, self._lr = run, settle, steps, lr
        self._seen: Tensor | None = None
        self._loss = 0.0

    def minimize(self) -> None:
        """Takes directions until the evaluations are spent or two in a row lead nowhere."""
        optimizer, fresh = self._new_optimizer(), True
        try:
            while len(self._run.losses) < self._steps:
                if self._direction(optimizer):
                    fresh = False
                elif fresh:
                    break  # even steepest descent gains nothing
                else:
                    optimizer, fresh = self._new_optimizer(), True
        except _BudgetSpentError:
            pass
        self._run.restore()
        if self._settle is not None:
            self._settle()

    def _new_optimizer(self) -> torch.optim.LBFGS:
        return torch.optim.LBFGS(
            self._run.parameters,
            lr=self._lr,
            max_iter=1,
            max_eval=1 + _LINE_SEARCH,
            tolerance_grad=0,
            tolerance_change=0,
            history_size=_HISTORY,
            line_search_fn="strong_wolfe",
        )

    def _direction(self, optimizer: torch.optim.LBFGS) -> bool:
        """Searches along one direction; says whether the parameters moved."""
        before = self._flat()
        optimizer.step(self._closure)  # type: ignore[no-untyped-call]
        reached = self._flat()
        if self._settle is not None:
            self._settle()
            settled = self._flat()
            if not torch.equal(settled, reached):
                # The next curvature pair takes the way really gone, projection included.
                state = optimizer.state[self._run.parameters[0]]
                state["d"], state["t"] = settled - before, 1.0
            reached = settled
        return not torch.equal(before, reached)

    def _closure(self) -> float:
        """Evaluates, unless it was the last thing evaluated: each call of step() asks again.

        PyTorch puts the parameters back behind a line search's evaluations.
        """
        if self._settle is not None:
            self._settle()
        here = self._flat()
        if self._seen is None or not torch.equal(here, self._seen):
            if len(self._run.losses) >= self._steps:
                raise _BudgetSpentError
            self._loss = self._run.evaluate()
            self._seen = here
        return self._loss

    def _flat(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self._run.parameters])
