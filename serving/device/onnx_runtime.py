"""How ONNX Runtime opens a network: on CUDA where that works, or on the CPU."""

import contextlib
import ctypes
import functools
import io
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# ONNX Runtime would otherwise report its use to its maker; it looks when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as native

from serving.batch_shape import BatchShape
from serving.config import Device, Precision
from serving.device.cores import usable_cores
from serving.errors import ConfigError
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

_SPIN_MICROSECONDS: Final = "50"
"""Threads that never spin are late for the next operator; threads that spin for as long as ONNX
Runtime's default take the cores from decoding and encoding. Versions of ONNX Runtime that do not
know the setting ignore it."""

_BLOCKS: Final = "4"
"""Blocks per thread into which an operator is cut. With one each, all threads wait for the one
that had to give its core to a photo that is decoded."""

_MOST_AT_ONCE: Final = 4  # each needs memory of its own

_MAIN_MEMORY: Final = native.OrtDevice(native.OrtDevice.cpu(), native.OrtDevice.default_memory(), 0)
_NONE: Final = os.devnull  # a folder that there never is
_SHRINK: Final = "memory.enable_memory_arena_shrinkage"
_GRAPH: Final = "gpu_graph_id"
_QUIET: Final = 4  # only fatal messages: errors reach us as exceptions and are told in our words


@dataclass(frozen=True)
class SessionSettings:
    """How networks are loaded, as ServerConfig describes it; what it leaves open is decided."""

    device: Device = "auto"
    precision: Precision = "auto"
    batches_at_once: int = 1
    intra_op_threads: int | None = None
    cuda_options: Mapping[str, str] = field(default_factory=dict)
    cuda_graphs: Sequence[BatchShape] = ()


def open_network(path: Path, settings: SessionSettings) -> ort.InferenceSession:
    """Opens an ONNX file on CUDA or on the CPU.

    Asking for CUDA where it does not work raises nothing and gives a session on the CPU, and
    CUDA is listed as available wherever ONNX Runtime was built with it. Only the session's own
    providers tell the truth.

    Raises:
        BundleError: ONNX Runtime cannot read the file.
        ConfigError: CUDA is demanded and does not work here, or does not know an option.
    """
    _check_cuda_options(settings.cuda_options)
    printed = io.StringIO()
    if may_have_cuda(settings.device):
        ort.set_default_logger_severity(_QUIET)  # a missing GPU is told once, by us
        with contextlib.redirect_stdout(printed):  # both print why CUDA does not work
            ort.preload_dlls()  # from the Python packages of CUDA and cuDNN, if they are installed
            session = create_on_cuda(path, settings)
        _log.debug("ONNX Runtime on CUDA: %s", printed.getvalue().strip() or "nothing is missing")
        if provider_of(session) == CUDA:
            return session
    if settings.device == "cuda":
        raise ConfigError(_no_cuda() + _reason(printed.getvalue()))
    _register_arena()
    return _create(path, [CPU], _threads(settings))


