"""Models are replaced while a server paints with them, and nobody notices."""

import asyncio
import contextlib
import errno
import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from serving.config import ServerConfig
from serving.server import Server
from sfumato.bundle.bundle import Bundle
from sfumato.bundle.manifest import MODEL_FILE
from sfumato.errors import BundleError
from sfumato.inference import open_inference_pb2 as oip
from sfumato.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.serving.photos import decode, draw, encode
from tests.serving.repositories import FragileSession, put, put_nan, rewrite
from tests.serving.running import (
    MAX_MESSAGE,
    PATIENCE,
    connected,
    order,
    refused,
    running,
    until,
    until_inside,
)
from tests.serving.tiny_network import paint, tiny_graph

RELOADS = 100
PAINTERS = 3


@pytest.fixture(autouse=True)
def _quick_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny network needs no large photo to be warm."""
    monkeypatch.setattr("serving.device.session._USUAL", (20, 20))


class Traffic:
    """Clients that send one photo after the other; every answer must be right."""

    def __init__(self, stub: Any) -> None:
        self.painted = 0
        self.gains: set[float] = {1.0}
        self._stub = stub
        self._photo = draw(20, 16)
        self._stopping = False

    async def flow(self) -> None:
        """Sends photos until ``stop``."""
        while not self._stopping:
            answer = await self._stub.Stylize(order(encode(self._photo)), timeout=PATIENCE)
            known = [paint(self._photo, gain, 0.0) for gain in self.gains]
            assert any(np.array_equal(decode(answer.image), right) for right in known)
            self.painted += 1

    def stop(self) -> None:
        """Lets the photos on their way be the last."""
        self._stopping = True

    async def goes_on(self) -> None:
        """Waits for photos that were sent from now on."""
        seen = self.painted + PAINTERS + 1
        await until(lambda: self.painted >= seen)


async def test_a_hundred_reloads_fail_no_request(root: Path) -> None:
    async with (
        running(root, admin=True, poll_seconds=0.05) as server,
        grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel,
        connected(server) as stub,
    ):
        admin: Any = GRPCInferenceServiceStub(channel)
        traffic = Traffic(stub)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(PAINTERS):
                tasks.create_task(traffic.flow())
            for number in range(RELOADS):
                gain = 1 + (number + 1) / 128
                traffic.gains = {*sorted(traffic.gains)[-9:], gain}
                version = 1 + number // 10  # now and then a new one, else the highest changes
                await asyncio.to_thread(put, root / "default" / str(version), gain)
                request = oip.RepositoryModelLoadRequest(model_name="default")
                await admin.RepositoryModelLoad(request, timeout=PATIENCE)
            await traffic.goes_on()
            traffic.stop()
        assert traffic.painted > RELOADS


async def test_who_has_begun_is_painted_by_the_old_network_which_is_freed_then(
    root: Path,
) -> None:
    waiting = {"max_batch_size": 64, "max_batch_delay_ms": 60_000}
    photo = draw()
    async with running(root, poll_seconds=0, **waiting) as server, connected(server) as stub:
        repository = server._models.repository
        session = weakref.ref(repository.find().session)
        begun = stub.Stylize(order(encode(photo)), timeout=PATIENCE)
        await until_inside(server, 1)
        put(root / "default" / "1", gain=0.5)
        await repository.load("default")
        later = stub.Stylize(order(encode(photo)), timeout=PATIENCE)
        await until_inside(server, 2)
        assert session() is not None
        await server.stop()  # nobody has to wait for a batch any more
        np.testing.assert_array_equal(decode((await begun).image), photo)
        np.testing.assert_array_equal(decode((await later).image), paint(photo, 0.5, 0.0))
        await until(lambda: _is_gone(session))


@pytest.mark.parametrize("how", ["replaced", "unloaded", "failed"])
async def test_a_network_that_is_not_needed_any_more_is_freed(
    root: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(root, poll_seconds=0) as server, connected(server) as stub:
        repository = server._models.repository
        await stub.Stylize(order(encode(draw())), timeout=PATIENCE)
        session: Callable[[], object | None] = weakref.ref(repository.find().session)
        if how == "replaced":
            put(root / "default" / "1", gain=0.5)
            await repository.load("default")
        elif how == "unloaded":
            await repository.unload("default")
        else:
            opened: list[weakref.ref[Any]] = []
            _note_sessions(monkeypatch, opened)
            put(root / "default" / "2", graph=tiny_graph(shrink=1))
            with pytest.raises(Exception, match="cannot be served"):
                await repository.load("default")
            [session] = opened
        await until(lambda: _is_gone(session))


def _note_sessions(monkeypatch: pytest.MonkeyPatch, opened: list[weakref.ref[Any]]) -> None:
    from serving.device.session import OnnxSession

    check = OnnxSession.warm_up_runs

    def noted(session: OnnxSession, batch_size: int) -> list[Callable[[], None]]:
        opened.append(weakref.ref(session))
        return check(session, batch_size)

    monkeypatch.setattr(OnnxSession, "warm_up_runs", noted)


def _is_gone(reference: Callable[[], object | None]) -> bool:
    gc.collect()
    return reference() is None


def truncate(folder: Path) -> None:
    put(folder)
    rewrite(folder, MODEL_FILE, (folder / MODEL_FILE).read_bytes()[:100])


def spoil(folder: Path) -> None:
    put(folder)
    (folder / MODEL_FILE).write_bytes(tiny_graph(style_size=3))


def put_shrinking(folder: Path) -> None:
    put(folder, graph=tiny_graph(shrink=1))


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a truncated network": (truncate, "ONNX Runtime refuses"),
    "a wrong digest": (spoil, "model.onnx is damaged: its SHA-256 is"),
    "a row that is no number": (put_nan, "holds NaN or infinity"),
    "a network that fails to warm up": (put_shrinking, "keep that size"),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_failed_reload_leaves_the_old_network_and_the_next_good_file_is_served(
    root: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil_it, words = DAMAGES[damage]
    photo = draw()
    async with running(root, poll_seconds=0.02) as server, connected(server) as stub:
        spoil_it(root / "default" / "1")
        spoil_it(root / "default" / "2")
        await until(lambda: caplog.text.count(words) >= 2)
        answer = await stub.Stylize(order(encode(photo)), timeout=PATIENCE)
        np.testing.assert_array_equal(decode(answer.image), photo)
        status, message = await refused(stub, order(encode(photo), version=2))
        assert status is grpc.StatusCode.FAILED_PRECONDITION
        assert words in message
        assert str(root) not in message
        for version in (1, 2):
            put(root / "default" / str(version), gain=0.25 * version)
            await _paints(stub, version, 0.25 * version)


async def _paints(stub: Any, version: int, gain: float) -> None:
    """Waits until a version paints with ``gain``."""
    photo = draw()
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):  # it is not served yet
                answer = await stub.Stylize(order(encode(photo), version=version), timeout=PATIENCE)
                if np.array_equal(decode(answer.image), paint(photo, gain, 0.0)):
                    return
            await asyncio.sleep(0.005)


async def test_without_polling_nothing_changes_by_itself(root: Path) -> None:
    async with running(root, poll_seconds=0) as server, connected(server) as stub:
        put(root / "default" / "2")
        assert (await stub.Stylize(order(encode(draw())), timeout=PATIENCE)).version == 1
        await server._models.repository.load("default")
        assert (await stub.Stylize(order(encode(draw())), timeout=PATIENCE)).version == 2


async def test_a_version_that_the_system_refused_is_served_once_it_grants_it(root: Path) -> None:
    attempts: list[int] = []

    def open_session(bundle: Bundle) -> FragileSession:
        if bundle.bank.row("plain")[0] == 2.0:
            attempts.append(1)
            if len(attempts) < 3:
                raise BundleError("no descriptor is left") from OSError(errno.EMFILE, "")
        return FragileSession(bundle)

    config = ServerConfig(models=root, port=0, poll_seconds=0.01)
    server = Server(config, open_session=open_session)
    await server.start()
    put(root / "default" / "2", 2.0)
    await until(lambda: len(attempts) == 1)
    assert (await paints_with(server)) == 1  # the old version, meanwhile
    repository = server._models.repository
    await until(lambda: len(attempts) == 3 and repository.find("default").version == 2)
    assert (await paints_with(server)) == 2
    assert len(attempts) == 3
    assert await server.stop()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "there is not enough memory to load it"),
        (OSError(errno.EIO, "Input/output error"), "refused to read it (Input/output error)"),
    ],
    ids=["memory", "disk"],
)
async def test_what_the_system_refuses_again_and_again_is_told_once(
    root: Path, caplog: pytest.LogCaptureFixture, error: Exception, reason: str
) -> None:
    attempts: list[int] = []

    def open_session(bundle: Bundle) -> FragileSession:
        if bundle.bank.row("plain")[0] == 2.0:
            attempts.append(1)
            raise error
        return FragileSession(bundle)

    config = ServerConfig(models=root, port=0, poll_seconds=0.01)
    server = Server(config, open_session=open_session)
    await server.start()
    put(root / "default" / "2", 2.0)
    await until(lambda: len(attempts) == 2)
    assert await server.stop()
    [told] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith("cannot serve model=default/2: ")
    assert told.endswith(reason)


@pytest.mark.parametrize("asked", [True, False], ids=["by RPC", "by polling"])
async def test_a_server_stops_while_a_model_is_being_loaded(root: Path, asked: bool) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def open_session(bundle: Bundle) -> FragileSession:
        if bundle.bank.row("plain")[0] == 2.0:
            opening.set()
            assert go_on.wait(PATIENCE)
        return FragileSession(bundle)

    config = ServerConfig(models=root, port=0, poll_seconds=0 if asked else 0.01, admin=True)
    server = Server(config, open_session=open_session)
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        await asyncio.to_thread(put, root / "default" / "2", 2.0)
        if asked:
            admin: Any = GRPCInferenceServiceStub(channel)
            loading = admin.RepositoryModelLoad(
                oip.RepositoryModelLoadRequest(model_name="default"), timeout=PATIENCE
            )
        assert await asyncio.to_thread(opening.wait, PATIENCE)
        assert (await paints_with(server)) == 1  # the old version, all the while
        assert await server.stop()
        if asked:
            with pytest.raises(grpc.aio.AioRpcError):
                await loading
    go_on.set()


async def paints_with(server: Server) -> int:
    """Paints a photo; gives the version that did."""
    async with connected(server) as stub:
        answer = await stub.Stylize(order(encode(draw())), timeout=PATIENCE)
    return int(answer.version)
