"""int8: a network's convolutions in eight bits, for CPUs that multiply those faster.

Static quantization by ONNX Runtime's own tool: weights per output channel, activations by what
they are on photos painted in all styles and in blends. Everything between the convolutions, the
normalizations above all, stays in float32.
"""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from training.errors import TrainingError

Feeds = Mapping[str, npt.NDArray[Any]]

SIDE: Final = 256
"""Pixels of the photos for calibration and comparison."""

PHOTOS: Final = 24
"""Every third of them is for the comparison, the others are for the calibration."""

LEAST_PSNR: Final = 32.0
"""dB to the float32 picture, in every style."""

_PERCENTILE: Final = 99.99
"""Of the activations: rarer ones are clipped, or they would take the steps from all others."""

_PHOTOS_PER_STYLE: Final = 3
_BLENDS: Final = 24
_BLENDED: Final = 3
_SEED: Final = 0


@dataclass(frozen=True)
class Quantized:
    """A network in int8, and how near it is to the one in float32.

    Attributes:
        model: the ONNX file.
        psnr: dB to the float32 picture, mean over photos, of each style.
        left_out: how many convolutions stayed in float32, because they hurt too much.
    """

    model: bytes
    psnr: npt.NDArray[np.float64]
    left_out: int


def quantize(model: bytes, rows: Tensor, photos: Tensor) -> Quantized:
    """Quantizes the convolutions of ``model``, all of them if that does no harm.

    Args:
        model: the ONNX file in float32.
        rows: style rows of the paintings [S, P].
        photos: [K, 3, side, side] in [0, 1], two at least.

    Raises:
        TrainingError: some style is below ``LEAST_PSNR`` whatever is left out.
    """
    images = (photos * 255).round().byte().permute(0, 2, 3, 1).numpy()  # [K, side, side, 3]
    held_out = np.arange(len(images)) % 3 == 1
    styles = rows.numpy().astype(np.float32)
    samples = list(_samples(images[~held_out], styles))
    with tempfile.TemporaryDirectory() as folder:
        quantizer = _Quantizer(Path(folder), model, samples)
        comparison = _Comparison(model, images[held_out], styles)
        whole = quantizer.without([])
        psnr, left_out = comparison.psnr(whole), list[str]()
        if psnr.min() < LEAST_PSNR:
            hurting = sorted(
                quantizer.convolutions, key=lambda one: comparison.psnr(quantizer.only(one)).min()
            )
            while psnr.min() < LEAST_PSNR and len(left_out) + 1 < len(hurting):
                left_out.append(hurting[len(left_out)])
                whole = quantizer.without(left_out)
                psnr = comparison.psnr(whole)
    if psnr.min() < LEAST_PSNR:
        raise TrainingError(
            f"the network in int8 is {psnr.min():.1f} dB from float32 in one style, less than "
            f"{LEAST_PSNR:g}; leave --calibration out, and no int8 network is written"
        )
    return Quantized(whole, psnr, len(left_out))


def _samples(images: npt.NDArray[np.uint8], styles: npt.NDArray[np.float32]) -> Iterator[Feeds]:
    """Yields photos in every style, and in blends."""
    rng = np.random.default_rng(_SEED)
    blends = rng.dirichlet(np.ones(min(_BLENDED, len(styles))), _BLENDS)
    for number, row in enumerate(np.tile(styles, (_PHOTOS_PER_STYLE, 1))):
        yield _feeds(images[number % len(images)], row)
    for shares in blends:
        chosen = styles[rng.choice(len(styles), len(shares), replace=False)]
        yield _feeds(images[rng.integers(len(images))], shares @ chosen)


def _feeds(image: npt.NDArray[np.uint8], row: npt.NDArray[Any]) -> Feeds:
    return {"image": image[None], "style": row[None].astype(np.float32)}


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    def __init__(self, samples: list[Feeds]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> Feeds | None:
        return next(self._samples, None)


class _Quantizer:
    """Quantizes one network again and again, with more or fewer of its convolutions."""

    def __init__(self, folder: Path, model: bytes, samples: list[Feeds]) -> None:
        self._samples = samples
        self._source, self._target = folder / "float32.onnx", folder / "int8.onnx"
        given = folder / "given.onnx"
        given.write_bytes(model)
        quant_pre_process(str(given), str(self._source), skip_symbolic_shape=True)
        nodes = onnx.load(self._source).graph.node
        self.convolutions = [node.name for node in nodes if node.op_type == "Conv"]

    def only(self, convolution: str) -> bytes:
        return self.without([name for name in self.convolutions if name != convolution])

    def without(self, left_out: list[str]) -> bytes:
        with contextlib.redirect_stdout(io.StringIO()):  # how it goes about its histograms
            quantize_static(
                str(self._source),
                str(self._target),
                _Reader(self._samples),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=left_out,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.Percentile,
                extra_options={"CalibPercentile": _PERCENTILE},
            )
        return self._target.read_bytes()


class _Comparison:
    """Compares a network in int8 with the one in float32, in each style."""

    def __init__(
        self, model: bytes, images: npt.NDArray[np.uint8], styles: npt.NDArray[np.float32]
    ) -> None:
        self._feeds = [[_feeds(image, row) for image in images] for row in styles]
        session = _session(model)
        self._wanted = [[_painted(session, feeds) for feeds in style] for style in self._feeds]

    def psnr(self, model: bytes) -> npt.NDArray[np.float64]:
        """Returns the peak signal-to-noise ratio of each style [S], in dB."""
        session = _session(model)
        errors = [
            np.mean(
                [
                    np.square(_painted(session, feeds) - wanted).mean()
                    for feeds, wanted in zip(style, pictures, strict=True)
                ]
            )
            for style, pictures in zip(self._feeds, self._wanted, strict=True)
        ]
        return 10 * np.log10(255**2 / np.maximum(errors, 1e-6))


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Without VNNI, x86 adds up two products of bytes in 16 bits, which overflow. Servers take int8
    # where there is VNNI; this slower way counts as those do.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _painted(session: onnxruntime.InferenceSession, feeds: Feeds) -> npt.NDArray[np.float32]:
    (painted,) = session.run(None, feeds)
    return np.asarray(painted, np.float32)
