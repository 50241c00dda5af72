"""AdminService over gRPC: changes what a running server serves."""

from typing import Final

from serving.calls.call import Call, Context, metadata_of
from serving.wire.engine import Engine
from sfumato.v1 import admin_service_pb2 as pb
from sfumato.v1 import admin_service_pb2_grpc as pb_grpc

ADMIN_SERVICE: Final = pb.DESCRIPTOR.services_by_name["AdminService"].full_name


class AdminService(pb_grpc.AdminServiceServicer):
    """Translates between messages and the repository."""

    def __init__(self, engine: Engine) -> None:
        """Changes the models of ``engine``."""
        self._engine = engine

    async def AddStyle(  # noqa: N802 - the protocol's name
        self, request: pb.AddStyleRequest, context: Context
    ) -> pb.AddStyleResponse:
        """Adds a style; see the protocol."""
        call = Call("AddStyle", ADMIN_SERVICE, metadata_of(context), model=request.model)
        call.bytes_in = len(request.style_file)
        return await self._engine.calls.answer(self._add_style(request, call), context, call)

    async def _add_style(self, request: pb.AddStyleRequest, call: Call) -> pb.AddStyleResponse:
        self._engine.admission.check_open()
        repository = self._engine.repository
        meant = repository.meant_by(request.model)
        if meant is not None:
            call.model, call.version = meant.name, meant.version
        added = await repository.add_style(request.model, request.style_file)
        call.version = max(added.versions, default=call.version)
        call.notes |= {"style": added.id, "stored": added.stored}
        return pb.AddStyleResponse(style_id=added.id, versions=added.versions, stored=added.stored)
