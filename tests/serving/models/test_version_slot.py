"""When files that could not be loaded are tried again."""

import errno
import os
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.device.onnx_runtime import SessionSettings
from serving.device.session import OnnxSession
from serving.models.version_slot import VersionSlot
from sfumato.bundle.bundle import read_bundle
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
    monkeypatch.setattr(
        "serving.models.version_slot.time", SimpleNamespace(monotonic=clock.monotonic)
    )
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


def test_other_files_are_tried_again_as_soon_as_the_first_ones_were(clock: Clock) -> None:
    slot = VersionSlot()
    for _ in range(5):
        slot.fail(OTHERS, "no descriptor", refused_by_the_system())
    slot.fail(FILES, "no descriptor", refused_by_the_system())
    assert due_after(slot, clock) == pytest.approx(1, abs=0.11)


@pytest.mark.parametrize(
    "told",
    [
        "Status Message: Failed to allocate memory for requested buffer of size 2097152",
        "Non-zero status code returned while running Div node. Status Message: std::bad_alloc",
        "CUDA failure 2: out of memory ; GPU=0",
        "pthread_create failed, error code: 12 error msg: Cannot allocate memory",
    ],
)
def test_what_onnx_runtime_was_refused_is_tried_again(clock: Clock, told: str) -> None:
    slot, error = VersionSlot(), BundleError("the network does not take [1, 256, 256, 3]")
    error.__cause__ = RuntimeError(told)
    slot.fail(FILES, "no memory", error)
    assert due_after(slot, clock) == pytest.approx(1, abs=0.11)


def test_a_network_for_which_no_descriptor_was_left_is_tried_again(
    models: Path, clock: Clock
) -> None:
    bundle, settings = read_bundle(models / "default" / "1"), SessionSettings(device="cpu")
    OnnxSession(bundle, settings)  # has its libraries, which need descriptors, too
    slot, (soft, hard) = VersionSlot(), resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, hard))
    try:
        with pytest.raises(BundleError) as refusal:
            OnnxSession(bundle, settings)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    slot.fail(FILES, "no descriptor", refusal.value)
    assert due_after(slot, clock) == pytest.approx(1, abs=0.11)


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
