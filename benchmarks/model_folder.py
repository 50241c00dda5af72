"""The model folder of a running server, in which versions come and go."""

import shutil
from pathlib import Path
from typing import Final

from examples.local_server import CHECKOUT
from sfumato.bundle.bundle import list_versions
from sfumato.bundle.manifest import MODEL_FILE

MODELS: Final = CHECKOUT / "models"
_CUT_BYTES: Final = 100


def latest_bundle(models: Path = MODELS) -> Path:
    """Gives the folder of the highest version of the default model."""
    folder = models / "default"
    return folder / str(list_versions(folder)[-1])


class ModelFolder:
    """A model folder whose default model gets new versions, all copies of one bundle.

    Attributes:
        root: the folder, for ``--models``.
    """

    def __init__(self, root: Path, bundle: Path) -> None:
        """Makes an empty folder for copies of ``bundle``."""
        self.root = root
        self._bundle = bundle
        self._model = root / "default"
        self._model.mkdir(parents=True)

    def add(self, version: int, *, damaged: bool = False) -> None:
        """Puts a version there in one step, in place of one of the same number."""
        fresh = self.root.with_name("fresh")
        shutil.copytree(self._bundle, fresh)
        if damaged:
            network = fresh / MODEL_FILE
            network.write_bytes(network.read_bytes()[:-_CUT_BYTES])
        self.remove(version)
        fresh.rename(self._model / str(version))

    def remove(self, version: int) -> None:
        """Takes a version away, if it is there."""
        shutil.rmtree(self._model / str(version), ignore_errors=True)
