import pytest

from tests.training.evaluation.drawn_bundle import DrawnBundle


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnBundle:
    """A bundle and what evaluates it; tests leave it as it is."""
    return DrawnBundle(tmp_path_factory.mktemp("drawn"))
