"""KServe's Python client. Its environment has no Sfumato."""

import asyncio
import sys

import grpc.aio
import numpy as np
from checklist import DARK, PHOTOS, check
from kserve import InferenceGRPCClient, InferInput, InferRequest


def request(style: str, *, binary: bool) -> InferRequest:
    image = InferInput("image", list(PHOTOS.shape), "UINT8")
    image.set_data_from_numpy(PHOTOS, binary_data=binary)
    return InferRequest("default", infer_inputs=[image], parameters={"style": style})


async def status(client: InferenceGRPCClient, style: str) -> grpc.StatusCode:
    """Sends a request; gives the status of the answer."""
    try:
        await client.infer(request(style, binary=True))
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def main(address: str) -> None:
    async with InferenceGRPCClient(address) as client:
        with check("ServerLive, ServerReady, ModelReady"):
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("default")
        for binary, words in ((True, "raw"), (False, "typed")):
            with check(f"ModelInfer, {words} contents"):
                answer = await client.infer(request("dark", binary=binary))
                np.testing.assert_array_equal(answer.outputs[0].as_numpy(), DARK)
        with check("error NOT_FOUND"):
            assert await status(client, "nothing") is grpc.StatusCode.NOT_FOUND


asyncio.run(main(sys.argv[1]))
