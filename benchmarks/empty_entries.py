"""What a message costs that consists of nothing but empty entries, while it is read.

Run ``python -m benchmarks.empty_entries [--mebibytes 64]``. No limit of the server is smaller than
its --max-message-bytes here: how many entries there are is known when all have been read.
"""

import argparse
import multiprocessing
import resource
import time
from typing import Final

from google.protobuf.message import Message

from benchmarks.machine import describe_machine
from sfumato.inference import open_inference_pb2 as inference
from sfumato.v1 import stylization_service_pb2 as stylization

_MESSAGES: Final[dict[str, Message]] = {
    "StylizeRequest.styles": stylization.StylizeRequest(styles=[stylization.WeightedStyle()]),
    "ModelInferRequest.inputs": inference.ModelInferRequest(
        inputs=[inference.ModelInferRequest.InferInputTensor()]
    ),
    "ModelInferRequest.raw_input_contents": inference.ModelInferRequest(raw_input_contents=[b""]),
}


def read(message: Message, mebibytes: int) -> tuple[float, int]:
    """Reads a message that repeats the only entry of ``message``.

    Returns:
        Seconds that it takes, and the most MiB of memory of the process.
    """
    entry = message.SerializeToString()
    data = entry * ((mebibytes << 20) // len(entry))
    start = time.perf_counter()
    type(message).FromString(data)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """Prints a line for each field."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=64)
    mebibytes: int = parser.parse_args().mebibytes
    print(describe_machine("protobuf"))
    print(f"\n| {mebibytes} MiB of empty | seconds | most MiB |\n| --- | ---: | ---: |")
    for name, message in _MESSAGES.items():
        with multiprocessing.get_context("spawn").Pool(1) as process:  # memory of its own
            seconds, most = process.apply(read, (message, mebibytes))
        print(f"| {name} | {seconds:.2f} | {most} |")


if __name__ == "__main__":
    main()
