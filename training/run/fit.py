"""``python -m training fit``: LightningCLI with Sfumato's module, data and checkpoints."""

import logging
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, Final

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_info

from training.checkpoint import load
from training.data.module import PhotosAndPaintings
from training.errors import TrainingError
from training.module import MultiStyleModule
from training.output_place import prepare_folder
from training.ranges import check_range
from training.run.checkpoints import InterruptedCheckpoint, find_last
from training.run.interruption import Interruption
from training.run.progress import StepsBar
from training.run.threads import threads

LARGEST_SEED: Final = 2**32 - 1
"""NumPy's; Lightning seeds it, too."""

_ADVERTISEMENTS: Final = ("litlogger", "litmodels")

_LIBRARY_WARNINGS: Final = (
    "LightningCLI's args parameter",  # main() is also called from Python
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "The '.*dataloader' does not have many workers",  # the number is ours and documented
    "You're resuming from a checkpoint that ended before the epoch ended",  # see PhotoOrder
    "Checkpoint directory .* exists and is not empty",  # InterruptedCheckpoint loses nothing
)

_LIGHTNINGS_CHECKPOINTS: Final = ("hpc", "registry")

_RANGES: Final = {
    "accumulate_grad_batches": 1,
    "gradient_clip_val": 0,
    "log_every_n_steps": 0,
    "max_epochs": -1,
    "max_steps": -1,
    "num_nodes": 1,
}
"""Smallest values of the trainer's options; -1 is no end."""


SHORT: Final = {
    "--photos": "--data.photos",
    "--styles": "--data.styles",
    "--loss-weights": "--model.loss_weights",
    "--device": "--trainer.accelerator",
}
"""The words of the other commands, and what they are here."""


_SHORT_HELP: Final = "Short: " + ", ".join(f"{a} for {b}" for a, b in SHORT.items())


class SfumatoCLI(LightningCLI):
    """Offers ``fit`` alone; checkpoints lie beside the previews."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Returns the trainer's methods that are commands."""
        return {"fit": LightningCLI.subcommands()["fit"]}

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Reads the command line, and hides the checkpoint from Lightning for a moment.

        Lightning would put the checkpoint's options over those of the command line: a run that
        goes on with another step size, or another strength, shall have it.
        """
        super().parse_arguments(parser, args)
        options = self.config["fit"]
        if not isinstance(seed := options["seed_everything"], bool):
            check_range("--seed_everything", seed, 0, LARGEST_SEED)
        self.ckpt_path = options["ckpt_path"]
        options["ckpt_path"] = None

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the checkpoint's options and the number of threads."""
        parser.add_argument(
            "--threads",
            type=int | None,
            help="Threads of a step on the CPU; left out, as many as the load allows.",
        )
        # Not as Lightning's own callbacks, which are there even where checkpoints are switched off.
        parser.add_class_arguments(InterruptedCheckpoint, "checkpoint", fail_untyped=False)
        parser.set_defaults(
            {
                "checkpoint.filename": "step-{step:06d}",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.every_n_train_steps": 500,
                "checkpoint.save_last": True,
                "checkpoint.save_on_exception": True,
            }
        )

    def before_instantiate_classes(self) -> None:
        """Refuses numbers that are no use by their names."""
        options = self.config["fit"]
        options["ckpt_path"] = self.ckpt_path
        trainer = options["trainer"]
        for name, least in _RANGES.items():
            if isinstance(trainer[name], int | float):
                check_range(f"--trainer.{name}", trainer[name], least)
        if isinstance(interval := trainer["val_check_interval"], int):  # a float is a share
            check_range("--trainer.val_check_interval", interval, 1)
        if (count := options["threads"]) is not None:
            check_range("--threads", count, 1)
        if torch.accelerator.is_available():
            return
        if trainer["accelerator"] in ("gpu", "cuda", "mps"):
            raise TrainingError(
                f"--trainer.accelerator is {trainer['accelerator']!r}, but torch finds none here: "
                "give cpu or auto"
            )
        if str(trainer["devices"]) == "-1":  # all GPUs
            check_range("--trainer.devices", -1, 1)

    def instantiate_classes(self) -> None:
        """Makes the trainer, the module and the data.

        Raises:
            TrainingError: what Lightning and jsonargparse say of options that they do not take.
        """
        try:
            super().instantiate_classes()
        except (MisconfigurationException, ValueError) as error:
            reason: BaseException = error
            while before := reason.__cause__ or reason.__context__:
                reason = before  # the first one is about the option itself
            raise TrainingError(" ".join(str(reason).split())) from error

    def instantiate_trainer(self, **options: Any) -> L.Trainer:
        """Adds what each run has: checkpoints, a bar for its steps and an ending in order."""
        config = self.config_init["fit"]
        trainer, given = config["trainer"], config["trainer"]["callbacks"] or []
        callbacks = [*given] if isinstance(given, list) else [given]
        no_bar = trainer["enable_progress_bar"] is False or trainer["barebones"]
        with_bar = no_bar or any(isinstance(callback, ProgressBar) for callback in callbacks)
        if trainer["enable_checkpointing"] is not False:
            callbacks.append(config["checkpoint"])
        self.interruption = Interruption()
        callbacks += [self.interruption, *([] if with_bar else [StepsBar()])]
        return super().instantiate_trainer(callbacks=callbacks, **options)

    def fit(self, **options: Any) -> None:
        """Runs the trainer, from the checkpoint that ``--ckpt_path`` means."""
        root = Path(self.trainer.default_root_dir).absolute()
        if not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            prepare_folder(root)
        folder = root / "checkpoints"
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, InterruptedCheckpoint):
                folder = Path(callback.dirpath or folder)
                callback.dirpath = str(folder)
        options["ckpt_path"] = checkpoint_to_go_on_from(options["ckpt_path"], folder)
        count = self.config["fit"]["threads"]
        # Lightning shares the processors out among several processes; a GPU needs few threads.
        alone = self.trainer.world_size == 1 and isinstance(
            self.trainer.accelerator, CPUAccelerator
        )
        with self.interruption.exit_status(), threads(count) if alone or count else nullcontext():
            self.trainer.fit(**options)


