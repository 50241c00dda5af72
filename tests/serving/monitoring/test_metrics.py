import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from serving.config import ServerConfig
from serving.errors import ConfigError
from serving.monitoring import live_metrics, metrics_server
from serving.server import Server
from sfumato import __version__
from sfumato.inference import open_inference_pb2 as pb
from tests.serving.frames import answers_to, frame, numbered, until_clean
from tests.serving.held_device import HeldDevice, held
from tests.serving.photos import draw, encode
from tests.serving.repositories import put
from tests.serving.running import (
    PATIENCE,
    ROOT,
    connected,
    order,
    refused,
    running,
    until,
    until_inside,
)
from tests.serving.scraping import Scrape, scrape
from tests.serving.tensors import infer_refused, infer_request, inferring

WAITING: dict[str, Any] = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}
DOCUMENT = ROOT / "docs" / "observability.md"
DASHBOARD = ROOT / "docs" / "grafana-dashboard.json"
STAGES = ("decode", "queue", "inference", "encode")


@pytest.fixture
async def measured(models: Path) -> AsyncIterator[Server]:
    """A server of ``models`` that tells its metrics."""
    async with running(models, metrics_port=0) as server:
        yield server


async def test_a_call_is_counted_with_its_times_and_bytes(measured: Server) -> None:
    photo = encode(draw())
    async with connected(measured) as stub:
        answers = [await stub.Stylize(order(photo, "dark")) for _ in range(2)]
    seen = await scrape(measured.metrics_port)
    call = {"method": "Stylize", "model": "default"}
    assert seen.sum("sfumato_requests_total", version="1", code="OK", **call) == 2
    assert seen.sum("sfumato_request_seconds_count", **call) == 2
    assert seen.sum("sfumato_photos_total", model="default") == 2
    assert seen.sum("sfumato_received_bytes_total", model="default") == 2 * len(photo)
    sent = sum(len(answer.image) for answer in answers)
    assert seen.sum("sfumato_sent_bytes_total", model="default") == sent
    for stage in STAGES:
        assert seen.sum("sfumato_stage_seconds_count", stage=stage, model="default") == 2
    whole = seen.sum("sfumato_request_seconds_sum")
    assert 0 < seen.sum("sfumato_stage_seconds_sum") < whole
    assert 0 < seen.sum("sfumato_device_busy_seconds_total", model="default") < whole


async def test_a_failed_call_is_counted_by_its_status(measured: Server) -> None:
    async with connected(measured) as stub:
        await refused(stub, order(b"no photo"))
        await refused(stub, order(encode(draw()), "unknown-style"))
    seen = await scrape(measured.metrics_port)
    codes = {
        sample.labels["code"]: sample.labels
        for sample in seen.samples("sfumato_requests_total", model="default", version="1")
    }
    assert set(codes) == {"INVALID_ARGUMENT", "NOT_FOUND"}
    assert seen.sum("sfumato_photos_total") == 0
    assert seen.sum("sfumato_stage_seconds_count") == 0


async def test_a_failure_counts_for_the_version_that_its_label_names(models: Path) -> None:
    put(models / "default" / "2")
    (models / "default" / "labels.json").write_text('{"stable": 1}')
    async with running(models, metrics_port=0) as server, connected(server) as stub:
        await refused(stub, order(b"no photo", version_label="stable"))
        await refused(stub, order(b"no photo", version_label="made-up"))
        await refused(stub, order(b"no photo"))
        async with inferring(server) as tensors:
            of = [pb.ModelStatisticsRequest(name="default", version=v) for v in ("1", "2")]
            stats = [(await tensors.ModelStatistics(one)).model_stats[0] for one in of]
        seen = await scrape(server.metrics_port)
    counted = {
        (sample.labels["version"], sample.labels["code"]): sample.value
        for sample in seen.samples("sfumato_requests_total", method="Stylize")
    }
    assert counted == {
        ("1", "INVALID_ARGUMENT"): 1,
        ("2", "INVALID_ARGUMENT"): 1,
        ("", "NOT_FOUND"): 1,
    }
    assert [one.inference_stats.fail.count for one in stats] == [1, 1]


