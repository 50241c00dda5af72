"""The four calls that paint, each begun and read in the same way.

``python -m tests.serving.every_call ADDRESS`` begins all of them and waits for their answers.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc

from sfumato.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub
from tests.serving.frames import frame, sent
from tests.serving.photos import draw, encode
from tests.serving.running import MAX_MESSAGE, PATIENCE, order
from tests.serving.tensors import files_request

PHOTO = encode(draw(48, 40))
OF_A_STREAM = 3


@dataclass(frozen=True)
class Kind:
    """One kind of call.

    Attributes:
        begin: begins a call with a channel, a style and a time limit in seconds.
        inside: how many requests it brings into a server.
        painted: tells whether an answer is a painting.
    """

    begin: Callable[[grpc.aio.Channel, str, float], Any]
    inside: int
    painted: Callable[[Any], bool]


def _stylize(channel: Any, style: str, timeout: float) -> Any:
    return StylizationServiceStub(channel).Stylize(order(PHOTO, style), timeout=timeout)


def _stylize_stream(channel: Any, style: str, timeout: float) -> Any:
    messages = [frame(order(PHOTO, style)) for _ in range(OF_A_STREAM)]
    return StylizationServiceStub(channel).StylizeStream(sent(messages), timeout=timeout)


def _infer(channel: Any, style: str, timeout: float) -> Any:
    request = files_request([PHOTO] * 2, style=style)
    return GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=timeout)


def _infer_stream(channel: Any, style: str, timeout: float) -> Any:
    requests = [files_request([PHOTO] * 2, style=style) for _ in range(OF_A_STREAM)]
    return GRPCInferenceServiceStub(channel).ModelStreamInfer(sent(requests), timeout=timeout)


KINDS = {
    "Stylize": Kind(_stylize, 1, lambda answer: answer.width == 48),
    "StylizeStream": Kind(
        _stylize_stream, OF_A_STREAM, lambda answer: answer.WhichOneof("result") == "painting"
    ),
    "ModelInfer": Kind(_infer, 1, lambda answer: len(answer.raw_output_contents) == 1),
    "ModelStreamInfer": Kind(_infer_stream, OF_A_STREAM, lambda answer: not answer.error_message),
}
INSIDE = sum(kind.inside for kind in KINDS.values())


async def paintings(kind: Kind, call: Any) -> int:
    """Reads all answers; gives how many are paintings. Errors of the call are not raised."""
    painted = 0
    try:
        if isinstance(call, grpc.aio.UnaryUnaryCall):
            return int(kind.painted(await call))
        async for answer in call:
            painted += kind.painted(answer)
    except grpc.aio.AioRpcError:
        pass
    return painted


async def main(address: str) -> None:
    """Begins every kind of call and waits for the answers."""
    async with grpc.aio.insecure_channel(address, options=MAX_MESSAGE) as channel:
        calls = [(kind, kind.begin(channel, "plain", PATIENCE)) for kind in KINDS.values()]
        await asyncio.gather(*(paintings(kind, call) for kind, call in calls))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
