"""When files that could not be loaded are tried again."""

import errno
from types import SimpleNamespace

import pytest

from serving.version_slot import VersionSlot
from sfumato.errors import BundleError

FILES = ((1, 2, 3, 4), None)
OTHERS = ((1, 2, 3, 5), None)


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("serving.version_slot.time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def refused_by_the_system() -> BundleError:
    error = BundleError("model.onnx cannot be read")
    error.__cause__ = OSError(errno.EMFILE, "too many open files")
    return error


def due_after(slot: VersionSlot, clock: Clock) -> float:
    """Gives in how many seconds the same files are tried again, to the tenth."""
    started = clock.now
    while not slot.is_due(FILES):
        clock.now += 0.1
        assert clock.now < started + 1000
    return round(clock.now - started, 1)


def test_what_the_system_refused_is_tried_again_at_growing_intervals(clock: Clock) -> None:
    slot = VersionSlot()
    pauses = []
    for _ in range(9):
        slot.fail(FILES, "no descriptor", refused_by_the_system())
        pauses.append(due_after(slot, clock))
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.11)


def test_a_damaged_file_is_tried_again_only_when_it_has_changed(clock: Clock) -> None:
    slot = VersionSlot()
    slot.fail(FILES, "a digest differs", BundleError("a digest differs"))
    clock.now += 1e6
    assert not slot.is_due(FILES)
    assert slot.is_due(OTHERS)


def test_what_is_unloaded_does_not_come_back_by_itself(clock: Clock) -> None:
    slot = VersionSlot()
    slot.fail(FILES, "no memory", MemoryError())
    slot.unload()
    clock.now += 1e6
    assert not slot.is_due(FILES)
