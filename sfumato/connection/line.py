"""A channel of gRPC and what can be called over it."""

import time
from typing import Any, Final

import grpc

from sfumato.connection.connection import HEALTH_METHOD, Connection, HealthRequest, HealthResponse
from sfumato.v1.admin_service_pb2_grpc import AdminServiceStub
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

# A call that only asks whether the server lives. gRPC does not send it again, so that it tells at
# once what is wrong.
LIVE_METHOD: Final = "/inference.GRPCInferenceService/ServerLive"
LIVE_REQUEST: Final = b""


class Line:
    """A channel and what can be called over it."""

    def __init__(
        self, connection: Connection, target: str, name: str = "", *, streams: bool = False
    ) -> None:
        """Opens the channel, which connects at the first call.

        Args:
            connection: how the server is called.
            target: where it is, as gRPC takes it.
            name: what it is called, if not by the target.
            streams: whether the calls are streams.
        """
        self.opened = time.monotonic()
        options = connection.channel_options(streams=streams)
        if name:
            options.append(("grpc.default_authority", name))
        if connection.credentials is None:
            self.channel = grpc.insecure_channel(target, options)
        else:
            self.channel = grpc.secure_channel(target, connection.credentials, options)
        self.painting = StylizationServiceStub(self.channel)
        self.admin = AdminServiceStub(self.channel)
        self.health = self.channel.unary_unary(
            HEALTH_METHOD, HealthRequest.SerializeToString, HealthResponse.FromString
        )
        self.live: Any = self.channel.unary_unary(LIVE_METHOD)
