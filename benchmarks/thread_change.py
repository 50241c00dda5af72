"""What it costs to do something on another thread and come back to the event loop.

Run ``python -m benchmarks.thread_change``. Eight tasks at a time, as many as the requests of the
acceptance list, let one thread do nothing; the processor time is that of all threads.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final

from benchmarks.machine import describe_machine
from serving.device.worker_threads import WorkerThreads

_AT_ONCE: Final = 8

Change = Callable[[], Awaitable[None]]


def _nothing() -> None:
    """Is done on the other thread."""


async def _microseconds(change: Change, count: int) -> float:
    async def some() -> None:
        for _ in range(count // _AT_ONCE):
            await change()

    started = time.process_time()
    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    return 1e6 * (time.process_time() - started) / count


async def _measure(count: int, rounds: int) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as executor, WorkerThreads(1, "worker") as threads:
        ways: dict[str, Change] = {
            "loop.run_in_executor": lambda: loop.run_in_executor(executor, _nothing),
            "WorkerThreads.run": lambda: threads.run(_nothing),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):  # in turn, so that both meet the same moods of the machine
            for name, change in ways.items():
                found[name].append(await _microseconds(change, count))
    print("| way | processor time, µs | of the first |\n| --- | ---: | ---: |")
    first, *_ = found.values()
    for name, times in found.items():
        ratio = median(b / a for a, b in zip(first, times, strict=True))
        print(f"| {name} | {median(times):.1f} | {ratio:.2f} |")


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8000, help="changes of each measurement")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each way")
    arguments = parser.parse_args()
    print(describe_machine("numpy"))
    asyncio.run(_measure(arguments.count, arguments.rounds))


if __name__ == "__main__":
    main()
