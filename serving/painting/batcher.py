"""Dynamic batching for one device: photos of one size for one network run together.

There is one batcher per device, whatever the number of models: a model is just another reason not
to share a batch, as the size is. At most as many batches run at the same time as the device has
worker threads, so the number of models does not change how many compete for the cores or the GPU.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from serving.calls.caller import NOBODY, Caller
from serving.device.lane import BatchObserver, Lane, Numbers, Pixels
from serving.device.worker_threads import WorkerThreads
from serving.errors import DeadlineExpiredError, InferenceError
from serving.painting.batch_queue import BatchQueue, Painted, WaitingPhoto
from serving.timing import Stage
from sfumato.errors import SfumatoError

_log = logging.getLogger(__name__)

Number = TypeVar("Number", bound=np.generic)

DEPTH: Final = 2
"""Batches in the hands of each worker: the running one and one behind it, so that the device does
not wait for the event loop between batches. More would only fix their composition earlier."""


@dataclass(frozen=True)
class _Outcome:
    photos: list[WaitingPhoto]
    images: Pixels
    started: float
    ended: float


class Batcher:
    """Collects photos into batches and runs them; ``BatchQueue`` says in which order.

    How many photos wait is bounded by ``Admission``, which every request passes before; it also
    says when the last one is done. All methods are for the event loop's thread.
    """

    def __init__(
        self,
        worker: WorkerThreads,
        *,
        max_pixels: int,
        clock: Callable[[], float] = time.monotonic,
        observers: Sequence[BatchObserver] = (),
    ) -> None:
        """Starts idle.

        Args:
            worker: the threads of the device; not shut down here.
            max_pixels: of all batches together, if several run at the same time.
            clock: time in seconds; deadlines are given in it.
            observers: are told about every batch that came off the device, in their order.
        """
        self._worker = worker
        self._clock = clock
        self._observers = tuple(observers)
        self._queue = BatchQueue()
        self._max_pixels = max_pixels
        self._in_hand = 0
        self._pixels_in_hand = 0
        self._next: list[WaitingPhoto] = []  # taken from the queue; waits for memory
        self._hurry = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Photos that are in no batch yet."""
        return len(self._queue)

    async def run(
        self,
        lane: Lane,
        image: Pixels,
        style: Numbers,
        *,
        deadline: float | None = None,
        caller: Caller = NOBODY,
        on_start: Callable[[], None] | None = None,
    ) -> Painted:
        """Paints one photo; cancelling this takes the photo out of the queue.

        Args:
            lane: the network.
            image: photo, uint8 [H, W, 3].
            style: row of the style or the blend, float32 [P].
            deadline: time by ``clock`` after which nobody wants the answer.
            caller: whose photo it is; callers share the device fairly.
            on_start: called on the worker's thread when the network starts on the photo.

        Raises:
            DeadlineExpiredError: the deadline passed, or cannot be met while others wait.
            InferenceError: the session failed on the batch; a SfumatoError that it raises is
                passed on as it is.
        """
        future = asyncio.get_running_loop().create_future()
        photo = WaitingPhoto(lane, image, style, deadline, self._clock(), future, caller, on_start)
        self._queue.add(photo)
        self._dispatch()
        try:
            return await photo.future
        except asyncio.CancelledError:
            self._queue.remove(photo)
            raise
        finally:
            del photo, future  # an error keeps this frame, and the future keeps the error

    def hurry(self) -> None:
        """From now on no photo waits for others: the server is about to stop."""
        self._hurry = True
        self._dispatch()

    def _dispatch(self) -> None:
        """Gives the worker as many batches as it may hold."""
        while self._has_worker and (batch := self._next or self._next_batch()):
            self._next = [] if self._fits(batch) else batch
            if self._next:
                return  # the end of a batch in hand makes room
            self._hand_over(batch)
        self._set_timer()

    @property
    def _has_worker(self) -> bool:
        return self._in_hand < DEPTH * self._worker.count

    def _fits(self, batch: list[WaitingPhoto]) -> bool:
        """Whether the device has the memory for a batch beside those in hand."""
        if self._worker.count == 1 or not self._in_hand:
            return True
        return self._pixels_in_hand + _pixels(batch) <= self._max_pixels

    def _next_batch(self) -> list[WaitingPhoto]:
        now = self._clock()
        return self._queue.take_batch(
            now, lambda photo: self._refuses(photo, now), hurry=self._hurry
        )

    def _set_timer(self) -> None:
        """Wakes up when the next batch has waited long enough, if the worker has room for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._queue.next_ready_at() if self._has_worker else None
        if due is not None:
            delay = max(0.0, due - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._dispatch)

    def _refuses(self, photo: WaitingPhoto, now: float) -> bool:
        """Tells a photo whose turn has come that it comes too late, if so.

        Until then, who has cancelled and whose deadline passes leave the queue by themselves.
        """
        if photo.is_expired(now):
            photo.fail(DeadlineExpiredError("the deadline passed before the photo's turn"))
        elif self._gives_way(photo, now):
            photo.fail(DeadlineExpiredError("the photo cannot be ready before the deadline"))
        return photo.future.done()

    def _gives_way(self, photo: WaitingPhoto, now: float) -> bool:
        """Whether the photo cannot be ready in time and would only hold up others.

        The estimate is the best pace ever seen. Without others it is tried all the same, which
        also corrects an estimate that a slow start has spoilt.
        """
        if photo.deadline is None or not len(self._queue):
            return False
        return now + photo.lane.pace * photo.pixels > photo.deadline

    def _hand_over(self, batch: list[WaitingPhoto]) -> None:
        self._in_hand += 1
        self._pixels_in_hand += _pixels(batch)
        running = self._worker.run(partial(self._run_batch, batch))
        running.add_done_callback(partial(self._finish, batch))

    def _run_batch(self, batch: list[WaitingPhoto]) -> _Outcome | None:
        """Runs on a worker thread; leaves out whom nobody waits for any more."""
        started = self._clock()
        # done() may be read from another thread: it only ever turns from False to True.
        photos = [
            photo for photo in batch if not (photo.future.done() or photo.is_expired(started))
        ]
        if not photos:
            return None
        for photo in photos:
            photo.start()
        stacked = _stack([photo.image for photo in photos])
        images = photos[0].lane.session.run(stacked, _stack([photo.style for photo in photos]))
        if images.shape != stacked.shape:
            raise ValueError(f"photos {list(stacked.shape)} came back as {list(images.shape)}")
        return _Outcome(photos, images, started, self._clock())

    def _finish(self, batch: list[WaitingPhoto], running: asyncio.Future[_Outcome | None]) -> None:
        self._in_hand -= 1
        self._pixels_in_hand -= _pixels(batch)
        error = running.exception()
        outcome = None if error else running.result()
        if error:
            _log.error("a batch of %d failed", len(batch), exc_info=error)
        if outcome:
            seconds = outcome.ended - outcome.started
            outcome.photos[0].lane.note_pace(seconds, _pixels(outcome.photos))
        self._dispatch()  # before the answers are handed out: the device must not wait for that
        if outcome:
            self._tell(outcome)
            _hand_out(outcome)
        for photo in batch:  # those who are left: all of a failed batch, or the expired
            photo.fail(_failure(error))

    def _tell(self, outcome: _Outcome) -> None:
        lane, photos = outcome.photos[0].lane, len(outcome.photos)
        for observer in self._observers:
            observer.batch_ran(lane, photos, outcome.ended - outcome.started)


def _pixels(batch: list[WaitingPhoto]) -> int:
    return sum(photo.pixels for photo in batch)


def _failure(error: BaseException | None) -> Exception:
    if error is None:
        return DeadlineExpiredError("the deadline passed before the photo's turn")
    if isinstance(error, SfumatoError):
        return error.with_traceback(None)  # that has the photos, and their futures get the error
    return InferenceError(f"the network failed on this batch: {error}")


def _stack(arrays: list[npt.NDArray[Number]]) -> npt.NDArray[Number]:
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def _hand_out(outcome: _Outcome) -> None:
    inference = Stage("inference", outcome.started, outcome.ended)
    for photo, image in zip(outcome.photos, outcome.images, strict=True):
        if not photo.future.done():
            queue = Stage("queue", photo.arrived, outcome.started)
            photo.future.set_result(Painted(image, (queue, inference), len(outcome.photos)))
