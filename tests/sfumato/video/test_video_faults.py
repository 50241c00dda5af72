"""What can go wrong with a video: one line that says it, and no half file."""

import asyncio
import logging
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import grpc
import numpy as np
import pytest

from benchmarks.free_port import free_port
from sfumato.cli.main import main
from sfumato.client.async_client import AsyncClient
from sfumato.video.painter import VideoOrder, VideoPainter
from sfumato.video.reader import VideoPicture, VideoReader
from sfumato.video.style_fade import StyleFade, StyleKey
from sfumato.video.writer import VideoWriter
from tests.serving.held_device import held
from tests.serving.running import PATIENCE, ROOT, ServerProcess, connected, order, until
from tests.serving.tiny_network import write_tiny_bundle
from tests.sfumato.conftest import RunningServer, start_server
from tests.sfumato.image_files import encode, picture
from tests.sfumato.videos import grey, read_video, write_video


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path / "models" / "default" / "1")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    write_tiny_bundle(folder / "models" / "default" / "1")
    with ServerProcess(folder / "models", folder) as server:
        yield server.address


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", 20)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "painted" / "out.mp4"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sfumato", "video", *map(str, arguments)]


def left_behind(out: Path) -> list[str]:
    return [path.name for path in out.parent.iterdir()] if out.parent.exists() else []


def failure(
    capsys: pytest.CaptureFixture[str], server: str, video: Path, out: Path, *options: str
) -> str:
    """Runs a command that must fail; gives its one line, and checks that no file was left."""
    options = options or ("--style", "plain")
    assert main(["video", str(video), str(out), "--server", server, *options]) == 1
    assert left_behind(out) == []
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "Traceback" not in line
    return line


def test_a_file_that_is_no_video(
    server: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 1000)
    assert "is not a video" in failure(capsys, server, text, out)


def test_a_picture(
    server: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode(picture(), "PNG"))
    assert "`sfumato stylize` paints pictures" in failure(capsys, server, photo, out)


