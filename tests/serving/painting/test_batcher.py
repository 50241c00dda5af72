import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from serving.calls.caller import NOBODY, Caller
from serving.device.lane import Lane, LaneSettings
from serving.device.worker_threads import WorkerThreads
from serving.errors import DeadlineExpiredError, InferenceError, QueueFullError
from serving.painting.batch_queue import Painted
from serving.painting.batcher import Batcher

LONG = 3600.0


class Puppet:
    """A session whose batches run when the test says so.

    It paints by adding the style's only number to the photo, and knows photos by that number.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.before_return: Callable[[], None] = lambda: None
        self._permits = threading.Semaphore(0)
        self._begun = threading.Semaphore(0)

    def run(
        self, images: npt.NDArray[np.uint8], styles: npt.NDArray[np.float32], /
    ) -> npt.NDArray[np.uint8]:
        self.batches.append([int(tag) for tag in styles[:, 0]])
        self._begun.release()
        assert self._permits.acquire(timeout=20), "the test never released this batch"
        self.before_return()
        return (images + styles[:, 0, None, None, None]).astype(np.uint8)

    def release(self, batches: int = 1) -> None:
        self._permits.release(batches)

    async def starts(self) -> None:
        """Waits until one more batch has begun."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=20), "no batch begins"


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A batcher, its clock, and one puppet; photos are named by their tags."""

    def __init__(self, worker: WorkerThreads) -> None:
        self.worker = worker
        self.clock = Clock()
        self.puppet = Puppet()
        self.batcher = self.build()

    def build(self, *, size: int = 4, delay: float = 0.0, pixels: int = 10_000) -> Batcher:
        self.settings = LaneSettings(size, pixels, delay)
        self.lane = Lane("puppet/1", self.puppet, self.settings)
        self.batcher = Batcher(self.worker, max_pixels=pixels, clock=self.clock)
        return self.batcher

    def another(self) -> tuple[Puppet, Lane]:
        """A second network with the same settings."""
        puppet = Puppet()
        return puppet, Lane("other/1", puppet, self.settings)

    async def send(
        self,
        tag: int,
        *,
        size: tuple[int, int] = (2, 2),
        deadline: float | None = None,
        lane: Lane | None = None,
        caller: Caller = NOBODY,
    ) -> asyncio.Task[Painted]:
        """Puts a photo into the queue; its answer can be awaited."""
        photo = np.zeros((*size, 3), np.uint8)
        style = np.array([tag], np.float32)
        task = asyncio.create_task(
            self.batcher.run(lane or self.lane, photo, style, deadline=deadline, caller=caller)
        )
        await asyncio.sleep(0)  # the task runs until it waits
        return task

    async def busy(self) -> asyncio.Task[Painted]:
        """Occupies the device with photo 0, of a size of its own."""
        task = await self.send(0, size=(1, 1))
        await self.puppet.starts()
        return task


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    with WorkerThreads(1, "device") as worker:
        rig = Rig(worker)
        yield rig
        rig.puppet.release(100)  # whatever a test left behind


async def answers(*tasks: asyncio.Task[Painted]) -> list[int]:
    return [int((await task).image[0, 0, 0]) for task in tasks]


async def test_a_photo_comes_back_painted_in_its_size(rig: Rig) -> None:
    rig.puppet.release()
    painted = await (await rig.send(7, size=(5, 3)))
    assert painted.image.shape == (5, 3, 3)
    assert (painted.image == 7).all()
    assert painted.batch_size == 1


async def test_photos_of_one_size_share_a_batch_and_keep_their_own_styles(rig: Rig) -> None:
    rig.build(size=3, delay=LONG)
    rig.puppet.release()
    tasks = [await rig.send(tag) for tag in (1, 2, 3)]
    assert await answers(*tasks) == [1, 2, 3]
    assert rig.puppet.batches == [[1, 2, 3]]
    assert {(await task).batch_size for task in tasks} == {3}


async def test_photos_of_different_sizes_never_share_a_batch(rig: Rig) -> None:
    await rig.busy()
    tasks = [await rig.send(tag, size=size) for tag, size in ((1, (2, 3)), (2, (3, 2)))]
    rig.puppet.release(3)
    assert await answers(*tasks) == [1, 2]
    assert rig.puppet.batches == [[0], [1], [2]]


async def test_photos_for_different_networks_never_share_a_batch(rig: Rig) -> None:
    rig.build(size=2, delay=LONG)
    other, lane = rig.another()
    tasks = [
        await rig.send(tag, lane=network)
        for tag, network in ((1, rig.lane), (2, lane), (3, lane), (4, rig.lane))
    ]
    rig.puppet.release()
    other.release()
    assert await answers(*tasks) == [1, 2, 3, 4]
    assert rig.puppet.batches == [[1, 4]]
    assert other.batches == [[2, 3]]


async def test_a_batch_holds_at_most_the_allowed_photos(rig: Rig) -> None:
    rig.build(size=2)
    first = await rig.busy()
    tasks = [await rig.send(tag) for tag in (1, 2, 3, 4, 5)]
    rig.puppet.release(5)
    assert await answers(first, *tasks) == [0, 1, 2, 3, 4, 5]
    assert all(len(batch) <= 2 for batch in rig.puppet.batches)


async def test_a_batch_holds_at_most_the_allowed_pixels_but_always_one_photo(rig: Rig) -> None:
    rig.build(size=4, delay=LONG, pixels=10)
    rig.puppet.release(3)
    pair = [await rig.send(tag, size=(1, 5)) for tag in (1, 2)]
    giant = await rig.send(3, size=(5, 5))
    assert await answers(*pair, giant) == [1, 2, 3]
    assert rig.puppet.batches == [[1, 2], [3]]


async def test_the_longest_waiting_size_is_next_even_beside_a_full_batch(rig: Rig) -> None:
    rig.build(size=2)
    await rig.busy()
    await rig.send(1)  # formed behind the running batch
    tasks = [await rig.send(2, size=(4, 4))]
    tasks += [await rig.send(tag) for tag in (3, 4)]
    rig.puppet.release(4)
    await answers(*tasks)
    assert rig.puppet.batches == [[0], [1], [2], [3, 4]]


async def test_exactly_one_batch_is_formed_behind_the_running_one(rig: Rig) -> None:
    """With none behind it, 1 would be joined by 2; with more, 2 would go without 3."""
    await rig.busy()
    tasks = [await rig.send(tag) for tag in (1, 2, 3)]
    rig.puppet.release(3)
    await answers(*tasks)
    assert rig.puppet.batches == [[0], [1], [2, 3]]


async def test_a_photo_waits_for_its_batch_to_fill(rig: Rig) -> None:
    rig.build(size=2, delay=LONG)
    rig.puppet.release()
    first = await rig.send(1)
    await asyncio.sleep(0.01)
    assert rig.puppet.batches == []
    second = await rig.send(2)
    assert await answers(first, second) == [1, 2]


async def test_a_photo_runs_alone_once_it_has_waited_long_enough(rig: Rig) -> None:
    rig.build(size=2, delay=0.005)
    rig.puppet.release()
    task = await rig.send(1)
    rig.clock.now = 0.005
    assert await answers(task) == [1]


async def test_a_photo_that_expired_in_the_queue_is_never_run(rig: Rig) -> None:
    await rig.busy()
    await rig.send(1)  # formed behind the running batch
    expired = await rig.send(2, size=(3, 3), deadline=5.0)
    fresh = await rig.send(3, size=(3, 3))
    rig.clock.now = 6.0
    rig.puppet.release(3)
    with pytest.raises(DeadlineExpiredError, match="passed before the photo's turn"):
        await expired
    assert await answers(fresh) == [3]
    assert rig.puppet.batches == [[0], [1], [3]]


async def test_a_photo_that_expired_in_a_formed_batch_is_left_out_of_it(rig: Rig) -> None:
    rig.build(size=2, delay=LONG)
    first = [await rig.send(tag, size=(1, 1)) for tag in (0, 0)]
    await rig.puppet.starts()
    formed = [await rig.send(1, deadline=5.0), await rig.send(2)]
    rig.clock.now = 6.0
    rig.puppet.release(2)
    with pytest.raises(DeadlineExpiredError):
        await formed[0]
    assert await answers(*first, formed[1]) == [0, 0, 2]
    assert rig.puppet.batches == [[0, 0], [2]]


async def test_twenty_expired_photos_cost_the_next_one_nothing(rig: Rig) -> None:
    rig.build(size=1)
    await rig.busy()
    dead = [await rig.send(tag, deadline=1.0) for tag in range(1, 21)]
    fresh = await rig.send(99)
    rig.clock.now = 2.0
    rig.puppet.release(2)
    assert await answers(fresh) == [99]
    assert rig.puppet.batches == [[0], [99]]
    results = await asyncio.gather(*dead, return_exceptions=True)
    assert {type(result) for result in results} == {DeadlineExpiredError}


async def test_a_photo_that_cannot_be_ready_in_time_gives_way_to_others(rig: Rig) -> None:
    rig.build(size=1)
    rig.puppet.before_return = lambda: setattr(rig.clock, "now", rig.clock.now + 10.0)
    rig.puppet.release()
    await (await rig.send(1))  # the network takes 10 seconds for this size
    await rig.puppet.starts()
    await rig.busy()
    await rig.send(2)  # formed behind the running batch
    late = await rig.send(3, deadline=rig.clock.now + 19.0)
    fresh = await rig.send(4)
    rig.puppet.release()
    with pytest.raises(DeadlineExpiredError, match="cannot be ready"):
        await late
    rig.puppet.release(2)
    assert await answers(fresh) == [4]


async def test_a_photo_that_holds_up_nobody_is_tried_whatever_its_deadline(rig: Rig) -> None:
    rig.puppet.before_return = lambda: setattr(rig.clock, "now", rig.clock.now + 10.0)
    rig.puppet.release(2)
    await (await rig.send(1))
    assert await answers(await rig.send(2, deadline=rig.clock.now + 1.0)) == [2]


async def test_a_cancelled_photo_leaves_the_queue(rig: Rig) -> None:
    await rig.busy()
    await rig.send(1)  # formed behind the running batch
    gone, stays = await rig.send(2), await rig.send(3)
    assert rig.batcher.waiting == 2
    gone.cancel()
    await asyncio.sleep(0)
    assert rig.batcher.waiting == 1
    rig.puppet.release(3)
    assert await answers(stays) == [3]
    assert rig.batcher.waiting == 0
    assert rig.puppet.batches == [[0], [1], [3]]


async def test_a_photo_cancelled_in_a_formed_batch_is_left_out_of_it(rig: Rig) -> None:
    first = await rig.busy()
    formed = await rig.send(1)
    formed.cancel()
    await asyncio.sleep(0)
    rig.puppet.release()
    await first
    rig.puppet.release()
    assert await answers(await rig.send(2)) == [2]
    assert rig.puppet.batches == [[0], [2]]


async def test_a_photo_cancelled_while_it_runs_does_not_disturb_its_batch(rig: Rig) -> None:
    rig.build(size=2, delay=LONG)
    gone, stays = await rig.send(1), await rig.send(2)
    await rig.puppet.starts()
    gone.cancel()
    rig.puppet.release()
    assert await answers(stays) == [2]


async def test_a_failing_network_fails_only_the_batch_that_it_failed_on(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.build(size=2, delay=LONG)

    def fail() -> None:
        raise RuntimeError("out of memory")

    rig.puppet.before_return = fail
    rig.puppet.release()
    bad = [await rig.send(tag) for tag in (1, 2)]
    for task in bad:
        with pytest.raises(InferenceError, match="failed on this batch: out of memory"):
            await task
    rig.puppet.before_return = lambda: None
    rig.puppet.release()
    assert await answers(*[await rig.send(tag) for tag in (3, 4)]) == [3, 4]
    assert [record.message for record in caplog.records] == ["a batch of 2 failed"]


async def test_a_network_that_changes_the_size_fails_the_batch(rig: Rig) -> None:
    class Cropping(Puppet):
        def run(self, images: Any, styles: Any, /) -> Any:
            return super().run(images, styles)[:, 1:]

    cropping = Cropping()
    cropping.release()
    with pytest.raises(InferenceError, match=r"\[1, 2, 2, 3\] came back as \[1, 1, 2, 3\]"):
        await (await rig.send(1, lane=Lane("cropping/1", cropping, rig.settings)))


async def test_in_a_hurry_no_photo_waits_for_others(rig: Rig) -> None:
    rig.build(size=4, delay=LONG)
    waiting = [await rig.send(tag) for tag in (1, 2)]
    rig.batcher.hurry()
    late = await rig.send(3)
    rig.puppet.release(2)
    assert await answers(*waiting, late) == [1, 2, 3]
    assert rig.puppet.batches == [[1, 2], [3]]


async def test_times_say_how_long_a_photo_waited_and_ran(rig: Rig) -> None:
    await rig.busy()
    rig.puppet.before_return = lambda: setattr(rig.clock, "now", rig.clock.now + 2.0)
    task = await rig.send(1)
    rig.puppet.release(2)
    painted = await task
    queue, inference = painted.stages
    assert (queue.name, queue.seconds) == ("queue", 2.0)
    assert (inference.name, inference.seconds) == ("inference", 2.0)


async def test_a_size_that_floods_the_queue_cannot_starve_another(rig: Rig) -> None:
    rig.build(size=1)
    await rig.busy()
    flood = [await rig.send(tag, size=(2, 2)) for tag in (1, 2, 3, 4)]
    late = [await rig.send(tag, size=(1, 4)) for tag in (5, 6)]
    rig.puppet.release(7)
    await answers(*flood, *late)
    # 1 was formed before the others came; then the two sizes, equal in pixels, take turns.
    assert rig.puppet.batches == [[0], [1], [5], [2], [6], [3], [4]]


HONEST = Caller("honest", "honest:1")
FLOODS = {
    "many sizes": [(Caller("flood", "flood:1"), (1, width)) for width in range(101, 125)],
    "many sizes from the same host": [
        (Caller("honest", "honest:2"), (1, width)) for width in range(101, 125)
    ],
    "many connections": [(Caller("flood", f"flood:{port}"), (1, 112)) for port in range(24)],
    "many connections and sizes": [
        (Caller("flood", f"flood:{port}"), (1, 101 + port)) for port in range(24)
    ],
    "the same size": [(Caller("flood", "flood:1"), (8, 14))] * 24,
}


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("flood", FLOODS)
async def test_whatever_one_sends_another_gets_half_of_the_device(
    rig: Rig, flood: str, batch: int
) -> None:
    rig.build(size=batch)
    await rig.busy()
    tasks = [
        await rig.send(100, size=size, caller=caller)
        for caller, size in FLOODS[flood]
        for _ in "ab"
    ]
    tasks += [await rig.send(tag, size=(8, 14), caller=HONEST) for tag in range(1, 9)]
    rig.puppet.release(100)
    await answers(*tasks)
    before = rig.puppet.batches[: 1 + next(i for i, b in enumerate(rig.puppet.batches) if 8 in b)]
    # Of the batches up to its last photo, all but the two that were formed before it came.
    assert sum(batch.count(100) for batch in before[2:]) <= 8 + batch


async def test_small_photos_get_as_many_pixels_as_large_ones(rig: Rig) -> None:
    rig.build(size=1)
    await rig.busy()
    await rig.send(0, size=(3, 1))  # formed behind
    large = [await rig.send(tag, size=(2, 4)) for tag in (1, 2)]
    small = [await rig.send(tag, size=(2, 2)) for tag in (3, 4, 5, 6)]
    rig.puppet.release(8)
    await answers(*large, *small)
    assert rig.puppet.batches == [[0], [0], [1], [3], [4], [2], [5], [6]]


async def test_a_slow_network_cannot_starve_a_fast_one(rig: Rig) -> None:
    """The slow one takes three times as long per pixel: it gets one turn, the fast one three."""
    rig.build(size=1)
    slow, lane = rig.another()
    lane.note_pace(3.0, 1)
    rig.lane.note_pace(1.0, 1)
    await rig.busy()
    rig.puppet.batches = slow.batches = []
    rig.puppet.before_return = lambda: setattr(rig.clock, "now", rig.clock.now + 4.0)
    slow.before_return = lambda: setattr(rig.clock, "now", rig.clock.now + 12.0)
    flood = [await rig.send(tag, lane=lane) for tag in (11, 12, 13)]
    fast = [await rig.send(tag) for tag in (1, 2, 3, 4, 5, 6)]
    slow.release(3)
    rig.puppet.release(7)
    await answers(*flood, *fast)
    order = [batch[0] for batch in slow.batches]
    assert order == [11, 1, 2, 3, 12, 4, 5, 6, 13]


async def test_sizes_of_a_slow_network_take_turns_beside_a_fast_one(rig: Rig) -> None:
    """What a size had so far is not forgotten because another network had much more."""
    rig.build(size=1)
    slow, lane = rig.another()
    lane.note_pace(10.0, 1)
    rig.lane.note_pace(1.0, 1)
    await rig.busy()
    first = [await rig.send(tag, size=(1, 4), lane=lane) for tag in (11, 12, 13)]
    second = [await rig.send(tag, size=(2, 2), lane=lane) for tag in (21, 22, 23)]
    fast = [await rig.send(tag) for tag in range(60)]
    slow.release(6)
    rig.puppet.release(61)
    await answers(*first, *second, *fast)
    assert slow.batches == [[11], [21], [12], [22], [13], [23]]


async def test_a_network_has_a_limit_of_its_own(rig: Rig) -> None:
    lane = Lane("full/1", rig.puppet, LaneSettings(max_queue_size=2))
    with lane.admitted(2), pytest.raises(QueueFullError, match=r"full/1 is full: 2 photos"):
        lane.admitted().__enter__()
    with lane.admitted(2):
        assert lane.inside == 2
    assert lane.inside == 0


async def test_whoever_watches_is_told_of_every_batch_once(rig: Rig) -> None:
    seen: list[tuple[str, int, float]] = []

    class Watcher:
        def batch_ran(self, lane: Lane, photos: int, seconds: float) -> None:
            seen.append((lane.name, photos, seconds))

    rig.build(size=2, delay=LONG)
    batcher = Batcher(rig.worker, max_pixels=1000, clock=rig.clock, observers=[Watcher()])
    rig.batcher = batcher
    rig.puppet.before_return = lambda: setattr(rig.clock, "now", rig.clock.now + 2.0)
    rig.puppet.release(2)
    pair = [await rig.send(tag) for tag in (1, 2)]
    await answers(*pair)
    batcher.hurry()
    await answers(await rig.send(3))
    assert seen == [("puppet/1", 2, 2.0), ("puppet/1", 1, 2.0)]


async def test_two_workers_run_two_batches_at_once_and_have_two_behind_them() -> None:
    with WorkerThreads(2, "device") as workers:
        rig = Rig(workers)
        rig.build(size=1)
        tasks = [await rig.send(tag) for tag in range(1, 7)]
        await rig.puppet.starts()
        await rig.puppet.starts()
        assert sorted(batch[0] for batch in rig.puppet.batches) == [1, 2]  # neither has returned
        assert rig.batcher.waiting == 2  # 5 and 6; 3 and 4 are in the hands of the workers
        rig.puppet.release(6)
        assert await answers(*tasks) == [1, 2, 3, 4, 5, 6]


async def test_batches_at_once_have_no_more_pixels_than_one_may_have() -> None:
    with WorkerThreads(2, "device") as workers:
        rig = Rig(workers)
        rig.build(size=1, pixels=100)
        large = [await rig.send(tag, size=(6, 10)) for tag in (1, 2)]  # 60 pixels each
        small = await rig.send(3, size=(4, 10))
        await rig.puppet.starts()
        await asyncio.sleep(0.05)
        assert rig.puppet.batches == [[1]]  # 2 has to wait, and 3 does not overtake it
        rig.puppet.release()
        await rig.puppet.starts()
        await rig.puppet.starts()  # 2 and 3 together have 100
        assert sorted(rig.puppet.batches[1:]) == [[2], [3]]
        rig.puppet.release(2)
        assert await answers(*large, small) == [1, 2, 3]


async def test_who_cancels_while_the_batch_waits_for_memory_is_not_painted() -> None:
    with WorkerThreads(2, "device") as workers:
        rig = Rig(workers)
        rig.build(size=1, pixels=100)
        first, second = [await rig.send(tag, size=(10, 10)) for tag in (1, 2)]
        await rig.puppet.starts()
        second.cancel()
        third = await rig.send(3, size=(10, 10))
        rig.puppet.release(2)
        assert await answers(first, third) == [1, 3]
        assert rig.puppet.batches == [[1], [3]]
