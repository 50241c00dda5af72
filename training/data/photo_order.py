"""The order in which training sees the photos: the same for one process and for several."""

from collections.abc import Iterator, Sized
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DistributedSampler

from training.errors import TrainingError

_LARGEST_SEED = 2**62


class PhotoDraw(NamedTuple):
    """A photo's number, and the seed of what is cropped out of it."""

    photo: int
    seed: int


class PhotoOrder(DistributedSampler[PhotoDraw]):
    """Draws every photo once per epoch, in global batches of ``batch_size`` × ``world_size``.

    Process r takes the r-th part of each global batch, as ``draw_styles`` does with the styles,
    so two processes with batches of 2 train on what one process with batches of 4 does. The crop's
    seed goes with the photo: the number of reading workers changes nothing either.

    It is a DistributedSampler so that Lightning knows that the photos are shared out already.
    """

    def __init__(
        self,
        photos: Sized,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        seed: int = 0,
        first_step: int = 0,
    ) -> None:
        """Shares out ``photos``; incomplete batches at the end of an epoch are left out.

        Args:
            photos: the data set.
            batch_size: photos per step and process; fewer if there are too few photos.
            rank: number of this process.
            world_size: number of processes.
            seed: the run's seed.
            first_step: step at which the run goes on; it gives a resumed run an order of its own.

        Raises:
            TrainingError: more processes than photos.
        """
        if len(photos) < world_size:
            raise TrainingError(
                f"{len(photos)} photos are too few for {world_size} processes: lower "
                "--trainer.devices or add photos"
            )
        super().__init__(photos, world_size, rank, seed=seed, drop_last=True)  # type: ignore[arg-type]  # only its length is used
        self.batch_size = min(batch_size, len(photos) // world_size)
        self._photos = len(photos)
        self._first_step = first_step

    @property
    def batches(self) -> int:
        """Returns the number of steps in an epoch."""
        return self._photos // (self.batch_size * self.num_replicas)

    def __len__(self) -> int:
        """Returns the number of photos that this process draws in an epoch."""
        return self.batches * self.batch_size

    def __iter__(self) -> Iterator[PhotoDraw]:
        """Yields this process's part of each global batch."""
        entropy = (self.seed, self._first_step, self.epoch)
        state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]) % _LARGEST_SEED)
        order = torch.randperm(self._photos, generator=generator).tolist()
        seeds = torch.randint(_LARGEST_SEED, (self._photos,), generator=generator).tolist()
        for batch in range(self.batches):
            start = (batch * self.num_replicas + self.rank) * self.batch_size
            for place in range(start, start + self.batch_size):
                yield PhotoDraw(order[place], seeds[place])
