"""Places of output, checked and made before the work whose result they shall hold."""

import os
from pathlib import Path

from sfumato.bundle.manifest import MANIFEST_FILE
from training.errors import TrainingError


def prepare_folder(folder: Path) -> None:
    """Makes ``folder``, unless it is there, and makes sure that files can be put into it.

    Raises:
        TrainingError: it is something else, or must not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in the way" if folder.is_file() else error.strerror
        raise TrainingError(
            f"the folder {str(folder)!r} cannot be made ({reason}): give another place to write to"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TrainingError(f"the folder {str(folder)!r} cannot be written: give another")


def prepare_file(file: Path) -> None:
    """Makes the folder of ``file``, which will be written later. Raises TrainingError."""
    if file.is_dir():
        raise TrainingError(f"{str(file)!r} is a folder: give the name of a file to write")
    prepare_folder(file.parent)


def prepare_model_folder(model_dir: Path) -> None:
    """Makes the folder of a model, into which a version will be written later.

    Raises:
        TrainingError: it is one version of a model, or would be; or it cannot be written.
    """
    if (model_dir / MANIFEST_FILE).exists() or model_dir.resolve().name.isdigit():
        raise TrainingError(
            f"{str(model_dir)!r} is a version of a model, not a model: give its folder "
            f"{str(model_dir.parent)!r}, and the next number follows by itself"
        )
    prepare_folder(model_dir)
