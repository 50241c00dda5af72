import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from serving.config import ServerConfig
from serving.errors import ConfigError
from sfumato import AsyncClient, Client
from tests.serving.frames import answers_to, numbered
from tests.serving.photos import draw, encode
from tests.serving.running import (
    PATIENCE,
    ROOT,
    ServerProcess,
    connected,
    order,
    refused,
    run_to_the_end,
    running,
)
from tests.serving.tensors import infer_request, inferring

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["decode", "queue", "inference", "encode"]
METHOD = "sfumato.v1.StylizationService/Stylize"


class Collector(otlp_grpc.TraceServiceServicer):
    """A collector that keeps what it gets.

    Attributes:
        endpoint: its address as a URL.
    """

    def __init__(self) -> None:
        self.endpoint = ""
        self.requests: list[Any] = []
        self.arrived = asyncio.Event()

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests.append(request)
        self.arrived.set()
        return otlp.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[Any]:
        """All spans that have come."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    server = grpc.aio.server()
    otlp_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield collector
    await server.stop(0)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Gets the spans of the test's servers when they stop, instead of a collector."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr("serving.monitoring.tracing.OTLPSpanExporter", lambda _endpoint: exporter)
    return exporter


@asynccontextmanager
async def traced(models: Path) -> AsyncIterator[tuple[Any, Any]]:
    """Runs a server that makes traces; gives it and a stub."""
    settings = {"otlp_endpoint": "http://127.0.0.1:4317"}
    async with running(models, **settings) as server, connected(server) as stub:
        yield server, stub


def all_spans(exporter: InMemorySpanExporter) -> list[Any]:
    """Gives all spans, in the order of their ends."""
    return list(exporter.get_finished_spans())


def call_spans(exporter: InMemorySpanExporter) -> list[Any]:
    """Gives the spans of calls, in the order of their ends."""
    return [span for span in all_spans(exporter) if span.kind is SpanKind.SERVER]


async def test_a_call_is_a_span_and_its_stages_are_spans_below_it(
    models: Path, exporter: InMemorySpanExporter
) -> None:
    async with traced(models) as (_, stub):
        answer = await stub.Stylize(order(encode(draw()), {"plain": 0.5, "dark": 0.5}))
    *stages, call = all_spans(exporter)
    assert (call.name, call.kind, call.parent) == (METHOD, SpanKind.SERVER, None)
    assert [stage.name for stage in stages] == STAGES
    for stage in stages:
        assert stage.parent is not None
        assert stage.parent.span_id == call.context.span_id
        assert stage.context.trace_id == call.context.trace_id
    assert call.status.status_code is StatusCode.UNSET
    times = [time for stage in stages for time in (stage.start_time, stage.end_time)]
    assert times == sorted(times)
    assert call.start_time <= times[0]
    assert times[-1] <= call.end_time
    inference = stages[2].end_time - stages[2].start_time
    assert inference / 1e6 == pytest.approx(answer.timings.inference_ms, abs=1e-3)


async def test_a_span_says_what_was_asked_and_how_it_went(
    models: Path, exporter: InMemorySpanExporter
) -> None:
    photo = encode(draw())
    async with traced(models) as (_, stub):
        answer = await stub.Stylize(
            order(photo, {"plain": 0.5, "dark": 0.5}), metadata=[("x-request-id", "mine")]
        )
    [call] = call_spans(exporter)
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
        "sfumato.request.id": "mine",
        "sfumato.model.name": "default",
        "sfumato.model.version": 1,
        "sfumato.photos": 1,
        "sfumato.styles": 2,
        "sfumato.batch.size": 1,
        "sfumato.received_bytes": len(photo),
        "sfumato.sent_bytes": len(answer.image),
    }
    assert call.resource.attributes["service.name"] == "sfumato"


async def test_the_operator_can_name_the_service(
    models: Path, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "painter")
    async with traced(models) as (_, stub):
        await stub.Stylize(order(encode(draw())))
    resource = call_spans(exporter)[0].resource.attributes
    assert resource["service.name"] == "painter"
    assert resource["deployment.environment.name"] == "test"


async def test_the_span_is_part_of_the_clients_trace_and_the_log_names_it(
    models: Path, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "serving.monitoring.access_log")
    async with traced(models) as (_, stub):
        await stub.Stylize(
            order(encode(draw())), metadata=[("traceparent", f"00-{TRACE}-{SPAN}-01")]
        )
    [call] = call_spans(exporter)
    assert call.parent is not None
    assert format_trace_id(call.context.trace_id) == TRACE
    assert format_span_id(call.parent.span_id) == SPAN
    assert f"trace_id={TRACE}" in caplog.records[0].getMessage().split()


@pytest.mark.parametrize("parent", ["", "nonsense", f"00-{'0' * 32}-{SPAN}-01", "00-" + "x" * 600])
async def test_a_trace_that_makes_no_sense_is_not_followed(
    models: Path, exporter: InMemorySpanExporter, parent: str
) -> None:
    async with traced(models) as (_, stub):
        await stub.Stylize(order(encode(draw())), metadata=[("traceparent", parent)])
    [call] = call_spans(exporter)
    assert call.parent is None


async def test_a_trace_that_the_client_does_not_record_is_not_recorded_here(
    models: Path, exporter: InMemorySpanExporter
) -> None:
    async with traced(models) as (_, stub):
        await stub.Stylize(
            order(encode(draw())), metadata=[("traceparent", f"00-{TRACE}-{SPAN}-00")]
        )
    assert all_spans(exporter) == []


async def test_what_the_client_did_wrong_is_no_error_of_the_server(
    models: Path, exporter: InMemorySpanExporter
) -> None:
    async with traced(models) as (server, stub):
        await refused(stub, order(b"no photo"))
        server._admission.close("closed for the test")
        await refused(stub, order(encode(draw())))
    wrong, unavailable = call_spans(exporter)
    assert wrong.attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert wrong.status.status_code is StatusCode.UNSET
    assert unavailable.attributes["error.type"] == "UNAVAILABLE"
    assert unavailable.status.status_code is StatusCode.ERROR
    assert unavailable.status.description == "closed for the test"


async def test_frames_and_tensors_are_spans_too(
    models: Path, exporter: InMemorySpanExporter
) -> None:
    orders = [order(encode(draw(seed=seed))) for seed in range(3)]
    async with traced(models) as (server, stub), inferring(server) as tensors:
        await answers_to(stub, numbered(orders))
        await tensors.ModelInfer(infer_request({"image": draw()[None]}, style="dark"))
    names = [span.name for span in call_spans(exporter)]
    frame = "sfumato.v1.StylizationService/StylizeStream"
    assert names == [frame, frame, frame, "inference.GRPCInferenceService/ModelInfer"]


async def test_spans_reach_a_collector_at_the_latest_when_the_server_stops(
    models: Path, collector: Collector
) -> None:
    settings = {"otlp_endpoint": collector.endpoint}
    async with running(models, **settings) as server, connected(server) as stub:
        await stub.Stylize(order(encode(draw())))
    names = [span.name for span in collector.spans]
    assert names == [*STAGES, METHOD]
    resource = collector.requests[0].resource_spans[0].resource
    assert {"service.name": "sfumato"}.items() <= {
        entry.key: entry.value.string_value for entry in resource.attributes
    }.items()


async def test_without_a_collector_the_server_serves_and_stops_all_the_same(
    models: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:  # takes connections, answers nothing
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with ServerProcess(models, tmp_path, "--otlp-endpoint", endpoint) as server:
            async with connected(server) as stub:
                for _ in range(3):
                    await stub.Stylize(order(encode(draw())), timeout=PATIENCE)
            server.process.terminate()
            assert await server.ended() == 0
            assert "the last traces could not be delivered" in server.log
            assert "Traceback" not in server.log


async def test_a_trace_runs_from_the_clients_to_the_device(
    models: Path, exporter: InMemorySpanExporter
) -> None:
    photo = encode(draw())
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("a program")
    async with traced(models) as (server, _):
        with tracer.start_as_current_span("a job") as job:
            async with AsyncClient(server.address) as client:
                await client.stylize(photo, "plain")
            with Client(server.address) as client:
                await asyncio.to_thread(client.stylize, photo, "plain")
        async with AsyncClient(server.address) as client:
            await client.stylize(photo, "plain")
    first, second, outside = call_spans(exporter)
    for call in (first, second):
        assert call.parent is not None
        assert call.parent.span_id == job.get_span_context().span_id
        assert call.context.trace_id == job.get_span_context().trace_id
    assert outside.parent is None
    devices = [span for span in all_spans(exporter) if span.name == "inference"]
    assert devices[0].context.trace_id == job.get_span_context().trace_id


def test_a_client_in_no_trace_sends_none_and_loads_no_library() -> None:
    program = (
        "import sys\n"
        "from sfumato.connection.connection import Connection\n"
        "print(Connection().metadata, [n for n in sys.modules if n.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "() []\n"


def test_traces_without_the_library_are_refused_with_the_name_of_the_extra(
    models: Path, tmp_path: Path
) -> None:
    hidden = tmp_path / "opentelemetry"  # found first, and empty
    hidden.mkdir()
    (hidden / "__init__.py").write_text("")
    status, _, error = run_to_the_end(
        *("--models", str(models), "--otlp-endpoint", "http://127.0.0.1:4317"),
        environment={"PYTHONPATH": str(tmp_path)},
    )
    assert status == 1
    assert "pip install '.[serving,tracing]'" in error.splitlines()[-1]


def test_a_wrong_variable_of_the_library_is_told_on_one_line(models: Path) -> None:
    status, _, error = run_to_the_end(
        *("--models", str(models), "--otlp-endpoint", "http://127.0.0.1:4317"),
        environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
    )
    assert status == 1
    assert "a variable of OpenTelemetry (OTEL_*) is wrong" in error.splitlines()[-1]
    assert "Traceback" not in error


async def test_traces_can_be_switched_off_by_the_librarys_own_variable(
    models: Path,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    caplog.set_level("INFO", "serving.monitoring.access_log")
    async with traced(models) as (_, stub):
        await stub.Stylize(order(encode(draw())))
    assert all_spans(exporter) == []
    assert "trace_id" not in caplog.text


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:4317", "http://", "http://host", "ftp://host:1", "http://[:1", "http://u:p@h:1"],
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="must be like http://host:4317") as refusal:
        ServerConfig(otlp_endpoint=endpoint)
    assert "u:p" not in str(refusal.value)
