"""The Lightning application: trains networks, exports them as bundles (``python -m training``).

from training import MultiStyleModule, StyleTransfer

module = MultiStyleModule.load_from_checkpoint("last.ckpt")
picture = StyleTransfer(photo="photo.jpg", paintings=["painting.jpg"]).run().image
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.baselines.doodle import Doodle as Doodle
    from training.baselines.grid import StyleGrid as StyleGrid
    from training.baselines.invert import FeatureInversion as FeatureInversion
    from training.baselines.style import StyleTransfer as StyleTransfer
    from training.baselines.texture import TextureSynthesis as TextureSynthesis
    from training.data.module import PhotosAndPaintings as PhotosAndPaintings
    from training.data.paintings import Painting as Painting
    from training.data.paintings import load_paintings as load_paintings
    from training.errors import TrainingError as TrainingError
    from training.export.command import export_bundle as export_bundle
    from training.module import MultiStyleModule as MultiStyleModule
    from training.visualization.class_model import ClassModel as ClassModel
    from training.visualization.dream import DeepDream as DeepDream
    from training.visualization.feature import FeatureVisualization as FeatureVisualization

# Where each name lives: they are imported at first use, because torch takes seconds.
_HOMES = {
    "ClassModel": "visualization.class_model",
    "DeepDream": "visualization.dream",
    "Doodle": "baselines.doodle",
    "FeatureInversion": "baselines.invert",
    "FeatureVisualization": "visualization.feature",
    "MultiStyleModule": "module",
    "Painting": "data.paintings",
    "PhotosAndPaintings": "data.module",
    "StyleGrid": "baselines.grid",
    "StyleTransfer": "baselines.style",
    "TextureSynthesis": "baselines.texture",
    "TrainingError": "errors",
    "export_bundle": "export.command",
    "load_paintings": "data.paintings",
}


def __getattr__(name: str) -> object:
    """Imports a public name at its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"training.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Lists the public names."""
    return sorted([*globals(), *_HOMES])
