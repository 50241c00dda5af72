"""Which of a bundle's networks is served: in float32, float16 or int8."""

import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from serving.config import Precision
from serving.device.onnx_runtime import (
    CUDA,
    SessionSettings,
    may_have_cuda,
    open_network,
    provider_of,
)
from serving.errors import ConfigError
from sfumato.bundle.bundle import Bundle
from sfumato.errors import BundleError

if TYPE_CHECKING:
    import onnxruntime as ort

_PROCESSOR: Final = Path("/proc/cpuinfo")

# Products of bytes summed up in one instruction: without them int8 is slower than float32, and on
# x86 sums of two products overflow.
_EIGHT_BITS: Final = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}


def open_network_of(
    bundle: Bundle, settings: SessionSettings
) -> "tuple[Precision, Path, ort.InferenceSession]":
    """Opens the network of ``bundle`` in the precision of ``settings``, or the best one here.

    Returns:
        The precision, the file, and the network.

    Raises:
        BundleError: no file of the wanted precision, or ONNX Runtime cannot read it.
        ConfigError: CUDA is demanded and does not work here; int8 is demanded, and the network
            runs on CUDA, or on a processor without instructions for it.
    """
    if settings.precision == "int8":
        _check_int8(settings)
    for precision, on_cuda in _candidates(bundle, settings):
        path = _path(bundle, precision)
        session = open_network(path, settings)
        if not on_cuda or provider_of(session) == CUDA:
            break
    return precision, path, session


def has_int8_instructions(processor: Path = _PROCESSOR) -> bool:
    """Whether this processor has instructions for sums of products of bytes (VNNI, AMX, dotprod).

    Args:
        processor: where Linux describes it; where there is no such file, only Apple's processors
            are known to have them.
    """
    try:
        words = set(re.split(r"\s+", processor.read_text()))
    except OSError:
        return sys.platform == "darwin" and platform.machine() == "arm64"
    return not words.isdisjoint(_EIGHT_BITS)


def _candidates(bundle: Bundle, settings: SessionSettings) -> Iterator[tuple[Precision, bool]]:
    """Yields precisions, and whether each is meant for CUDA alone, which may not work here."""
    if settings.precision != "auto":
        yield settings.precision, False
        return
    if may_have_cuda(settings.device):
        yield ("float16" if bundle.float16_path else "float32"), True
    yield ("int8" if bundle.int8_path and has_int8_instructions() else "float32"), False


def _path(bundle: Bundle, precision: Precision) -> Path:
    paths = {"float16": bundle.float16_path, "int8": bundle.int8_path}
    path = paths.get(precision, bundle.model_path)
    if path is None:
        raise BundleError(
            f"bundle {bundle.path} has no {precision} network; serve it with --precision auto"
        )
    return path


def _check_int8(settings: SessionSettings) -> None:
    if may_have_cuda(settings.device):
        raise ConfigError("precision is int8, which is for CPUs; use --device cpu with it, or auto")
    if not has_int8_instructions():
        raise ConfigError(
            "precision is int8, and this processor has no instructions for it (VNNI, AMX or "
            "dotprod): it would be slower than float32; use --precision auto"
        )
