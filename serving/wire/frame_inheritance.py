"""What a frame takes over from the one before it, so that a video names its style once."""

from serving.painting.stylizer import MOST_STYLES
from sfumato.v1 import stylization_service_pb2 as pb


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
    whole = pb.StylizeRequest()
    whole.CopyFrom(frame)
    return whole
