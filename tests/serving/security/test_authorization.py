import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from serving.calls.admission import Admission
from serving.calls.call import Calls
from serving.calls.client_name import client_of
from serving.calls.message_check import MessageCheck
from serving.calls.overload import Overload
from serving.calls.router import Methods
from serving.config import ServerConfig
from serving.errors import ConfigError
from serving.security.authorization import Authorization, scope_of
from serving.security.tokens import Scope, make_token, read_tokens
from serving.security.watched_files import WatchedFiles
from serving.server import Server
from sfumato.v1 import stylization_service_pb2 as pb
from tests.serving.held_device import held
from tests.serving.photos import draw, encode
from tests.serving.running import PATIENCE, connected, health_of, order, outcome, running

PAINTER, PAINTER_TOKEN = make_token("painter-1", [Scope.PAINT])
ADMIN, ADMIN_TOKEN = make_token("admin-1", [Scope.ADMIN])


def bearer(secret: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {secret}"),)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.txt"
    path.write_text(f"{PAINTER_TOKEN.line()}\n{ADMIN_TOKEN.line()}\n")
    return path


@pytest.fixture
async def guarded(models: Path, token_file: Path) -> AsyncIterator[Server]:
    async with running(models, token_file=token_file) as server:
        yield server


async def test_who_has_a_token_may_paint(guarded: Server) -> None:
    async with connected(guarded) as stub:
        photo = order(encode(draw()))
        answer = await stub.Stylize(photo, metadata=bearer(PAINTER), timeout=PATIENCE)
    assert answer.width == 40


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "wants a token"),
        (bearer("guessed"), "does not know the token"),
        (bearer(""), "does not know the token"),
        (bearer(PAINTER_TOKEN.digest), "does not know the token"),
        ((("authorization", f"Basic {PAINTER}"),), "must be 'authorization: Bearer TOKEN'"),
        ((("authorization", PAINTER),), "must be 'authorization: Bearer TOKEN'"),
        ((*bearer(PAINTER), *bearer("guessed")), "does not know the token"),
    ],
)
async def test_without_a_known_token_nobody_paints(
    guarded: Server, metadata: Sequence[tuple[str, str]], reason: str
) -> None:
    async with connected(guarded) as stub:
        photo = order(encode(draw()))
        code, message = await outcome(stub.Stylize(photo, metadata=metadata, timeout=PATIENCE))
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert reason in message
        code, _ = await outcome(stub.ListStyles(pb.ListStylesRequest(), metadata=metadata))
        assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_without_the_scope_is_not_enough(guarded: Server) -> None:
    async with connected(guarded) as stub:
        code, message = await outcome(
            stub.ListStyles(pb.ListStylesRequest(), metadata=bearer(ADMIN))
        )
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert message == ("the token of admin-1 lacks the scope 'paint', which this call demands")


async def test_painting_is_not_enough_for_administration(guarded: Server) -> None:
    async with grpc.aio.insecure_channel(guarded.address) as channel:
        load: Any = channel.unary_unary("/inference.GRPCInferenceService/RepositoryModelLoad")
        code, message = await outcome(load(b"", metadata=bearer(PAINTER), timeout=PATIENCE))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "lacks the scope 'admin'" in message
        code, _ = await outcome(load(b"", metadata=bearer(ADMIN), timeout=PATIENCE))
        assert code is not grpc.StatusCode.PERMISSION_DENIED


