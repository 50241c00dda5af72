import io
import logging
import os
import sys
import threading
import time
import weakref

import pytest

from serving.monitoring.background_log import BackgroundHandler


class Stream(io.StringIO):
    """Tells when something has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def flush(self) -> None:
        self.written.set()


def logged(handler: logging.Handler, message: str, level: int = logging.INFO) -> None:
    handler.handle(logging.LogRecord("test", level, "", 0, message, None, None))


def test_lines_are_written_in_their_order_without_being_asked_for() -> None:
    handler = BackgroundHandler(stream := Stream())
    for number in range(100):
        logged(handler, str(number))
    assert stream.written.wait(60)
    handler.close()
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_a_warning_is_written_at_once_behind_what_came_before() -> None:
    handler = BackgroundHandler(stream := Stream())
    logged(handler, "first")
    logged(handler, "careful", logging.WARNING)
    assert stream.written.wait(60)
    assert stream.getvalue() == "first\ncareful\n"
    handler.close()


def test_a_pipe_that_is_full_stops_neither_the_work_nor_the_end() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    handler = BackgroundHandler(stream)
    for level in (logging.INFO, logging.ERROR, logging.ERROR):
        logged(handler, "x" * 1_000_000, level)  # a pipe holds 64 KiB
        time.sleep(0.05)  # the writer is in the middle of it
    handler.close()
    with os.fdopen(reading) as lines:
        assert len(lines.readline()) == 1_000_001  # what waits is written once somebody reads


def test_an_error_that_waits_to_be_written_does_not_keep_what_was_worked_on() -> None:
    reading, writing = os.pipe()
    handler = BackgroundHandler(os.fdopen(writing, "w"))
    logged(handler, "x" * 1_000_000)  # a pipe holds 64 KiB

    def fail() -> weakref.ref[Stream]:
        photo = Stream()
        try:
            raise ValueError("broken")
        except ValueError:
            record = logging.LogRecord("test", logging.ERROR, "", 0, "failed", None, sys.exc_info())
            handler.handle(record)
        return weakref.ref(photo)

    assert fail()() is None
    with os.fdopen(reading) as lines:
        assert len(lines.readline()) == 1_000_001
        assert lines.readline() == "failed\n"
        assert lines.readline() == "Traceback (most recent call last):\n"


def test_closing_writes_the_rest() -> None:
    handler = BackgroundHandler(stream := Stream())
    logged(handler, "last words")
    handler.close()
    assert stream.getvalue() == "last words\n"


def test_what_cannot_be_written_is_lost_and_nobody_is_disturbed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = Stream()
    handler = BackgroundHandler(stream)
    stream.close()
    logged(handler, "lost", logging.ERROR)
    handler.close()
    assert capsys.readouterr().err == ""


def test_a_message_that_does_not_fit_its_arguments_costs_only_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = BackgroundHandler(stream := Stream())
    handler.handle(logging.LogRecord("test", logging.INFO, "", 0, "%d", ("no number",), None))
    logged(handler, "goes on")
    assert stream.written.wait(60)
    logged(handler, "and on")
    handler.close()
    assert stream.getvalue() == "goes on\nand on\n"
    assert "no number" in capsys.readouterr().err
