"""A short soak; ``python -m benchmarks.soak`` is the long one."""

import os

import pytest

from benchmarks.soak import Soak
from benchmarks.soak_record import SoakRecord
from tests.serving.tiny_network import STYLES, write_tiny_bundle

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("SFUMATO_SOAK_SECONDS", "120"))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> SoakRecord:
    """What a server went through that stopped in order afterwards."""
    folder = tmp_path_factory.mktemp("soak")
    bundle = folder / "bundle" / "1"
    write_tiny_bundle(bundle, styles={**STYLES, "photograph": (1.0, 0.0)})
    return Soak(bundle, SECONDS, clients=4, largest=200, reload_seconds=4).run(folder)


def test_a_soaked_server_did_nothing_wrong_and_has_nothing_left_inside(record: SoakRecord) -> None:
    assert record.problems() == []
    assert record.left


def test_a_soak_tries_everything(record: SoakRecord) -> None:
    assert {activity for activity, _ in record.outcomes} == {
        *("paint", "send garbage", "ask for unknown style", "cancel", "come too late"),
        *("stream", "leave stream", "reload", "crash"),
    }
    assert record.memory
    assert record.health