async def test_what_clients_make_up_is_no_label(measured: Server) -> None:
    async with connected(measured) as stub, inferring(measured) as tensors:
        for number in range(20):
            await refused(stub, order(encode(draw()), model=f"made-up-{number}"))
            await refused(stub, order(encode(draw()), version=1000 + number))
            await tensors.ModelReady(pb.ModelReadyRequest(name=f"made-up-{number}"))
        request = infer_request({"image": draw()[None]}, style="plain")
        request.model_name = "made-up"
        await infer_refused(tensors, request)
    seen = await scrape(measured.metrics_port)
    assert "made-up" not in seen.text
    versions = {sample.labels["version"] for sample in seen.samples("sfumato_requests_total")}
    assert versions == {""}
    assert seen.sum("sfumato_requests_total", model="", version="", code="NOT_FOUND") == 41
    assert seen.sum("sfumato_requests_total", method="ModelReady", model="", code="OK") == 20


async def test_a_batch_counts_once_whatever_it_holds(models: Path) -> None:
    settings = {"max_batch_size": 3, "max_batch_delay_ms": 60_000, "metrics_port": 0}
    async with running(models, **settings) as server, connected(server) as stub:
        photos = [encode(draw(seed=seed)) for seed in range(6)]
        await asyncio.gather(*(stub.Stylize(order(photo), timeout=PATIENCE) for photo in photos))
        seen = await scrape(server.metrics_port)
    assert seen.sum("sfumato_photos_total", model="default") == 6
    assert seen.sum("sfumato_batch_size_count", model="default") == 2
    assert seen.sum("sfumato_batch_size_sum", model="default") == 6
    assert seen.sum("sfumato_batch_size_bucket", model="default", le="2.0") == 0


async def test_frames_and_tensors_are_counted_like_calls(measured: Server) -> None:
    orders = [order(encode(draw(seed=seed))) for seed in range(3)]
    pixels = draw()[None].repeat(2, axis=0)
    async with connected(measured) as stub, inferring(measured) as tensors:
        await answers_to(stub, [*numbered(orders), frame(order(b"no photo"), 3)])
        await tensors.ModelInfer(infer_request({"image": pixels}, style="dark"))
    seen = await scrape(measured.metrics_port)
    frames = {"method": "StylizeStream", "model": "default"}
    assert seen.sum("sfumato_requests_total", code="OK", **frames) == 3
    assert seen.sum("sfumato_requests_total", code="INVALID_ARGUMENT", **frames) == 1
    assert seen.sum("sfumato_requests_total", method="ModelInfer", model="default", code="OK") == 1
    assert seen.sum("sfumato_photos_total") == 5
    assert seen.sum("sfumato_stage_seconds_count", stage="queue") == 4


async def test_the_statistics_of_the_models_agree_with_the_metrics(models: Path) -> None:
    settings = {"max_batch_size": 2, "max_batch_delay_ms": 60_000, "metrics_port": 0}
    async with (
        running(models, **settings) as server,
        connected(server) as stub,
        inferring(server) as tensors,
    ):
        photos = [order(encode(draw(seed=seed))) for seed in range(4)]
        await asyncio.gather(*(stub.Stylize(photo, timeout=PATIENCE) for photo in photos))
        pair = draw()[None].repeat(2, axis=0)
        await tensors.ModelInfer(infer_request({"image": pair}, style="dark"))
        await refused(stub, order(b"no photo"))
        seen = await scrape(server.metrics_port)
        answer = await tensors.ModelStatistics(pb.ModelStatisticsRequest(name="default"))
    [stats] = answer.model_stats
    of_model = {"model": "default"}
    assert stats.inference_count == seen.sum("sfumato_photos_total", **of_model) == 6
    assert stats.execution_count == seen.sum("sfumato_batch_size_count", **of_model) == 3
    calls = seen.sum("sfumato_requests_total", code="OK", version="1", **of_model)
    assert stats.inference_stats.success.count == calls == 5
    failed = seen.sum("sfumato_requests_total", code="INVALID_ARGUMENT", **of_model)
    assert stats.inference_stats.fail.count == failed == 1
    for name, stage in (
        ("compute_input", "decode"),
        ("queue", "queue"),
        ("compute_infer", "inference"),
        ("compute_output", "encode"),
    ):
        seconds = seen.sum("sfumato_stage_seconds_sum", stage=stage)
        assert getattr(stats.inference_stats, name).ns == pytest.approx(1e9 * seconds, rel=1e-6)


