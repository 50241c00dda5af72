"""A client that paints until it is killed: ``python -m benchmarks.soak_client ADDRESS STYLE``."""

import asyncio
import sys

from benchmarks.photo_files import photo_file
from sfumato.client.async_client import AsyncClient

IN_FLIGHT = 4
SIDE = 300


async def paint_forever(address: str, style: str) -> None:
    """Keeps some requests under way."""
    photo = photo_file(0, SIDE, SIDE)

    async def paint() -> None:
        while True:
            await client.stylize(photo, style)

    async with AsyncClient(address) as client:
        await asyncio.gather(*(paint() for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    asyncio.run(paint_forever(sys.argv[1], sys.argv[2]))
