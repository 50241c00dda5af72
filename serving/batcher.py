"""Dynamic batching for one device: photos of one size for one network run together.

There is one batcher and one worker thread per device, whatever the number of models: a model is
just another reason not to share a batch, as the size is. Sessions therefore never compete for
the cores or the GPU, and order of arrival holds between models without a scheduler above.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from serving.errors import DeadlineExpiredError, InferenceError
from sfumato.errors import SfumatoError

_log = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float32]

DEPTH: Final = 2
"""Batches in the hands of the worker: the running one and one behind it, so that the device does
not wait for the event loop between batches. More would only fix their composition earlier."""


class Session(Protocol):
    """A network on a device."""

    def run(self, images: Pixels, styles: Numbers, /) -> Pixels:
        """Paint ``images`` [N, H, W, 3] with ``styles`` [N, P]; same shape out."""
        ...


@dataclass(frozen=True)
class Painted:
    """One photo out of a batch.

    Attributes:
        image: painted photo, uint8 [H, W, 3].
        queue_seconds: time from arrival to the start of the batch.
        inference_seconds: time that the session took for the whole batch.
        batch_size: photos in the batch.
    """

    image: Pixels
    queue_seconds: float
    inference_seconds: float
    batch_size: int


@dataclass(frozen=True, eq=False)
class _Waiting:
    session: Session
    image: Pixels
    style: Numbers
    deadline: float | None
    arrived: float
    turn: int
    future: asyncio.Future[Painted]

    @property
    def group(self) -> tuple[int, int, int]:
        """Requests with the same group can share a batch."""
        return (id(self.session), self.image.shape[0], self.image.shape[1])

    @property
    def pixels(self) -> int:
        return self.group[1] * self.group[2]

    def is_expired(self, now: float) -> bool:
        return self.deadline is not None and self.deadline <= now

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(frozen=True)
class _Outcome:
    items: list[_Waiting]
    images: Pixels
    started: float
    ended: float


class Batcher:
    """Collects photos into batches and runs them in order of arrival.

    Args:
        worker: the thread of the device, and only one thread; not shut down here.
        max_batch_size: photos in a batch, at most.
        max_batch_pixels: pixels in a batch, at most; a single photo always runs.
        max_batch_delay: longest time in seconds that a photo waits for its batch to fill.
        clock: time in seconds; deadlines are given in it.

    How many photos wait is bounded by ``Admission``, which every request passes before; it also
    says when the last one is done. All methods are for the event loop's thread.
    """

    def __init__(
        self,
        worker: Executor,
        *,
        max_batch_size: int,
        max_batch_pixels: int,
        max_batch_delay: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts idle; see the class."""
        self._worker = worker
        self._max_batch_size = max_batch_size
        self._max_batch_pixels = max_batch_pixels
        self._max_batch_delay = max_batch_delay
        self._clock = clock
        self._turns = itertools.count()
        self._groups: dict[tuple[int, int, int], deque[_Waiting]] = {}
        self._in_hand = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pace: dict[int, float] = {}

    async def run(
        self, session: Session, image: Pixels, style: Numbers, *, deadline: float | None = None
    ) -> Painted:
        """Paints one photo; cancelling this takes the photo out of the queue.

        Args:
            session: the network; photos for different ones never share a batch.
            image: photo, uint8 [H, W, 3].
            style: row of the style or the blend, float32 [P].
            deadline: time by ``clock`` after which nobody wants the answer.

        Raises:
            DeadlineExpiredError: the deadline passed, or cannot be met while others wait.
            InferenceError: the session failed on the batch; a SfumatoError that it raises is
                passed on as it is.
        """
        item = _Waiting(
            session=session,
            image=image,
            style=style,
            deadline=deadline,
            arrived=self._clock(),
            turn=next(self._turns),
            future=asyncio.get_running_loop().create_future(),
        )
        self._groups.setdefault(item.group, deque()).append(item)
        self._dispatch()
        try:
            return await item.future
        except asyncio.CancelledError:
            self._forget(item)
            raise

    def hurry(self) -> None:
        """From now on no photo waits for others: the server is about to stop."""
        self._max_batch_delay = 0.0
        self._dispatch()

    def _dispatch(self) -> None:
        """Gives the worker as many batches as it may hold, the longest waiting first."""
        self._drop_hopeless()
        while self._in_hand < DEPTH and (batch := self._next_batch()):
            self._hand_over(batch)
        self._set_timer()

    def _next_batch(self) -> list[_Waiting]:
        now = self._clock()
        ready = [group for group in self._groups.values() if self._is_ready(group, now)]
        if not ready:
            return []
        group = min(ready, key=lambda group: group[0].turn)
        batch = [group.popleft() for _ in range(min(len(group), self._limit(group[0])))]
        if not group:
            del self._groups[batch[0].group]
        return batch

    def _is_ready(self, group: deque[_Waiting], now: float) -> bool:
        first = group[0]
        waited_enough = now - first.arrived >= self._max_batch_delay
        return waited_enough or len(group) >= self._limit(first)

    def _limit(self, item: _Waiting) -> int:
        return max(1, min(self._max_batch_size, self._max_batch_pixels // item.pixels))

    def _set_timer(self) -> None:
        """Wakes up when the next batch has waited long enough, if the worker has room for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._groups and self._in_hand < DEPTH:
            oldest = min(group[0].arrived for group in self._groups.values())
            delay = oldest + self._max_batch_delay - self._clock()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self._dispatch)

    def _drop_hopeless(self) -> None:
        now = self._clock()
        for item in [item for group in self._groups.values() for item in group]:
            if item.is_expired(now):
                self._forget(item)
                item.fail(DeadlineExpiredError("the deadline passed before the photo's turn"))
            elif self._gives_way(item, now):
                self._forget(item)
                item.fail(DeadlineExpiredError("the photo cannot be ready before the deadline"))

    def _gives_way(self, item: _Waiting, now: float) -> bool:
        """Whether the item cannot be ready in time and would only hold up others.

        The estimate is the best pace ever seen. Without others it is tried all the same, which
        also corrects an estimate that a slow start has spoilt.
        """
        if item.deadline is None or (len(self._groups) == 1 and len(self._groups[item.group]) == 1):
            return False
        return now + self._pace.get(id(item.session), 0.0) * item.pixels > item.deadline

    def _forget(self, item: _Waiting) -> None:
        """Takes an item out of the queue, if it is still there, and lets go of its photo."""
        group = self._groups.get(item.group)
        if group is None or item not in group:
            return
        group.remove(item)
        if not group:
            del self._groups[item.group]

    def _hand_over(self, batch: list[_Waiting]) -> None:
        self._in_hand += 1
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._worker, self._run_batch, batch)
        running.add_done_callback(partial(self._finish, batch))

    def _run_batch(self, batch: list[_Waiting]) -> _Outcome | None:
        """Runs on the worker thread; leaves out whom nobody waits for any more."""
        started = self._clock()
        # done() may be read from another thread: it only ever turns from False to True.
        items = [item for item in batch if not (item.future.done() or item.is_expired(started))]
        if not items:
            return None
        photos = _stack([item.image for item in items])
        images = items[0].session.run(photos, np.stack([item.style for item in items]))
        if images.shape != photos.shape:
            raise ValueError(f"photos {list(photos.shape)} came back as {list(images.shape)}")
        return _Outcome(items, images, started, self._clock())

    def _finish(self, batch: list[_Waiting], running: asyncio.Future[_Outcome | None]) -> None:
        self._in_hand -= 1
        error = running.exception()
        outcome = None if error else running.result()
        if error:
            _log.error("a batch of %d failed", len(batch), exc_info=error)
        if outcome:
            self._note_pace(outcome)
        self._dispatch()  # before the answers are handed out: the device must not wait for that
        if outcome:
            _hand_out(outcome)
        for item in batch:  # those who are left: all of a failed batch, or the expired
            item.fail(_failure(error))

    def _note_pace(self, outcome: _Outcome) -> None:
        pixels = sum(item.pixels for item in outcome.items)
        pace = (outcome.ended - outcome.started) / pixels
        session = id(outcome.items[0].session)
        self._pace[session] = min(pace, self._pace.get(session, pace))


def _failure(error: BaseException | None) -> Exception:
    if error is None:
        return DeadlineExpiredError("the deadline passed before the photo's turn")
    if isinstance(error, SfumatoError):
        return error
    return InferenceError(f"the network failed on this batch: {error}")


def _stack(images: list[Pixels]) -> Pixels:
    return images[0][None] if len(images) == 1 else np.stack(images)


def _hand_out(outcome: _Outcome) -> None:
    for item, image in zip(outcome.items, outcome.images, strict=True):
        if not item.future.done():
            item.future.set_result(
                Painted(
                    image=image,
                    queue_seconds=outcome.started - item.arrived,
                    inference_seconds=outcome.ended - outcome.started,
                    batch_size=len(outcome.items),
                )
            )