async def test_what_is_inside_can_be_seen_and_is_gone_afterwards(models: Path) -> None:
    settings = {**WAITING, "metrics_port": 0}
    async with running(models, **settings) as server, connected(server) as stub:
        call = stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        stream = stub.StylizeStream(timeout=PATIENCE)
        await stream.write(frame(order(encode(draw()))))
        await until_inside(server, 2)
        await until(lambda: server._batcher.waiting == 2)
        during = await scrape(server.metrics_port)
        call.cancel()
        stream.cancel()
        await until_clean(server)
        after = await scrape(server.metrics_port)
    names = ("sfumato_requests_in_flight", "sfumato_queue_length", "sfumato_streams_open")
    assert [during.sum(name) for name in names] == [2, 2, 1]
    assert [after.sum(name) for name in names] == [0, 0, 0]
    assert after.sum("sfumato_requests_total", method="Stylize", code="CANCELLED") == 1
    assert after.sum("sfumato_requests_total", method="StylizeStream", code="CANCELLED") == 1


async def test_the_models_that_are_served_can_be_seen_as_they_come_and_go(
    models: Path,
) -> None:
    put(models / "default" / "2")
    async with running(models, metrics_port=0, admin=True) as server, inferring(server) as tensors:
        first = await scrape(server.metrics_port)
        put(models / "other" / "7")
        (models / "default" / "2").unlink()
        (models / "default" / "3").mkdir()
        await tensors.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="other"))
        await infer_load_refused(tensors, "default")
        later = await scrape(server.metrics_port)
    loaded = {"provider": "CPUExecutionProvider", "precision": "float32"}
    assert versions(first) == {("default", "1"), ("default", "2")}
    assert first.sum("sfumato_model_loaded", **loaded) == 2
    assert first.sum("sfumato_model_styles", model="default", version="1") == 3
    assert first.sum("sfumato_model_versions", state="READY") == 2
    assert versions(later) == {("default", "1"), ("other", "7")}
    assert later.sum("sfumato_model_versions", state="UNAVAILABLE") == 1


async def infer_load_refused(tensors: Any, model: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="version 3"):
        await tensors.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=model))


def versions(seen: Scrape) -> set[tuple[str, str]]:
    return {
        (sample.labels["model"], sample.labels["version"])
        for sample in seen.samples("sfumato_model_loaded")
    }


async def test_the_port_answers_while_the_server_starts(models: Path) -> None:
    may_load = threading.Event()

    def load(_: object) -> HeldDevice:
        assert may_load.wait(PATIENCE)
        return HeldDevice()

    config = ServerConfig(models=models, port=0, device="cpu", metrics_port=0)
    server = Server(config, open_session=load)
    starting = asyncio.create_task(server.start())
    await until(lambda: server.metrics_port != 0)
    before = await scrape(server.metrics_port)
    may_load.set()
    await starting
    after = await scrape(server.metrics_port)
    await server.stop()
    assert (before.sum("sfumato_ready"), after.sum("sfumato_ready")) == (0, 1)
    assert before.samples("sfumato_model_loaded") == []


async def test_the_port_answers_while_the_server_drains_and_is_closed_then(models: Path) -> None:
    async with held(models, metrics_port=0) as (server, device), connected(server) as stub:
        call = stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        await device.begun()
        stopping = asyncio.create_task(server.stop())
        await until(lambda: not server._admission.is_open)
        draining = await scrape(server.metrics_port)
        device.let_go()
        await call
        assert await stopping
    assert draining.sum("sfumato_ready") == 0
    assert draining.sum("sfumato_requests_in_flight") == 1
    with pytest.raises(OSError, match="refused"):
        await scrape(server.metrics_port)


async def test_a_stuck_event_loop_does_not_hide_what_else_is_known(
    measured: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_metrics, "_PATIENCE_SECONDS", 0.01)
    answers: list[Scrape] = []
    thread = threading.Thread(
        target=lambda: answers.append(asyncio.run(scrape(measured.metrics_port)))
    )
    thread.start()
    thread.join(PATIENCE)  # on the event loop's own thread: it is stuck meanwhile
    assert answers[0].sum("process_resident_memory_bytes") > 0
    assert answers[0].samples("sfumato_ready") == []


