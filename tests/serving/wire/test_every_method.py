"""Whatever anybody calls, and with whatever bytes, is no error of the server."""

import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from sfumato.inference import open_inference_pb2
from sfumato.v1 import admin_service_pb2, stylization_service_pb2
from tests.serving.running import PATIENCE, outcome, running

METHODS = [
    f"/{service.full_name}/{method.name}"
    for protocol in (
        health_pb2,
        reflection_pb2,
        open_inference_pb2,
        stylization_service_pb2,
        admin_service_pb2,
    )
    for service in protocol.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


async def test_no_call_is_logged_as_an_error_or_answered_as_one(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    codes = {}
    async with (
        running(models, admin=True) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        for method in METHODS:
            for message in (b"", b"\xff" * 9):
                begin: Any = channel.stream_stream(method)
                call = begin([message], timeout=PATIENCE)
                await outcome(call.read())
                call.cancel()
                codes[method, message] = await call.code()
    faults = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED}
    assert [call for call, code in codes.items() if code in faults] == []
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
