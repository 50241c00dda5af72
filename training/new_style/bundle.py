"""The next version of a bundle, with one style more and the very same graph."""

from pathlib import Path

import numpy as np

from sfumato.bundle import Bundle, next_version, read_latest_bundle, write_bundle
from sfumato.style_file import StyleFile
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


def write_next_version(bundle: Bundle, style: StyleFile, scales: Scales) -> Bundle:
    """Writes ``bundle`` and one style as the version after the highest.

    The graphs are copied byte by byte and the old rows are kept, so every old style paints as
    before, to the bit.

    Args:
        bundle: the version to build on.
        style: the new style.
        scales: scale [1] of its style loss by layer, kept with those of the other styles.

    Raises:
        BundleError: somebody else took the version in the meantime.
    """
    bank = bundle.bank.with_style(style)
    calibration = {
        layer: {**values, style.info.id: scales[layer].item()}
        for layer, values in bundle.training["calibration"].items()
    }
    return write_bundle(
        bundle.path.parent / str(next_version(bundle.path.parent)),
        network=bundle.network,
        styles=bank.infos,
        rows=np.array(bank.rows),
        training={**bundle.training, "calibration": calibration},
        model=bundle.model_path,
        model_float16=bundle.float16_path,
    )
