"""PyTriton with a simulated device: ``python pytriton_server.py PORT MILLISECONDS``.

PyTriton needs the distribution's own Python. The checkout must be on PYTHONPATH.
"""

import sys
import time
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.free_port import free_port

Pixels = npt.NDArray[np.uint8]


class SimulatedDevice:
    """Pixels in, the same pixels out; one at a time is on the device."""

    def __init__(self, seconds: float) -> None:
        """Takes so many seconds for a request."""
        self._seconds = seconds

    def __call__(self, requests: list[Mapping[str, Pixels]]) -> list[dict[str, Pixels]]:
        """Waits."""
        answers = []
        for request in requests:
            time.sleep(self._seconds)
            answers.append({"stylized": request["image"]})
        return answers


def main() -> None:
    """Serves until SIGTERM."""
    port, milliseconds = sys.argv[1:]
    config = TritonConfig(
        grpc_port=int(port),
        grpc_address="127.0.0.1",
        http_port=free_port(),
        http_address="127.0.0.1",
        metrics_port=free_port(),
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="default",
            infer_func=SimulatedDevice(float(milliseconds) / 1000),
            inputs=[Tensor(name="image", dtype=np.uint8, shape=(-1, -1, 3))],
            outputs=[Tensor(name="stylized", dtype=np.uint8, shape=(-1, -1, 3))],
            config=ModelConfig(max_batch_size=1),
            strict=False,
        )
        triton.serve()


if __name__ == "__main__":
    main()
