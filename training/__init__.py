"""The Lightning application: trains networks, exports them as bundles (``python -m training``).

From Python: ``from training import MultiStyleModule, PhotosAndPaintings, export_bundle``.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.data.module import PhotosAndPaintings
    from training.errors import TrainingError
    from training.export.command import export_bundle
    from training.module import MultiStyleModule

# Imported at first use: `python -m training --help` waits for no torch.
_HOMES = {
    "MultiStyleModule": "training.module",
    "PhotosAndPaintings": "training.data.module",
    "TrainingError": "training.errors",
    "export_bundle": "training.export.command",
}

__all__ = ["MultiStyleModule", "PhotosAndPaintings", "TrainingError", "export_bundle"]


def __getattr__(name: str) -> object:
    """Imports what is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
