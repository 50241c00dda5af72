"""Brush size: how far strokes grow with it, what is kept of the photo, and what it costs.

    python -m benchmarks.brush models/default

The first table has, for each style, the mean wavelength of the painted sky of a drawn photo at
three brush sizes, in pixels: of its luminance, from 1/100 to 1/2 cycles a pixel, weighted by
power. Its factors are less than the brush's where strokes become finer than pixels, or longer than
100: so the next two columns compare only strokes that both pictures can have. Then comes what is
kept of real photos' detail (docs/quality.md). The second table has the time of one photo, on one
thread.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.machine import describe_machine
from examples.local_server import CHECKOUT
from serving.device.onnx_runtime import SessionSettings
from serving.device.session import OnnxSession
from sfumato.bundle.bundle import Bundle, read_latest_bundle
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.images.brush import Canvas, at_full_size
from training.evaluation.measures.flaws import SENSOR_NOISE, calm_picture, detail_kept

BRUSH_SIZES: Final = (0.5, 1.0, 2.0)
PHOTOS: Final = sorted((CHECKOUT / "examples" / "photos").glob("*.jpg"))

_RIM: Final = 64  # pixels of the sky that see what is beyond it
_ENLARGED: Final = 2  # times the drawn sky: 640 x 1024
_MOST_PIXELS: Final = 10**9

Pixels = npt.NDArray[np.uint8]


class Painter:
    """A bundle's network on one thread of the CPU."""

    def __init__(self, bundle: Bundle) -> None:
        """Opens the network in float32."""
        self.bank = bundle.bank
        settings = SessionSettings(device="cpu", precision="float32", intra_op_threads=1)
        self._session = OnnxSession(bundle, settings)

    def paint(self, photo: Pixels, style: str, brush_size: float) -> tuple[Pixels, list[float]]:
        """Returns the picture, and the seconds to reduce the photo, to paint, and to enlarge."""
        times = [time.perf_counter()]
        small, light = Canvas(brush_size, max_pixels=_MOST_PIXELS).photo_to_paint(photo)
        times.append(time.perf_counter())
        painted = self._session.run(small[None], self.bank.row(style)[None])[0]
        times.append(time.perf_counter())
        picture = at_full_size(painted, small, light)
        times.append(time.perf_counter())
        return picture, list(np.diff(times))


def drawn_sky() -> tuple[Pixels, tuple[slice, slice]]:
    """Draws a photo with an empty sky; returns it, and where in it the sky is."""
    calm = (255 * calm_picture()[0]).round().byte().permute(1, 2, 0).numpy()
    large = calm.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    noise = np.random.default_rng(0).normal(0, SENSOR_NOISE, (*large.shape[:2], 1))
    photo = np.clip(np.rint(large + noise), 0, 255).astype(np.uint8)
    return photo, (slice(_RIM, _ENLARGED * 320 - 2 * _RIM), slice(_RIM, -_RIM))


class Spectrum:
    """The power of the luminance of a picture [H, W, 3] by frequency, its gradient taken off."""

    def __init__(self, picture: Pixels) -> None:
        """Computes it."""
        light = np.asarray(Image.fromarray(picture).convert("L"), float)
        height, width = light.shape
        plane = np.stack([np.ones(light.size), *(i.ravel() for i in np.indices(light.shape))], 1)
        light = light - (plane @ np.linalg.lstsq(plane, light.ravel())[0]).reshape(light.shape)
        window = np.hanning(height)[:, None] * np.hanning(width)
        self._power = np.abs(np.fft.fft2(light * window)) ** 2
        self._frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))

    def wavelength(self, shortest: float = 2.0, longest: float = 100.0) -> float:
        """Returns the mean wavelength of those from ``shortest`` to ``longest``, all in pixels."""
        band = (self._frequency >= 1 / longest) & (self._frequency <= 1 / shortest)
        power, frequency = self._power[band], self._frequency[band]
        return float((power / frequency).sum() / power.sum())


