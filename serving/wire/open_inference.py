"""The Open Inference Protocol over gRPC: tensors in, painted tensors out."""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial, wraps
from typing import Final, TypeVar

import grpc.aio

import sfumato
from serving.calls.call import Call, Context, deadline_of, metadata_of
from serving.calls.client_name import caller_of
from serving.calls.statuses import Answer, fitting
from serving.errors import AdminDisabledError, InvalidRequestError
from serving.models.model import Model, ModelState
from serving.wire.engine import Engine
from serving.wire.infer_messages import (
    infer_response_to,
    note_infer_request,
    note_painted_tensor,
    stream_error_to,
    stream_response_to,
    tensor_order_of,
    version_of,
)
from serving.wire.infer_stream import InferStream
from serving.wire.model_messages import (
    config_message,
    index_message,
    metadata_message,
    statistics_message,
)
from sfumato.errors import SfumatoError
from sfumato.inference import open_inference_pb2 as pb
from sfumato.inference import open_inference_pb2_grpc as pb_grpc

Request = TypeVar("Request")

OPEN_INFERENCE: Final = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

_EXTENSIONS: Final = ("model_configuration", "parameters", "statistics")
_ADMIN_EXTENSION: Final = "model_repository"


def _watched(
    method: "Callable[[OpenInferenceService, Request], Awaitable[Answer]]",
) -> "Callable[[OpenInferenceService, Request, Context], Awaitable[Answer]]":
    """Makes an RPC of a method that only needs the request: a call that is watched over."""

    @wraps(method)
    async def answer(service: "OpenInferenceService", request: Request, context: Context) -> Answer:
        model = getattr(request, "name", "") or getattr(request, "model_name", "")
        call = Call(method.__name__, OPEN_INFERENCE, metadata_of(context), model=model)
        return await service.engine.calls.answer(work(service, request), context, call)

    async def work(service: "OpenInferenceService", request: Request) -> Answer:
        return fitting(await method(service, request), service.engine.config.max_message_bytes)

    return answer


