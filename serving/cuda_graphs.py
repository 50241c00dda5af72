"""Batches of chosen shapes, which CUDA replays as one graph each.

A graph saves the host the start of every single kernel. It is bound to the shape and to the
addresses with which it was captured, so each shape has arrays of its own on the device, into which
every batch is copied. They belong to a network that is opened once more for this: that of all other
sizes gives free memory back between runs, which a graph might still write to.

Source: ONNX Runtime's documentation, CUDA execution provider, "Using CUDA Graphs". One thread must
do all of it: ONNX Runtime captures a graph for the thread that asks for it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from serving.batch_shape import BatchShape
from serving.lane import Numbers, Pixels
from serving.onnx_runtime import (
    CUDA,
    SessionSettings,
    array_on_device,
    create_on_cuda,
    first_line,
    provider_of,
    replaying_run,
)
from sfumato.errors import BundleError

if TYPE_CHECKING:
    import onnxruntime as ort


class CudaGraphs:
    """The batches that are replayed. The first run of a shape captures it.

    Attributes:
        shapes: theirs.
    """

    def __init__(
        self,
        network: "ort.InferenceSession",
        shapes: Sequence[BatchShape],
        style_size: int,
        *,
        memory: str = "cuda",
        device_id: int = 0,
    ) -> None:
        """Takes memory for the arrays of each shape.

        Args:
            network: opened for graphs; for nothing else.
            shapes: what is replayed.
            style_size: P, numbers in the row of a style.
            memory: kind of device that holds the arrays.
            device_id: which of them.
        """
        self.shapes: Final = tuple(shapes)
        self._batches: Final = {
            shape.image: _FixedBatch(network, number, shape, style_size, (memory, device_id))
            for number, shape in enumerate(shapes, start=1)
        }

    def __contains__(self, image: tuple[int, ...]) -> bool:
        """Whether batches of the shape ``image`` are replayed."""
        return image in self._batches

    def run(self, images: Pixels, styles: Numbers) -> Pixels:
        """Paints ``images`` [N, H, W, 3], of a shape that is in here, with ``styles`` [N, P]."""
        return self._batches[images.shape].run(images, styles)


class _FixedBatch:
    def __init__(
        self,
        network: "ort.InferenceSession",
        number: int,
        shape: BatchShape,
        style_size: int,
        place: tuple[str, int],
    ) -> None:
        self._network = network
        self._images = array_on_device(shape.image, np.uint8, *place)
        self._styles = array_on_device((shape.photos, style_size), np.float32, *place)
        self._painted = array_on_device(shape.image, np.uint8, *place)
        self._binding = network.io_binding()
        self._binding.bind_ortvalue_input("image", self._images)
        self._binding.bind_ortvalue_input("style", self._styles)
        self._binding.bind_ortvalue_output("stylized", self._painted)
        self._options = replaying_run(number)

    def run(self, images: Pixels, styles: Numbers) -> Pixels:
        self._images.update_inplace(np.ascontiguousarray(images))
        self._styles.update_inplace(styles)
        # Copies and graph are on different streams of the device.
        self._binding.synchronize_inputs()
        self._network.run_with_iobinding(self._binding, self._options)
        self._binding.synchronize_outputs()
        painted: Pixels = self._binding.copy_outputs_to_cpu()[0]
        return painted


def open_graphs(
    path: Path, settings: SessionSettings, alone: "ort.InferenceSession", style_size: int
) -> CudaGraphs | None:
    """Opens a network once more, for the batches that CUDA replays.

    Args:
        path: the ONNX file.
        settings: how to load it.
        alone: the network that runs all other batches.
        style_size: P, numbers in the row of a style.

    Returns:
        None if nothing is to be replayed, or the network does not run on CUDA.

    Raises:
        BundleError: the network cannot be replayed, or the memory does not suffice.
    """
    if not settings.cuda_graphs or provider_of(alone) != CUDA:
        return None
    network = create_on_cuda(path, settings, enable_cuda_graph="1")
    device_id = int(settings.cuda_options.get("device_id", "0"))
    try:
        return CudaGraphs(network, settings.cuda_graphs, style_size, device_id=device_id)
    except Exception as error:
        raise BundleError(f"no CUDA graphs for {path}: {first_line(error)}") from error
