"""``python -m training evaluate``: measures every style of a bundle and writes its cards."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from training.errors import TrainingError
from training.options import Options, Positive, positive

if TYPE_CHECKING:
    from sfumato.bundle.bundle import Bundle
    from training.evaluation.evaluation import Evaluation
    from training.evaluation.report import Conditions, Report

MIN_SIDE: Final = 32
"""Of the photos: what the judge's deepest layer and the window of SSIM need."""


PROG: Final = "python -m training evaluate"


def read_side(text: str) -> int:
    """Reads the side of a photo."""
    if (number := positive(text)) < MIN_SIDE:
        raise argparse.ArgumentTypeError(f"{number} pixels are too few: give {MIN_SIDE} or more")
    return number


def read_count(text: str) -> int:
    """Reads a whole number from 0 up."""
    return 0 if text == "0" else positive(text)


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """Measure every style of a bundle on photos that its training never saw.

    It is measured against slow style transfer and by an independent judge. Writes the quality cards
    into the bundle, a page and a JSON file. Interrupted, the same command goes on where it was.

    Args:
        bundle: a bundle, or a model's folder for its highest version
        photos: photos the training never saw
        styles: paintings, as for the training
        loss_weights: loss network of the training: vgg16, vgg19 or a safetensors file (default:
            what the bundle names, if torchvision has it)
        judge: squeezenet1_1 or squeezenet1_0 (downloaded once), or a safetensors file of them
        compare: put this bundle beside it, on the same photos; its slow baseline is not run, and
            its losses are of --loss-weights
        compare_loss_weights: loss network of that bundle's training, if it was another one
        count: photos, evenly spread
        side: side of the centre crops
        baseline_photos: photos for the slow baseline (default 3; 0 leaves it out)
        iterations: of the slow baseline
        full_curves: run the slow baseline to the end in any case
        no_speed: measure no speed
        no_cards: leave the bundle as it is
        out: folder of the page and the report
        seed: of noise and start images
        device: cpu, cuda, cuda:1; auto takes a GPU if there is one
        threads: of the CPU, for both sides (default: all)
    """

    bundle: Path
    photos: Annotated[Path, "DIR"]
    styles: Annotated[Path, "DIR"]
    loss_weights: Annotated[str | None, "FILE"] = None
    judge: Annotated[str, "FILE"] = "squeezenet1_1"
    compare: Annotated[Path | None, "BUNDLE"] = None
    compare_loss_weights: Annotated[str | None, "FILE"] = None
    count: Positive = 16
    side: Annotated[int, read_side] = 256
    baseline_photos: Annotated[int, read_count, "N"] = 3
    iterations: Positive = 500
    full_curves: bool = False
    no_speed: bool = False
    no_cards: bool = False
    out: Annotated[Path, "DIR"] = Path("evaluation")
    seed: int = 0
    device: str = "auto"
    threads: Annotated[int | None, positive] = None

    positional: ClassVar = ("bundle",)


def main(arguments: Sequence[str]) -> None:
    """Runs ``evaluate`` with command-line ``arguments``.

    Raises:
        TrainingError: see ``load_subject``; or it was interrupted.
        BundleError: a damaged bundle.
        OSError: the disk refuses; what was measured so far is kept.
    """
    options = EvaluateOptions.parse(arguments, PROG)
    try:
        report, old = evaluate(options, f"{PROG} {shlex.join(arguments)}")
    except KeyboardInterrupt as error:
        raise TrainingError(
            f"interrupted: the same command goes on with what is in {options.out / 'work'}"
        ) from error
    from training.evaluation.comparison import Comparison
    from training.evaluation.page.markdown_table import (
        comparison_table,
        markdown_table,
        speed_table,
    )

    print(f"{report.conditions.machine}; {report.conditions.photos} photos\n")
    print(markdown_table(report))
    print(f"\n{speed_table(report)}\n" if report.measured.speeds else "")
    if old is not None:
        comparison = Comparison(old, report)
        print(f"{comparison.note()}\n\n{comparison_table(comparison)}\n")
    cards = "" if options.no_cards else f" and the cards of {report.bundle.path}"
    print(f"wrote {options.out / 'index.html'}, {options.out / 'report.json'}{cards}")


def evaluate(options: EvaluateOptions, command: str) -> tuple["Report", "Report | None"]:
    """Evaluates what ``options`` name and writes everything.

    ``command`` is the command line, for the page.

    Returns:
        The report, and that of the bundle to compare with, if there is one.
    """
    from sfumato.bundle.style_cards import update_cards
    from training.evaluation.page.page import write_page
    from training.evaluation.report import Report

    evaluation, other, conditions = _prepare(options, command)
    report = Report(evaluation.subject.bundle, evaluation.run(), conditions)
    old = None if other is None else (Report(other.subject.bundle, other.run(), conditions), other)
    write_page(options.out, report, evaluation, old)
    if not options.no_cards:
        update_cards(report.bundle.path, report.cards())
    return report, old and old[0]


def _prepare(
    options: EvaluateOptions, command: str
) -> tuple["Evaluation", "Evaluation | None", "Conditions"]:
    """Loads everything, so that nothing is measured before all of it is known to be there."""
    import torch

    from training.data.image_folder import find_images
    from training.data.photos import center_crops
    from training.evaluation.comparison import shared_styles
    from training.evaluation.evaluation import Evaluation, Plan
    from training.evaluation.machine import describe_machine
    from training.evaluation.measures.judge import Judge, load_judge
    from training.evaluation.report import Conditions
    from training.evaluation.results_folder import ResultsFolder, fingerprint
    from training.evaluation.subject import find_bundle, load_subject
    from training.export.export import ServedGraph
    from training.optimize.watch import choose_device
    from training.output_place import prepare_folder

    if options.compare_loss_weights and not options.compare:
        raise TrainingError("--compare-loss-weights needs --compare: name the bundle")
    prepare_folder(options.out)
    if options.threads:
        torch.set_num_threads(options.threads)
    threads, device = torch.get_num_threads(), choose_device(options.device)
    bundle = find_bundle(options.bundle)
    compared = find_bundle(options.compare) if options.compare else None
    if compared is not None:
        shared_styles(compared, bundle)
    if not options.no_cards:
        prepare_folder(bundle.path)
    photos = center_crops(find_images(options.photos), options.count, options.side).to(device)
    network = load_judge(options.judge).to(device)
    judge = Judge(network, photos)
    plan = Plan(
        options.seed,
        options.baseline_photos,
        options.iterations,
        options.full_curves,
        not options.no_speed,
    )

    def evaluation_of(bundle: "Bundle", loss_weights: str | None, plan: Plan) -> Evaluation:
        subject = load_subject(bundle, options.styles, loss_weights, device)
        graph = ServedGraph(bundle.model_path, device=device.type, threads=threads)
        work = options.out / "work" / fingerprint(subject, photos, network, options.seed)
        return Evaluation(subject, photos, graph, judge, ResultsFolder(work), plan)

    evaluation, other = evaluation_of(bundle, options.loss_weights, plan), None
    if compared is not None:
        weights = options.compare_loss_weights or options.loss_weights
        other = evaluation_of(compared, weights, replace(plan, speed=False, kept_only=True))
    conditions = Conditions(
        command=command,
        machine=describe_machine(device, threads),
        provider=evaluation.provider,
        judge=network.name,
        photos=len(photos),
        side=options.side,
        iterations=options.iterations,
        seed=options.seed,
    )
    return evaluation, other, conditions
