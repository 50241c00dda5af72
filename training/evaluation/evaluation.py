"""The evaluation itself: every style on every photo, step by step, each result kept at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from training.evaluation.measures.equivalence import equal_iterations
from training.evaluation.measures.judge import Judge
from training.evaluation.measures.similarity import pairwise_rms
from training.evaluation.measures.slow_baseline import ITERATIONS, run_baseline
from training.evaluation.measures.speed import Speed, measure_speed
from training.evaluation.measures.style_measures import StyleMeasures, measure_style, painter
from training.evaluation.results_folder import ResultsFolder
from training.evaluation.subject import Subject
from training.export.export import ServedGraph
from training.optimize.loop import Progress


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        seed: of all that is random.
        baseline_photos: photos on which the slow baseline runs; 0 leaves it out.
        iterations: of the baseline.
        full_curves: run it to the end even where the fast picture has been met.
        speed: measure speed, too.
        kept_only: run no baseline; take the runs of the styles that have all of them already.
    """

    seed: int = 0
    baseline_photos: int = 3
    iterations: int = ITERATIONS
    full_curves: bool = False
    speed: bool = True
    kept_only: bool = False


@dataclass(frozen=True)
class BaselineRecord:
    """One run of the baseline.

    Attributes:
        photo: number of the photo.
        target: total loss of the fast picture.
        losses: total loss at each iteration.
        equal: K; None where the run ended above ``target``.
    """

    photo: int
    target: float
    losses: list[float]
    equal: float | None


@dataclass(frozen=True)
class Measured:
    """Everything that was measured; see ``StyleMeasures``, ``BaselineRecord`` and ``Speed``.

    Attributes:
        styles: measures by id, in the order of the bundle.
        runs: runs of the baseline by id; absent where it did not run.
        distances: root mean square [S, S] between what the styles paint.
        speeds: by size; empty if not wanted.
        finest: share of the finest frequencies in the photos themselves, per mille.
        photo_shift: what moving a photo by a pixel changes in the photo, for scale.
        photo_noise: what the noise changes in the photo.
    """

    styles: dict[str, StyleMeasures]
    runs: dict[str, list[BaselineRecord]]
    distances: Tensor
    speeds: list[Speed]
    finest: float
    photo_shift: float
    photo_noise: float