class OpenInferenceService(pb_grpc.GRPCInferenceServiceServicer):
    """Translates between the protocol's messages and the stylizer.

    Attributes:
        engine: does the work.
    """

    def __init__(self, engine: Engine) -> None:
        """Serves the models of ``engine``."""
        self.engine = engine
        self._repository = engine.repository
        self._admission = engine.admission

    # The names of the methods are the protocol's.
    # ruff: noqa: N802

    @_watched
    async def ServerLive(self, _: pb.ServerLiveRequest) -> pb.ServerLiveResponse:
        """Says that the process answers."""
        return pb.ServerLiveResponse(live=True)

    @_watched
    async def ServerReady(self, _: pb.ServerReadyRequest) -> pb.ServerReadyResponse:
        """Says whether requests are let in."""
        return pb.ServerReadyResponse(ready=self._admission.is_open)

    @_watched
    async def ModelReady(self, request: pb.ModelReadyRequest) -> pb.ModelReadyResponse:
        """Says whether a model can be served; one that is unknown cannot."""
        try:
            self._find(request.name, request.version)
        except SfumatoError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    @_watched
    async def ServerMetadata(self, _: pb.ServerMetadataRequest) -> pb.ServerMetadataResponse:
        """Names the server."""
        extensions = [*_EXTENSIONS, *([_ADMIN_EXTENSION] if self.engine.config.admin else [])]
        return pb.ServerMetadataResponse(
            name="sfumato", version=sfumato.__version__, extensions=extensions
        )

    @_watched
    async def ModelMetadata(self, request: pb.ModelMetadataRequest) -> pb.ModelMetadataResponse:
        """Describes the tensors of a model."""
        model = self._find(request.name, request.version)
        versions = [known.version for known in self._repository if known.name == model.name]
        return metadata_message(model, versions)

    @_watched
    async def ModelConfig(self, request: pb.ModelConfigRequest) -> pb.ModelConfigResponse:
        """Gives the configuration of a model."""
        return config_message(self._find(request.name, request.version))

    @_watched
    async def ModelStatistics(
        self, request: pb.ModelStatisticsRequest
    ) -> pb.ModelStatisticsResponse:
        """Tells what the models have done, or one of them, or one version."""
        self._admission.check_open()
        models = list(self._repository)
        if request.version:
            models = [self._find(request.name, request.version)]
        elif request.name:
            self._find(request.name)
            models = [model for model in models if model.name == request.name]
        stats = [
            statistics_message(m, self.engine.statistics.of(m.name, m.version)) for m in models
        ]
        return pb.ModelStatisticsResponse(model_stats=stats)

    async def ModelInfer(
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        """Paints photos of one size."""
        inside = ExitStack()
        # Not before the answer is sent: it occupies memory until then.
        context.add_done_callback(lambda _: inside.close())  # type: ignore[arg-type]
        call = Call("ModelInfer", OPEN_INFERENCE, metadata_of(context))
        work = self._infer(request, context, call, inside)
        return await self.engine.calls.answer(work, context, call)

    # A coroutine and no generator: gRPC ends it at once when the call is cancelled.
    async def ModelStreamInfer(  # type: ignore[override]
        self, request_iterator: object, context: Context
    ) -> None:
        """Paints as ModelInfer does, request after request."""
        call = Call("ModelStreamInfer", OPEN_INFERENCE, metadata_of(context))
        answer = partial(self._infer_in_stream, call, context)
        stream = InferStream(context, self._admission, answer)
        await self.engine.streams.answer(call, context, stream.run)

    @_watched
    async def RepositoryIndex(
        self, request: pb.RepositoryIndexRequest
    ) -> pb.RepositoryIndexResponse:
        """Lists the versions of all models, or those that can be served."""
        self._admission.check_open()
        entries = self._repository.index()
        if request.ready:
            entries = [entry for entry in entries if entry.state == ModelState.READY]
        return pb.RepositoryIndexResponse(models=map(index_message, entries))

    @_watched
    async def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest
    ) -> pb.RepositoryModelLoadResponse:
        """Serves what lies in the folder of a model now."""
        self._check_admin()
        if request.parameters:
            raise InvalidRequestError(
                "loading takes no parameters: a model is served as it lies in its folder on the "
                "server; leave them out"
            )
        await self._repository.load(request.model_name)
        return pb.RepositoryModelLoadResponse()

    @_watched
    async def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest
    ) -> pb.RepositoryModelUnloadResponse:
        """Serves a model no more."""
        self._check_admin()
        await self._repository.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse()

    async def _infer(
        self, request: pb.ModelInferRequest, context: Context, call: Call, inside: ExitStack
    ) -> pb.ModelInferResponse:
        note_infer_request(call, request)
        self._admission.enter()
        inside.callback(self._admission.leave)
        model = self._find(request.model_name, request.model_version)
        call.model, call.version = model.name, model.version
        order = tensor_order_of(
            request, call, model, self.engine.config, deadline_of(context), caller_of(context)
        )
        painted = await self.engine.stylizer.paint_tensor(model, order)
        note_painted_tensor(call, painted)
        return infer_response_to(request, model, painted)

    async def _infer_in_stream(
        self, stream: Call, context: Context, request: pb.ModelInferRequest, inside: ExitStack
    ) -> pb.ModelStreamInferResponse:
        call = Call(stream.method, stream.service, stream.metadata)
        try:
            response = await self._infer(request, context, call, inside)
        except BaseException as error:
            _, message = self.engine.calls.end_by(call, error, context)
            if not isinstance(error, Exception):
                raise
            return stream_error_to(request, message)
        self.engine.calls.end(call, grpc.StatusCode.OK.name)
        return stream_response_to(response)

    def _find(self, name: str, version: str = "") -> Model:
        self._admission.check_open()
        number, label = version_of(version)
        return self._repository.find(name, number, label)

    def _check_admin(self) -> None:
        self._admission.check_open()
        if not self.engine.config.admin:
            raise AdminDisabledError(
                "this server lets nobody load or unload models; its operator can allow it by "
                "--admin true"
            )
