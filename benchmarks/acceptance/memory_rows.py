"""Rows 11 and 14: memory of the server."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.acceptance.verdict import Effort, Verdict
from benchmarks.model_folder import MODELS
from benchmarks.photo_files import photo_file
from benchmarks.process_memory import mebibytes
from benchmarks.server_speed import some_style
from examples.local_server import LocalServer, local_server
from sfumato.client.async_client import AsyncClient

_SMALLEST, _LARGEST, _MOST = 64, 416, 3
_WARM_UP_SHAPES: Final = 20
_IDLE_SECONDS: Final = 3.0


def random_shapes(effort: Effort) -> Iterator[Verdict]:
    """Row 11: memory after many shapes."""
    count = effort.times(1000)
    batches = ("--max-batch-size", str(_MOST), "--max-batch-delay-ms", "20")
    options = ("--device", effort.device, *batches)
    with (
        tempfile.TemporaryDirectory() as scratch,
        local_server(MODELS, log=Path(scratch) / "log", options=options) as server,
    ):
        started = mebibytes(server.pid)
        warm, largest_batch = asyncio.run(_paint_shapes(server, count))
        time.sleep(_IDLE_SECONDS)
        after = mebibytes(server.pid)
    yield Verdict(
        f"RSS after {count} random shapes, {_SMALLEST}–{_LARGEST} px, batch 1–{largest_batch}, "
        f"over that after the first {_WARM_UP_SHAPES}",
        "≤ 1.3",
        f"{after / warm:.2f}: {after:.0f} / {warm:.0f} MiB ({started:.0f} before any request)",
        after <= 1.3 * warm,
    )


async def _paint_shapes(server: LocalServer, count: int) -> tuple[float, int]:
    """Paints the shapes; gives the memory after the first few, and the largest batch."""
    draw = random.Random(0)  # noqa: S311 - the same shapes each time
    style, warm, largest = some_style(), 0.0, 0
    async with AsyncClient(server.address, timeout=600) as client:
        for number in range(count):
            if number == _WARM_UP_SHAPES:
                warm = mebibytes(server.pid)
            width, height = (draw.randint(_SMALLEST, _LARGEST) for _ in range(2))
            file = photo_file(number, width, height)
            photos = range(draw.randint(1, _MOST))
            painted = await asyncio.gather(*(client.stylize(file, style) for _ in photos))
            largest = max(largest, *(photo.timings.batch_size for photo in painted))
    return warm or mebibytes(server.pid), largest


def idle(effort: Effort) -> Iterator[Verdict]:
    """Row 14: memory of a server that has nothing to do."""
    for device in dict.fromkeys((effort.device, "auto")):
        with (
            tempfile.TemporaryDirectory() as scratch,
            local_server(MODELS, log=Path(scratch) / "log", options=("--device", device)) as server,
        ):
            time.sleep(_IDLE_SECONDS)
            found = mebibytes(server.pid)
        yield Verdict(
            f"idle RSS, one model, --device {device}", "≤ 200 MB", f"{found:.0f} MiB", found <= 190
        )
