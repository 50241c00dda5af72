"""What each part of the network and of the losses is worth: short trainings, one thing different.

    python -m benchmarks.ablation --photos DIR --styles DIR --labelled DIR --loss-weights FILE \
        --judge FILE

Every variant (see ``benchmarks.ablation_variants``) is trained from the start as
training/configs/default_model.yaml says, with the same first weights and the same crops, on a
few paintings and for a few steps only: the table compares variants, not models. What is measured
is what ``python -m training evaluate`` puts on the quality card, of the network in PyTorch, on
photos of --labelled, which the training never sees.

Each variant is kept in OUT when it is done, and its training now and then: the same command goes
on where it was. The table has all variants that are there; OUT/sheet.png shows two photos in all
paintings.
"""

import argparse
import statistics
import time
import warnings
from pathlib import Path
from typing import Any, Final

import lightning as L
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor

from benchmarks.ablation_variants import VARIANTS, TrueFineLayers, Variant
from benchmarks.machine import describe_machine
from examples.contact_sheet import Picture, Row, draw_contact_sheet
from training.data.image_folder import find_images
from training.data.module import PhotosAndPaintings
from training.data.paintings import Painting
from training.data.photos import center_crops
from training.evaluation.measures.flaws import detail_kept
from training.evaluation.measures.judge import Judge, load_judge
from training.evaluation.measures.stability import shift_rms, shift_rms_with_noise
from training.evaluation.measures.style_measures import measure_flaws, placed_painter
from training.evaluation.results_folder import ResultsFolder
from training.module import MultiStyleModule
from training.run.checkpoints import InterruptedCheckpoint, find_last
from training.run.interruption import Interruption
from training.run.progress import StepsBar
from training.run.threads import threads

CONFIG: Final = Path("training/configs/default_model.yaml")
PAINTINGS: Final = ("hokusai-great-wave", "munch-scream", "picabia-udnie", "van-gogh-starry-night")
COMPILED_FROM: Final = 500
"""Steps over which torch.compile pays."""

SHIFTED: Final = 8
"""Photos on which stability is measured."""

COLUMNS: Final = {
    "lattice 2": ("lattice_2", ".2f"),
    "lattice 4": ("lattice_4", ".2f"),
    "lattice 8": ("lattice_8", ".2f"),
    "line": ("spectral_line", ".1f"),
    "halo": ("halo", ".1f"),
    "calm painted": ("calm_painted", ".2f"),
    "shift": ("shift_rms", ".3f"),
    "shift, noise too": ("shift_rms_with_noise", ".3f"),
    "detail kept": ("detail_kept", ".2f"),
    "recognized": ("recognized", ".0%"),
    "judge: style": ("judge_style", ".3f"),
    "judge: content": ("judge_content", ".2f"),
}


class StepClock(Callback):
    """Notes the seconds of every step, and keeps them in the checkpoints."""

    def __init__(self) -> None:
        """Has seen no step yet."""
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: object) -> None:
        """Notes when the step begins."""
        self._start = time.perf_counter()

    def on_train_batch_end(self, *_: object) -> None:
        """Notes how long it took."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self._start)

    def state_dict(self) -> dict[str, Any]:
        """Returns what ``load_state_dict`` takes."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.seconds = list(state_dict["seconds"])


