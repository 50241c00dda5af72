"""What a frame takes over from the one before it, so that a video names its style once."""

from serving.stylizer import MOST_STYLES
from sfumato.v1 import stylization_service_pb2 as pb


class FrameInheritance:
    """Fills in what the frames of one stream leave unset."""

    def __init__(self) -> None:
        """Begins a stream; its first frame inherits nothing."""
        self._before = pb.StylizeRequest()

    def complete(self, frame: pb.StylizeRequest) -> pb.StylizeRequest:
        """Gives a copy of ``frame``, which is changed, with what it left unset from the one before.

        The copy lacks the image: that would stay in memory until the next frame has come.
        """
        before = self._before
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
        self._before = pb.StylizeRequest()
        self._before.CopyFrom(frame)
        return self._before
