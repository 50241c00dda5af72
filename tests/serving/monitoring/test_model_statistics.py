import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from sfumato.inference import open_inference_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.photos import draw, encode
from tests.serving.running import order, outcome, refused, running, until_inside
from tests.serving.scraping import scrape
from tests.serving.tensors import infer_refused, infer_request, inferring
from tests.serving.tiny_network import write_tiny_bundle

PHOTOS = np.stack([draw(24, 20, seed) for seed in range(3)])


async def statistics(tensors: Any, name: str = "", version: str = "") -> Any:
    answer = await tensors.ModelStatistics(pb.ModelStatisticsRequest(name=name, version=version))
    return list(answer.model_stats)


async def test_nothing_has_been_done_at_first(models: Path) -> None:
    async with running(models) as server, inferring(server) as tensors:
        (stats,) = await statistics(tensors)
    assert (stats.name, stats.version) == ("default", "1")
    assert (stats.inference_count, stats.execution_count, stats.last_inference) == (0, 0, 0)
    assert not stats.batch_stats
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"):
        assert getattr(stats.inference_stats, name) == pb.StatisticDuration()


async def test_requests_photos_and_batches_are_counted_each_once(models: Path) -> None:
    settings = {"max_batch_size": 3, "max_batch_delay_ms": 60_000}
    async with running(models, **settings) as server, inferring(server) as tensors:
        await tensors.ModelInfer(infer_request({"image": PHOTOS}, style="dark"))
        two, one = PHOTOS[:2], PHOTOS[2:]
        pair = tensors.ModelInfer(infer_request({"image": two}, style="dark"))
        await until_inside(server, 1)
        await tensors.ModelInfer(infer_request({"image": one}, style="dark"))
        await pair
        (stats,) = await statistics(tensors, "default")
    assert stats.inference_count == 6
    assert stats.execution_count == 2
    assert [(b.batch_size, b.compute_infer.count) for b in stats.batch_stats] == [(3, 2)]
    for name in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert getattr(stats.inference_stats, name).count == 3
    assert stats.inference_stats.fail.count == 0
    assert stats.last_inference > 0


async def test_the_stages_of_a_request_fit_into_its_time(models: Path) -> None:
    async with running(models) as server, inferring(server) as tensors:
        await tensors.ModelInfer(infer_request({"image": PHOTOS}, style="dark"))
        (stats,) = await statistics(tensors)
    times = stats.inference_stats
    stages = (times.queue, times.compute_input, times.compute_infer, times.compute_output)
    assert all(stage.ns > 0 for stage in stages)
    assert sum(stage.ns for stage in stages) <= times.success.ns
    assert [(b.batch_size, b.compute_infer.count) for b in stats.batch_stats] == [(1, 3)]


async def test_both_protocols_and_streams_are_counted(models: Path) -> None:
    async def three() -> AsyncIterator[Any]:
        for _ in range(3):
            yield infer_request({"image": PHOTOS[:1]}, style="dark")

    async with (
        running(models) as server,
        grpc.aio.insecure_channel(server.address) as channel,
        inferring(server) as tensors,
    ):
        await StylizationServiceStub(channel).Stylize(order(encode(PHOTOS[0])))
        assert len([answer async for answer in tensors.ModelStreamInfer(three())]) == 3
        (stats,) = await statistics(tensors)
    assert stats.inference_stats.success.count == 4
    assert stats.inference_count == 4
    assert stats.execution_count == 4


async def test_failures_are_counted_for_the_version_that_would_have_answered(models: Path) -> None:
    write_tiny_bundle(models / "default" / "2")
    async with (
        running(models) as server,
        grpc.aio.insecure_channel(server.address) as channel,
        inferring(server) as tensors,
    ):
        await refused(StylizationServiceStub(channel), order(encode(PHOTOS[0]), "drak"))
        await infer_refused(tensors, infer_request({"image": PHOTOS}))
        old = infer_request({"image": PHOTOS}, model_version="1")
        await infer_refused(tensors, old)
        stats = {entry.version: entry.inference_stats for entry in await statistics(tensors)}
    assert {version: entry.fail.count for version, entry in stats.items()} == {"1": 1, "2": 2}
    assert all(entry.success.count == 0 for entry in stats.values())


async def test_what_clients_make_up_is_not_kept(models: Path) -> None:
    async with running(models) as server, inferring(server) as tensors:
        for number in range(2, 7):
            request = infer_request({"image": PHOTOS}, style="dark", model_version=str(number))
            await infer_refused(tensors, request)
            request.model_name, request.model_version = f"model-{number}", ""
            await infer_refused(tensors, request)
        (stats,) = await statistics(tensors)
    assert stats.inference_stats.fail.count == 0


async def test_statistics_of_one_model_or_one_version_can_be_asked_for(models: Path) -> None:
    write_tiny_bundle(models / "default" / "2")
    write_tiny_bundle(models / "other" / "5")
    async with running(models) as server, inferring(server) as tensors:

        async def listed(*names: str) -> list[tuple[str, str]]:
            return sorted((s.name, s.version) for s in await statistics(tensors, *names))

        assert await listed() == [("default", "1"), ("default", "2"), ("other", "5")]
        assert await listed("default") == [("default", "1"), ("default", "2")]
        assert await listed("default", "1") == [("default", "1")]
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await listed("nobody")
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


async def test_many_requests_at_once_add_up(models: Path) -> None:
    request = infer_request({"image": PHOTOS}, style="dark")
    async with running(models, max_batch_size=4) as server, inferring(server) as tensors:
        await asyncio.gather(*(tensors.ModelInfer(request) for _ in range(20)))
        (stats,) = await statistics(tensors)
    assert stats.inference_count == 60
    assert sum(b.batch_size * b.compute_infer.count for b in stats.batch_stats) == 60
    assert stats.execution_count == sum(b.compute_infer.count for b in stats.batch_stats)


async def test_the_metrics_say_the_same(models: Path) -> None:
    settings = {"max_batch_size": 4, "metrics_port": 0}
    async with running(models, **settings) as server, inferring(server) as tensors:
        good = infer_request({"image": PHOTOS}, style="dark")
        bad = infer_request({"image": PHOTOS}, style="drak")
        await asyncio.gather(*(tensors.ModelInfer(good) for _ in range(5)))
        for request in (bad, infer_request({"image": PHOTOS}), good):
            request.model_name = ""  # which means the default model
            await outcome(tensors.ModelInfer(request))
        (stats,) = await statistics(tensors)
        seen = await scrape(server.metrics_port)
    called = {"method": "ModelInfer", "model": "default", "version": "1"}
    good_calls = seen.sum("sfumato_requests_total", code="OK", **called)
    assert stats.inference_stats.success.count == good_calls == 6
    assert stats.inference_stats.fail.count == seen.sum("sfumato_requests_total", **called) - 6 == 2
    assert stats.inference_count == seen.sum("sfumato_photos_total") == 18
    assert stats.execution_count == seen.sum("sfumato_batch_size_count")
    busy = sum(entry.compute_infer.ns for entry in stats.batch_stats)
    assert busy / 1e9 == pytest.approx(seen.sum("sfumato_device_busy_seconds_total"))
    for stage, name in (("queue", "queue"), ("decode", "compute_input")):
        seconds = seen.sum("sfumato_stage_seconds_sum", stage=stage)
        assert getattr(stats.inference_stats, name).ns / 1e9 == pytest.approx(seconds)
