"""One network in ONNX Runtime: the only file that knows it."""

import contextlib
import ctypes
import functools
import io
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# ONNX Runtime would otherwise report its use to its maker; it looks when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from serving.config import Device, Precision
from serving.cores import usable_cores
from serving.device_share import DeviceShare
from serving.errors import ConfigError, OutOfMemoryError
from sfumato.bundle import Bundle
from sfumato.errors import BundleError

_log = logging.getLogger(__name__)

CUDA: Final = "CUDAExecutionProvider"
CPU: Final = "CPUExecutionProvider"

CUDA_OPTIONS: Final = {
    # EXHAUSTIVE searches anew for each photo size (hundreds of milliseconds); DEFAULT has been
    # cuDNN's slow fallback since ONNX Runtime 1.20 (onnxruntime #22705).
    "cudnn_conv_algo_search": "HEURISTIC",
    # The other strategy doubles the arena each time it grows.
    "arena_extend_strategy": "kSameAsRequested",
    # ONNX Runtime's documentation: "If false, there are race conditions".
    "do_copy_in_default_stream": "1",
}
"""What the CUDA provider gets, unless ``cuda_options`` says otherwise."""

_CUDA_OPTION_NAMES: Final = frozenset(
    {
        "device_id",
        "gpu_mem_limit",
        "arena_extend_strategy",
        "cudnn_conv_algo_search",
        "cudnn_conv_use_max_workspace",
        "do_copy_in_default_stream",
        "enable_skip_layer_norm_strict_mode",
        "fuse_conv_bias",
        "prefer_nhwc",
        "use_ep_level_unified_stream",
        "use_tf32",
    }
)  # ONNX Runtime takes any name and says nothing of those that it does not know

_ARENA: Final = {
    # Memory is taken in few regions as large as this 32-bit number allows; pages that are never
    # touched cost nothing. Within many small regions, which is the default, large photos find no
    # gap that fits and need up to twice the memory (docs/serving.md).
    "initial_growth_chunk_size_bytes": 2**31 - 2**16,
    "max_power_of_two_extend_bytes": 2**31 - 2**16,
}
_SPIN_MICROSECONDS: Final = "50"
"""Threads that never spin are late for the next operator; threads that spin for as long as ONNX
Runtime's default take the cores from decoding and encoding. Versions of ONNX Runtime that do not
know the setting ignore it."""

_BLOCKS: Final = "4"
"""Blocks per thread into which an operator is cut. With one each, all threads wait for the one
that had to give its core to a photo that is decoded."""

_MOST_AT_ONCE: Final = 4  # each needs memory of its own

_USUAL: Final = (256, 256)
_SHRINK: Final = "memory.enable_memory_arena_shrinkage"
_NO_MEMORY: Final = "Failed to allocate memory"  # ONNX Runtime has no type or code for it
_QUIET: Final = 4  # only fatal messages: errors reach us as exceptions and are told in our words

_EXPECTED: Final = {
    "image": ("tensor(uint8)", (None, None, None, 3)),
    "style": ("tensor(float)", (None, None)),
    "stylized": ("tensor(uint8)", (None, None, None, 3)),
}


@dataclass(frozen=True)
class SessionSettings:
    """How networks are loaded; the fields of ServerConfig of the same names."""

    device: Device = "auto"
    precision: Precision = "float32"
    batches_at_once: int = 1
    intra_op_threads: int | None = None
    cuda_options: Mapping[str, str] = field(default_factory=dict)


class OnnxSession:
    """A network that runs, on several threads at once if need be.

    Attributes:
        provider: name of the execution provider that really runs, not of the one asked for.
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
            ConfigError: CUDA is demanded and does not work here.
        """
        path = _model_path(bundle, settings.precision)
        self._device = device or DeviceShare()
        self._session = _open(path, settings)
        self.provider: str = self._session.get_providers()[0]
        self._sharing = self._session
        if self.provider == CPU and settings.batches_at_once > 1:
            # Two batches with one core each are done sooner than one after the other with both
            # cores, as threads of one batch wait for each other after every operator; a batch
            # that is alone is done sooner with all cores.
            self._sharing = _create(path, [CPU], _share_of_threads(settings))
        self._style_size = bundle.network.style_size
        _check_graph(self._session, path, self._style_size)
        self._min_side = bundle.network.min_side
        self._shrink = ort.RunOptions()
        arena = "gpu:0" if self.provider == CUDA else "cpu:0"
        self._shrink.add_run_config_entry(_SHRINK, arena)
        self._last_size: tuple[int, ...] = ()

    def run(
        self, images: npt.NDArray[np.uint8], styles: npt.NDArray[np.float32], /
    ) -> npt.NDArray[np.uint8]:
        """Paints ``images`` uint8 [N, H, W, 3] with ``styles`` float32 [N, P]; same shape out.

        Raises:
            OutOfMemoryError: the device has not enough memory for the batch.
        """
        painted = np.empty(images.shape, np.uint8)
        try:
            with self._device.taken() as others:
                self._run(self._sharing if others else self._session, images, styles, painted)
        except Exception as error:
            if _NO_MEMORY in str(error):
                n, height, width, _ = images.shape
                raise OutOfMemoryError(
                    f"the server has not enough memory to paint {n} of {width} x {height} pixels "
                    "at once; send a smaller photo"
                ) from error
            raise
        return painted

    def _run(
        self,
        session: ort.InferenceSession,
        images: npt.NDArray[np.uint8],
        styles: npt.NDArray[np.float32],
        painted: npt.NDArray[np.uint8],
    ) -> None:
        binding = session.io_binding()
        binding.bind_cpu_input("image", np.ascontiguousarray(images))
        binding.bind_cpu_input("style", styles)
        # Into memory of our own: what lies in the arena keeps the arena from shrinking.
        binding.bind_output("stylized", "cpu", 0, np.uint8, painted.shape, painted.ctypes.data)
        session.run_with_iobinding(binding, self._run_options(images.shape[1:3]))

    def _run_options(self, size: tuple[int, ...]) -> ort.RunOptions | None:
        """Lets the arena shrink after a run of another size than the one before.

        By itself it never shrinks, and a server sees every size there is. Shrinking after every
        run costs 10 to 15 % of the time (docs/serving.md), after a change of size nearly nothing.
        """
        changed, self._last_size = size != self._last_size, size
        return self._shrink if changed else None

    def warm_up(self, batch_size: int) -> None:
        """Makes all of ``warm_up_runs``."""
        for run in self.warm_up_runs(batch_size):
            run()

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
        return [functools.partial(self._try, n, size) for n, size in shapes]

    def _try(self, n: int, size: tuple[int, int]) -> None:
        images = np.zeros((n, *size, 3), np.uint8)
        styles = np.zeros((n, self._style_size), np.float32)
        try:
            self.run(images, styles)
        except Exception as error:
            raise BundleError(
                f"the network does not take {list(images.shape)} and keep that size: "
                f"{_first_line(error)}"
            ) from error


