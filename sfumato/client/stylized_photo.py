"""What a client gets: a painted photo, and the styles to choose from."""

from dataclasses import dataclass
from pathlib import Path

from sfumato.bundle.quality_card import QualityCard
from sfumato.files.atomic import write_file
from sfumato.files.file_argument import file_path
from sfumato.images.image_format import ImageFormat


@dataclass(frozen=True)
class Timings:
    """Where the time of one request went on the server.

    Attributes:
        decode_ms: decoding the photo, in milliseconds.
        queue_ms: waiting for a batch and for the device.
        inference_ms: the network, for the whole batch.
        encode_ms: encoding the answer.
        batch_size: number of photos in the batch.
    """

    decode_ms: float
    queue_ms: float
    inference_ms: float
    encode_ms: float
    batch_size: int


@dataclass(frozen=True)
class StylizedPhoto:
    """A painted photo.

    Attributes:
        image: the file's bytes, in sRGB, upright, without metadata.
        format: the format of the file.
        width: pixels, as in the upright photo that was sent.
        height: pixels.
        model: the model that painted it.
        version: the version of the model.
        timings: where the time went on the server.
    """

    image: bytes
    format: ImageFormat
    width: int
    height: int
    model: str
    version: int
    timings: Timings

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all; an old one is replaced.

        Raises:
            OSError: it cannot be written.
            TypeError: no path; whoever has an open file writes ``image`` into it.
        """
        write_file(file_path(path), self.image)


@dataclass(frozen=True)
class StyleSummary:
    """A style that a server can paint in.

    Attributes:
        id: the name by which it is asked for.
        title: title of the painting.
        artist: who painted it.
        year: when, as free text.
        licence: licence of the reproduction, or why it is in the public domain.
        model: the model that has the style.
        version: the version of the model.
        quality: how well the model paints in it; None where that was not evaluated.
        precision: numbers in which the server runs the model: float32, float16 or int8; empty
            from servers that do not say.
    """

    id: str
    title: str
    artist: str
    year: str
    licence: str
    model: str
    version: int
    quality: QualityCard | None = None
    precision: str = ""
