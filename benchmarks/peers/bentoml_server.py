"""BentoML with a simulated device; ``bentoml serve`` runs it.

SIMULATED_MILLISECONDS says how long the device takes.
"""

import os
import threading
import time
from typing import Annotated

import bentoml
from bentoml.validators import ContentType
from PIL import Image

SECONDS = float(os.environ["SIMULATED_MILLISECONDS"]) / 1000


@bentoml.service(workers=1, threads=8, traffic={"timeout": 600})
class SimulatedDevice:
    """Image files in a form in, the same pictures out; one at a time is on the device."""

    def __init__(self) -> None:
        """Starts idle."""
        self._device = threading.Lock()

    @bentoml.api
    def stylize(self, image: Image.Image) -> Annotated[Image.Image, ContentType("image/jpeg")]:
        """Reads the picture and waits; BentoML writes it."""
        pixels = image.convert("RGB")
        pixels.format = "JPEG"  # BentoML writes pictures of no format as PNG
        with self._device:
            time.sleep(SECONDS)
        return pixels
