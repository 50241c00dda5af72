"""What a frame takes over from the one before it, so that a video names its style once."""

from sfumato.v1 import stylization_service_pb2 as pb


class FrameInheritance:
    """Fills in what the frames of one stream leave unset."""

    def __init__(self) -> None:
        """Begins a stream; its first frame inherits nothing."""
        self._before = pb.StylizeRequest()

    def complete(self, frame: pb.StylizeRequest) -> pb.StylizeRequest:
        """Gives ``frame`` with what it left unset taken from the frame before; it is changed."""
        before = self._before
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
        self._before = _without_image(frame)
        return frame


def _without_image(frame: pb.StylizeRequest) -> pb.StylizeRequest:
    """Copies all but the image, which would otherwise stay in memory for another frame."""
    copy = pb.StylizeRequest(
        model=frame.model,
        version_label=frame.version_label,
        styles=frame.styles,
        output_format=frame.output_format,
    )
    for name in ("version", "quality", "strength"):
        if frame.HasField(name):
            setattr(copy, name, getattr(frame, name))
    return copy
