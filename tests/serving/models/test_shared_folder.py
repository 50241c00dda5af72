"""Two servers of one model folder."""

import asyncio
import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from serving.models.created_file import create_file
from serving.models.folder_scan import Stamp, stamp
from serving.server import Server
from sfumato.bundle.style_file import read_style_file, write_style_file
from sfumato.v1 import admin_service_pb2 as pb
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from tests.serving.photos import decode, draw, encode
from tests.serving.repositories import new_style, put
from tests.serving.running import PATIENCE, connected, order, outcome, running, until
from tests.serving.tiny_network import paint


async def paints(server: Server, style: str, gain: float) -> None:
    photo = draw()
    async with connected(server) as stub:
        answer = await stub.Stylize(order(encode(photo), style), timeout=PATIENCE)
    np.testing.assert_array_equal(decode(answer.image), paint(photo, gain, 0.0))


async def test_what_one_server_is_given_the_other_serves_too(tmp_path: Path) -> None:
    root = tmp_path / "models"
    put(root / "default" / "1")
    write_style_file(tmp_path / "half.safetensors", new_style("half"))
    content = (tmp_path / "half.safetensors").read_bytes()
    settings = {"poll_seconds": 0.01, "admin": True}
    async with running(root, **settings) as one, running(root, **settings) as other:
        async with grpc.aio.insecure_channel(one.address) as channel:
            admin = AdminServiceStub(channel)
            added = await admin.AddStyle(pb.AddStyleRequest(style_file=content), timeout=PATIENCE)
        assert added.stored
        await until(lambda: "half" in other._models.repository.find().bank.ids)
        for server in (one, other):
            await paints(server, "half", 0.5)
        put(root / "default" / "1", gain=0.25)
        for server in (one, other):
            repository = server._models.repository
            await until(lambda: repository.find().bank.row("plain")[0] == 0.25)  # noqa: B023
            await paints(server, "plain", 0.25)


async def add(server: Server, content: bytes) -> grpc.StatusCode:
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = AdminServiceStub(channel).AddStyle(pb.AddStyleRequest(style_file=content))
        return (await outcome(call))[0]


async def test_of_two_styles_of_one_id_sent_to_two_servers_at_once_one_is_refused(
    tmp_path: Path,
) -> None:
    root = tmp_path / "models"
    put(root / "default" / "1")
    contents = []
    for gain in (0.5, 0.25):
        write_style_file(tmp_path / "sent.safetensors", new_style("half", gain))
        contents.append((tmp_path / "sent.safetensors").read_bytes())
    settings = {"poll_seconds": 0.01, "admin": True}
    async with running(root, **settings) as one, running(root, **settings) as other:
        codes = await asyncio.gather(*map(add, (one, other), contents))
        assert {*codes} == {grpc.StatusCode.OK, grpc.StatusCode.ALREADY_EXISTS}
        stored = read_style_file(root / "default" / "styles" / "half.safetensors")
        for server in (one, other):
            await until(lambda: "half" in server._models.repository.find().bank.ids)  # noqa: B023
            await paints(server, "half", float(stored.row[0]))


def test_exactly_one_of_many_creates_a_file_and_knows_its_stamp(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    path = tmp_path / "file"

    def create(number: int) -> tuple[int, Stamp] | None:
        start.wait(PATIENCE)
        try:
            return number, create_file(path, b"%d" % number)
        except FileExistsError:
            return None

    with ThreadPoolExecutor(8) as threads:
        [(number, found)] = filter(None, threads.map(create, range(8)))
    assert path.read_bytes() == b"%d" % number
    assert found == stamp(path)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("links", [True, False])
def test_what_has_the_name_already_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:  # as on FAT
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    path = tmp_path / "file"
    assert create_file(path, b"first") == stamp(path)
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert [*tmp_path.iterdir()] == [path]
