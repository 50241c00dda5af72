"""One frame of a stream: who works on it, and what is answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from serving.calls.call import Call
from serving.painting.stylizer import MOST_STYLES
from sfumato.v1 import stylization_service_pb2 as pb


class Frame:
    """A frame from when it was read until its answer has gone.

    Attributes:
        id: the client's number.
        call: the record of it.
        begun: whether the network has started on it; set on the device's thread.
        admitted: whether it counts as inside the server.
        answer: gets what is sent back; never an error.
    """

    def __init__(self, id: int, call: Call) -> None:  # noqa: A002 - as the protocol calls it
        """Waits for an answer; to be made in a running event loop."""
        self.id = id
        self.call = call
        self.begun = False
        self.admitted = False
        self.answer: asyncio.Future[pb.StylizeStreamResponse] = (
            asyncio.get_running_loop().create_future()
        )
        self._work: asyncio.Task[None] | None = None

    @property
    def can_give_way(self) -> bool:
        """Whether it can still be dropped for a newer one."""
        return not (self.begun or self.answer.done())

    def start(self) -> None:
        """Says that the network starts on it; from then on it cannot be dropped."""
        self.begun = True

    def work_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins ``work``, which gives the answer sooner or later."""
        self._work = asyncio.get_running_loop().create_task(work)

    def reply(self, **result: Any) -> None:
        """Answers it, unless that was done; ``result`` is one field of the response."""
        if not self.answer.done():
            self.answer.set_result(pb.StylizeStreamResponse(frame_id=self.id, **result))

    def stop(self) -> None:
        """Ends the work on it."""
        if self._work is not None:
            self._work.cancel()
            self._work = None  # it keeps its frames, and so this frame and its photo


def inherit(frame: pb.StylizeRequest, before: pb.StylizeRequest) -> pb.StylizeRequest:
    """Gives a copy of ``frame``, which is changed, with what it leaves unset as in ``before``.

    The copy lacks the image: that would stay in memory until the next frame has come.
    """
    frame.ClearField("image")
    del frame.styles[MOST_STYLES + 1 :]  # one too many, which is refused like any number
    # A version belongs to its model, so the three are inherited together or not at all.
    if not (frame.model or frame.HasField("version") or frame.version_label):
        frame.model, frame.version_label = before.model, before.version_label
        if before.HasField("version"):
            frame.version = before.version
    if not frame.styles:
        frame.styles.extend(before.styles)
    frame.output_format = frame.output_format or before.output_format
    if before.HasField("quality") and not frame.HasField("quality"):
        frame.quality = before.quality
    if before.HasField("strength") and not frame.HasField("strength"):
        frame.strength = before.strength
    if before.HasField("brush_size") and not frame.HasField("brush_size"):
        frame.brush_size = before.brush_size
    whole = pb.StylizeRequest()
    whole.CopyFrom(frame)
    return whole