def open_for_sharing(
    path: Path, settings: SessionSettings, alone: ort.InferenceSession
) -> ort.InferenceSession:
    """Opens the file once more, for when several batches run at the same time.

    On the CPU, two batches with one core each are done sooner than one after the other with both
    cores, as threads of one batch wait for each other after every operator; a batch that is alone
    is done sooner with all cores.

    Args:
        path: the file.
        settings: how it was opened.
        alone: what ``open_network`` gave, and what this gives where batches need not share cores.

    Raises:
        BundleError: ONNX Runtime cannot read the file.
    """
    if settings.batches_at_once == 1 or provider_of(alone) != CPU:
        return alone
    return _create(path, [CPU], max(1, _threads(settings) // settings.batches_at_once))


def create_on_cuda(path: Path, settings: SessionSettings, **more: str) -> ort.InferenceSession:
    """Opens an ONNX file for CUDA, or for the CPU if CUDA does not work.

    Args:
        path: the file.
        settings: how to load it.
        more: options of the CUDA provider that go before those of ``settings``.

    Raises:
        BundleError: ONNX Runtime cannot read the file.
    """
    options = {**CUDA_OPTIONS, **settings.cuda_options, **more}
    return _create(path, [(CUDA, options), CPU], settings.intra_op_threads or 1)


def provider_of(network: ort.InferenceSession) -> str:
    """Names the execution provider that really runs a network, not the one asked for."""
    first: str = network.get_providers()[0]
    return first


def run_into(
    network: ort.InferenceSession,
    inputs: Mapping[str, npt.NDArray[Any]],
    outputs: Mapping[str, npt.NDArray[Any]],
    options: ort.RunOptions | None,
) -> None:
    """Runs a network that reads ``inputs`` and fills ``outputs``, contiguous arrays of ours.

    Other threads of Python run on meanwhile. With IO binding they would stand still while an
    input is copied to a GPU: that is done by the call that binds it, which keeps the lock.
    """
    network.run_with_ortvaluevector(
        options or ort.RunOptions(),
        list(inputs),
        _values(inputs.values()),
        list(outputs),
        _values(outputs.values()),
        [_MAIN_MEMORY] * len(outputs),
    )


def shrinking_run(network: ort.InferenceSession) -> ort.RunOptions:
    """Gives options for a run after which the arena of ``network`` gives its free memory back."""
    arena = "cpu:0"
    if provider_of(network) == CUDA:
        arena = "gpu:" + network.get_provider_options()[CUDA]["device_id"]
    options = ort.RunOptions()
    options.add_run_config_entry(_SHRINK, arena)
    return options


def replaying_run(number: int) -> ort.RunOptions:
    """Gives options for a run that CUDA captures, and replays when they are used again.

    Args:
        number: that of the graph, from 1.
    """
    options = ort.RunOptions()
    options.add_run_config_entry(_GRAPH, str(number))
    return options


def array_on_gpu(shape: Sequence[int], kind: type[np.generic], device_id: int) -> ort.OrtValue:
    """Reserves an array in the memory of a GPU, of which the first has the id 0."""
    return ort.OrtValue.ortvalue_from_shape_and_type(shape, kind, "cuda", device_id)


def _values(arrays: Iterable[npt.NDArray[Any]]) -> native.OrtValueVector:
    values = native.OrtValueVector()
    for array in arrays:
        values.push_back(native.OrtValue.ortvalue_from_numpy(array, _MAIN_MEMORY))
    return values


def _threads(settings: SessionSettings) -> int:
    return settings.intra_op_threads or usable_cores()


def may_have_cuda(device: Device) -> bool:
    """Whether networks are likely to run on a GPU; only a session knows for sure."""
    return device != "cpu" and CUDA in ort.get_available_providers() and _has_driver()


def usual_batches_at_once(device: Device) -> int:
    """Gives how many batches may run at the same time where the operator does not say.

    On CUDA one: it has the whole device, and nothing has shown that more would be better.
    """
    return 1 if may_have_cuda(device) else min(_MOST_AT_ONCE, usable_cores())


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


@functools.cache
def _register_arena() -> None:
    """Makes one arena for all sessions on the CPU.

    It keeps ONNX Runtime's own settings: regions that double, up to 1 GiB. Photos of 12 million
    pixels take up to twice as much in regions of 2 GiB, and in those as large as each request
    (docs/serving.md).
    """
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({}))


def _create(path: Path, providers: list[Any], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = _QUIET
    options.enable_mem_pattern = False  # a pattern per photo size is kept for ever
    if providers == [CPU]:
        options.add_session_config_entry("session.use_env_allocators", "1")  # _register_arena
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_MICROSECONDS)
    options.add_session_config_entry("session.dynamic_block_base", _BLOCKS)
    # Numbers in other files would be covered by no digest, and change below a served network.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NONE)
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise BundleError(f"ONNX Runtime refuses {path}: {first_line(error)}") from error


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


def _reason(printed: str) -> str:
    told = [line for line in printed.splitlines() if line.startswith(("EP Error ", "Failed "))]
    return f". ONNX Runtime says: {told[-1]}" if told else ""


def first_line(error: Exception) -> str:
    """Gives what is worth telling of an error of ONNX Runtime."""
    return (str(error).splitlines() or [type(error).__name__])[0]
