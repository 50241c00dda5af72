"""Between the client's types and the messages: strength, quality, and frames that failed."""

import math

import grpc
import pytest

from sfumato.bundle.quality_card import QualityCard
from sfumato.client.frames import FailedFrame, frame_answer
from sfumato.client.messages import style_summaries, stylize_request
from sfumato.errors import StyleError
from sfumato.v1 import stylization_service_pb2 as pb


def test_a_strength_is_sent_if_it_was_given() -> None:
    sent = stylize_request(b"", "a", "", None, None, None, 0.25)
    assert sent.strength == 0.25
    nothing = stylize_request(b"", "a", "", None, None, None, 0)
    assert nothing.HasField("strength")
    assert not stylize_request(b"", "a", "", None, None, None).HasField("strength")


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan, "much"])
def test_a_strength_out_of_range_is_never_sent(strength: float) -> None:
    with pytest.raises(StyleError, match="from 0, the photo, to 1, the styles"):
        stylize_request(b"", "a", "", None, None, None, strength)


def test_a_list_of_styles_is_told_what_styles_are() -> None:
    with pytest.raises(StyleError, match="give a style's name, or weights by name"):
        stylize_request(b"", ["a"], "", None, None, None)  # type: ignore[arg-type]


def summary(style: pb.Style) -> QualityCard | None:
    (read,) = style_summaries(pb.ListStylesResponse(styles=[style]))
    return read.quality


def test_a_quality_is_read_with_its_zeros() -> None:
    sent = pb.QualityCard(equals_iterations=0, ssim=0.5, nearest_style="b", photos=0)
    assert summary(pb.Style(id="a", quality=sent)) == QualityCard(
        equals_iterations=0.0, ssim=0.5, nearest_style="b", photos=0
    )


def test_a_style_without_a_quality_has_none() -> None:
    assert summary(pb.Style(id="a")) is None
    assert summary(pb.Style(id="a", quality=pb.QualityCard())) is None


def test_what_a_server_says_beside_the_numbers_is_left_out() -> None:
    sent = pb.QualityCard(style_loss=math.nan, total_loss=math.inf, ssim=0.5, nearest_style="\n")
    assert summary(pb.Style(id="a", quality=sent)) == QualityCard(ssim=0.5)


@pytest.mark.parametrize(("milliseconds", "seconds"), [(None, None), (0, 0.0), (250, 0.25)])
def test_a_frame_that_found_the_server_full_says_when_to_come_again(
    milliseconds: int | None, seconds: float | None
) -> None:
    error = pb.FrameError(code=8, message="full", retry_after_ms=milliseconds)
    answer = frame_answer(pb.StylizeStreamResponse(frame_id=7, error=error))
    assert isinstance(answer, FailedFrame)
    assert (answer.number, answer.error.code) == (7, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert answer.error.retry_after == seconds
