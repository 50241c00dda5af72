from pathlib import Path

import pytest

from tests.serving.tiny_network import write_tiny_bundle

STYLES = {"dark": (0.5, 0.0), "half": (0.7, 20.0), "light": (1.0, 90.0)}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a model ``default`` whose styles change the brightness."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "default").mkdir()
    write_tiny_bundle(folder / "default" / "1", styles=STYLES)
    return folder
