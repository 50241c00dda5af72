"""Videos that the tests draw, with a tone as their sound; and what a video file holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from sfumato.video.reader import VideoReader
from sfumato.video.writer import VideoWriter

Pixels = npt.NDArray[np.uint8]
RATE = 10
TICKS = Fraction(1, 1000)
SOUND_RATE = 44100


def grey(level: int, width: int = 64, height: int = 48) -> Pixels:
    """Draws one level of grey, uint8 [H, W, 3]."""
    return np.full((height, width, 3), level, np.uint8)


def half_red(width: int = 64, height: int = 48) -> Pixels:
    """Draws a grey picture whose upper half is red."""
    picture = grey(128, width, height)
    picture[: height // 2] = (200, 40, 40)
    return picture


def write_video(
    path: Path,
    frames: int | Sequence[int] = 10,
    *,
    picture: Callable[[int], Pixels] = lambda _: grey(128),
    sound: str | None = "aac",
    sound_seconds: int = 1,
    rotation: int = 0,
    hflip: bool = False,
    vflip: bool = False,
    ticks: Fraction = TICKS,
    codec: str = "libx264",
    pixels: str = "yuv444p",
    options: dict[str, str] | None = None,
    key_frames: int | None = None,
    pixel_shape: Fraction = Fraction(1),
) -> Path:
    """Writes a video.

    Args:
        path: the file.
        frames: how many, at ``RATE``; or the time of each in milliseconds.
        picture: draws the frame of a number.
        sound: the codec of a tone, or None for silence.
        sound_seconds: how long the tone is.
        rotation: degrees, counterclockwise, by which a player shall turn the picture.
        hflip: whether it shall show the turned picture with left and right exchanged.
        vflip: whether it shall show it upside down.
        ticks: the time base of the picture.
        codec: of the picture; one without loss worth mentioning.
        pixels: format of its pixels; one that takes odd sides.
        options: of the container.
        pixel_shape: width by height of a pixel.
        key_frames: after how many frames there is one more; None for the codec's choice.
    """
    times = [1000 * n // RATE for n in range(frames)] if isinstance(frames, int) else frames
    height, width, _ = picture(0).shape
    with av.open(str(path), "w", options=options or {}) as output:
        video = output.add_stream(codec, rate=RATE, options={"crf": "5"})
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = width, height, pixels
        video.codec_context.sample_aspect_ratio = pixel_shape
        if key_frames is not None:
            video.codec_context.gop_size = key_frames
        video.time_base = video.codec_context.time_base = ticks
        if rotation or hflip or vflip:
            video.set_display_rotation(rotation, hflip=hflip, vflip=vflip)
        audio = None if sound is None else output.add_stream(sound, rate=SOUND_RATE)
        assert audio is None or isinstance(audio, AudioStream)
        for number, time in enumerate(times):
            frame = VideoFrame.from_ndarray(picture(number))
            frame.pts, frame.time_base = time, TICKS
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(SOUND_RATE * sound_seconds) * 440 * 2 * np.pi / SOUND_RATE)
            samples = AudioFrame.from_ndarray(
                (tone * 20000).astype(np.int16)[None], format="s16", layout="mono"
            )
            samples.rate, samples.pts = SOUND_RATE, 0
            output.mux(audio.encode(samples))
            output.mux(audio.encode(None))
    return path


def write_animation(path: Path, milliseconds: Sequence[int]) -> Path:
    """Writes a GIF or an animated PNG, whose frames are shown for so long each."""
    first, *others = [Image.fromarray(grey(10 + 5 * number)) for number in range(len(milliseconds))]
    first.save(path, save_all=True, append_images=others, duration=list(milliseconds))
    return path


def of_unknown_kind(data: bytes) -> bytes:
    """Takes the name and the description of its codec from the last track of an MP4."""
    for name in (b"mp4a", b"esds"):
        place = data.rindex(name)
        data = data[:place] + b"zzzz" + data[place + 4 :]
    return data


@dataclass(frozen=True)
class Contents:
    """What a video file holds.

    Attributes:
        pictures: the frames, uint8 [H, W, 3].
        times: when each is shown, in seconds.
        sound: time and bytes of each packet of sound.
        codec: of the picture.
        pixels: format of its pixels.
        rotation: degrees by which a player shall turn it.
        duration: in seconds.
    """

    pictures: list[Pixels]
    times: list[float]
    sound: list[tuple[float, bytes]]
    codec: str
    pixels: str | None
    rotation: int
    duration: float


def read_video(path: Path) -> Contents:
    """Reads all of a video."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        frames = list(video.decode(stream))
        codec, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
        assert video.duration is not None
        duration = video.duration / av.time_base
    with av.open(str(path)) as video:
        sound = [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in video.demux(*video.streams.audio)
            if packet.pts is not None and video.streams.audio
        ]
    return Contents(
        pictures=[np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames],
        times=[frame.time for frame in frames],
        sound=sound,
        codec=codec,
        pixels=pixels,
        rotation=frames[0].rotation,
        duration=duration,
    )


def copy_video(clip: Path, out: Path, **part: float) -> str | None:
    """Writes what is read of a video, without painting it; gives what is told of losses."""
    reader = VideoReader(clip, **part)  # type: ignore[arg-type]
    try:
        writer = VideoWriter(out, reader)
        try:
            frames = 0
            while (picture := reader.next()) is not None:
                writer.write(picture.rgb, picture.pts)
                frames += 1
            writer.finish()
        finally:
            writer.close()
    finally:
        reader.close()
    return reader.losses.told(frames, writer.lost_sound)
