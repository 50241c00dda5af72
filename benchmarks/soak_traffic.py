"""What the clients of a soak do: all that is allowed, and much that is not."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import grpc

from benchmarks.photo_files import photo_file
from benchmarks.soak_record import SoakRecord
from sfumato.client.async_client import AsyncClient
from sfumato.errors import SfumatoError
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_SMALLEST: Final = 64
_PATIENCE_SECONDS: Final = 120.0
_MOST_FRAMES: Final = 12
_LATE_SECONDS: Final = 0.05
_PHOTOGRAPH: Final = "photograph"
Status = grpc.StatusCode


class UnexpectedError(SfumatoError):
    """The server did what it must not do."""


class Traffic:
    """Clients that do things at random."""

    def __init__(
        self, address: str, styles: Sequence[str], largest: int, seed: int, record: SoakRecord
    ) -> None:
        """Sends photos of at most ``largest`` pixels a side, in ``styles``, to ``address``."""
        self._record = record
        self._address = address
        self._styles = [style for style in styles if style != _PHOTOGRAPH]
        self._has_strength = _PHOTOGRAPH in styles
        self._largest = largest
        self._random = random.Random(seed)  # noqa: S311 - to repeat a run, not to keep a secret
        self._activities: Mapping[Callable[[Any], Awaitable[str]], int] = {
            self._paint: 60,
            self._send_garbage: 5,
            self._ask_for_unknown_style: 5,
            self._cancel: 10,
            self._come_too_late: 10,
            self._stream: 6,
            self._leave_stream: 4,
        }

    async def run(self, clients: int, stopped: asyncio.Event) -> None:
        """Runs so many clients until ``stopped``."""
        await asyncio.gather(*(self._be_client(stopped) for _ in range(clients)))

    async def _be_client(self, stopped: asyncio.Event) -> None:
        async with grpc.aio.insecure_channel(self._address) as channel:
            stub: Any = StylizationServiceStub(channel)
            activities, weights = list(self._activities), list(self._activities.values())
            for activity in self._random.sample(activities, len(activities)):
                await self._do(activity, stub)  # each once, however short the soak
            while not stopped.is_set():
                (activity,) = self._random.choices(activities, weights)
                await self._do(activity, stub)

    async def _do(self, activity: Callable[[Any], Awaitable[str]], stub: Any) -> None:
        name = activity.__name__.strip("_").replace("_", " ")
        try:
            outcome = await activity(stub)
        except grpc.aio.AioRpcError as error:
            outcome = error.code().name
            self._record.wrong.append(f"{name}: {outcome}: {error.details()}")
        except SfumatoError as error:
            outcome = "wrong"
            self._record.wrong.append(f"{name}: {error}")
        self._record.outcomes[name, outcome] += 1

    async def _paint(self, _: Any) -> str:
        """By the client of the package, each time a new one."""
        width, height, file = await self._photo()
        strength = self._random.random() if self._has_strength else None
        wanted = self._random.choice([None, *(kind.lower() for kind in _FORMATS)])
        async with AsyncClient(self._address, timeout=_PATIENCE_SECONDS) as client:
            painted = await client.stylize(
                file,
                {style.style_id: style.weight for style in self._blend()},
                strength=strength,
                output_format=wanted,
                quality=self._random.choice([None, 50, 95]),
            )
        if (painted.width, painted.height) != (width, height):
            raise UnexpectedError(f"{width} x {height} came back as {painted}")
        return "OK"

    async def _send_garbage(self, stub: Any) -> str:
        request = pb.StylizeRequest(image=self._random.randbytes(1000), styles=self._blend())
        return await self._expect(stub, request, Status.INVALID_ARGUMENT)

    async def _ask_for_unknown_style(self, stub: Any) -> str:
        request = await self._request()
        request.styles[0].style_id = "no-such-style"
        return await self._expect(stub, request, Status.NOT_FOUND)

    async def _cancel(self, stub: Any) -> str:
        call = stub.Stylize(await self._request(), timeout=_PATIENCE_SECONDS)
        await asyncio.sleep(self._random.uniform(0, _LATE_SECONDS))
        call.cancel()
        return await _ended(call, Status.OK, Status.CANCELLED)

    async def _come_too_late(self, stub: Any) -> str:
        seconds = self._random.uniform(0.001, _LATE_SECONDS)
        call = stub.Stylize(await self._request(), timeout=seconds)
        return await _ended(call, Status.OK, Status.DEADLINE_EXCEEDED)

    async def _stream(self, stub: Any) -> str:
        """To the end, with every answer in its place."""
        frames = self._random.randint(1, _MOST_FRAMES)
        drop_oldest = self._random.random() < 0.3
        call = stub.StylizeStream(self._frames(frames, drop_oldest), timeout=_PATIENCE_SECONDS)
        answers = [answer async for answer in call]
        if [answer.frame_id for answer in answers] != list(range(frames)):
            raise UnexpectedError(f"{frames} frames, answered {[a.frame_id for a in answers]}")
        kinds = {answer.WhichOneof("result") for answer in answers}
        if not kinds <= ({"painting", "dropped"} if drop_oldest else {"painting"}):
            raise UnexpectedError(f"a frame failed: {[a.error.message for a in answers]}")
        return "OK"

    async def _leave_stream(self, stub: Any) -> str:
        """In the middle, without a word."""
        call = stub.StylizeStream(self._frames(_MOST_FRAMES, False), timeout=_PATIENCE_SECONDS)
        async for _ in call:
            break
        call.cancel()
        return await _ended(call, Status.OK, Status.CANCELLED)

    async def _frames(self, count: int, drop_oldest: bool) -> AsyncIterator[Any]:
        settings = pb.StreamSettings(window=self._random.randint(0, 8), drop_oldest=drop_oldest)
        for number in range(count):
            yield pb.StylizeStreamRequest(
                settings=None if number else settings,
                frame=await self._request(),
                frame_id=number,
            )

    async def _expect(self, stub: Any, request: pb.StylizeRequest, status: Status) -> str:
        return await _ended(stub.Stylize(request, timeout=_PATIENCE_SECONDS), status)

    async def _request(self) -> pb.StylizeRequest:
        _, _, file = await self._photo()
        return pb.StylizeRequest(image=file, styles=self._blend())

    async def _photo(self) -> tuple[int, int, bytes]:
        width, height = (self._random.randint(_SMALLEST, self._largest) for _ in range(2))
        number, kind = self._random.randrange(1000), self._random.choice(_FORMATS)
        file = await asyncio.to_thread(photo_file, number, width, height, kind)
        return width, height, file

    def _blend(self) -> list[pb.WeightedStyle]:
        chosen = self._random.sample(self._styles, self._random.randint(1, 2))
        return [pb.WeightedStyle(style_id=style, weight=1 + n) for n, style in enumerate(chosen)]


async def _ended(call: Any, *expected: Status) -> str:
    """Waits for the end of a call; gives its status. Raises UnexpectedError for another one."""
    status: Status = await call.code()
    if status not in expected:
        names = " or ".join(code.name for code in expected)
        raise UnexpectedError(f"{status.name} instead of {names}: {await call.details()}")
    return status.name
