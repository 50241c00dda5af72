import logging
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.logs import OneLineFormatter
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, connected, order, refused, running, until_inside


@pytest.fixture
def access_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "serving.access_log")
    return caplog


async def test_a_painted_photo_leaves_one_line(
    stub: Any, access_log: pytest.LogCaptureFixture
) -> None:
    photo = encode(draw())
    await stub.Stylize(order(photo, {"plain": 0.5, "dark": 1.0}))
    [line] = [record.getMessage() for record in access_log.records]
    assert line.startswith("Stylize model='default'/1 styles='plain':0.5,'dark':1 ")
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
    assert "model='default'/1" in line
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
        for seconds in (0.1, 1.0, 10.0, 100.0):  # a busy machine may be late to take the call in
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Stylize(order(encode(draw())), timeout=seconds)
            await until_inside(server, 0)
            if access_log.records:
                break
    assert "status=DEADLINE_EXCEEDED" in access_log.records[0].getMessage()


def test_a_traceback_stays_on_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("name", logging.ERROR, "", 0, "it\nbroke", (), info)
    line = OneLineFormatter("%(message)s").format(record)
    assert line.startswith("it | broke | Traceback")
    assert line.endswith("ValueError: two | lines")
