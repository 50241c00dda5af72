"""The lines of a client: which one a call uses, and when one that was left is closed."""

import pytest

from sfumato.connection import renewal
from sfumato.connection.renewal import Renewal


class Line:
    """A line that cannot be told from others but by identity."""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Renewal[Line]:
    monkeypatch.setattr(renewal, "_SHORTEST_LIFE_SECONDS", 0.0)
    return Renewal(Line)


def test_a_line_that_was_left_is_closed_with_its_last_call(lines: Renewal[Line]) -> None:
    first, same = lines.begin(), lines.begin()
    lines.renew(first)
    second = lines.begin()
    assert first is same
    assert first is not second
    assert not lines.end(first)
    assert lines.end(first)
    assert not lines.end(second)


def test_late_calls_of_a_line_that_was_left_do_not_renew_the_next(lines: Renewal[Line]) -> None:
    first = lines.begin()
    lines.renew(first)
    second = lines.begin()
    lines.renew(first)
    assert lines.begin() is second


def test_a_line_is_not_renewed_with_every_short_call() -> None:
    lines = Renewal(Line)
    first = lines.begin()
    lines.renew(first)
    assert lines.begin() is first


def test_closing_closes_every_line_once_and_opens_no_other(lines: Renewal[Line]) -> None:
    first = lines.begin()
    lines.renew(first)
    second = lines.begin()
    assert lines.close() == {first, second}
    lines.renew(second)
    assert lines.begin() is second
    assert not lines.end(first)
