"""A client that waits says so, and for what."""

from typing import Any

import pytest

from sfumato.client import async_calls, calls
from sfumato.client.async_client import AsyncClient
from sfumato.client.client import Client
from sfumato.errors import ServiceError
from tests.sfumato.conftest import RunningServer


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calls, async_calls):
        monkeypatch.setattr(module, "SOON_SECONDS", 0.2)


async def fail(kind: Any, target: str, times: int = 1) -> str:
    if kind is Client:
        with Client(target, timeout=0.7) as client:
            for _ in range(times):
                with pytest.raises(ServiceError) as error:
                    client.list_styles()
    else:
        async with AsyncClient(target, timeout=0.7) as other:
            for _ in range(times):
                with pytest.raises(ServiceError) as error:
                    await other.list_styles()
    return str(error.value)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_client_without_a_server_says_once_that_it_waits_and_for_what(
    free_target: str, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    error = await fail(kind, free_target, times=2)
    reason = f"no server at {free_target} (start one with `python -m serving --models models`)"
    [said] = [
        record.message for record in caplog.records if record.name == "sfumato.connection.waiting"
    ]
    assert said == f"waiting for up to 0.7 s: {reason}"
    assert error == f"{reason}; waited 0.7 s for it"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_slow_answer_of_a_server_that_is_there_is_no_reason_to_say_anything(
    server: RunningServer, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.servicer.delay = 1.0
    error = await fail(kind, server.target)
    assert error.startswith(f"no answer from {server.target} within 0.7 s")
    assert not [record for record in caplog.records if record.name == "sfumato.connection.waiting"]


def test_a_stream_says_that_it_waits(free_target: str, caplog: pytest.LogCaptureFixture) -> None:
    with Client(free_target) as client, pytest.raises(ServiceError, match=r"waited .* s for it"):
        list(client.stylize_stream([b"frame"], "a", timeout=0.7))
    assert "waiting for up to 0.7 s: no server at" in caplog.text
