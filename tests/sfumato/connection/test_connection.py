"""How the clients connect: tokens, TLS, and what is said when it fails; a real server each time."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc.aio import Metadata

from sfumato.cli.main import main
from sfumato.client import async_calls
from sfumato.client.async_client import AsyncClient
from sfumato.client.client import Client
from sfumato.connection import connection
from sfumato.connection.call_errors import is_refusal
from sfumato.connection.connection import Connection
from sfumato.connection.inspection import behind
from sfumato.connection.tls_files import tls_credentials
from sfumato.errors import ServiceError, SfumatoError
from sfumato.v1 import stylization_service_pb2_grpc as rpc
from tests.serving.certificates import Authority, Pair
from tests.sfumato.conftest import PretendingServicer, RunningServer, start_server

TOKEN = "a-token-for-tests"
_LAST_ERROR = "connections to all backends failing; last error: UNKNOWN: ipv4:127.0.0.1:1:"


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    config = connection._SERVICE_CONFIG.replace('"0.2s"', '"0.01s"').replace('"2s"', '"0.01s"')
    monkeypatch.setattr(connection, "_SERVICE_CONFIG", config)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return Authority(folder)


@contextmanager
def tls_server(pair: Pair, client_ca: Authority | None = None) -> Iterator[str]:
    """A server that speaks TLS; gives its target."""
    server = grpc.server(ThreadPoolExecutor(2))
    rpc.add_StylizationServiceServicer_to_server(PretendingServicer(), server)
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        None if client_ca is None else client_ca.file.read_bytes(),
        require_client_auth=client_ca is not None,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def failure(target: str, credentials: grpc.ChannelCredentials | None) -> str:
    with (
        Client(target, credentials=credentials, wait_for_ready=False) as client,
        pytest.raises(ServiceError) as error,
    ):
        client.list_styles()
    return str(error.value)


def test_the_token_goes_along_with_every_call(server: RunningServer) -> None:
    with Client(server.target, token=TOKEN) as client:
        client.list_styles()
    assert server.servicer.metadata[0]["authorization"] == f"Bearer {TOKEN}"


async def test_the_token_goes_along_with_every_call_of_the_other_client(
    server: RunningServer,
) -> None:
    async with AsyncClient(server.target, token=TOKEN) as client:
        await client.list_styles()
    assert server.servicer.metadata[0]["authorization"] == f"Bearer {TOKEN}"


def test_without_a_token_nothing_goes_along(server: RunningServer) -> None:
    with Client(server.target) as client:
        client.list_styles()
    assert "authorization" not in server.servicer.metadata[0]


def test_a_token_does_not_leave_the_machine_in_plain_text() -> None:
    with pytest.raises(SfumatoError, match=r"anybody on the way to gpu\.example\.org:1 could read"):
        Client("gpu.example.org:1", token=TOKEN)
    Connection("gpu.example.org:1", token=TOKEN, plain_text_token=True)
    Connection("gpu.example.org:1", token=TOKEN, credentials=grpc.ssl_channel_credentials())


@pytest.mark.parametrize("token", ["two words", "line\nend", "tokën", "a\x00b"])
def test_what_cannot_be_a_token_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(SfumatoError) as refusal:
        Connection(token=token)
    assert token not in str(refusal.value)


def test_a_connection_does_not_show_its_token() -> None:
    assert TOKEN not in repr(Connection(token=TOKEN))


@pytest.mark.parametrize(
    ("token", "reason"), [("", "wants a token"), (TOKEN, "does not know this token")]
)
def test_a_client_whom_the_server_does_not_know_is_told_why(
    server: RunningServer, token: str, reason: str
) -> None:
    server.servicer.failures = [(grpc.StatusCode.UNAUTHENTICATED, "who?")]
    with Client(server.target, token=token) as client, pytest.raises(ServiceError) as error:
        client.list_styles()
    assert str(error.value) == f"the server at {server.target} {reason}; its operator has one"


def test_a_missing_permission_is_told_in_the_servers_words(server: RunningServer) -> None:
    server.servicer.failures = [(grpc.StatusCode.PERMISSION_DENIED, "lacks the scope 'paint'")]
    with Client(server.target) as client, pytest.raises(ServiceError, match="lacks the scope"):
        client.list_styles()


def test_tls_credentials_are_used(authority: Authority) -> None:
    with (
        tls_server(authority.issue()) as target,
        Client(target, credentials=tls_credentials(authority.file), token=TOKEN) as client,
    ):
        assert client.list_styles()


def test_a_client_can_show_a_certificate(authority: Authority) -> None:
    pair = authority.issue("client")
    credentials = tls_credentials(authority.file, pair.certificate, pair.key)
    with (
        tls_server(authority.issue(), client_ca=authority) as target,
        Client(target, credentials=credentials) as client,
    ):
        assert client.list_styles()


def test_a_failed_handshake_says_what_is_wrong(
    authority: Authority, server: RunningServer, tmp_path: Path
) -> None:
    trusting = tls_credentials(authority.file)
    with tls_server(authority.issue()) as target:
        stranger = Authority(tmp_path, "stranger").trust()
        assert "not of an authority that this client trusts" in failure(target, stranger)
        assert "it may demand TLS" in failure(target, None)
    with tls_server(authority.issue(expired=True)) as target:
        assert "its certificate has expired" in failure(target, trusting)
    with tls_server(authority.issue("example.org")) as target:
        assert "its certificate is for another name" in failure(target, trusting)
    with tls_server(authority.issue(), client_ca=authority) as target:
        assert "it may demand a certificate of the client" in failure(target, trusting)
    assert "it speaks no TLS" in failure(server.target, trusting)


@pytest.mark.parametrize("waits", [False, True])
async def test_a_refusal_of_one_address_does_not_hide_the_failure_of_another(
    authority: Authority, free_target: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_calls, "SOON_SECONDS", 0.1)
    trusting, port = tls_credentials(authority.file), free_target.rpartition(":")[2]
    refusal = f"no server at localhost:{port} (start one with `python -m serving"
    assert refusal in failure(f"localhost:{port}", trusting)
    with tls_server(authority.issue("localhost", expired=True)) as target:
        for name in (f"localhost:{target.rpartition(':')[2]}", f"{free_target},{target}"):
            told = f"cannot connect to {name}: its certificate has expired"
            assert told in failure(name, trusting)
            async with AsyncClient(
                name, credentials=trusting, wait_for_ready=waits, timeout=0.6
            ) as client:
                with pytest.raises(ServiceError, match=re.escape(told)):
                    await client.list_styles()


async def test_the_token_is_not_shown_where_a_failure_is_looked_for(
    server: RunningServer, free_target: str
) -> None:
    """The refusal of one of two sends the client looking, and the other has a server."""
    both = Connection(f"{free_target},{server.target}", token=TOKEN)
    refused = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), "Connection refused"
    )
    assert is_refusal(behind(refused, both))
    assert server.servicer.metadata == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:8001", "127.0.0.1", "127.0.0.1:99999"])
async def test_a_wrong_address_is_refused_before_the_first_call(target: str) -> None:
    with pytest.raises(SfumatoError, match=target):
        Client(target)
    with pytest.raises(SfumatoError, match=target):
        AsyncClient(target)


def test_waiting_in_vain_for_a_connection_names_what_may_be_wrong(
    authority: Authority, free_target: str
) -> None:
    with (
        tls_server(authority.issue()) as target,
        Client(target, timeout=0.5) as plain,
        pytest.raises(ServiceError, match="that both sides, or neither, use TLS"),
    ):
        plain.list_styles()
    with Client(free_target) as client, pytest.raises(ServiceError) as nobody:
        list(client.stylize_stream([b"frame"], "a", timeout=0.2))
    assert f"no answer from {free_target} within 0.2 s; allow" in str(nobody.value)
    assert "check that a server is there (`python -m serving" in str(nobody.value)


def test_what_cannot_be_sent_any_more_counts_as_a_server_that_is_not_there() -> None:
    """grpc.aio says so if it cannot send before it hears that the server was killed."""
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, Metadata(), Metadata(), "Internal error from Core"
    )
    told = Connection("127.0.0.1:1").error(error, 1)
    assert told.code is grpc.StatusCode.UNAVAILABLE
    assert str(told) == "the server at 127.0.0.1:1 is not available: the connection ended early"


@pytest.mark.parametrize("words", [b"HTTP/1.0 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n"])
def test_a_server_of_something_else_is_told_as_one(words: bytes) -> None:
    def talk() -> None:
        while connection := accepted():
            connection.sendall(words)
            connection.close()

    def accepted() -> socket.socket | None:
        try:
            return listening.accept()[0]
        except OSError:  # it was closed
            return None

    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as listening:
        target = f"127.0.0.1:{listening.getsockname()[1]}"
        pool.submit(talk)
        try:
            assert "it is no gRPC server; check host and port" in failure(target, None)
        finally:
            listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ("Stream removed (Socket closed)", "the server at s:1 is not available: the connection"),
        ("Cancelling all calls", "the server at s:1 is not available: the connection ended early"),
        (
            "errors resolving s:1: [field:hostname lookup error:address lookup failed for s:1: …]",
            "cannot connect to s:1: its name cannot be looked up; check it, and the DNS",
        ),
        (
            f"{_LAST_ERROR} connection attempt timed out before receiving SETTINGS frame",
            "cannot connect to s:1: it says nothing; it may hang, or be no gRPC server",
        ),
        (
            f"{_LAST_ERROR} Cannot check peer: missing selected ALPN property.",
            "cannot connect to s:1: it is no gRPC server; check host and port",
        ),
        (
            f"{_LAST_ERROR} connect failed: addr: unix:s error: No such file or directory",
            "no server at s:1 (start one with",
        ),
        (
            "Failed to load file: xds.json due to error(fdopen): No such file or directory",
            "the server at s:1 is not available: Failed to load file: xds.json due to",
        ),
    ],
)
def test_what_grpc_says_of_a_connection_is_told_in_our_words(details: str, message: str) -> None:
    """As gRPC 1.85 said it."""
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), details=details
    )
    assert str(Connection("s:1").error(error, 1)).startswith(message)


async def test_a_stream_that_comes_while_its_server_stops_is_told_so(server: RunningServer) -> None:
    server.servicer.failures = [(grpc.StatusCode.CANCELLED, "CANCELLED")] * 2  # as gRPC does
    with Client(server.target) as client, pytest.raises(ServiceError) as error:
        list(client.stylize_stream([b"frame"], "a"))
    async with AsyncClient(server.target) as other:
        with pytest.raises(ServiceError) as same:
            await anext(other.stylize_stream([b"frame"], "a"))
    assert error.value.code is same.value.code is grpc.StatusCode.UNAVAILABLE
    assert str(error.value) == str(same.value)
    assert str(error.value).endswith("is not available: it is stopping; make the call again")


async def test_a_deadline_that_passes_while_frames_are_sent_is_told_as_one(
    server: RunningServer,
) -> None:
    async def frames() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b"frame"

    server.servicer.delay = 0.5
    async with AsyncClient(server.target) as client:
        for _ in range(8):  # whether a write or the answer hears of it first is chance
            with pytest.raises(ServiceError, match=r"no answer from .* within 0\.2 s") as error:
                await anext(client.stylize_stream(frames(), "a", timeout=0.2))
            assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_that_is_refused_while_frames_are_sent_has_the_servers_reason(
    server: RunningServer,
) -> None:
    """Of a write that fails at the same time grpc.aio would tell instead, three times of four."""
    rounds = 25
    server.servicer.failures = [(grpc.StatusCode.PERMISSION_DENIED, "not for you")] * rounds
    server.servicer.pushback = 1500
    async with AsyncClient(server.target) as client:
        for _ in range(rounds):
            with pytest.raises(ServiceError, match="not for you") as error:
                await anext(client.stylize_stream([b"frame"] * 100, "a"))
            assert error.value.code is grpc.StatusCode.PERMISSION_DENIED
            assert error.value.retry_after == 1.5


def test_a_deadline_that_the_server_has_set_is_told_in_its_words(server: RunningServer) -> None:
    reason = "an answer was not taken within 60 seconds; read faster"
    server.servicer.failures = [(grpc.StatusCode.DEADLINE_EXCEEDED, reason)] * 2
    with Client(server.target) as client:
        with pytest.raises(ServiceError) as refused:
            client.list_styles()
        assert str(refused.value) == reason
        with pytest.raises(ServiceError) as ended:
            list(client.stylize_stream([b"frame"], "a"))
        assert str(ended.value) == reason
        assert ended.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_call_without_a_deadline_is_not_told_of_one_of_0_seconds(server: RunningServer) -> None:
    server.servicer.failures = [(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")]
    with Client(server.target) as client, pytest.raises(ServiceError) as error:
        list(client.stylize_stream([b"frame"], "a"))
    assert f"no answer from {server.target} in time; allow a longer" in str(error.value)


def test_a_stream_that_was_answered_is_not_told_to_start_a_server() -> None:
    removed = "Stream removed (Deadline Exceeded)"  # how gRPC calls it, now and then
    status = grpc.StatusCode.DEADLINE_EXCEEDED
    error = grpc.aio.AioRpcError(status, Metadata(), Metadata(), removed)
    told = str(Connection("127.0.0.1:1").error(error, 2, answered=True))
    assert told == "not all frames were painted by 127.0.0.1:1 within 2 s; allow a longer timeout"


def test_files_of_tls_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    pair, text = authority.issue(), tmp_path / "text"
    text.write_text("text")
    with pytest.raises(SfumatoError, match=r"cannot read absent\.pem: No such file"):
        tls_credentials(Path("absent.pem"))
    with pytest.raises(SfumatoError, match="text is no PEM file"):
        tls_credentials(text)
    with pytest.raises(SfumatoError, match="belong together"):
        tls_credentials(None, pair.certificate)


def test_calls_are_spread_over_several_servers(server: RunningServer) -> None:
    other = start_server()
    try:
        with Client(f"{server.target},{other.target}") as client:
            client.list_styles()
            while not (server.servicer.requests and other.servicer.requests):
                client.list_styles()
            before = len(server.servicer.requests)
            for _ in range(10):
                client.list_styles()
            assert len(server.servicer.requests) - before == 5
    finally:
        other.grpc_server.stop(0).wait()


def test_a_server_that_is_not_there_is_left_out(server: RunningServer, free_target: str) -> None:
    with Client(f"{free_target},{server.target}") as client:
        for _ in range(6):
            client.list_styles()
    assert len(server.servicer.requests) == 6


def test_without_any_server_the_message_names_all(free_target: str) -> None:
    message = failure(f"{free_target},{free_target}", None)
    assert f"no server at {free_target},{free_target} (start" in message


def test_calls_share_a_connection(server: RunningServer) -> None:
    peers = set()
    begin = server.servicer._begin

    def note(request: object, context: grpc.ServicerContext) -> None:
        peers.add(context.peer())
        begin(request, context)

    server.servicer._begin = note  # type: ignore[method-assign]
    with Client(server.target) as client:
        for _ in range(5):
            client.list_styles()
    assert len(peers) == 1


def test_the_command_line_sends_the_token_of_a_file_or_of_the_variable(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("of-the-file\n")
    monkeypatch.setenv("SFUMATO_TOKEN", "of-the-variable")
    assert main(["styles", "--server", server.target]) == 0
    assert main(["styles", "--server", server.target, "--token-file", f"{tmp_path}/token"]) == 0
    sent = [metadata["authorization"] for metadata in server.servicer.metadata]
    assert sent == ["Bearer of-the-variable", "Bearer of-the-file"]


def test_the_command_line_speaks_tls(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    own = authority.issue("client")
    files = ["--tls-ca", authority.file, "--tls-cert", own.certificate, "--tls-key", own.key]
    with tls_server(authority.issue(), client_ca=authority) as target:
        assert main(["styles", "--server", target, *map(str, files)]) == 0
        assert main(["styles", "--server", target, "--tls"]) == 1
    assert "not of an authority that this client trusts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--token-file", "absent"], "cannot read the token in absent"),
        (["--tls-ca", "absent"], "cannot read absent"),
        (["--tls-cert", "absent"], "belong together"),
        (["--server", "gpu:1", "--token-file", "token"], "could read the token"),
        (["--token-file", "empty"], "empty holds no token"),
    ],
)
def test_wrong_options_of_the_command_line_are_told_on_one_line(
    options: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("token").write_text(TOKEN)
    Path("empty").write_text("\n")
    assert main(["health", *options]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("sfumato: ")
    assert reason in line
    assert TOKEN not in line