class Evaluation:
    """Measures a subject on photos; what a results folder has already is not measured again."""

    def __init__(
        self,
        subject: Subject,
        photos: Tensor,
        graph: ServedGraph,
        judge: Judge,
        results: ResultsFolder,
        plan: Plan,
    ) -> None:
        """Remembers what to measure, on ``photos`` [N, 3, H, W]."""
        self.subject, self.photos, self.plan = subject, photos, plan
        self.results = results
        self._graph, self._judge = graph, judge

    @property
    def provider(self) -> str:
        """ONNX Runtime's execution provider."""
        return self._graph.provider

    @property
    def baseline_numbers(self) -> list[int]:
        """Numbers of the photos for the baseline, evenly spread."""
        count, wanted = len(self.photos), min(self.plan.baseline_photos, len(self.photos))
        return [index * count // wanted for index in range(wanted)]

    def run(self) -> Measured:
        """Measures everything. Ctrl-C raises KeyboardInterrupt; a later call goes on."""
        from training.evaluation.measures.frequencies import finest_share
        from training.evaluation.measures.stability import add_noise, rms, shift

        ids = [info.id for info in self.subject.bundle.styles]
        with _bar(len(ids), "painting", "style") as bar:
            styles = {style: self._paint(style, bar) for style in ids}
        runs = self._baselines(styles) if self.baseline_numbers else {}
        noisy = add_noise(self.photos, self.plan.seed)
        return Measured(
            styles=styles,
            runs=runs,
            distances=pairwise_rms([self.painted(style) for style in ids]),
            speeds=self._speeds() if self.plan.speed else [],
            finest=finest_share(self.photos).mean().item(),
            photo_shift=rms(shift(self.photos), self.photos).mean().item(),
            photo_noise=rms(noisy, self.photos).mean().item(),
        )

    def painted(self, style: str) -> Tensor:
        """Returns what a style made of the photos, bytes [N, 3, H, W]."""
        pictures = self.results.get_pictures(f"fast/{style}")
        assert pictures is not None
        return pictures["painted"]

    def baseline_pictures(self, style: str, photo: int) -> dict[str, Tensor]:
        """Returns the pictures ``equal`` (if there is one) and ``end``, bytes [1, 3, H, W]."""
        return self.results.get_pictures(self._baseline_key(style, photo)) or {}

    def _paint(self, style: str, bar: "tqdm[Any]") -> StyleMeasures:
        bar.set_postfix_str(style)
        key = f"fast/{style}"
        kept = self.results.get(key)
        if kept is None or self.results.get_pictures(key) is None:
            paint = painter(self._graph, self.subject.row(style))
            measures, painted = measure_style(
                self.subject, style, paint, self.photos, self._judge, self.plan.seed
            )
            kept = measures.to_json()
            self.results.put_pictures(key, {"painted": _bytes(painted)})
            self.results.put(key, kept)
        bar.update()
        return StyleMeasures(**kept)

    def _baselines(self, styles: dict[str, StyleMeasures]) -> dict[str, list[BaselineRecord]]:
        targets = {
            style: measures.totals
            for style, measures in styles.items()
            if measures.totals is not None and (not self.plan.kept_only or self._all_kept(style))
        }
        steps = len(targets) * len(self.baseline_numbers) * self.plan.iterations
        with _bar(steps, "L-BFGS", "iteration") as bar:
            return {
                style: [
                    self._baseline(style, photo, totals[photo], bar)
                    for photo in self.baseline_numbers
                ]
                for style, totals in targets.items()
            }

    def _all_kept(self, style: str) -> bool:
        keys = [self._baseline_key(style, photo) for photo in self.baseline_numbers]
        return all(self.results.get(key) is not None for key in keys)

    def _baseline(self, style: str, photo: int, target: float, bar: "tqdm[Any]") -> BaselineRecord:
        bar.set_postfix_str(style)
        key, start = self._baseline_key(style, photo), bar.n
        kept = self.results.get(key)
        if kept is None:
            kept = self._run_baseline(key, style, photo, target, bar)
        bar.update(start + self.plan.iterations - bar.n)
        return BaselineRecord(**kept)

    def _run_baseline(
        self, key: str, style: str, photo: int, target: float, bar: "tqdm[Any]"
    ) -> dict[str, Any]:
        def on_step(_: Progress) -> None:
            bar.update()

        run = run_baseline(
            self.subject.loss,
            self.photos[photo : photo + 1],
            self.subject.style_numbers[style],
            target,
            seed=self.plan.seed,
            iterations=self.plan.iterations,
            full=self.plan.full_curves,
            on_step=on_step,
        )
        equal = equal_iterations(range(1, len(run.losses) + 1), run.losses, target)
        pictures = {"end": run.end} if run.equal is None else {"end": run.end, "equal": run.equal}
        self.results.put_pictures(key, {name: _bytes(image) for name, image in pictures.items()})
        record = asdict(BaselineRecord(photo, target, run.losses, equal))
        self.results.put(key, record)
        return record

    def _baseline_key(self, style: str, photo: int) -> str:
        kind = f"{self.plan.iterations}{'-full' if self.plan.full_curves else ''}"
        return f"baseline-{kind}/{style}-{photo}"

    def _speeds(self) -> list[Speed]:
        key = f"speed-{self.photos.device.type}-{torch.get_num_threads()}"
        kept = self.results.get(key)
        if kept is None:
            paint = painter(self._graph, self.subject.row(next(iter(self.subject.paintings))))
            speeds = measure_speed(paint, self.subject.loss, self.photos[:1])
            kept = [speed.to_json() for speed in speeds]
            self.results.put(key, kept)
        return [Speed(**entry) for entry in kept]


def _bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


@contextmanager
def _bar(total: int, label: str, unit: str) -> Iterator["tqdm[Any]"]:
    with tqdm(total=total, desc=label, unit=unit, disable=None) as bar:
        yield bar
