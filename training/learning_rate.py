"""Step-size schedule: up, level, down to zero."""

import math
from collections.abc import Callable


def trapezoid(
    total_steps: float, warmup_steps: int, decay_fraction: float
) -> Callable[[int], float]:
    """Returns the factor in [0, 1] on the step size as a function of the step.

    It rises linearly over ``warmup_steps``, stays at 1, and falls linearly to 0 over the last
    ``decay_fraction`` of ``total_steps``. The level part makes runs extensible: continuing a
    checkpoint with more steps goes on as if they had been planned. A run without an end
    (``total_steps`` is infinite) stays at 1.
    """
    endless = math.isinf(total_steps)
    decay_steps = 1 if endless else max(1, round(total_steps * decay_fraction))

    def factor(step: int) -> float:
        rising = (step + 1) / max(1, warmup_steps)
        falling = (total_steps - step) / decay_steps
        return max(0.0, min(1.0, rising, falling))

    return factor
