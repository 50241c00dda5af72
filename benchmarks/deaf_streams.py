"""Memory that streams take whose client sends frames and never reads an answer. Linux only.

    python -m benchmarks.deaf_streams [--streams 1 8] [--seconds 4]

The server is the real one with a network that does not even pause. A client sends noise of 600 x
600 pixels, a megabyte as PNG, through all streams of one connection until HTTP/2 takes no more;
then it gives them up. Each row has a server of its own.
"""

import argparse
import asyncio
import sys

import grpc
import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.process_memory import mebibytes
from benchmarks.server_speed import simulated_server, some_style
from sfumato.images.codec import ImageFormat, encode_photo
from sfumato.v1 import stylization_service_pb2 as pb
from sfumato.v1.stylization_service_pb2_grpc import StylizationServiceStub

SIDE = 600


async def taken(address: str, pid: int, streams: int, seconds: float) -> tuple[int, float]:
    """Sends through ``streams`` for some seconds.

    Returns:
        How many frames HTTP/2 took, and the server's memory in MiB then.
    """
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    styles = [pb.WeightedStyle(style_id=some_style(), weight=1)]
    frame = pb.StylizeRequest(image=encode_photo(noise, format=ImageFormat.PNG), styles=styles)
    count = 0

    async def send(call: grpc.aio.StreamStreamCall) -> None:  # type: ignore[type-arg]
        nonlocal count
        while True:
            await call.write(pb.StylizeStreamRequest(frame=frame))
            count += 1

    async with grpc.aio.insecure_channel(address) as channel:
        stub = StylizationServiceStub(channel)
        sending = [asyncio.create_task(send(stub.StylizeStream())) for _ in range(streams)]
        await asyncio.wait(sending, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        full = mebibytes(pid)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
    return count, full


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=4.0, help="to send in each row")
    options = parser.parse_args()
    print(describe_machine("grpcio"))
    print(
        "\n| streams | frames taken | MiB before | MiB with them |\n| ---: | ---: | ---: | ---: |"
    )
    for streams in options.streams:
        allowed = ("--max-streams-per-client", str(streams))
        with simulated_server(0, *allowed) as server:
            before = mebibytes(server.pid)
            frames, full = asyncio.run(taken(server.address, server.pid, streams, options.seconds))
        print(f"| {streams} | {frames} | {before:.0f} | {full:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
