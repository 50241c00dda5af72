"""A network that paints batches of photos."""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from serving.device.cuda_graphs import open_graphs
from serving.device.lane import Numbers, Pixels
from serving.device.onnx_runtime import (
    SessionSettings,
    first_line,
    open_for_sharing,
    provider_of,
    run_into,
    shrinking_run,
)
from serving.device.precision import open_network_of
from serving.errors import OutOfMemoryError
from sfumato.bundle.bundle import Bundle
from sfumato.errors import BundleError


class DeviceShare:
    """Counts the batches that run on one device, of all its networks. For any thread."""

    def __init__(self) -> None:
        """Starts with none."""
        self._lock = threading.Lock()
        self._running = 0

    @contextmanager
    def taken(self) -> Iterator[int]:
        """Counts one batch in for as long as the block lasts; gives how many others run."""
        with self._lock:
            others = self._running
            self._running += 1
        try:
            yield others
        finally:
            with self._lock:
                self._running -= 1


if TYPE_CHECKING:
    import onnxruntime as ort

_USUAL: Final = (256, 256)
_NO_MEMORY: Final = "Failed to allocate memory"  # ONNX Runtime has no type or code for it

_EXPECTED: Final = {
    "image": ("tensor(uint8)", (None, None, None, 3)),
    "style": ("tensor(float)", (None, None)),
    "stylized": ("tensor(uint8)", (None, None, None, 3)),
}


class OnnxSession:
    """A network that runs, on several threads at once if need be.

    Attributes:
        provider: name of the execution provider that really runs, not of the one asked for.
        precision: float32, float16 or int8, as was decided.
    """

    def __init__(
        self, bundle: Bundle, settings: SessionSettings, device: DeviceShare | None = None
    ) -> None:
        """Loads the network of ``bundle``.

        Args:
            bundle: holds the network.
            settings: how to load it.
            device: knows what else runs there; None if nothing does.

        Raises:
            BundleError: no file of the wanted precision, or not a graph that fits the bundle.
            ConfigError: CUDA, or int8, is demanded and does not work here.
        """
        self._device = device or DeviceShare()
        precision, path, self._session = open_network_of(bundle, settings)
        self.precision: str = precision
        self._sharing = open_for_sharing(path, settings, self._session)
        self.provider = provider_of(self._session)
        self._style_size = bundle.network.style_size
        _check_graph(self._session, path, self._style_size)
        self._graphs = open_graphs(path, settings, self._session, self._style_size)
        self._min_side = bundle.network.min_side
        self._shrink = shrinking_run(self._session)
        self._last_size: tuple[int, ...] = ()

    def run(self, images: Pixels, styles: Numbers, /) -> Pixels:
        """Paints ``images`` uint8 [N, H, W, 3] with ``styles`` float32 [N, P]; same shape out.

        Raises:
            OutOfMemoryError: the device has not enough memory for the batch.
        """
        try:
            if graph := self._graphs.get(images.shape):
                return graph.run(images, styles)
            with self._device.taken() as others:
                return self._run(self._sharing if others else self._session, images, styles)
        except Exception as error:
            if isinstance(error, MemoryError) or _NO_MEMORY in str(error):
                n, height, width, _ = images.shape
                raise OutOfMemoryError(
                    f"the server has not enough memory to paint {n} of {width} x {height} pixels "
                    "at once; send a smaller photo"
                ) from error
            raise

    def _run(self, session: "ort.InferenceSession", images: Pixels, styles: Numbers) -> Pixels:
        # Into memory of our own: what lies in the arena keeps the arena from shrinking.
        painted = np.empty(images.shape, np.uint8)
        inputs: dict[str, npt.NDArray[Any]] = {
            "image": np.ascontiguousarray(images),
            "style": styles,
        }
        run_into(session, inputs, {"stylized": painted}, self._run_options(images.shape[1:3]))
        return painted

    def _run_options(self, size: tuple[int, ...]) -> "ort.RunOptions | None":
        """Lets the arena shrink after a run of another size than the one before.

        By itself it never shrinks, and a server sees every size there is. Shrinking after every
        run costs 10 to 15 % of the time (docs/serving.md), after a change of size nearly nothing.
        """
        changed, self._last_size = size != self._last_size, size
        return self._shrink if changed else None

    def warm_up_runs(self, batch_size: int) -> list[Callable[[], None]]:
        """Gives the first, slow runs of the network, which check that sizes are kept.

        They are single runs, so that other work can go on between them. Each raises BundleError
        if the network fails, or gives an image of another size.

        Args:
            batch_size: largest batch to expect.
        """
        smallest = (self._min_side, self._min_side + 1)
        # Last come the small ones, and leave little memory behind.
        shapes = ((1, _USUAL), (1, _USUAL), (1, smallest), (batch_size, smallest))
        replayed = ((n, (height, width)) for n, height, width, _ in self._graphs)
        return [functools.partial(self._try, n, size) for n, size in (*replayed, *shapes)]

    def _try(self, n: int, size: tuple[int, int]) -> None:
        shape = (n, *size, 3)
        try:
            self.run(np.zeros(shape, np.uint8), np.zeros((n, self._style_size), np.float32))
        except Exception as error:
            raise BundleError(
                f"the network does not take {list(shape)} and keep that size: {first_line(error)}"
            ) from error


def _check_graph(session: "ort.InferenceSession", path: Path, style_size: int) -> None:
    nodes = {node.name: node for node in (*session.get_inputs(), *session.get_outputs())}
    if set(nodes) != set(_EXPECTED):
        raise BundleError(
            f"{path} has the inputs and outputs {', '.join(sorted(nodes))}; "
            f"it must have {', '.join(sorted(_EXPECTED))}"
        )
    for name, (kind, shape) in _EXPECTED.items():
        found = (nodes[name].type, nodes[name].shape)
        if found[0] != kind or not _fits(found[1], shape):
            raise BundleError(f"{name} of {path} is {found[0]} {found[1]}, not {kind} {shape}")
    columns = nodes["style"].shape[1]
    if isinstance(columns, int) and columns != style_size:
        raise BundleError(f"{path} takes {columns} numbers per style, the rows have {style_size}")


def _fits(found: list[Any], expected: tuple[int | None, ...]) -> bool:
    return len(found) == len(expected) and all(
        wanted is None or size == wanted or not isinstance(size, int)
        for size, wanted in zip(found, expected, strict=True)
    )
