"""``python -m training evaluate``: measures every style of a bundle and writes its cards."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from training.errors import TrainingError
from training.options import positive

if TYPE_CHECKING:
    from sfumato.bundle.bundle import Bundle
    from training.evaluation.evaluation import Evaluation
    from training.evaluation.report import Conditions, Report

MIN_SIDE: Final = 32
"""Of the photos: what the judge's deepest layer and the window of SSIM need."""


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser; nothing here needs PyTorch."""
    parser = argparse.ArgumentParser(
        prog="python -m training evaluate",
        description="Measure every style of a bundle on photos that its training never saw, "
        "against slow style transfer and an independent judge. Writes the quality cards into the "
        "bundle, a page and a JSON file. Interrupted, the same command goes on where it was.",
    )
    add = parser.add_argument
    add("bundle", type=Path, help="a bundle, or a model's folder for its highest version")
    add("--photos", type=Path, required=True, metavar="DIR", help="photos the training never saw")
    add("--styles", type=Path, required=True, metavar="DIR", help="paintings, as for the training")
    add(
        "--loss-weights",
        metavar="FILE",
        help="loss network of the training: vgg16, vgg19 or a safetensors file "
        "(default: what the bundle names, if torchvision has it)",
    )
    add(
        "--judge",
        default="squeezenet1_1",
        metavar="FILE",
        help="squeezenet1_1 or squeezenet1_0 (downloaded once), or a safetensors file of them",
    )
    add(
        "--compare",
        type=Path,
        metavar="BUNDLE",
        help="put this bundle beside it, on the same photos; its slow baseline is not run, and "
        "its losses are of --loss-weights",
    )
    add(
        "--compare-loss-weights",
        metavar="FILE",
        help="loss network of that bundle's training, if it was another one",
    )
    add("--count", type=positive, default=16, help="photos, evenly spread (default 16)")
    add("--side", type=_side, default=256, help="side of the centre crops (default 256)")
    add(
        "--baseline-photos",
        type=_count,
        default=3,
        metavar="N",
        help="photos for the slow baseline (default 3; 0 leaves it out)",
    )
    add("--iterations", type=positive, default=500, help="of the slow baseline (default 500)")
    add("--full-curves", action="store_true", help="run the slow baseline to the end in any case")
    add("--no-speed", action="store_true", help="measure no speed")
    add("--no-cards", action="store_true", help="leave the bundle as it is")
    add("--out", type=Path, default=Path("evaluation"), metavar="DIR", help="(default evaluation)")
    add("--seed", type=int, default=0, help="of noise and start images (default 0)")
    add("--device", default="auto", help="cpu, cuda; auto takes a GPU if there is one")
    add("--threads", type=positive, help="of the CPU, for both sides (default: all)")
    return parser


def main(arguments: Sequence[str]) -> None:
    """Runs ``evaluate`` with command-line ``arguments``.

    Raises:
        TrainingError: see ``load_subject``; or it was interrupted.
        BundleError: a damaged bundle.
        OSError: the disk refuses; what was measured so far is kept.
    """
    options = build_parser().parse_args(arguments)
    try:
        report, old = evaluate(
            options, shlex.join(["python", "-m", "training", "evaluate", *arguments])
        )
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


def evaluate(options: argparse.Namespace, command: str) -> tuple["Report", "Report | None"]:
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
    options: argparse.Namespace, command: str
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


def _side(text: str) -> int:
    if (side := positive(text)) < MIN_SIDE:
        raise argparse.ArgumentTypeError(f"{side} pixels are too few: give {MIN_SIDE} or more")
    return side


def _count(text: str) -> int:
    return 0 if text == "0" else positive(text)
