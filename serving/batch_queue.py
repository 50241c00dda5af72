"""The photos that wait for the device, and which of them run together next."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from serving.fair_share import FairShare
from serving.lane import Lane, Numbers, Pixels
from serving.stage import Stage

Size = tuple[int, int]
_Key = tuple[int, Size]

_turns: Final[Iterator[int]] = itertools.count()


@dataclass(frozen=True)
class Painted:
    """One photo out of a batch.

    Attributes:
        image: painted photo, uint8 [H, W, 3].
        stages: queue, from arrival to the start of the batch, and inference, of the whole batch.
        batch_size: photos in the batch.
    """

    image: Pixels
    stages: tuple[Stage, Stage]
    batch_size: int


@dataclass(frozen=True, eq=False)
class WaitingPhoto:
    """A photo that waits for its batch.

    Attributes:
        lane: the network that shall paint it.
        image: photo, uint8 [H, W, 3].
        style: row, float32 [P].
        deadline: time after which nobody wants it; None for never.
        arrived: time at which it came.
        future: gets the painted photo, or the error.
        on_start: called on the device's thread when the network starts on the photo.
        turn: its number in the order of arrival.
    """

    lane: Lane
    image: Pixels
    style: Numbers
    deadline: float | None
    arrived: float
    future: asyncio.Future[Painted]
    on_start: Callable[[], None] | None
    turn: int = field(default_factory=lambda: next(_turns))

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def pixels(self) -> int:
        """Height times width."""
        height, width = self.size
        return height * width

    def is_expired(self, now: float) -> bool:
        """Whether nobody wants it any more."""
        return self.deadline is not None and self.deadline <= now

    def start(self) -> None:
        """Tells that the network starts on it."""
        if self.on_start is not None:
            self.on_start()

    def fail(self, error: Exception) -> None:
        """Tells who waits, if anybody still does."""
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(eq=False)
class _Group:
    """Photos that can share a batch, in order of arrival; never empty for long."""

    lane: Lane
    photos: deque[WaitingPhoto] = field(default_factory=deque)

    @property
    def turn(self) -> int:
        return self.photos[0].turn

    @cached_property
    def limit(self) -> int:
        return self.lane.limit(self.photos[0].pixels)

    def ready_at(self) -> float:
        """Gives the time at which the batch goes even if it is not full."""
        return self.photos[0].arrived + self.lane.settings.max_batch_delay

    def is_ready(self, now: float) -> bool:
        return len(self.photos) >= self.limit or now >= self.ready_at()


class BatchQueue:
    """Photos in groups of one network and one size.

    Networks share the device fairly by time, and the sizes of one network by pixels, so neither
    can starve the other; within a size, photos go in order of arrival.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._groups: dict[_Key, _Group] = {}
        # By the lane's number: shares outlast the photos, and must not keep a network loaded.
        self._lanes = FairShare[int]()
        self._count = 0

    def __len__(self) -> int:
        """Counts all photos."""
        return self._count

    def add(self, photo: WaitingPhoto) -> None:
        """Puts a photo behind those of its network and size."""
        key = (photo.lane.number, photo.size)
        self._groups.setdefault(key, _Group(photo.lane)).photos.append(photo)
        self._count += 1

    def remove(self, photo: WaitingPhoto) -> None:
        """Takes a photo out, if it is still there."""
        key = (photo.lane.number, photo.size)
        group = self._groups.get(key)
        if group is None or photo not in group.photos:
            return
        group.photos.remove(photo)
        self._count -= 1
        if not group.photos:
            del self._groups[key]

    def take_batch(
        self, now: float, is_refused: Callable[[WaitingPhoto], bool], *, hurry: bool = False
    ) -> list[WaitingPhoto]:
        """Takes out the next batch; empty if none is ready.

        Args:
            now: the time.
            is_refused: asked about each photo whose turn it is; those that are refused leave the
                queue without a place in a batch.
            hurry: whether photos go without waiting for others.
        """
        while ready := [key for key, group in self._groups.items() if hurry or group.is_ready(now)]:
            key = ready[0] if len(ready) == 1 else self._whose_turn(ready)
            if batch := self._take(key, is_refused):
                pixels = sum(photo.pixels for photo in batch)
                self._lanes.charge(key[0], pixels * batch[0].lane.pace)
                batch[0].lane.sizes.charge(key[1], pixels)
                return batch
        return []

    def next_ready_at(self) -> float | None:
        """Gives the time at which the next batch is ready, unless one fills up before."""
        return min((group.ready_at() for group in self._groups.values()), default=None)

    def _whose_turn(self, ready: list[_Key]) -> _Key:
        ready.sort(key=lambda key: self._groups[key].turn)
        number = self._lanes.first(number for number, _ in ready)
        sizes = [size for lane, size in ready if lane == number]
        return number, self._groups[number, sizes[0]].lane.sizes.first(sizes)

    def _take(self, key: _Key, is_refused: Callable[[WaitingPhoto], bool]) -> list[WaitingPhoto]:
        group = self._groups[key]
        batch: list[WaitingPhoto] = []
        while group.photos and len(batch) < group.limit:
            photo = group.photos.popleft()
            self._count -= 1
            if not is_refused(photo):
                batch.append(photo)
        if not group.photos:
            del self._groups[key]
        return batch
