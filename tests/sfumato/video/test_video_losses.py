"""Which packets without a frame are lost ones."""

from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

from sfumato.video.losses import FrameLosses

STEP = 40


def packet(*, key: bool) -> Any:
    made = Packet(b"data")
    made.duration, made.is_keyframe = STEP, key
    return made


def shown() -> VideoFrame:
    frame = VideoFrame(16, 16)
    frame.duration = STEP
    return frame


def losses(packets: list[int], frames: list[int], *, key: bool = True, hole: int = 0) -> int:
    """Counts what is lost where some packets become frames; they are given by their times."""
    counted = FrameLosses(STEP, hole)
    for number, time in enumerate(packets):
        counted.read(packet(key=key and number == 0), time)
    for time in frames:
        counted.decoded(shown(), time)
    counted.finish_file(0, 0, broken=False)
    return counted.lost


def every(step: int, count: int) -> list[int]:
    return [step * number for number in range(count)]


def test_packets_that_become_frames_are_not_lost() -> None:
    assert losses(every(STEP, 20), every(STEP, 20)) == 0


def test_packets_without_a_frame_are_lost_wherever_they_are() -> None:
    left = [time for time in every(STEP, 20) if time not in (0, 200, 240, 760)]
    assert losses(every(STEP, 20), left) == 4


def test_second_fields_are_not_lost() -> None:
    assert losses(every(STEP // 2, 40), every(STEP, 20)) == 0


def test_pictures_that_are_never_shown_are_not_lost() -> None:
    hidden = [time - 1 for time in every(400, 5)[1:]]
    assert losses(sorted(every(STEP, 50) + hidden), every(STEP, 50)) == 0


def test_what_precedes_the_first_key_frame_of_a_recording_is_not_lost() -> None:
    assert losses(every(STEP, 20), every(STEP, 20)[7:], key=False) == 0


def test_a_varying_rate_is_no_loss() -> None:
    times = [0, 40, 80, 95, 170, 600, 640, 680, 1000, 1040, 1080, 1120]
    assert losses(times, times, hole=10_000) == 0


def test_holes_in_an_exact_rate_are_losses_unless_they_are_breaks() -> None:
    times = every(STEP, 60)
    holed = [time for time in times if time not in (800, 1200, 1240)]
    assert losses(holed, holed, hole=10_000) == 3
    assert losses(holed, holed, hole=0) == 0
    paused = times + [time + 100_000 for time in times]
    assert losses(paused, paused, hole=10_000) == 0


def test_where_a_clock_is_set_back_nothing_is_lost() -> None:
    """The first packets of what follows are inside before the last frames come out."""
    counted = FrameLosses(STEP, 0)
    times = [9000, 9040, 9140, 9180, 0, 20, 40, 60, 80, 100]
    for time in times:
        counted.read(packet(key=time == 9000), time)
    for time in times:
        if time not in (20, 60, 100):  # second fields
            counted.decoded(shown(), time)
    counted.finish_file(0, 0, broken=False)
    assert counted.lost == 0