async def test_a_port_that_is_taken_is_told(models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as refusal:
            async with running(models, metrics_port=port):
                pass
    assert f"cannot serve metrics on 127.0.0.1, port {port}: Address already in use" in str(
        refusal.value
    )
    assert "--metrics-port" in str(refusal.value)


async def test_connections_that_ask_for_nothing_are_bounded_and_ended(
    measured: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = metrics_server._MOST_CONNECTIONS
    idle = [await asyncio.open_connection("127.0.0.1", measured.metrics_port) for _ in range(most)]
    for _, writer in idle:
        writer.write(b"GET /met")
    with pytest.raises(OSError):  # noqa: PT011 - closed or reset, as it comes
        await scrape(measured.metrics_port)
    monkeypatch.setattr(metrics_server, "_MOST_SECONDS", 0.1)
    async with asyncio.timeout(PATIENCE):
        for reader, writer in idle:
            await reader.read()
            writer.close()
    assert (await scrape(measured.metrics_port)).sum("sfumato_ready") == 1


async def test_without_a_free_descriptor_a_connection_waits_and_costs_nothing(
    measured: Server,
) -> None:
    loop, (soft, hard) = asyncio.get_running_loop(), resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.setblocking(False)
        first_free = os.dup(client.fileno())
        os.close(first_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
        try:
            await loop.sock_connect(client, ("127.0.0.1", measured.metrics_port))
            await loop.sock_sendall(client, b"GET /metrics HTTP/1.0\r\n\r\n")
            begun = time.process_time()
            await asyncio.sleep(1)
            used = time.process_time() - begun
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await loop.sock_recv(client, 8)).startswith(b"HTTP/1.")
    assert used < 0.2  # of a second, all of which it would take that tries without a pause


async def test_idle_connections_do_not_hold_the_end_up(models: Path) -> None:
    async with running(models, metrics_port=0) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.metrics_port)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < metrics_server._MOST_SECONDS / 2
    writer.close()


async def test_the_build_and_the_process_are_described(measured: Server) -> None:
    seen = await scrape(measured.metrics_port)
    assert seen.sum("sfumato_build_info", version=__version__) == 1
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "python_info"):
        assert seen.sum(name) > 0


def test_who_asks_for_neither_metrics_nor_traces_loads_no_library_for_them() -> None:
    program = (
        "import asyncio, sys, serving.server as s\n"
        "async def main(): s.Server(s.ServerConfig())\n"
        "asyncio.run(main())\n"
        "print([n for n in sys.modules if n.startswith(('prometheus', 'opentelemetry'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


async def test_the_document_lists_exactly_the_metrics_that_there_are(measured: Server) -> None:
    async with connected(measured) as stub:
        await stub.Stylize(order(encode(draw())))
    seen = await scrape(measured.metrics_port)
    rows = re.findall(
        r"^\| `(sfumato_\w+)` \| (\w+) \| ([\w, ]*) ?\|", DOCUMENT.read_text(), re.MULTILINE
    )
    documented = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    assert documented == {name: seen.described(name) for name in seen.names("sfumato_")}


async def test_the_dashboard_asks_only_for_metrics_that_there_are(measured: Server) -> None:
    async with connected(measured) as stub:
        await stub.Stylize(order(encode(draw())))
    seen = await scrape(measured.metrics_port)
    board = json.loads(DASHBOARD.read_text())
    assert board["templating"]["list"][0]["type"] == "datasource"
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [variable["definition"] for variable in board["templating"]["list"][1:]]
    wanted = [set(re.findall(r"\b(?:sfumato|process)_\w+", query)) for query in queries]
    assert all(wanted)
    there = {line.partition("{")[0].split()[0] for line in seen.text.splitlines()}
    assert set().union(*wanted) <= there


def test_the_alerts_of_the_document_ask_only_for_metrics_that_it_lists() -> None:
    document = DOCUMENT.read_text()
    [rules] = re.findall(r"```yaml\n(groups:.*?)```", document, re.DOTALL)
    wanted = re.findall(
        r"\bsfumato_\w+",
        " ".join(rule["expr"] for rule in yaml.safe_load(rules)["groups"][0]["rules"]),
    )
    assert wanted
    for name in wanted:
        assert f"| `{name.removesuffix('_bucket')}` |" in document
