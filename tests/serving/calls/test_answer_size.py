"""Answers that are larger than a message are refused with the reason, in the log too."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from sfumato.inference import open_inference_pb2 as infer_pb
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.running import connected, running
from tests.serving.tensors import inferring
from tests.serving.tiny_network import write_tiny_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose models have names so long that an answer of 1,024 bytes holds few of them."""
    for letter in "abcde":
        write_tiny_bundle(tmp_path / (200 * letter) / "1")
    return tmp_path


async def test_a_list_that_does_not_fit_into_a_message_is_refused_with_the_reason(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    settings: dict[str, Any] = {"max_message_bytes": 1024, "poll_seconds": 0}
    async with (
        running(root, **settings) as server,
        connected(server) as stub,
        inferring(server) as tensors,
    ):
        asked: list[Callable[[], Awaitable[Any]]] = [
            lambda: stub.ListStyles(pb.ListStylesRequest()),
            lambda: tensors.RepositoryIndex(infer_pb.RepositoryIndexRequest()),
            lambda: tensors.ModelStatistics(infer_pb.ModelStatisticsRequest()),
        ]
        for ask in asked:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await ask()
            assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "more than the 1,024 of a message" in (refusal.value.details() or "")
        one = await stub.ListStyles(pb.ListStylesRequest(model=200 * "a"))
        assert len(one.styles) == 3
    ended = [r.getMessage() for r in caplog.records if r.name == "serving.monitoring.access_log"]
    assert ["status=RESOURCE_EXHAUSTED" in line for line in ended] == [True, True, True, False]
