"""Requests of the Open Inference Protocol, made by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from serving.server import Server
from sfumato.inference import open_inference_pb2 as pb
from sfumato.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from tests.serving.photos import Pixels
from tests.serving.running import MAX_MESSAGE, PATIENCE, ServerProcess, outcome

SERVICE = "inference.GRPCInferenceService"

DATATYPES = {"uint8": "UINT8", "float32": "FP32"}


@asynccontextmanager
async def inferring(server: Server | ServerProcess) -> AsyncIterator[Any]:
    """Gives the stub of a channel to ``server``."""
    async with grpc.aio.insecure_channel(server.address, options=MAX_MESSAGE) as channel:
        yield GRPCInferenceServiceStub(channel)


def infer_request(
    tensors: dict[str, npt.NDArray[Any]], *, style: str | None = None, **fields: Any
) -> Any:
    """Makes a request with raw contents, in a style if one is given."""
    request = pb.ModelInferRequest(model_name="default", **fields)
    for name, array in tensors.items():
        request.inputs.add(name=name, datatype=DATATYPES[str(array.dtype)], shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    if style is not None:
        request.parameters["style"].string_param = style
    return request


def files_request(files: list[bytes], *, style: str = "plain") -> Any:
    """Makes a request with image files as typed contents."""
    request = pb.ModelInferRequest(model_name="default")
    image = request.inputs.add(name="image", datatype="BYTES", shape=[len(files)])
    image.contents.bytes_contents.extend(files)
    request.parameters["style"].string_param = style
    return request


def pixels_of(response: Any) -> Pixels:
    """Reads the painted photos of an answer, uint8 [N, H, W, 3]."""
    (output,) = response.outputs
    assert (output.name, output.datatype) == ("stylized", "UINT8")
    (raw,) = response.raw_output_contents
    return np.frombuffer(raw, np.uint8).reshape(output.shape)


async def infer_refused(stub: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    """Sends a request that must fail; gives status and message."""
    status, message = await outcome(stub.ModelInfer(request, timeout=PATIENCE))
    assert status is not grpc.StatusCode.OK, "the server accepted the request"
    return status, message
