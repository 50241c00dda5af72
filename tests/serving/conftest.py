import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from serving.server import Server
from tests.serving.repositories import put
from tests.serving.running import connected, running
from tests.serving.tensors import inferring
from tests.serving.tiny_network import write_tiny_bundle


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Runs servers in the event loop that they have in production."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model folder with one tiny network, the default model."""
    write_tiny_bundle(tmp_path / "models" / "default" / "1")
    return tmp_path / "models"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A model folder whose default model can be replaced; it has the style "plain", of gain 1."""
    put(tmp_path / "models" / "default" / "1")
    return tmp_path / "models"


@pytest.fixture
async def server(models: Path) -> AsyncIterator[Server]:
    """A server of ``models``."""
    async with running(models) as server:
        yield server


@pytest.fixture
async def stub(server: Server) -> AsyncIterator[Any]:
    """A client of ``server``."""
    async with connected(server) as stub:
        yield stub


@pytest.fixture
async def tensors(server: Server) -> AsyncIterator[Any]:
    """A client of ``server`` that speaks the Open Inference Protocol."""
    async with inferring(server) as stub:
        yield stub