def wavelengths(small: Spectrum, usual: Spectrum, large: Spectrum) -> list[float]:
    """Returns the mean wavelength at brush sizes 0.5, 1 and 2, and the factors of the table."""
    waves = [spectrum.wavelength() for spectrum in (small, usual, large)]
    return [
        *waves,
        waves[0] / waves[1],
        waves[2] / waves[1],
        small.wavelength(2, 50) / usual.wavelength(4, 100),
        large.wavelength(4, 200) / usual.wavelength(2, 100),
    ]


def kept(pictures: Sequence[Pixels], photos: Sequence[Pixels]) -> float:
    """Returns how much of the photos' detail is kept, the mean of them."""
    pairs = zip(photos, pictures, strict=True)
    return statistics.mean(
        detail_kept(_tensor(photo), _tensor(picture)) for photo, picture in pairs
    )


def _tensor(pixels: Pixels) -> torch.Tensor:
    return torch.tensor(pixels).permute(2, 0, 1)[None] / 255


def _strokes(painter: Painter, styles: Sequence[str]) -> None:
    sky, area = drawn_sky()
    photos = [np.asarray(Image.open(file).convert("RGB")) for file in PHOTOS]
    at = [f"at {b:g}" for b in BRUSH_SIZES]
    heads = [*(f"wavelength {b}" for b in at), "0.5 : 1", "2 : 1"]
    heads += ["of both, 0.5 : 1", "of both, 2 : 1", *(f"kept {b}" for b in at)]
    print(f"| style | {' | '.join(heads)} |\n| --- |" + " ---: |" * len(heads))
    rows = []
    for style in styles:
        skies = [Spectrum(painter.paint(sky, style, b)[0][area]) for b in BRUSH_SIZES]
        pictures = [[painter.paint(photo, style, b)[0] for photo in photos] for b in BRUSH_SIZES]
        rows.append([*wavelengths(*skies), *(kept(painted, photos) for painted in pictures)])
        print(_row(style, rows[-1]), flush=True)
    print(_row("median", list(np.median(rows, axis=0))), "\n")


def _row(name: str, values: Sequence[float]) -> str:
    cells = [f"{v:.1f}" for v in values[:3]] + [f"{v:.2f}" for v in values[3:]]
    return f"| {name} | {' | '.join(cells)} |"


def _speed(painter: Painter, sides: Sequence[int], rounds: int) -> None:
    print("| side | brush | reduce, ms | paint, ms | enlarge, ms | resizing, ms a megapixel |")
    print("| ---: |" + " ---: |" * 5)
    source = Image.open(CHECKOUT / "examples" / "photos" / "astronaut.jpg").convert("RGB")
    for side in sides:
        photo = np.asarray(source.resize((side, side), Image.Resampling.BICUBIC))
        for brush_size in BRUSH_SIZES:
            runs = [painter.paint(photo, painter.bank.ids[0], brush_size)[1] for _ in range(rounds)]
            reduce, paint, enlarge = (1e3 * t for t in np.median(runs, axis=0))
            whole = 1e6 * (reduce + enlarge) / side**2
            times = f"{reduce:.0f} | {paint:.0f} | {enlarge:.0f} | {whole:.0f}"
            print(f"| {side} | {brush_size:g} | {times} |", flush=True)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="bundle, or folder of versions")
    parser.add_argument("--styles", nargs="+", help="ids (default: all)")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    bundle = read_latest_bundle(options.model)
    print(describe_machine("onnxruntime-gpu", "onnxruntime", "numpy", "pillow"))
    print(f"{bundle.path}, {bundle.network.architecture}; {len(PHOTOS)} photos\n")
    painter = Painter(bundle)
    styles = options.styles or [s for s in bundle.bank.ids if s != PHOTOGRAPH_STYLE]
    _strokes(painter, styles)
    _speed(painter, options.sides, options.rounds)


if __name__ == "__main__":
    main()
