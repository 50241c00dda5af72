"""Batches of chosen shapes, which CUDA replays as one graph each.

A graph saves the host the start of every single kernel. It is bound to the shape and to the
addresses with which it was captured, so each shape has arrays of its own on the device, into which
every batch is copied. They belong to a network that is opened once more for this: that of all other
sizes gives free memory back between runs, which a graph might still write to.

Source: ONNX Runtime's documentation, CUDA execution provider, "Using CUDA Graphs". One thread must
do all of it: ONNX Runtime captures a graph for the thread that asks for it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serving.batch_shape import BatchShape
from serving.device.lane import Numbers, Pixels
from serving.device.onnx_runtime import (
    CUDA,
    SessionSettings,
    array_on_gpu,
    create_on_cuda,
    first_line,
    provider_of,
    replaying_run,
)
from sfumato.errors import BundleError

if TYPE_CHECKING:
    import onnxruntime as ort


class CudaGraph:
    """The batches of one shape. The first run captures it."""

    def __init__(
        self,
        network: "ort.InferenceSession",
        number: int,
        shape: BatchShape,
        style_size: int,
        device_id: int,
    ) -> None:
        """Takes memory for the arrays of a batch.

        Args:
            network: opened for graphs; for nothing else.
            number: that of the graph in the network, from 1.
            shape: that of the batch.
            style_size: P, numbers in the row of a style.
            device_id: which GPU holds the arrays.
        """
        self._network = network
        self._images = array_on_gpu(shape.image, np.uint8, device_id)
        self._styles = array_on_gpu((shape.photos, style_size), np.float32, device_id)
        self._painted = array_on_gpu(shape.image, np.uint8, device_id)
        self._binding = network.io_binding()
        self._binding.bind_ortvalue_input("image", self._images)
        self._binding.bind_ortvalue_input("style", self._styles)
        self._binding.bind_ortvalue_output("stylized", self._painted)
        self._options = replaying_run(number)

    def run(self, images: Pixels, styles: Numbers) -> Pixels:
        """Paints ``images`` [N, H, W, 3], of this shape, with ``styles`` [N, P]."""
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
) -> dict[tuple[int, ...], CudaGraph]:
    """Opens a network once more, for the batches that CUDA replays.

    Args:
        path: the ONNX file.
        settings: how to load it.
        alone: the network that runs all other batches.
        style_size: P, numbers in the row of a style.

    Returns:
        The graphs by the shape of their images, [N, H, W, 3]; none if nothing is to be replayed,
        or the network does not run on CUDA.

    Raises:
        BundleError: the network cannot be replayed, or the memory does not suffice.
    """
    if not settings.cuda_graphs or provider_of(alone) != CUDA:
        return {}
    network = create_on_cuda(path, settings, enable_cuda_graph="1")
    device_id = int(settings.cuda_options.get("device_id", "0"))
    try:
        return {
            shape.image: CudaGraph(network, number, shape, style_size, device_id)
            for number, shape in enumerate(settings.cuda_graphs, start=1)
        }
    except Exception as error:
        raise BundleError(f"no CUDA graphs for {path}: {first_line(error)}") from error
