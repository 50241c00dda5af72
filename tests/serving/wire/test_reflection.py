"""A client that knows only the address: it learns the protocol from the server."""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.serving.photos import decode, draw, encode
from tests.serving.running import PATIENCE, ServerProcess
from tests.serving.tiny_network import paint

SERVICE = "sfumato.v1.StylizationService"


def call(channel: grpc.Channel, pool: DescriptorPool, method: str, **fields: Any) -> Any:
    """Calls a method of the service with nothing but its description."""
    described = pool.FindServiceByName(SERVICE).FindMethodByName(method)
    request = GetMessageClass(described.input_type)
    response = GetMessageClass(described.output_type)
    send = channel.unary_unary(
        f"/{SERVICE}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    return send(request(**fields), timeout=PATIENCE)


def test_a_client_without_stubs_can_list_and_paint(models: Path, tmp_path: Path) -> None:
    photo = draw()
    with (
        ServerProcess(models, tmp_path) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        assert SERVICE in database.get_services()
        assert "grpc.health.v1.Health" in database.get_services()
        styles = [style.id for style in call(channel, pool, "ListStyles").styles]
        blend = [{"style_id": style, "weight": 0.5} for style in styles[:2]]
        answer = call(channel, pool, "Stylize", image=encode(photo), styles=blend)
    assert styles == ["plain", "dark", "light"]
    np.testing.assert_array_equal(decode(answer.image), paint(photo, 0.75, 0.0))