def test_a_file_with_sound_only(
    server: str, clip: Path, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = tmp_path / "sound.m4a"
    with av.open(str(clip)) as source, av.open(str(sound), "w") as copy:
        track = copy.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                copy.mux(packet)
    assert "has no video in it" in failure(capsys, server, sound, out)


def test_a_file_that_is_not_there(
    server: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is not a file" in failure(capsys, server, tmp_path / "none.mp4", out)


def test_a_part_behind_the_end(
    server: str, clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = failure(capsys, server, clip, out, "--style", "plain", "--start", "60")
    assert "has no frame to paint" in line


def test_no_server(
    free_target: str, clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"no server at {free_target}" in failure(capsys, free_target, clip, out)


def test_an_unknown_style(
    server: str, clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = failure(capsys, server, clip, out, "--style", "plain", "--style", "plane@1s")
    assert "no style 'plane'" in line


def test_sound_that_the_new_file_cannot_hold(
    server: str, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_video(tmp_path / "clip.mkv", 3, sound="pcm_u8")
    line = failure(capsys, server, clip, out)
    assert "--no-audio" in line
    assert (
        main(["video", str(clip), str(out), "--server", server, "--style=plain", "--no-audio"]) == 0
    )


@pytest.mark.parametrize("name", ["out", "out.txt", "out.webm"])
def test_an_output_of_no_video_format(
    server: str, clip: Path, out: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = failure(capsys, server, clip, out.with_name(name))
    assert line.endswith(f"{name} is not a name for a video with H.264; use .mp4, .mov or .mkv\n")


def test_the_video_itself_as_output(
    server: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = clip.read_bytes()
    assert main(["video", str(clip), str(clip), "--style=plain", "--server", server]) == 1
    assert "is the video itself" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_without_pyav_it_says_what_to_install(
    clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_videos(monkeypatch)
    monkeypatch.setitem(sys.modules, "av", None)
    assert "`make video` in a checkout, else pip install 'av>=" in failure(
        capsys, "nowhere", clip, out
    )


def test_with_an_old_pyav_it_says_the_same(
    clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_videos(monkeypatch)
    monkeypatch.delattr("av.stream.Discard")  # an old one has none
    assert "`make video` in a checkout, else pip install 'av>=" in failure(
        capsys, "nowhere", clip, out
    )


def forget_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in list(sys.modules):
        if module.startswith("sfumato.video."):
            monkeypatch.delitem(sys.modules, module)


def test_a_style_that_cannot_be_read(
    clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as wrong:
        main(["video", str(clip), str(out), "--style", "plain@soon"])
    assert wrong.value.code == 2
    assert "munch-scream@10s" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_file(server: str, tmp_path: Path, out: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 480, 640, 3), np.uint8)
    clip = write_video(tmp_path / "clip.mp4", 10, picture=lambda number: noise[number % 3])

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        command(clip, out, "--server", server, "--style", "plain"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=little_room,
    )
    assert done.returncode == 1, done.stderr
    assert "video cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert left_behind(out) == []


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_ended_leaves_no_half_file(
    models: Path, tmp_path: Path, out: Path, sent: signal.Signals, status: int
) -> None:
    clip = write_video(tmp_path / "clip.mp4", 200)
    slowly = ("--max-batch-size", "64", "--max-batch-delay-ms", "200")
    with ServerProcess(models, tmp_path, *slowly) as server:
        client = subprocess.Popen(
            command(clip, out, "--server", server.address, "--style", "plain"),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for_file(out.parent)
        client.send_signal(sent)
        _, complaint = client.communicate(timeout=PATIENCE)
    assert client.returncode == status
    assert "Traceback" not in complaint
    assert left_behind(out) == []


def wait_for_file(folder: Path) -> None:
    """Waits until something is being written in a folder."""
    deadline = time.monotonic() + PATIENCE
    while not folder.exists() or not any(folder.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_server_that_does_not_answer_is_given_up(
    models: Path, tmp_path: Path, clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = ("--max-batch-size", "64", "--max-batch-delay-ms", "60000")
    with ServerProcess(models, tmp_path, *waiting) as server:
        options = ("--style", "plain", "--timeout", "0.5")
        line = failure(capsys, server.address, clip, out, *options)
    assert "no answer from the server within 0.5 s" in line


class SlowReader(VideoReader):
    """A reader that needs two seconds to find its first frame."""

    found = False

    def next(self) -> VideoPicture | None:
        if not self.found:
            time.sleep(2)
        self.found = True
        return super().next()


class LostReader(VideoReader):
    """A reader that finds no frame until it is stopped."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.searching, self.stopped = threading.Event(), threading.Event()

    def next(self) -> VideoPicture | None:
        self.searching.set()
        assert self.stopped.wait(10)
        return super().next()

    def stop(self) -> None:
        super().stop()
        self.stopped.set()


async def painted(server: str, reader: VideoReader, out: Path, patience: float = PATIENCE) -> int:
    """Paints what ``reader`` reads; gives the number of frames."""
    writer = VideoWriter(out, reader)
    what = VideoOrder(StyleFade([StyleKey.parse("plain")], None), patience=patience)
    try:
        async with AsyncClient(server) as client:
            return await VideoPainter(client, reader, writer, what).paint(lambda: None)
    finally:
        writer.close()
        reader.close()


async def test_the_time_that_reading_takes_is_not_the_servers(
    server: str, clip: Path, tmp_path: Path
) -> None:
    assert await painted(server, SlowReader(clip), tmp_path / "out.mp4", patience=1.5) == 20


async def test_whoever_gives_up_does_not_wait_for_a_frame_that_is_far(
    server: str, clip: Path, tmp_path: Path
) -> None:
    reader = LostReader(clip)
    painting = asyncio.create_task(painted(server, reader, tmp_path / "out.mp4"))
    await asyncio.to_thread(reader.searching.wait, PATIENCE)
    painting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await painting
    assert reader.stopped.is_set()


def test_frames_may_be_as_large_as_the_server_allows(
    models: Path, tmp_path: Path, out: Path
) -> None:
    clip = write_video(tmp_path / "clip.mp4", 1, picture=lambda _: grey(128, 6002, 4000))
    with ServerProcess(models, tmp_path, "--max-pixels", "24010000") as server:
        arguments = [str(clip), str(out), "--server", server.address, "--style", "plain"]
        assert main(["video", *arguments, "--crf", "51"]) == 0
    assert read_video(out).pictures[0].shape == (4000, 6002, 3)


async def test_a_server_may_be_full_for_longer_than_a_call_is_tried(
    models: Path, clip: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serving.monitoring.access_log")
    async with held(models, max_queue_size=1) as (server, device), connected(server) as stub:
        inside = stub.Stylize(order(encode(picture(), "PNG")), timeout=PATIENCE)
        await device.begun()
        arguments = ["video", str(clip), str(out), "--server", server.address, "--style", "plain"]
        painting = asyncio.create_task(asyncio.to_thread(main, arguments))

        def refusals() -> int:
            ends = (line.partition(" status=")[2] for line in caplog.messages)
            return sum(end.startswith("RESOURCE_EXHAUSTED") for end in ends)

        # 20 frames of the stream, and one of them again, with more tries than the four of a call.
        await until(lambda: refusals() > 24 or painting.done())
        device.let_go()
        await inside
        assert await painting == 0
    assert len(read_video(out).pictures) == 20


@pytest.fixture
def pretending() -> Iterator[RunningServer]:
    running = start_server()
    yield running
    running.grpc_server.stop(0).wait()


@pytest.mark.parametrize(
    "status",
    [
        (grpc.StatusCode.UNAVAILABLE, "the server stops"),
        (grpc.StatusCode.CANCELLED, "CANCELLED"),  # gRPC's, in the moment in which it stops
    ],
)
def test_a_stream_that_ends_before_its_first_painting_is_opened_again(
    pretending: RunningServer, clip: Path, out: Path, status: tuple[grpc.StatusCode, str]
) -> None:
    pretending.servicer.failures = [status] * 3
    assert main(["video", str(clip), str(out), "--server", pretending.target, "--style=a"]) == 0
    assert len(read_video(out).pictures) == 20


def test_after_four_streams_without_a_painting_a_video_fails(
    pretending: RunningServer, clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretending.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "the server stops")] * 4
    assert "is not available: the server stops" in failure(
        capsys, pretending.target, clip, out, "--style=a"
    )


class PaintingProcess:
    """A command that paints a video of 200 greys, frame by frame a little lighter."""

    def __init__(self, folder: Path, out: Path, *servers: ServerProcess) -> None:
        clip = write_video(folder / "clip.mp4", 200, picture=grey)
        addresses = ",".join(server.address for server in servers)
        self._out, self._servers = out, servers
        self._process = subprocess.Popen(
            command(clip, out, "--server", addresses, "--style", "plain"),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_painted_by(self) -> ServerProcess:
        """Waits until one of the servers has painted some frames; gives it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for server in self._servers:
                if server.log.count("StylizeStream") > 5:
                    return server
            assert time.monotonic() < deadline
            assert self._process.poll() is None
            time.sleep(0.01)

    def check(self) -> None:
        """Waits for the end; no frame may be missing, twice there, or not in its place."""
        _, complaint = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0, complaint
        levels = [int(picture[24, 32, 0]) for picture in read_video(self._out).pictures]
        assert levels == pytest.approx(list(range(200)), abs=4)


def test_when_its_server_is_killed_another_one_paints_the_rest(
    models: Path, tmp_path: Path, out: Path
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    with (
        ServerProcess(models, tmp_path / "a", "--log-level", "debug") as a,
        ServerProcess(models, tmp_path / "b", "--log-level", "debug") as b,
    ):
        painting = PaintingProcess(tmp_path, out, a, b)
        busy = painting.until_painted_by()
        busy.process.kill()
        painting.check()
        assert "StylizeStream" in (b if busy is a else a).log


def test_when_its_only_server_is_back_it_paints_the_rest(
    models: Path, tmp_path: Path, out: Path
) -> None:
    options = ("--log-level", "debug", "--port", str(free_port()))
    with ServerProcess(models, tmp_path, *options) as server:
        painting = PaintingProcess(tmp_path, out, server)
        painting.until_painted_by()
    (tmp_path / "port").unlink()
    time.sleep(1.5)  # longer than a server that has painted nothing may be away
    with ServerProcess(models, tmp_path, *options):
        painting.check()
