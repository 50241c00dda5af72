"""Two servers of one model folder."""

from pathlib import Path

import grpc
import numpy as np

from serving.server import Server
from sfumato.style_file import write_style_file
from sfumato.v1 import admin_service_pb2 as pb
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from tests.serving.photos import decode, draw, encode
from tests.serving.repositories import new_style, put
from tests.serving.running import PATIENCE, connected, order, running, until
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
