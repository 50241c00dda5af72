"""What is measured of one style, from its pictures alone."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from training.evaluation.measures import flaws
from training.evaluation.measures.frequencies import finest_share, spectral_line
from training.evaluation.measures.judge import Judge
from training.evaluation.measures.similarity import psnr, ssim
from training.evaluation.measures.stability import (
    Painter,
    PlacedPainter,
    noise_rms,
    shift_rms,
    shift_rms_with_noise,
)
from training.evaluation.subject import Subject
from training.export.export import ServedGraph
from training.networks.transformation_network import TransformationNetwork


@dataclass(frozen=True)
class StyleMeasures:
    """Means over the photos; of the style ``photograph`` only ``ssim``, ``psnr`` and ``finest``.

    Attributes:
        ssim: structural similarity to the photo.
        psnr: peak signal-to-noise ratio to the photo, dB.
        finest: share of the finest frequencies, per mille.
        totals: total loss of each photo, [N].
        content: content loss.
        style: style loss.
        photo_style: style loss of the unpainted photos: about 1, by calibration.
        judge_style: the judge's distance to the painting, 1 for the unpainted photos.
        judge_content: the judge's distance to the photo.
        shift_rms: change under a shift by one pixel.
        noise_rms: change under noise.
        recognized: share of the photos whose first class is still among the first five.
        detail_kept: correlation of gradients on the photos' strongest edges.
        lattice_2: what a painted calm area repeats every 2 pixels, in levels.
        lattice_4: every 4 pixels.
        lattice_8: every 8 pixels.
        halo: of the painted step picture, in levels.
        calm_painted: fine variance of a painted calm area by that of the painting; absent where
            the painting has no fine detail.
        spectral_line: how many times the strongest line of a painted calm area's spectrum stands
            out.
        shift_rms_with_noise: ``shift_rms`` where the network's own noise moves along with the
            photo; absent where it has none.
    """

    ssim: float
    psnr: float
    finest: float
    totals: list[float] | None = None
    content: float | None = None
    style: float | None = None
    photo_style: float | None = None
    judge_style: float | None = None
    judge_content: float | None = None
    shift_rms: float | None = None
    noise_rms: float | None = None
    recognized: float | None = None
    detail_kept: float | None = None
    lattice_2: float | None = None
    lattice_4: float | None = None
    lattice_8: float | None = None
    halo: float | None = None
    calm_painted: float | None = None
    spectral_line: float | None = None
    shift_rms_with_noise: float | None = None

    @property
    def total(self) -> float | None:
        """Total loss, the mean over the photos."""
        return None if self.totals is None else sum(self.totals) / len(self.totals)

    @property
    def lattices(self) -> tuple[float | None, ...]:
        """The lattices of 2, 4 and 8 pixels."""
        return (self.lattice_2, self.lattice_4, self.lattice_8)

    def to_json(self) -> dict[str, Any]:
        """Gives what the constructor takes, without what was not measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def painter(graph: ServedGraph, row: Tensor) -> Painter:
    """Returns what paints photos [N, 3, H, W] in the style ``row`` [1, P], one at a time."""
    return lambda photos: torch.cat([graph(photo[None], row) for photo in photos])


def placed_painter(network: TransformationNetwork, row: Tensor) -> PlacedPainter:
    """Returns what paints photos [N, 3, H, W] in the style ``row`` [1, P], in bytes, by place."""

    def paint(photos: Tensor, place: int) -> Tensor:
        origin = torch.tensor([place, place], device=photos.device)
        painted = [network.render(photo[None], row.to(photos), origin) for photo in photos]
        return (torch.cat(painted) * 255).round() / 255

    return paint


@torch.no_grad()
def measure_style(
    subject: Subject, style: str, paint: Painter, photos: Tensor, judge: Judge, seed: int
) -> tuple[StyleMeasures, Tensor]:
    """Paints ``photos`` [N, 3, H, W] and measures the pictures.

    Returns:
        The measures, and the pictures [N, 3, H, W] in [0, 1].
    """
    painted = paint(photos)
    similar: dict[str, Any] = {
        "ssim": _mean(ssim, painted, photos),
        "psnr": _mean(psnr, painted, photos),
        "finest": finest_share(painted).mean().item(),
    }
    if style == PHOTOGRAPH_STYLE:
        return StyleMeasures(**similar), painted
    judge_style, judge_content = judge(painted, subject.paintings[style])
    measures = StyleMeasures(
        **similar,
        **_losses(subject, style, painted, photos),
        judge_style=judge_style,
        judge_content=judge_content,
        shift_rms=shift_rms(paint, photos, painted).mean().item(),
        noise_rms=noise_rms(paint, photos, painted, seed).mean().item(),
        recognized=judge.recognized(painted),
        detail_kept=flaws.detail_kept(photos, painted),
        **measure_flaws(paint, subject.paintings[style]),
    )
    if (network := subject.noisy_network) is not None:
        placed = placed_painter(network, subject.row(style))
        with_noise = shift_rms_with_noise(placed, photos).mean().item()
        measures = replace(measures, shift_rms_with_noise=with_noise)
    return measures, painted


def _losses(subject: Subject, style: str, painted: Tensor, photos: Tensor) -> dict[str, Any]:
    number = torch.tensor([subject.style_numbers[style]], device=photos.device)
    terms, unpainted = [], []
    for photo, picture in zip(photos, painted, strict=True):
        terms.append(subject.loss(photo[None], picture[None], number))
        unpainted.append(subject.loss(photo[None], photo[None], number).style.item())
    count = len(terms)
    return {
        "totals": [term.total.item() for term in terms],
        "content": sum(term.content.item() for term in terms) / count,
        "style": sum(term.style.item() for term in terms) / count,
        "photo_style": sum(unpainted) / count,
    }


def measure_flaws(paint: Painter, painting: Tensor) -> dict[str, Any]:
    """Measures what ``paint`` makes of the drawn pictures; ``painting`` is [1, 3, h, w].

    Returns:
        Lattices, spectral line, halo and painted calm, by their names in ``StyleMeasures``.
    """
    calm, noisy = flaws.calm_area(paint), flaws.calm_area(paint, flaws.SENSOR_NOISE)
    share = flaws.painted_share(calm, painting.to(calm.device))
    return {
        **{f"lattice_{period}": rms for period, rms in flaws.lattice(noisy).items()},
        "spectral_line": spectral_line(noisy),
        "halo": flaws.halo(paint),
        "calm_painted": share if math.isfinite(share) else None,
    }


def _mean(measure: Callable[[Tensor, Tensor], Tensor], painted: Tensor, photos: Tensor) -> float:
    return measure(painted, photos).mean().item()
