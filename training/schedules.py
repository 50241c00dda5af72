"""What a step of training is: its size, its chance, and the style of each image of its batch."""

import math
import os
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


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


def step_generator(step: int, batch: int) -> torch.Generator:
    """Returns a generator that is the same in every process of a step, and after a pause.

    Torch's own is not: Lightning draws from it in some processes and not in others.
    """
    seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))  # Lightning's, the same in all processes
    state = np.random.SeedSequence((seed, step, batch)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)


def draw_styles(
    images: int,
    styles: int,
    rank: int = 0,
    world_size: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draws one style index for each of ``images`` photos, [images].

    Every style is equally likely; none comes twice before all came once, over all the processes
    of a step: with generators in the same state they draw the same order, and each takes its part.
    """
    rounds = -(-images * world_size // styles)
    order = torch.cat([torch.randperm(styles, generator=generator) for _ in range(rounds)])
    return order[rank * images : (rank + 1) * images]
