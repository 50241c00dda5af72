"""The photos that wait for the device, and which of them run together next."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from serving.calls.caller import Caller
from serving.device.fair_share import FairShare
from serving.device.flow_shares import Flow, Size
from serving.device.lane import Lane, Numbers, Pixels
from serving.timing import Stage

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
        caller: whose it is.
        on_start: called on the device's thread when the network starts on the photo.
        turn: its number in the order of arrival.
    """

    lane: Lane
    image: Pixels
    style: Numbers
    deadline: float | None
    arrived: float
    future: asyncio.Future[Painted]
    caller: Caller
    on_start: Callable[[], None] | None
    turn: int = field(default_factory=lambda: next(_turns))

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def flow(self) -> Flow:
        """Its caller and its size, which decide whose turn it is."""
        return self.caller, self.size

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
    """Photos that can share a batch, by caller in order of arrival; never empty for long."""

    lane: Lane
    limit: int
    waiting: dict[Caller, deque[WaitingPhoto]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.waiting.values()))

    def add(self, photo: WaitingPhoto) -> None:
        self.waiting.setdefault(photo.caller, deque()).append(photo)

    def pop(self, caller: Caller) -> WaitingPhoto:
        photo = self.waiting[caller][0]
        self.remove(photo)
        return photo

    def remove(self, photo: WaitingPhoto) -> bool:
        photos = self.waiting.get(photo.caller, deque())
        if photo not in photos:
            return False
        photos.remove(photo)
        if not photos:
            del self.waiting[photo.caller]
        return True

    def ready_at(self) -> float:
        """Gives the time at which the batch goes even if it is not full."""
        oldest = min(photos[0].arrived for photos in self.waiting.values())
        return oldest + self.lane.settings.max_batch_delay

    def is_ready(self, now: float) -> bool:
        return len(self) >= self.limit or now >= self.ready_at()


class BatchQueue:
    """Photos in groups of one network and one size.

    Networks share the device fairly by time. Those who call a network share it by pixels: first
    the clients, then the connections of each, then the sizes of each, so none can starve another.
    What is left goes in order of arrival.
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
        """Puts a photo behind those of its network, size and caller."""
        key = (photo.lane.number, photo.size)
        if key not in self._groups:
            self._groups[key] = _Group(photo.lane, photo.lane.limit(photo.pixels))
        self._groups[key].add(photo)
        self._count += 1

    def remove(self, photo: WaitingPhoto) -> None:
        """Takes a photo out, if it is still there."""
        key = (photo.lane.number, photo.size)
        group = self._groups.get(key)
        if group is None or not group.remove(photo):
            return
        self._count -= 1
        if not group.waiting:
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
                self._charge(key[0], batch)
                return batch
        return []

    def next_ready_at(self) -> float | None:
        """Gives the time at which the next batch is ready, unless one fills up before."""
        return min((group.ready_at() for group in self._groups.values()), default=None)

    def _whose_turn(self, ready: list[_Key]) -> _Key:
        heads = [photos[0] for key in ready for photos in self._groups[key].waiting.values()]
        heads.sort(key=lambda photo: photo.turn)
        number = self._lanes.first(photo.lane.number for photo in heads)
        lane = next(photo.lane for photo in heads if photo.lane.number == number)
        _, size = lane.flows.first([photo.flow for photo in heads if photo.lane is lane])
        return number, size

    def _take(self, key: _Key, is_refused: Callable[[WaitingPhoto], bool]) -> list[WaitingPhoto]:
        group = self._groups[key]
        batch: list[WaitingPhoto] = []
        while group.waiting and len(batch) < group.limit:
            photo = group.pop(_next_caller(group, batch))
            self._count -= 1
            if not is_refused(photo):
                batch.append(photo)
        if not group.waiting:
            del self._groups[key]
        return batch

    def _charge(self, number: int, batch: list[WaitingPhoto]) -> None:
        """Notes what the batch costs its network, and those who wait for it."""
        lane, pixels = batch[0].lane, batch[0].pixels
        self._lanes.charge(number, len(batch) * pixels * lane.pace)
        photos = Counter(photo.flow for photo in batch)
        groups = (group for (other, _), group in self._groups.items() if other == number)
        lane.flows.charge(
            {flow: count * pixels for flow, count in photos.items()},
            (caller for group in groups for caller in group.waiting),
        )


def _next_caller(group: _Group, batch: list[WaitingPhoto]) -> Caller:
    """Gives whose photo joins the batch: clients take turns, and the connections of each."""
    if len(group.waiting) == 1:
        return next(iter(group.waiting))
    clients = Counter(photo.caller.client for photo in batch)
    callers = Counter(photo.caller for photo in batch)
    heads = sorted((photos[0] for photos in group.waiting.values()), key=lambda head: head.turn)
    fewest = min(clients[head.caller.client] for head in heads)
    rivals = [head for head in heads if clients[head.caller.client] == fewest]
    fewest = min(callers[head.caller] for head in rivals)
    flows = [head.flow for head in rivals if callers[head.caller] == fewest]
    return group.lane.flows.first(flows)[0]
