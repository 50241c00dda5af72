"""Ray Serve's gRPC proxy with a simulated device: ``python ray_server.py PORT MILLISECONDS``.

Serves sfumato.v1, so the checkout must be on PYTHONPATH.
"""

import asyncio
import signal
import sys
import time

import ray
import simplejpeg
from ray import serve
from ray.serve.config import gRPCOptions

from benchmarks.free_port import free_port
from sfumato.v1 import stylization_service_pb2 as pb

SERVICER = "sfumato.v1.stylization_service_pb2_grpc.add_StylizationServiceServicer_to_server"


class SimulatedDevice:
    """Image files in, the same pictures out; one at a time is on the device."""

    def __init__(self, seconds: float) -> None:
        """Takes so many seconds for a picture."""
        self._seconds = seconds
        self._device = asyncio.Lock()

    async def Stylize(self, request: pb.StylizeRequest) -> pb.StylizeResponse:  # noqa: N802
        """Reads the picture, waits, and writes it."""
        pixels = await asyncio.to_thread(simplejpeg.decode_jpeg, request.image)
        async with self._device:
            await asyncio.to_thread(time.sleep, self._seconds)
        file = await asyncio.to_thread(
            simplejpeg.encode_jpeg, pixels, quality=90, colorsubsampling="420"
        )
        height, width = pixels.shape[:2]
        return pb.StylizeResponse(
            image=file, format=pb.IMAGE_FORMAT_JPEG, width=width, height=height
        )


def main() -> None:
    """Serves until SIGTERM."""
    port, milliseconds = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=512 << 20,
        _node_ip_address="127.0.0.1",
    )
    try:
        serve.start(
            # The proxy of gRPC is that of HTTP, so HTTP cannot be left out.
            http_options={"location": "HeadOnly", "host": "127.0.0.1", "port": free_port()},
            grpc_options=gRPCOptions(port=int(port), grpc_servicer_functions=[SERVICER]),
        )
        deployment = serve.deployment(max_ongoing_requests=16)(SimulatedDevice)
        serve.run(deployment.bind(float(milliseconds) / 1000))
        signal.pause()
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
