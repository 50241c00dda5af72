"""A slow model that has far too much to do does not keep a fast one from its work."""

import asyncio
from pathlib import Path
from typing import Any

from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, connected, order, running, until_inside
from tests.serving.tiny_network import endless_graph, write_tiny_bundle

FLOOD = 24
PHOTOS = 12
PHOTO = encode(draw(64, 48))


async def test_a_fast_model_is_answered_while_a_slow_one_is_flooded(models: Path) -> None:
    rows = {"slow": (20_000.0, 0.0), "warm-up": (0.0, 0.0)}
    write_tiny_bundle(models / "slow" / "1", styles=rows, graph=endless_graph())
    painted = 0
    enough = asyncio.Event()

    async def flood(stub: Any) -> None:
        nonlocal painted
        while not enough.is_set():
            await stub.Stylize(order(PHOTO, "slow", model="slow"), timeout=PATIENCE)
            painted += 1

    async with (
        running(models) as server,
        connected(server) as stub,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(FLOOD):
            tasks.create_task(flood(stub))
        await until_inside(server, FLOOD)
        before = painted
        for _ in range(PHOTOS):
            answer = await stub.Stylize(order(PHOTO), timeout=PATIENCE)
            assert answer.model == "default"
        meanwhile = painted - before
        enough.set()
    # Two slow photos are in the hands of the device when a fast one comes. In order of arrival
    # it would have to wait for all of the flood each time.
    assert 0 < meanwhile < PHOTOS * FLOOD / 3
