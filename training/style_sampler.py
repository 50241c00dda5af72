"""Which style each image of a batch is painted in."""

import os

import numpy as np
import torch
from torch import Tensor


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
