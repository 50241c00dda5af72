from collections.abc import Iterator

import pytest
import torch

from tests.training.evaluation.drawn_bundle import DrawnBundle


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnBundle:
    """A bundle and what evaluates it; tests leave it as it is."""
    return DrawnBundle(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures of a few pixels gain nothing from more, and wait for each other on busy cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
