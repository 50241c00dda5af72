"""The least that a service like ours can be: gRPC, JPEG, a pause, and nothing around them.

    python -m benchmarks.bare_service MILLISECONDS [options of python -m serving]

It has no styles, batches, limits, deadlines, errors, log or counters; what ``simulated_device``
costs beyond it is the price of those. Of the options only those of the port and
``--codec-threads`` do anything.
"""

import asyncio
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import numpy.typing as npt
import simplejpeg
import uvloop

from serving.command_line import read_config
from serving.process import give_way
from serving.server import codec_threads
from serving.wire.stylization import SERVICE_NAME
from sfumato.files.atomic import write_file
from sfumato.v1 import stylization_service_pb2 as pb

Pixels = npt.NDArray[np.uint8]


class BareService:
    """Decodes on some threads, pauses on another, encodes on the first ones."""

    def __init__(self, seconds: float, codec_threads: int) -> None:
        """Pauses for so many seconds."""
        self._seconds = seconds
        self._codec = ThreadPoolExecutor(codec_threads, initializer=give_way)
        self._device = ThreadPoolExecutor(1)

    async def stylize(self, request: pb.StylizeRequest, _context: object) -> pb.StylizeResponse:
        """Gives a JPEG back as it came."""
        loop = asyncio.get_running_loop()
        photo = await loop.run_in_executor(self._codec, simplejpeg.decode_jpeg, request.image)
        await loop.run_in_executor(self._device, time.sleep, self._seconds)
        image = await loop.run_in_executor(self._codec, _encode, photo)
        return pb.StylizeResponse(image=image, format=pb.IMAGE_FORMAT_JPEG)

    def handlers(self) -> grpc.GenericRpcHandler:
        """Gives what gRPC asks for methods; it has Stylize only."""
        stylize = grpc.unary_unary_rpc_method_handler(
            self.stylize, pb.StylizeRequest.FromString, pb.StylizeResponse.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE_NAME, {"Stylize": stylize})


def _encode(photo: Pixels) -> bytes:
    image: bytes = simplejpeg.encode_jpeg(photo, 90, "RGB", "420")  # as our server does
    return image


async def _serve(seconds: float, options: list[str]) -> int:
    config = read_config(options)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([BareService(seconds, codec_threads(config)).handlers()])
    port = server.add_insecure_port(f"{config.host}:{config.port}")
    await server.start()
    if config.port_file is not None:
        write_file(config.port_file, f"{port}\n".encode())
    await stopping.wait()
    await server.stop(0)
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(_serve(float(sys.argv[1]) / 1000, sys.argv[2:])))