def checkpoint_to_go_on_from(option: str | Path | None, folder: Path) -> str | None:
    """Returns the file that ``--ckpt_path`` means; ``last`` is the newest of the run in ``folder``.

    Raises:
        TrainingError: no such file, or no checkpoint.
    """
    if option is None or str(option).partition(":")[0] in _LIGHTNINGS_CHECKPOINTS:
        return None if option is None else str(option)
    if option != "last":
        if "://" not in str(option):
            load(Path(option))
        return str(option)
    last = find_last(folder)
    if last is None:  # the same command starts a run and goes on with it
        rank_zero_info(f"no last checkpoint in {folder}: beginning at step 0")
        return None
    load(last)
    return str(last)


def in_full(arguments: Sequence[str]) -> list[str]:
    """Returns a command line in which the words of ``SHORT`` are LightningCLI's own."""
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if name not in SHORT:
            words.append(word)
            continue
        values = [value] if equals else list(islice(rest, 1))
        if name == "--device" and values:
            device, _, number = values[0].partition(":")
            values = [device, "--trainer.devices", f"[{number}]"] if number else [device]
        words += [SHORT[name], *values]
    return words


def main(arguments: Sequence[str]) -> None:
    """Runs ``fit`` with command-line ``arguments``.

    Raises:
        TrainingError: what was asked for does not go together, or not on this machine.
        SystemExit: a wrong option (2), or a signal (128 + its number).
    """
    for message in _LIBRARY_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_no_advertisement)
    try:
        SfumatoCLI(
            MultiStyleModule,
            PhotosAndPaintings,
            args=["fit", *in_full(arguments)],
            parser_kwargs={"fit": {"epilog": _SHORT_HELP}},
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={
                "val_check_interval": 500,
                "check_val_every_n_epoch": None,  # the interval is in steps
                "num_sanity_val_steps": 0,
            },
        )
    except MisconfigurationException as error:  # Lightning's word for a wrong option
        raise TrainingError(" ".join(str(error).split())) from error


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return not any(word in record.getMessage() for word in _ADVERTISEMENTS)
