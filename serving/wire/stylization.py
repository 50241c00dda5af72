"""StylizationService over gRPC: photos in, painted photos out."""

import logging
from typing import Final

from serving.calls.call import Call, Context, deadline_of, metadata_of
from serving.calls.client_name import caller_of
from serving.calls.statuses import fitting
from serving.wire.engine import Engine
from serving.wire.frame_stream import FrameStream
from serving.wire.stylize_messages import (
    note_painting,
    note_request,
    order_of,
    response_to,
    styles_of,
)
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1 import stylization_service_pb2_grpc as pb_grpc

_log = logging.getLogger(__name__)

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["StylizationService"].full_name


class StylizationService(pb_grpc.StylizationServiceServicer):
    """Translates between messages and the stylizer."""

    def __init__(self, engine: Engine) -> None:
        """Serves the models of ``engine``."""
        self._engine = engine

    async def Stylize(  # noqa: N802 - the protocol's name
        self, request: pb.StylizeRequest, context: Context
    ) -> pb.StylizeResponse:
        """Paints one photo; see the protocol."""
        call = Call("Stylize", SERVICE_NAME, metadata_of(context))
        image = request.image
        note_request(call, request, image)
        work = self._stylize(request, image, context, call)
        return await self._engine.calls.answer(work, context, call)

    # Not a generator: when a call is cancelled, gRPC ends a coroutine at once, and a generator
    # whenever the garbage collector finds it.
    async def StylizeStream(  # type: ignore[override]  # noqa: N802 - the protocol's name
        self, request_iterator: object, context: Context
    ) -> None:
        """Paints frames; see the protocol."""
        call = Call("StylizeStream", SERVICE_NAME, metadata_of(context))
        stream = FrameStream(call, context, self._engine)
        await self._engine.streams.answer(call, context, stream.run)

    async def ListStyles(  # noqa: N802 - the protocol's name
        self, request: pb.ListStylesRequest, context: Context
    ) -> pb.ListStylesResponse:
        """Lists what can be painted with; see the protocol."""
        call = Call("ListStyles", SERVICE_NAME, metadata_of(context), model=request.model)
        return await self._engine.calls.answer(self._list_styles(request), context, call)

    async def _stylize(
        self, request: pb.StylizeRequest, image: bytes, context: Context, call: Call
    ) -> pb.StylizeResponse:
        admission = self._engine.admission
        admission.enter()
        _log.debug("admitted a request, %d inside", admission.inside)
        # Not before the answer is sent: it occupies memory until then.
        context.add_done_callback(lambda _: admission.leave())  # type: ignore[arg-type]
        order = order_of(request, image, deadline_of(context), caller_of(context))
        model, painting = await self._engine.stylizer.paint(order)
        note_painting(call, model, painting)
        return response_to(model, painting, self._engine.config.max_message_bytes)

    async def _list_styles(self, request: pb.ListStylesRequest) -> pb.ListStylesResponse:
        self._engine.admission.check_open()
        repository = self._engine.repository
        models = [repository.find(request.model)] if request.model else repository.latest()
        response = pb.ListStylesResponse(styles=[style for m in models for style in styles_of(m)])
        return fitting(response, self._engine.config.max_message_bytes)