async def test_a_style_can_only_be_added_by_an_administrator(
    models: Path, token_file: Path
) -> None:
    async with (
        running(models, token_file=token_file, admin=True) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        add: Any = channel.unary_unary("/sfumato.v1.AdminService/AddStyle")
        for metadata, expected in (
            ((), grpc.StatusCode.UNAUTHENTICATED),
            (bearer(PAINTER), grpc.StatusCode.PERMISSION_DENIED),
            (bearer(ADMIN), grpc.StatusCode.INVALID_ARGUMENT),  # an empty message: no style file
        ):
            code, _ = await outcome(add(b"", metadata=metadata, timeout=PATIENCE))
            assert code is expected


async def test_a_stream_is_refused_before_its_first_frame(guarded: Server) -> None:
    async with connected(guarded) as stub:
        stream = stub.StylizeStream(timeout=PATIENCE)  # nothing is ever written
        code, _ = await outcome(stream.read())
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_what_a_stranger_sends_is_not_even_decoded(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pb.StylizeRequest, "FromString", None, raising=False)
    async with grpc.aio.insecure_channel(guarded.address) as channel:
        stylize: Any = channel.unary_unary("/sfumato.v1.StylizationService/Stylize")
        code, _ = await outcome(stylize(b"\xff" * 100_000, timeout=PATIENCE))
    assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_method_that_there_is_not_is_told_so_and_leaves_no_line(
    guarded: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with grpc.aio.insecure_channel(guarded.address) as channel:
        stub: Any = channel.unary_unary("/sfumato.v1.StylizationService/Steal")
        code, _ = await outcome(stub(b"", timeout=PATIENCE))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert caplog.records == []


async def test_health_is_open_to_all(guarded: Server) -> None:
    async with grpc.aio.insecure_channel(guarded.address) as channel:
        assert await health_of(channel) == "SERVING"


async def test_but_the_list_of_models_in_it_takes_a_token(guarded: Server) -> None:
    async with grpc.aio.insecure_channel(guarded.address) as channel:
        names: Any = channel.unary_unary("/grpc.health.v1.Health/List")
        assert (await outcome(names(b"")))[0] is grpc.StatusCode.UNAUTHENTICATED
        assert (await outcome(names(b"", metadata=bearer(ADMIN))))[0] is grpc.StatusCode.OK


async def reflect(server: Server, metadata: Sequence[tuple[str, str]]) -> grpc.StatusCode:
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
        stream = stub.ServerReflectionInfo(metadata=metadata, timeout=PATIENCE)
        question = reflection_pb2.ServerReflectionRequest(list_services="*")

        async def ask() -> None:
            await stream.write(question)
            await stream.read()

        return (await outcome(ask()))[0]


async def test_reflection_takes_any_token_but_not_none(guarded: Server) -> None:
    assert await reflect(guarded, bearer(ADMIN)) is grpc.StatusCode.OK
    assert await reflect(guarded, bearer(PAINTER)) is grpc.StatusCode.OK
    assert await reflect(guarded, ()) is grpc.StatusCode.UNAUTHENTICATED


async def test_without_a_token_file_everybody_may_call(server: Server) -> None:
    async with connected(server) as stub:
        code, _ = await outcome(stub.ListStyles(pb.ListStylesRequest()))
    assert code is grpc.StatusCode.OK
    assert await reflect(server, ()) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("method", "scope"),
    [
        ("/sfumato.v1.StylizationService/Stylize", Scope.PAINT),
        ("/sfumato.v1.StylizationService/StylizeStream", Scope.PAINT),
        ("/sfumato.v1.AdminService/AddStyle", Scope.ADMIN),
        ("/inference.GRPCInferenceService/ModelInfer", Scope.PAINT),
        ("/inference.GRPCInferenceService/ServerLive", Scope.PAINT),
        ("/inference.GRPCInferenceService/RepositoryIndex", Scope.PAINT),
        ("/inference.GRPCInferenceService/RepositoryModelLoad", Scope.ADMIN),
        ("/inference.GRPCInferenceService/RepositoryModelUnload", Scope.ADMIN),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", None),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", None),
        ("/something.New/Method", Scope.PAINT),
    ],
)
def test_each_method_demands_its_scope(method: str, scope: Scope | None) -> None:
    assert scope_of(method) is scope


