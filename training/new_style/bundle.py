"""The next version of a bundle, with one style more and the very same graph."""

from pathlib import Path

import numpy as np

from sfumato.bundle.bundle import (
    Bundle,
    list_versions,
    next_version,
    read_latest_bundle,
    write_bundle,
)
from sfumato.bundle.style_file import StyleFile
from training.errors import TrainingError
from training.losses.calibration import Scales


def bundle_of(source: Path) -> Bundle:
    """Reads the bundle ``source``, or the highest version of the model folder ``source``.

    Raises:
        TrainingError: it is a checkpoint.
        BundleError: a damaged bundle.
    """
    if not source.is_dir():
        raise TrainingError(
            f"{str(source)!r} is a checkpoint, which has no versions: export it, and add the "
            "style to the bundle"
        )
    return read_latest_bundle(source)


def check_can_extend(bundle: Bundle) -> Path:
    """Returns the model's folder, into which the next version goes.

    The next version has what ``bundle`` has and the new style. Where there is a newer one, what
    was added to that would be lost.

    Raises:
        TrainingError: ``bundle`` is not the highest version.
    """
    path = bundle.path if bundle.path.name else bundle.path.resolve()  # "." has no parent
    newest = max(list_versions(path.parent), default=0)
    if path.name.isdigit() and int(path.name) < newest:
        raise TrainingError(
            f"{str(bundle.path)!r} is not the newest version, and the next one would lose what "
            f"version {newest} has: give the model's folder {str(path.parent)!r}"
        )
    return path.parent


def write_next_version(bundle: Bundle, style: StyleFile, scales: Scales) -> Bundle:
    """Writes ``bundle`` and one style as the version after the highest.

    The graphs are copied byte by byte and the old rows are kept, so every old style paints as
    before, to the bit.

    Args:
        bundle: the version to build on.
        style: the new style.
        scales: scale [1] of its style loss by layer, kept with those of the other styles.

    Raises:
        TrainingError: there is a newer version by now.
        BundleError: somebody else took the version in the meantime.
    """
    folder = check_can_extend(bundle)
    bank = bundle.bank.with_style(style)
    calibration = {
        layer: {**values, style.info.id: scales[layer].item()}
        for layer, values in bundle.training["calibration"].items()
    }
    return write_bundle(
        folder / str(next_version(folder)),
        network=bundle.network,
        styles=bank.infos,
        rows=np.array(bank.rows),
        training={**bundle.training, "calibration": calibration},
        model=bundle.model_path,
        model_float16=bundle.float16_path,
        model_int8=bundle.int8_path,
    )
