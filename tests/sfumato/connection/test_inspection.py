"""Which servers hang, as a client finds by asking each of them by itself."""

import socket
import time
from collections.abc import Iterator

import grpc
import pytest

from sfumato.connection import inspection
from sfumato.connection.connection import Connection
from sfumato.connection.inspection import Inspector
from tests.sfumato.conftest import RunningServer


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_PATIENCE_SECONDS", 0.5)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of one that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def code(error: grpc.RpcError | None) -> grpc.StatusCode | None:
    return None if error is None else error.code()


def test_a_server_that_hangs_is_found_beside_one_that_answers(
    server: RunningServer, silent: str
) -> None:
    inspector, before = Inspector(Connection(f"{silent},{server.target}")), time.monotonic()
    assert not inspector.found_hanging(before)
    assert inspector.inspect() is None
    assert inspector.found_hanging(before)
    after = time.monotonic()
    assert inspector.inspect() is None
    assert not inspector.found_hanging(after)  # it never had a connection with that one


def test_where_nobody_answers_nobody_can_take_calls_over(silent: str, free_target: str) -> None:
    for target in (silent, f"{silent},{silent}", f"{silent},{free_target}"):
        inspector, before = Inspector(Connection(target)), time.monotonic()
        assert code(inspector.inspect()) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert not inspector.found_hanging(before)


def test_a_server_that_is_not_there_does_not_hang(server: RunningServer, free_target: str) -> None:
    inspector, before = Inspector(Connection(f"{free_target},{server.target}")), time.monotonic()
    assert inspector.inspect() is None
    assert not inspector.found_hanging(before)


def test_the_failure_of_servers_that_are_not_there_is_told(free_target: str) -> None:
    assert code(Inspector(Connection(free_target)).inspect()) is grpc.StatusCode.UNAVAILABLE


def test_one_inspection_serves_all_calls_that_wait(free_target: str) -> None:
    inspector = Inspector(Connection(free_target))
    assert inspector.is_due()
    assert not inspector.is_due()
