"""``python -m training add-style``: a painting becomes a style file of a trained network."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sfumato.bundle.quality_card import QUALITY_KEY, QualityCard
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.bundle.style_file import StyleFile, read_style_file, write_style_file
from sfumato.bundle.style_info import StyleInfo
from training.checkpoint import TrainedStyles
from training.data.module import CALIBRATION_PHOTOS, leave_signals_to_the_trainer
from training.data.paintings import METADATA_FILE, load_painting, read_metadata, style_info
from training.data.photos import PhotoBatch, PhotoFolder, center_crops, collate, spread
from training.data.style_names import composed
from training.errors import TrainingError
from training.loss_settings import LossSettings, loss_network_of, perceptual_loss
from training.losses.calibration import calibrate, painting_grams
from training.losses.perceptual import PerceptualLoss
from training.networks.transformation_network import TransformationNetwork
from training.new_style.bundle import bundle_of, check_can_extend, write_next_version
from training.new_style.module import NewStyleModule
from training.new_style.nearest_blend import nearest_blend
from training.new_style.options import AddStyleOptions, parse_options
from training.optimize.watch import choose_device
from training.output_place import prepare_file, prepare_folder
from training.starting_point import read_trained

HELD_OUT: Final = 16
"""Photos on which the style is judged; they are not trained on where there are enough others."""
BLEND_PHOTOS: Final = 4


def main(arguments: Sequence[str]) -> None:
    """Runs ``add-style`` with command-line ``arguments``."""
    options = parse_options(arguments)
    L.seed_everything(options.seed, verbose=False)
    trained = read_trained(options.source)
    info = describe(options, trained)
    out = options.out or Path(f"{info.id}.safetensors")
    # What can be refused is refused before the minutes of training.
    lightning_device(options.device)
    prepare_file(out)
    if options.next_version:
        prepare_folder(check_can_extend(bundle_of(options.source)))
    lesson = Lesson(trained, options, info)
    row, steps = lesson.learn()
    quality = lesson.judge(row)
    style = StyleFile(lesson.described(quality, steps), row.numpy(), trained.network.digest())
    write_style_file(out, style)
    print(f"wrote {out}: style {info.id!r} after {steps} steps")
    print(
        f"on {quality.photos} photos content {quality.content_loss:.3f}, style "
        f"{quality.style_loss:.4f} (1 before painting), total {quality.total_loss:.3f}"
    )
    if options.next_version:
        bundle = write_next_version(bundle_of(options.source), style, lesson.scales)
        print(f"wrote {bundle.path}: {len(bundle.styles)} styles")


def lightning_device(name: str) -> dict[str, Any]:
    """Returns the trainer's options for the device called ``name``; ``auto`` is left to Lightning.

    Raises:
        TrainingError: there is no such device.
    """
    if name == "auto":
        return {"accelerator": "auto", "devices": 1}
    device = choose_device(name)
    return {"accelerator": device.type, "devices": [device.index] if device.index else 1}


def describe(options: AddStyleOptions, trained: TrainedStyles) -> StyleInfo:
    """Describes the new style. Raises TrainingError if the network has one of that id."""
    metadata = read_metadata(options.painting.parent / METADATA_FILE)
    info = options.describe(
        style_info(
            options.painting,
            metadata.get(composed(options.painting.name), {}),
            options.id,
            advice="rename it, or give --id",
        )
    )
    if info.id == PHOTOGRAPH_STYLE or any(style.id == info.id for style in trained.styles):
        raise TrainingError(f"the network has a style {info.id!r} already: give another --id")
    return info


class Lesson:
    """Everything that one new style needs: its loss, its photos, its first row."""

    def __init__(self, trained: TrainedStyles, options: AddStyleOptions, info: StyleInfo) -> None:
        """Reads the painting and the photos, and calibrates the loss; see ``learn``."""
        self.trained, self.options, self.info = trained, options, info
        notes = trained.training
        settings = LossSettings.from_notes(notes)
        if options.style_strength is not None:
            settings = replace(settings, style_strength=options.style_strength)
        self.crop_size = options.crop_size or int(notes["crop_size"])
        image = load_painting(options.painting, options.style_size or int(notes["style_size"]))
        self.loss_network = loss_network_of(notes, settings, options.loss_weights)
        self.photos, self.held_out = _photos(options, self.crop_size)
        self.grams = painting_grams(self.loss_network, [image], settings.style_layers)
        calibration = center_crops(self.photos.files, CALIBRATION_PHOTOS, self.crop_size)
        self.scales = calibrate(self.loss_network, self.grams, calibration)
        self.loss: PerceptualLoss = perceptual_loss(
            settings, self.loss_network, self.grams, self.scales
        )

    def first_row(self) -> Tensor:
        """Returns the row [P] to start from."""
        init, network = self.options.init, self.trained.network
        rows_by_style = zip(self.trained.styles, self.trained.rows, strict=True)
        known: dict[str, Tensor] = {style.id: row for style, row in rows_by_style}
        known.pop(PHOTOGRAPH_STYLE, None)
        if init == "neutral" or (init == "nearest" and not known):
            return network.neutral_style()
        if init == "nearest":
            rows = torch.stack(list(known.values()))
            photos = self.held_out[:BLEND_PHOTOS]
            shares = nearest_blend(
                network, rows, self.loss_network, self.grams, self.scales, photos
            )
            most = shares.argsort(descending=True)[:3].tolist()
            names = list(known)
            mixture = ", ".join(f"{names[i]} {shares[i]:.2f}" for i in most if shares[i] > 0.005)
            print(f"starting from the nearest blend: {mixture}")
            blend: Tensor = shares @ rows
            return blend
        if init in known:
            return known[init].clone()
        return _row_of_file(Path(init), network.digest(), known)

    def learn(self) -> tuple[Tensor, int]:
        """Trains the row; returns it [P] and the steps taken. Ctrl-C ends it early, not in vain."""
        options = self.options
        module = NewStyleModule(
            self.trained.network,
            self.first_row(),
            self.loss,
            learning_rate=options.learning_rate,
            steps=options.steps,
        )
        trainer = _trainer(options)
        try:
            trainer.fit(module, self._loader())
        except (KeyboardInterrupt, SystemExit):  # Lightning turns Ctrl-C into an exit
            pass
        except TrainingError as error:
            if module.steps_taken == 0:
                raise
            print(f"stopped: {error}")
        if trainer.interrupted:
            print(f"interrupted after {module.steps_taken} of {options.steps} steps")
        return module.good_row, module.steps_taken

    @torch.inference_mode()
    def judge(self, row: Tensor, network: TransformationNetwork | None = None) -> QualityCard:
        """Returns content, style and total loss of ``row`` [P], means over the held-out photos.

        ``network`` paints; None stands for the trained one.
        """
        network = (network or self.trained.network).cpu()
        loss = self.loss.cpu()
        terms = []
        for photo in self.held_out:
            painted = network.render(photo[None], row[None])
            one = loss(photo[None], painted, torch.zeros(1, dtype=torch.long))
            terms.append(torch.cat([one.content, one.style, one.total]))
        content, style, total = torch.stack(terms).mean(dim=0).tolist()
        return QualityCard(
            content_loss=content,
            style_loss=style,
            total_loss=total,
            photos=len(self.held_out),
            side=self.crop_size,
        )

    def described(self, quality: QualityCard, steps: int) -> StyleInfo:
        """Describes the style with its quality and how it was learned."""
        init = self.options.init
        learned = {
            "steps": steps,
            "init": init if init in _INITS else "row",
            "calibration": {layer: scale.item() for layer, scale in self.scales.items()},
        }
        return replace(self.info, card={QUALITY_KEY: quality.to_json(), "learned": learned})

    def _loader(self) -> "DataLoader[PhotoBatch]":
        options = self.options
        return DataLoader(
            self.photos,  # type: ignore[arg-type]  # collate turns crops into batches
            batch_size=min(options.batch_size, len(self.photos)),
            shuffle=True,
            drop_last=True,
            num_workers=options.num_workers,
            collate_fn=collate,
            worker_init_fn=leave_signals_to_the_trainer,
            persistent_workers=options.num_workers > 0,
        )


_INITS: Final = ("nearest", "neutral")


def _photos(options: AddStyleOptions, crop_size: int) -> tuple[PhotoFolder, Tensor]:
    """Returns the photos to train on, and held-out ones [K, 3, crop_size, crop_size]."""
    photos = PhotoFolder(options.photos, crop_size)
    files = photos.files
    held_out = spread(files, HELD_OUT)
    if len(files) >= 4 * HELD_OUT:
        photos.files = [file for file in files if file not in held_out]
    return photos, center_crops(held_out, HELD_OUT, crop_size)


def _row_of_file(path: Path, digest: str, known: Mapping[str, Tensor]) -> Tensor:
    if not path.is_file():
        raise TrainingError(
            f"--init {str(path)!r} is no style file and no style of this network: choose nearest, "
            f"neutral, a style file, or one of {', '.join(known)}"
        )
    style = read_style_file(path)
    if style.network_digest != digest:
        raise TrainingError(f"the style file {str(path)!r} belongs to another network")
    return torch.tensor(style.row)


_LIBRARY_WARNINGS: Final = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "The '.*dataloader' does not have many workers",  # the number is ours and documented
    r"Found \d+ module\(s\) in eval mode",  # the network is frozen on purpose
)


def _trainer(options: AddStyleOptions) -> L.Trainer:
    for message in _LIBRARY_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    return L.Trainer(
        max_steps=options.steps,
        max_epochs=-1,
        **lightning_device(options.device),
        precision=options.precision,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
