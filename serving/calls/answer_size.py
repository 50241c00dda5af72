"""Answers that grow with what is served, which gRPC would drop without a word in our log."""

from typing import Protocol, TypeVar

from serving.errors import AnswerTooLargeError


class _Answer(Protocol):
    def ByteSize(self) -> int: ...  # noqa: N802 - protobuf's name


Answer = TypeVar("Answer", bound=_Answer)


def fitting(answer: Answer, max_message_bytes: int) -> Answer:
    """Gives ``answer`` back if it fits into a message.

    Not for painted photos: protobuf writes the whole message to learn its size.

    Raises:
        AnswerTooLargeError: it does not.
    """
    size = answer.ByteSize()
    if size > max_message_bytes:
        raise AnswerTooLargeError(
            f"the answer has {size:,} bytes, more than the {max_message_bytes:,} of a message; "
            "ask about fewer models, or have the operator raise max_message_bytes"
        )
    return answer
