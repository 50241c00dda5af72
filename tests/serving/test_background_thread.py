"""Threads that let others go first."""

import os
import sys
import threading
from pathlib import Path

import pytest

from serving.device.worker_threads import WorkerThreads
from serving.process import give_way
from tests.serving.photos import draw, encode
from tests.serving.running import connected, order, running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it for threads")


async def test_codec_threads_give_way_and_the_others_do_not(models: Path) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    async with running(models) as server, connected(server) as stub:
        await stub.Stylize(order(encode(draw())))  # all have begun
        for thread in server._codecs._threads:
            assert priority(thread) == (min(19, ours + 5), os.SCHED_BATCH)
        for thread in (*server._device._threads, threading.main_thread()):
            assert priority(thread) == (ours, os.SCHED_OTHER)


def priority(thread: threading.Thread) -> tuple[int, int]:
    """Gives niceness and policy."""
    assert thread.native_id is not None
    niceness = os.getpriority(os.PRIO_PROCESS, thread.native_id)
    return niceness, os.sched_getscheduler(thread.native_id)


async def test_where_it_is_forbidden_the_work_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr(os, "nice", forbid)
    with WorkerThreads(1, "worker", give_way) as threads:
        assert await threads.run(lambda: 1) == 1


async def test_what_an_operator_has_chosen_stays() -> None:
    def in_idle_time() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        give_way()

    with WorkerThreads(1, "worker", in_idle_time) as threads:
        assert await threads.run(lambda: os.sched_getscheduler(0)) == os.SCHED_IDLE