async def test_a_changed_token_file_is_obeyed_without_a_restart(
    guarded: Server, token_file: Path
) -> None:
    async with connected(guarded) as stub:

        async def status() -> grpc.StatusCode:
            request = pb.ListStylesRequest()
            return (await outcome(stub.ListStyles(request, metadata=bearer(PAINTER))))[0]

        assert await status() is grpc.StatusCode.OK
        token_file.write_text(ADMIN_TOKEN.line())  # noqa: ASYNC240 - it is a small file
        while await status() is grpc.StatusCode.OK:
            pass
        assert await status() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_file_that_is_emptied_lets_nobody_in_and_the_log_says_what_to_do(
    guarded: Server, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def status(stub: Any) -> grpc.StatusCode:
        listing = stub.ListStyles(pb.ListStylesRequest(), metadata=bearer(PAINTER))
        return (await outcome(listing))[0]

    async with connected(guarded) as stub:
        assert await status(stub) is grpc.StatusCode.OK
        token_file.write_text("# none\n")  # noqa: ASYNC240 - it is a small file
        while await status(stub) is grpc.StatusCode.OK:
            pass
    [error] = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert error == (
        f"token_file {token_file} holds no token any more: every call but those of health is "
        "refused until it does; put the tokens back, or make one: python -m serving token NAME "
        f"--scope paint >> {token_file}"
    )


async def test_the_name_of_the_token_is_in_the_access_log(
    guarded: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with connected(guarded) as stub:
        await stub.ListStyles(pb.ListStylesRequest(), metadata=bearer(PAINTER))
        await outcome(stub.ListStyles(pb.ListStylesRequest()))
        await outcome(stub.ListStyles(pb.ListStylesRequest(), metadata=bearer(ADMIN)))
    served, unknown, denied = [record.getMessage() for record in caplog.records]
    assert "client=painter-1 " in served
    assert "status=OK" in served
    assert "client=" not in unknown
    assert "status=UNAUTHENTICATED" in unknown
    assert "client=admin-1 " in denied
    assert "status=PERMISSION_DENIED" in denied


@asynccontextmanager
async def telling_who_calls(*doors: Authorization) -> AsyncIterator[Any]:
    """Gives a method whose answer is what the server takes its client for."""

    async def who(_: bytes, context: Any) -> bytes:
        return client_of(context).encode()

    calls = Calls([])
    admission = Admission(1)
    admission.open()
    overload = Overload(admission)
    messages = MessageCheck(
        calls, max_upload_seconds=PATIENCE, max_download_seconds=PATIENCE, overload=overload
    )
    methods = Methods(doors, overload, messages, calls)
    handlers: Any = {"Who": grpc.unary_unary_rpc_method_handler(who, bytes)}
    methods.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", handlers)])
    server = grpc.aio.server(handlers=[methods])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.unary_unary("/test/Who")
    await server.stop(None)


async def test_a_client_is_known_by_its_token_or_else_by_its_host(token_file: Path) -> None:
    tokens = WatchedFiles([token_file], lambda: read_tokens(token_file))
    async with telling_who_calls(Authorization(tokens)) as who:
        assert await who(b"", metadata=bearer(PAINTER)) == b"painter-1"
    async with telling_who_calls() as who:
        assert await who(b"") == b"ipv4:127.0.0.1"


async def test_no_secret_is_ever_logged(
    models: Path, token_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stray = "a-secret-in-a-wrong-place"
    async with running(models, token_file=token_file) as server, connected(server) as stub:
        for metadata in (
            bearer(PAINTER),
            bearer(ADMIN),
            bearer(stray),
            (("authorization", stray),),
        ):
            await outcome(stub.ListStyles(pb.ListStylesRequest(), metadata=metadata))
            await outcome(stub.Stylize(order(b"no photo"), metadata=metadata))
    assert f"token_file='{token_file}'" in caplog.text
    assert "client=painter-1" in caplog.text
    for secret in (PAINTER, ADMIN, stray, PAINTER_TOKEN.digest, ADMIN_TOKEN.digest):
        assert secret not in caplog.text


async def test_strangers_do_not_lengthen_the_wait_of_others(models: Path, token_file: Path) -> None:
    async with (
        held(models, token_file=token_file, max_queue_size=1) as (server, device),
        connected(server) as stub,
    ):
        photo = order(encode(draw()))
        painter = bearer(PAINTER)
        inside = stub.Stylize(photo, metadata=painter, timeout=PATIENCE)
        await device.begun()
        for _ in range(50):
            code, _ = await outcome(stub.Stylize(photo, timeout=PATIENCE))
            assert code is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Stylize(photo, metadata=painter, timeout=PATIENCE)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        # One place of unknown duration, 100 ms, for the first who waits; not for the 51st.
        assert ("grpc-retry-pushback-ms", "100") in tuple(refused.value.trailing_metadata())
        device.let_go()
        await inside


async def test_the_last_token_can_be_taken_away(models: Path, token_file: Path) -> None:
    async with running(models, token_file=token_file) as server, connected(server) as stub:
        ask = partial(stub.ListStyles, pb.ListStylesRequest(), metadata=bearer(PAINTER))
        await ask()
        forget(token_file)
        async with asyncio.timeout(PATIENCE):
            while (await outcome(ask()))[0] is grpc.StatusCode.OK:
                pass
        code, message = await outcome(ask())
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert message.startswith("this server does not know the token")


async def test_a_server_does_not_start_with_a_file_without_tokens(
    models: Path, token_file: Path
) -> None:
    forget(token_file)
    with pytest.raises(ConfigError, match="holds no token; `python -m serving token` makes one"):
        Server(ServerConfig(models=models, port=0, token_file=token_file))


def forget(token_file: Path) -> None:
    token_file.write_text("# nobody\n")
