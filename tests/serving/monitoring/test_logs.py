import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.calls.call import Call
from serving.monitoring.access_log import CallLine
from serving.monitoring.background_log import BackgroundHandler
from serving.monitoring.logs import JsonFormatter, OneLineFormatter
from serving.timing import Stage
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.frames import answers_to, numbered
from tests.serving.photos import draw, encode
from tests.serving.running import (
    PATIENCE,
    ServerProcess,
    connected,
    order,
    refused,
    running,
    until_inside,
)


@pytest.fixture
def access_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    return caplog


async def test_a_painted_photo_leaves_one_line(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    photo = encode(draw())
    await stub.Stylize(order(photo, {"plain": 0.5, "dark": 1.0}))
    [line] = [record.getMessage() for record in access_log.records]
    assert line.startswith("Stylize model='default' version=1 styles='plain':0.5,'dark':1 ")
    fields = dict(field.split("=", 1) for field in line.split()[1:])
    assert fields["bytes_in"] == str(len(photo))
    assert (fields["size"], fields["format"], fields["batch"]) == ("40x24", "png", "1")
    assert fields["status"] == "OK"
    assert float(fields["ms"]) >= float(fields["inference_ms"]) > 0


async def test_a_strength_is_in_the_line_if_it_was_given(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    await stub.Stylize(order(encode(draw())))
    await stub.Stylize(order(encode(draw()), strength=1.0))
    await refused(stub, order(encode(draw()), strength=0.6))
    await refused(stub, order(encode(draw()), strength=float("nan")))
    lines = [record.getMessage() for record in access_log.records]
    assert "strength" not in lines[0]
    assert "styles='plain':1 strength=1 " in lines[1]
    assert "strength=0.6 " in lines[2]
    assert "status=FAILED_PRECONDITION" in lines[2]
    assert "strength=nan " in lines[3]


async def test_a_refusal_leaves_one_line_that_says_why(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    await refused(stub, order(b"", model="default", version=1))
    [line] = [record.getMessage() for record in access_log.records]
    assert line.startswith("Stylize model='default' version=1 ")
    assert "status=INVALID_ARGUMENT" in line
    assert "reason='the photo is empty" in line


async def test_clients_cannot_forge_or_flood_the_log(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    await refused(stub, order(b"", "x" * 1_000_000, model="a\nStylize status=OK"))
    await refused(stub, order(b"", {f"style-{n}": 1.0 for n in range(1000)}))
    twice = pb.WeightedStyle(style_id="y" * 1_000_000, weight=1.0)
    await refused(stub, pb.StylizeRequest(image=b"", styles=[twice, twice]))
    for record in access_log.records:
        assert "\n" not in record.getMessage()
        assert len(record.getMessage()) < 2000


WAITING = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}
"""Settings with which a photo is inside until its call ends."""


async def test_a_cancelled_call_leaves_a_line(
    models: Path, access_log: pytest.LogCaptureFixture
) -> None:
    async with running(models, **WAITING) as server, connected(server) as stub:
        call = stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        await until_inside(server, 1)
        call.cancel()
        await until_inside(server, 0)
    [line] = [record.getMessage() for record in access_log.records]
    assert "status=CANCELLED" in line


async def test_a_call_whose_deadline_passes_leaves_a_line(
    models: Path, access_log: pytest.LogCaptureFixture
) -> None:
    async with running(models, **WAITING) as server, connected(server) as stub:
        # A busy machine may be late to take the call in, or hear first that the client has left.
        for seconds in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0):
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Stylize(order(encode(draw())), timeout=seconds)
            await until_inside(server, 0)
            lines = [record.getMessage() for record in access_log.records]
            if any("status=DEADLINE_EXCEEDED" in line for line in lines):
                return
    raise AssertionError(lines)


async def test_the_id_of_a_request_is_in_its_line_and_goes_back_with_the_answer(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    call = stub.Stylize(order(encode(draw())), metadata=[("x-request-id", "Root=1-67891233/a.b_c")])
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "Root=1-67891233/a.b_c"
    assert "request_id=Root=1-67891233/a.b_c" in access_log.records[0].getMessage().split()


async def test_the_id_goes_back_with_a_refusal_too(models: Path) -> None:
    async with running(models, max_queue_size=1, **WAITING) as server, connected(server) as stub:
        inside = stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        await until_inside(server, 1)
        with pytest.raises(grpc.aio.AioRpcError) as full:
            await stub.Stylize(order(b""), timeout=PATIENCE, metadata=[("x-request-id", "mine")])
        inside.cancel()
    trailing = dict(full.value.trailing_metadata())
    assert trailing["x-request-id"] == "mine"
    assert int(trailing["grpc-retry-pushback-ms"]) > 0  # it has not taken the place of this


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "status=OK ms=0.1", "a;b"])
async def test_an_id_that_is_missing_long_or_unsafe_is_replaced(
    stub: Any, access_log: pytest.LogCaptureFixture, given: str
) -> None:
    call = stub.Stylize(order(encode(draw())), metadata=[("x-request-id", given)])
    await call
    made = dict(await call.trailing_metadata())["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", made)
    assert f"request_id={made}" in access_log.records[0].getMessage().split()


async def test_frames_that_went_well_are_on_the_level_debug_and_share_the_streams_id(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    access_log.set_level(logging.DEBUG, "serving.monitoring.access_log")
    photos = [encode(draw()), encode(draw()), b"no photo"]
    await answers_to(stub, numbered(order(photo) for photo in photos))
    lines: list[Any] = [(record.levelname, record.msg) for record in access_log.records]
    levels = sorted((level, line.fields["status"]) for level, line in lines)
    frames = [("DEBUG", "OK"), ("DEBUG", "OK"), ("INFO", "INVALID_ARGUMENT")]
    assert levels == [*frames, ("INFO", "OK")]  # the last is that of the stream
    assert len({line.fields["request_id"] for _, line in lines}) == 1


def record_of(message: object, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("serving.x", logging.INFO, "", 0, message, (), info)
    record.created = 1769860800.0125
    return record


def test_times_are_in_utc_with_milliseconds() -> None:
    formatter = OneLineFormatter("%(asctime)s %(message)s")
    assert formatter.format(record_of("hello")) == "2026-01-31T12:00:00.012Z hello"


def ended_call(**fields: Any) -> Call:
    call = Call("Stylize", model="a\nb", version=2, started=10.0, **fields)
    call.stages = [Stage("decode", 10.0, 10.0015)]
    call.bytes_in, call.bytes_out, call.batch_size = 30, 20, 1
    call.end("NOT_FOUND", "no such 'style'")
    call.ended = 10.01
    return call


def test_a_line_of_json_has_the_fields_of_the_line_of_text() -> None:
    call = ended_call(notes={"styles": "'plain':1"}, metadata={"x-request-id": "r"}, trace_id="f0")
    fields = json.loads(JsonFormatter().format(record_of(CallLine(call))))
    assert fields == {
        "time": "2026-01-31T12:00:00.012Z",
        "level": "INFO",
        "logger": "serving.x",
        "message": "Stylize",
        "model": "a\nb",
        "version": 2,
        "styles": "'plain':1",
        "bytes_in": 30,
        "bytes_out": 20,
        "batch": 1,
        "decode_ms": 1.5,
        "status": "NOT_FOUND",
        "ms": 10.0,
        "request_id": "r",
        "trace_id": "f0",
        "reason": "no such 'style'",
    }
    assert str(CallLine(call)) == (
        "Stylize model='a\\nb' version=2 styles='plain':1 bytes_in=30 bytes_out=20 batch=1 "
        "decode_ms=1.5 status=NOT_FOUND ms=10.0 request_id=r trace_id=f0 "
        "reason=\"no such 'style'\""
    )


def test_a_line_of_json_can_carry_any_message_and_a_traceback() -> None:
    handler = BackgroundHandler(stream := io.StringIO())
    handler.setFormatter(JsonFormatter())
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        handler.handle(record_of('it "broke"\n', error))
    handler.close()
    [line] = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields["message"] == 'it "broke"\n'
    assert fields["exception"].endswith("ValueError: two\nlines")


async def test_a_server_logs_json_if_asked(models: Path, tmp_path: Path) -> None:
    with ServerProcess(models, tmp_path, "--log-format", "json") as server:
        async with connected(server) as stub:
            await stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        await server.logs('"Stylize"')
    lines = [json.loads(line) for line in server.log.splitlines()]
    [call] = [line for line in lines if line["message"] == "Stylize"]
    assert (call["model"], call["version"], call["status"]) == ("default", 1, "OK")
    assert any(line["message"].startswith("serving on ") for line in lines)


def test_a_traceback_stays_on_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("name", logging.ERROR, "", 0, "it\nbroke", (), info)
    line = OneLineFormatter("%(message)s").format(record)
    assert line.startswith("it | broke | Traceback")
    assert line.endswith("ValueError: two | lines")