def _model_path(bundle: Bundle, precision: Precision) -> Path:
    if precision == "float32":
        return bundle.model_path
    if bundle.float16_path is None:
        raise BundleError(
            f"bundle {bundle.path} has no float16 network; serve it with --precision float32"
        )
    return bundle.float16_path


def _open(path: Path, settings: SessionSettings) -> ort.InferenceSession:
    """Opens the file on CUDA or on the CPU.

    Asking for CUDA where it does not work raises nothing and gives a session on the CPU, and
    CUDA is listed as available wherever ONNX Runtime was built with it. Only the session's own
    providers tell the truth.
    """
    _check_cuda_options(settings.cuda_options)
    if _may_have_cuda(settings.device):
        ort.set_default_logger_severity(_QUIET)  # a missing GPU is told once, by us
        _preload_libraries()
        providers = [(CUDA, {**CUDA_OPTIONS, **settings.cuda_options}), CPU]
        session = _create(path, providers, settings.intra_op_threads or 1)
        if session.get_providers()[0] == CUDA:
            return session
    if settings.device == "cuda":
        raise ConfigError(_no_cuda())
    _register_arena()
    return _create(path, [CPU], _threads(settings))


def _threads(settings: SessionSettings) -> int:
    return settings.intra_op_threads or usable_cores()


def _share_of_threads(settings: SessionSettings) -> int:
    return max(1, _threads(settings) // settings.batches_at_once)


def _may_have_cuda(device: Device) -> bool:
    return device != "cpu" and CUDA in ort.get_available_providers() and _has_driver()


def usual_batches_at_once(device: Device) -> int:
    """Gives how many batches may run at the same time where the operator does not say.

    On CUDA one: it has the whole device, and nothing has shown that more would be better.
    """
    return 1 if _may_have_cuda(device) else min(_MOST_AT_ONCE, usable_cores())


def _has_driver() -> bool:
    """Whether NVIDIA's driver is installed.

    Without one, loading ONNX Runtime's CUDA provider would cost 200 MB to learn just that.
    """
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _check_cuda_options(options: Mapping[str, str]) -> None:
    unknown = sorted(set(options) - _CUDA_OPTION_NAMES)
    if unknown:
        raise ConfigError(
            f"cuda_options has {unknown[0]!r}; the CUDA provider takes "
            + ", ".join(sorted(_CUDA_OPTION_NAMES))
        )


def _preload_libraries() -> None:
    """Loads CUDA and cuDNN from their Python packages, if they are installed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):  # it prints what it misses
        ort.preload_dlls()
    _log.debug("CUDA libraries: %s", printed.getvalue().strip() or "found")


@functools.cache
def _register_arena() -> None:
    """Makes one arena for all sessions on the CPU."""
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(_ARENA))


def _create(path: Path, providers: list[Any], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = _QUIET
    options.enable_mem_pattern = False  # a pattern per photo size is kept for ever
    if providers == [CPU]:
        options.add_session_config_entry("session.use_env_allocators", "1")  # _register_arena
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_MICROSECONDS)
    options.add_session_config_entry("session.dynamic_block_base", _BLOCKS)
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise BundleError(f"ONNX Runtime refuses {path}: {_first_line(error)}") from error


def _check_graph(session: ort.InferenceSession, path: Path, style_size: int) -> None:
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


def _no_cuda() -> str:
    if CUDA not in ort.get_available_providers():
        return (
            "device is cuda, but this ONNX Runtime is built without CUDA; "
            "install onnxruntime-gpu or use --device cpu"
        )
    return (
        "device is cuda, but CUDA does not work here (no GPU, no driver, or no CUDA and cuDNN "
        "libraries); use --device auto or cpu to run on the CPU"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
