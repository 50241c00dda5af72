"""StylizationService over gRPC: photos in, painted photos out."""

import logging
from typing import Final

from serving.admission import Admission
from serving.call import Call, Calls, Context, metadata_of
from serving.frame_stream import FrameStream, StreamParts
from serving.repository import Repository
from serving.streams import Streams
from serving.stylize_messages import (
    deadline_of,
    note_painting,
    note_request,
    order_of,
    response_to,
    styles_of,
)
from serving.stylizer import Stylizer
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1 import stylization_service_pb2_grpc as pb_grpc

_log = logging.getLogger(__name__)

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["StylizationService"].full_name


class StylizationService(pb_grpc.StylizationServiceServicer):
    """Translates between messages and the stylizer."""

    def __init__(
        self,
        *,
        repository: Repository,
        stylizer: Stylizer,
        admission: Admission,
        calls: Calls,
        streams: Streams,
        max_stream_window: int,
        max_message_bytes: int,
    ) -> None:
        """Serves ``repository`` through ``stylizer`` to whom ``admission`` lets in.

        Args:
            repository: the models.
            stylizer: does the work of Stylize.
            admission: bounds the requests inside the server.
            calls: watches over the calls.
            streams: bounds the streams of each client, and ends them.
            max_stream_window: most frames of one stream inside the server.
            max_message_bytes: largest response in bytes.
        """
        self._repository = repository
        self._stylizer = stylizer
        self._admission = admission
        self._calls = calls
        self._streams = streams
        self._stream_parts = StreamParts(
            stylizer, admission, calls, max_stream_window, max_message_bytes
        )
        self._max_message_bytes = max_message_bytes

    async def Stylize(  # noqa: N802 - the protocol's name
        self, request: pb.StylizeRequest, context: Context
    ) -> pb.StylizeResponse:
        """Paints one photo; see the protocol."""
        call = Call("Stylize", SERVICE_NAME, metadata_of(context))
        image = request.image
        note_request(call, request, image)
        return await self._calls.answer(self._stylize(request, image, context, call), context, call)

    # Not a generator: when a call is cancelled, gRPC ends a coroutine at once, and a generator
    # whenever the garbage collector finds it.
    async def StylizeStream(  # type: ignore[override]  # noqa: N802 - the protocol's name
        self, request_iterator: object, context: Context
    ) -> None:
        """Paints frames; see the protocol."""
        call = Call("StylizeStream", SERVICE_NAME, metadata_of(context))
        stream = FrameStream(SERVICE_NAME, context, self._stream_parts)
        await self._streams.answer(call, context, stream.run)

    async def ListStyles(  # noqa: N802 - the protocol's name
        self, request: pb.ListStylesRequest, context: Context
    ) -> pb.ListStylesResponse:
        """Lists what can be painted with; see the protocol."""
        call = Call("ListStyles", SERVICE_NAME, metadata_of(context), model=request.model)
        return await self._calls.answer(self._list_styles(request), context, call)

    async def _stylize(
        self, request: pb.StylizeRequest, image: bytes, context: Context, call: Call
    ) -> pb.StylizeResponse:
        self._admission.enter()
        _log.debug("admitted a request, %d inside", self._admission.inside)
        # Not before the answer is sent: it occupies memory until then.
        context.add_done_callback(lambda _: self._admission.leave())  # type: ignore[arg-type]
        order = order_of(request, image, deadline_of(context))
        model, painting = await self._stylizer.paint(order)
        note_painting(call, model, painting)
        return response_to(model, painting, self._max_message_bytes)

    async def _list_styles(self, request: pb.ListStylesRequest) -> pb.ListStylesResponse:
        self._admission.check_open()
        if request.model:
            models = [self._repository.find(request.model)]
        else:
            models = self._repository.latest()
        return pb.ListStylesResponse(styles=[style for m in models for style in styles_of(m)])
