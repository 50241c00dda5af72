"""The report: what was measured, as JSON, as cards for the bundle and as numbers for the page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from sfumato.bundle.bundle import Bundle
from sfumato.bundle.quality_card import QUALITY_KEY, QualityCard
from training.evaluation.evaluation import BaselineRecord, Measured
from training.evaluation.measures.equivalence import CURVE, Equivalence, best_so_far
from training.evaluation.measures.similarity import nearest


@dataclass(frozen=True)
class Conditions:
    """Under which conditions the numbers hold.

    Attributes:
        command: the command line.
        machine: processor or GPU, threads, versions.
        provider: ONNX Runtime's execution provider.
        judge: name of the judge's network.
        photos: how many.
        side: of the photos in pixels.
        iterations: where the baseline ends.
        seed: of all that is random.
    """

    command: str
    machine: str
    provider: str
    judge: str
    photos: int
    side: int
    iterations: int
    seed: int


@dataclass(frozen=True)
class Report:
    """Measurements of a bundle and what follows from them."""

    bundle: Bundle
    measured: Measured
    conditions: Conditions

    @property
    def name(self) -> str:
        """The model and its version, by their folders."""
        path = self.bundle.path.resolve()
        return f"{path.parent.name} {path.name}"

    @cached_property
    def equivalences(self) -> Mapping[str, Equivalence]:
        """K of each style for which the baseline ran, by id."""
        return {
            style: Equivalence.of([run.equal for run in runs], self.conditions.iterations)
            for style, runs in self.measured.runs.items()
        }

    def nearest(self, style: str) -> tuple[str, float] | None:
        """Returns the painting whose style paints most alike, and the distance."""
        ids = list(self.measured.styles)
        paintings = [n for n, each in enumerate(ids) if self.measured.styles[each].totals]
        number = ids.index(style)
        other = nearest(self.measured.distances, number, paintings)
        if other is None:
            return None
        return ids[other], self.measured.distances[number, other].item()

    def speed_ups(self, style: str) -> dict[int, float]:
        """Returns K times seconds per iteration by seconds per photo, by size."""
        if style not in self.equivalences:
            return {}
        k = self.equivalences[style].mean
        found = {speed.side: speed.speed_up(k) for speed in self.measured.speeds}
        return {side: factor for side, factor in found.items() if factor is not None}

    def card(self, style: str) -> QualityCard:
        """Returns the summary that a server passes on."""
        measures = self.measured.styles[style]
        near = self.nearest(style) if measures.totals is not None else None
        equal = self.equivalences.get(style)
        faster = self.speed_ups(style)
        return QualityCard(
            content_loss=_short(measures.content),
            style_loss=_short(measures.style),
            total_loss=_short(measures.total),
            equals_iterations=_short(equal.mean) if equal else None,
            baseline_iterations=equal.iterations if equal else None,
            ssim=_short(measures.ssim),
            judge_style=_short(measures.judge_style),
            judge_content=_short(measures.judge_content),
            shift_rms=_short(measures.shift_rms),
            noise_rms=_short(measures.noise_rms),
            nearest_style=near[0] if near else None,
            nearest_style_distance=_short(near[1]) if near else None,
            photos=self.conditions.photos,
            side=self.conditions.side,
            speed_up_256=_short(faster.get(256)),
            speed_up_512=_short(faster.get(512)),
            speed_up_1024=_short(faster.get(1024)),
            recognized=_short(measures.recognized),
            detail_kept=_short(measures.detail_kept),
            lattice_2=_short(measures.lattice_2),
            lattice_4=_short(measures.lattice_4),
            lattice_8=_short(measures.lattice_8),
            halo=_short(measures.halo),
            calm_painted=_short(measures.calm_painted),
            spectral_line=_short(measures.spectral_line),
            shift_rms_with_noise=_short(measures.shift_rms_with_noise),
        )

    def cards(self) -> dict[str, dict[str, Any]]:
        """Returns the whole cards by style: what they had before, and the quality."""
        return {
            info.id: {**info.card, QUALITY_KEY: self.card(info.id).to_json()}
            for info in self.bundle.styles
        }

    def to_json(self) -> dict[str, Any]:
        """Returns everything as one JSON object."""
        ids = list(self.measured.styles)
        return {
            "network": self.bundle.network.digest,
            "conditions": asdict(self.conditions),
            "photos": {
                "finest": self.measured.finest,
                "shift_rms": self.measured.photo_shift,
                "noise_rms": self.measured.photo_noise,
            },
            "styles": {style: self._style(style) for style in ids},
            "distances": {"styles": ids, "rms": self.measured.distances.tolist()},
            "speed": [
                {**speed.to_json(), f"speed_up_{CURVE[-1]}": speed.speed_up(CURVE[-1])}
                for speed in self.measured.speeds
            ],
        }

    def _style(self, style: str) -> dict[str, Any]:
        measures, equal = self.measured.styles[style], self.equivalences.get(style)
        near = self.nearest(style)
        return {
            **measures.to_json(),
            "nearest_style": near and {"id": near[0], "rms": near[1]},
            "equals_iterations": None if equal is None else {**asdict(equal), "text": str(equal)},
            "speed_up": {str(side): factor for side, factor in self.speed_ups(style).items()},
            "baseline": [_run(run) for run in self.measured.runs.get(style, ())],
        }


def curve(run: BaselineRecord) -> dict[int, float]:
    """Returns the best loss so far at the iterations of ``CURVE`` that the run reached."""
    best = best_so_far(run.losses)
    return {step: best[step - 1] for step in CURVE if step <= len(best)}


def _run(run: BaselineRecord) -> dict[str, Any]:
    points = {str(step): loss for step, loss in curve(run).items()}
    return {**asdict(run), "curve": points}


def _short(value: float | None) -> float | None:
    """Rounds to five significant digits: a manifest is read by people, too."""
    return None if value is None else float(f"{value:.5g}")