def train(
    variant: Variant, folder: Path, options: argparse.Namespace
) -> tuple[MultiStyleModule, list[Painting], list[float]]:
    """Trains, or goes on from ``folder``; returns module, paintings, and the seconds by step."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    L.seed_everything(config["seed_everything"], verbose=False)
    compiled = options.steps >= COMPILED_FROM
    losses = {"loss_weights": options.loss_weights, "compile": compiled}
    module = variant.build(**{**config["model"], **losses})
    own = {"photos": options.photos, "styles": options.styles, "style_names": options.paintings}
    data = PhotosAndPaintings(**{**config["data"], **own}, held_out=0)
    interruption, clock = Interruption(), StepClock()
    trainer = L.Trainer(
        default_root_dir=folder,
        max_steps=options.steps,
        max_epochs=-1,
        precision=config["trainer"]["precision"],
        gradient_clip_val=config["trainer"]["gradient_clip_val"],
        logger=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[
            interruption,
            StepsBar(),
            clock,
            InterruptedCheckpoint(
                folder, every_n_train_steps=100, save_last=True, save_on_exception=True
            ),
        ],
    )
    with interruption.exit_status(), threads(options.threads):
        trainer.fit(module, data, ckpt_path=find_last(folder))
    return module, data.paintings, clock.seconds


@torch.no_grad()
def measure(
    module: MultiStyleModule, painting: Painting, row: Tensor, photos: Tensor, judge: Judge
) -> tuple[dict[str, float | None], Tensor]:
    """Paints ``photos`` [N, 3, H, W] in the style ``row`` [P]; returns measures and pictures."""
    placed = placed_painter(module.network, row[None])
    painted = placed(photos, 0)
    few = photos[:SHIFTED]
    still = shift_rms(lambda each: placed(each, 0), few, painted[:SHIFTED])
    moved = shift_rms_with_noise(placed, few)
    style, content = judge(painted, painting.image[None])
    measures = {
        **measure_flaws(lambda each: placed(each, 0), painting.image[None]),
        "shift_rms": still.mean().item(),
        "shift_rms_with_noise": moved.mean().item(),
        "detail_kept": detail_kept(photos, painted),
        "recognized": judge.recognized(painted),
        "judge_style": style,
        "judge_content": content,
    }
    return measures, painted


def run(
    name: str, results: ResultsFolder, photos: Tensor, judge: Judge, options: argparse.Namespace
) -> None:
    """Trains and measures the variant ``name``, and keeps its numbers and pictures."""
    print(f"\n{VARIANTS[name].title}", flush=True)
    module, paintings, seconds = train(VARIANTS[name], options.out / name, options)
    module = module.cpu().eval()
    styles, pictures = {}, []
    for painting, row in zip(paintings, module.rows, strict=False):  # photograph is the last row
        styles[painting.info.id], painted = measure(module, painting, row, photos, judge)
        pictures.append(_bytes(painted[[0, len(painted) // 2]]))
    results.put_pictures(name, {"painted": torch.stack(pictures, dim=1)})  # [2, S, 3, H, W]
    kept = {
        "styles": styles,
        "seconds_per_step": statistics.median(seconds),
        "minutes": sum(seconds) / 60,
        "machine": describe_machine("torch"),
    }
    results.put(name, kept)


def table(found: dict[str, Any]) -> str:
    """Returns the lines of the variants in ``found``, means over the paintings."""
    lines = [
        f"| variant | {' | '.join(COLUMNS)} | s/step |",
        f"| --- |{' ---: |' * (len(COLUMNS) + 1)}",
    ]
    for name, kept in found.items():
        cells = [VARIANTS[name].title]
        for measure, form in COLUMNS.values():
            values = [style[measure] for style in kept["styles"].values()]
            known = [value for value in values if value is not None]
            cells.append(format(statistics.fmean(known), form) if known else "–")
        lines.append(f"| {' | '.join(cells)} | {kept['seconds_per_step']:.2f} |")
    return "\n".join(lines)


def sheet(found: dict[str, Any], results: ResultsFolder, photos: Tensor) -> Image.Image:
    """Draws a row per variant: two photos, each before its pictures in all paintings."""
    shown = _bytes(photos[[0, len(photos) // 2]])
    rows = []
    for name, kept in found.items():
        pictures: list[Picture] = []
        for photo, painted in zip(shown, _pictures(name, results), strict=True):
            pictures.append(Picture(_image(photo)))
            pictures += [
                Picture(_image(picture), style)
                for style, picture in zip(kept["styles"], painted, strict=True)
            ]
        rows.append(Row(pictures, VARIANTS[name].title))
    return draw_contact_sheet(rows, width=2500)


def _pictures(name: str, results: ResultsFolder) -> Tensor:
    """Returns what a variant made of two photos in all paintings, bytes [2, S, 3, H, W]."""
    pictures = results.get_pictures(name)
    assert pictures is not None
    return pictures["painted"]


def _bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


def _image(levels: Tensor) -> Image.Image:
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def main() -> None:
    """Trains what is not there yet, prints the table and draws the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--photos", type=Path, nargs="+", required=True, metavar="DIR", help="to train on")
    add("--styles", type=Path, required=True, metavar="DIR", help="folder of the paintings")
    add("--labelled", type=Path, required=True, metavar="DIR", help="photos to measure on")
    add("--loss-weights", default="vgg16", metavar="FILE", help="(default vgg16)")
    add("--true-weights", metavar="FILE", help="a VGG-19 to relu3_4; true-vgg needs it")
    add("--judge", default="squeezenet1_1", metavar="FILE", help="(default squeezenet1_1)")
    add("--paintings", nargs="+", default=PAINTINGS, help=f"(default {' '.join(PAINTINGS)})")
    add("--steps", type=int, default=1000, help="of each training (default 1000)")
    add("--count", type=int, default=40, help="photos to measure on, evenly spread (default 40)")
    add("--side", type=int, default=256, help="of their centre crops (default 256)")
    add("--only", nargs="+", choices=VARIANTS, metavar="VARIANT", help=f"of {', '.join(VARIANTS)}")
    add("--threads", type=int, help="of a training step (default: what is free)")
    add("--out", type=Path, default=Path("ablation"), metavar="DIR", help="(default ablation)")
    options = parser.parse_args()
    results = ResultsFolder(options.out)
    conditions = {"steps": options.steps, "paintings": list(options.paintings)}
    conditions |= {"photos": options.count, "side": options.side}
    conditions |= {key: Path(getattr(options, key)).name for key in ("loss_weights", "judge")}
    if results.get("conditions") not in (None, conditions):
        parser.error(f"{options.out} has results of other options: give another --out")
    results.put("conditions", conditions)
    wanted = options.only or [n for n in VARIANTS if n != "true-vgg" or options.true_weights]
    if "true-vgg" in wanted and not options.true_weights:
        parser.error("--only true-vgg needs the true network: give its file with --true-weights")
    TrueFineLayers.weights = options.true_weights or ""
    warnings.filterwarnings("ignore", module="lightning")
    photos = center_crops(find_images(options.labelled), options.count, options.side)
    judge = Judge(load_judge(options.judge), photos)
    for name in wanted:
        if results.get(name) is None:
            run(name, results, photos, judge, options)
    found = {name: kept for name in VARIANTS if (kept := results.get(name)) is not None}
    minutes = sum(kept["minutes"] for kept in found.values())
    machines = "; ".join(dict.fromkeys(kept["machine"] for kept in found.values()))
    print(
        f"\n{machines}\n{options.steps} steps, {minutes:.0f} minutes in all; means over "
        f"{len(options.paintings)} paintings and {len(photos)} photos of {options.side}²\n\n"
        f"{table(found)}"
    )
    sheet(found, results, photos).save(options.out / "sheet.png")
    print(f"\nwrote {options.out / 'sheet.png'}")


if __name__ == "__main__":
    main()
