"""Rows 6, 7 and 12: who need not wait does not."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import grpc

from benchmarks.acceptance.verdict import Effort, Verdict, percentile, spread
from benchmarks.load_client import Load, LoadClient
from benchmarks.photo_files import photo_file
from benchmarks.server_speed import LoadError, simulated_server, some_style
from sfumato.client.client import Client
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

_TWELVE_MEGAPIXELS: Final = (4000, 3000)
_PROBE_EVERY_SECONDS: Final = 0.02
_SLOW_MS: Final = 500.0
_EXPIRED: Final = 20
_DEADLINE_SECONDS: Final = 0.3
_LONG_MS: Final = 8000.0
_PUSHBACK: Final = "grpc-retry-pushback-ms"


def health_while_decoding(effort: Effort) -> Iterator[Verdict]:
    """Row 6: health checks while large photos are decoded."""
    photo = photo_file(1, *_TWELVE_MEGAPIXELS)
    with simulated_server(0) as server, LoadClient() as client, Client(server.address) as prober:
        prober.health()
        client.start(Load(server.address, [photo], some_style(), in_flight=2))
        time.sleep(1)
        milliseconds = _probe(prober, effort.times(500))
        report = client.stop()
    if report.failures:
        raise LoadError(f"{len(report.failures)} uploads failed: {report.failures[0]}")
    p99 = percentile(milliseconds, 99)
    yield Verdict(
        f"health p99 while 12-megapixel JPEGs are decoded, 2 in flight, {report.answered} done",
        "≤ 50 ms",
        f"{p99:.1f} ms (p50 {percentile(milliseconds, 50):.1f}, {len(milliseconds)} checks)",
        p99 <= 50,
    )


def _probe(client: Client, times: int) -> list[float]:
    milliseconds = []
    for _ in range(times):
        began = time.perf_counter()
        if not client.health():
            raise LoadError("the server says that it is not serving")
        milliseconds.append(1000 * (time.perf_counter() - began))
        time.sleep(_PROBE_EVERY_SECONDS)
    return milliseconds


def fresh_after_expired(effort: Effort) -> Iterator[Verdict]:
    """Row 7: a request behind many that nobody waits for any more."""
    with simulated_server(_SLOW_MS) as server:
        waits = [asyncio.run(_wait_behind(server.address)) for _ in range(min(3, effort.pairs))]
    yield Verdict(
        f"fresh request after {_EXPIRED} expired ones, {_SLOW_MS:g} ms device",
        "≤ 2 service times",
        f"{spread(waits, 2)} service times",
        max(waits) <= 2,
    )


async def _wait_behind(address: str) -> float:
    request = _request(256)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = StylizationServiceStub(channel)
        calls = (stub.Stylize(request, timeout=_DEADLINE_SECONDS) for _ in range(_EXPIRED))
        statuses = await asyncio.gather(*(_status(call) for call in calls))
        if set(statuses) != {grpc.StatusCode.DEADLINE_EXCEEDED}:
            raise LoadError(f"not expired: {statuses}")
        began = time.perf_counter()
        await stub.Stylize(request, timeout=60)
        return 1000 * (time.perf_counter() - began) / _SLOW_MS


async def _status(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def full_queue(effort: Effort) -> Iterator[Verdict]:
    """Row 12: a request that finds the queue full."""
    with simulated_server(_LONG_MS, "--max-queue-size", "1") as server:
        milliseconds, pushbacks = asyncio.run(_refusals(server.address, effort.times(300)))
    p99 = percentile(milliseconds, 99)
    yield Verdict(
        "refusal when the queue is full, 512² JPEG: p99 at the client",
        "RESOURCE_EXHAUSTED in < 5 ms, pushback",
        f"{p99:.1f} ms (p50 {percentile(milliseconds, 50):.1f}, {len(milliseconds)} refusals), "
        f"pushback {min(pushbacks)} to {max(pushbacks)} ms",
        p99 < 5 and min(pushbacks) >= 0,
    )


async def _refusals(address: str, times: int) -> tuple[list[float], list[int]]:
    """Fills the queue, and asks again and again; gives milliseconds and pushbacks."""
    request = _request(512)
    milliseconds: list[float] = []
    pushbacks: list[int] = []
    options = [("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stub: Any = StylizationServiceStub(channel)
        occupant = stub.Stylize(request, timeout=60)
        await asyncio.sleep(0.5)
        while len(milliseconds) < times:
            if occupant.done():
                raise LoadError(f"the queue is not full any more: {await _status(occupant)}")
            seconds, pushback = await _refusal(stub, request)
            milliseconds.append(1000 * seconds)
            pushbacks.append(pushback)
        occupant.cancel()
    return milliseconds, pushbacks


async def _refusal(stub: Any, request: pb.StylizeRequest) -> tuple[float, int]:
    """Gives the seconds that a refusal took, and its pushback in ms; -1 if it has none."""
    began = time.perf_counter()
    try:
        await stub.Stylize(request, timeout=10)
    except grpc.aio.AioRpcError as error:
        seconds = time.perf_counter() - began
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            trailing = dict(error.trailing_metadata() or ())
            return seconds, int(trailing.get(_PUSHBACK, -1))
        raise LoadError(f"not refused but {error.code()}: {error.details()}") from error
    raise LoadError("not refused")


def _request(side: int) -> pb.StylizeRequest:
    styles = [pb.WeightedStyle(style_id=some_style(), weight=1)]
    return pb.StylizeRequest(image=photo_file(0, side, side), styles=styles)
