"""LitServe with a simulated device: ``python litserve_server.py PORT MILLISECONDS``."""

import base64
import sys
import time
from typing import Any

import litserve
import numpy as np
import numpy.typing as npt
import simplejpeg


class SimulatedDevice(litserve.LitAPI):
    """Image files in base64 in, the same pictures out; one worker does one at a time."""

    def __init__(self, seconds: float) -> None:
        """Takes so many seconds for a picture."""
        super().__init__()
        self._seconds = seconds

    def setup(self, device: str) -> None:
        """There is nothing to load."""

    def decode_request(self, request: dict[str, Any]) -> npt.NDArray[np.uint8]:
        """Reads the picture."""
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(base64.b64decode(request["image"]))
        return pixels

    def predict(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Waits."""
        time.sleep(self._seconds)
        return pixels

    def encode_response(self, pixels: npt.NDArray[np.uint8]) -> dict[str, str]:
        """Writes the picture."""
        file = simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="420")
        return {"image": base64.b64encode(file).decode()}


if __name__ == "__main__":
    server = litserve.LitServer(
        SimulatedDevice(float(sys.argv[2]) / 1000), accelerator="cpu", workers_per_device=1
    )
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
