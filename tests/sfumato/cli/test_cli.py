"""The command line against a real server: what it writes, prints and returns."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2

from sfumato.cli.main import main
from sfumato.images.codec import decode_photo
from sfumato.v1 import stylization_service_pb2 as pb
from tests.sfumato.conftest import RunningServer
from tests.sfumato.image_files import encode, picture

ROOT = Path(__file__).resolve().parents[3]
RGB = picture()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(RGB, "PNG"))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(6):
        path = folder / ("sub" if number % 2 else ".") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(RGB, "PNG"))
    return folder


def run(server: RunningServer, *arguments: str | Path) -> int:
    return main([*map(str, arguments), "--server", server.target])


def pixels(path: Path) -> np.ndarray:
    return decode_photo(path.read_bytes()).rgb


def files_below(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


def test_a_photo_is_painted(
    server: RunningServer, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photo.with_name("out.png")
    styles = ["--style", "a=0.7", "--style", "munch-scream=0.3"]
    assert run(server, "stylize", photo, *styles, "-o", out) == 0
    assert np.array_equal(pixels(out), 255 - RGB)
    assert f"{out}: 48 x 32 pixels, painted by m/3" in capsys.readouterr().out
    weights = {style.style_id: style.weight for style in server.servicer.requests[0].styles}
    assert weights == pytest.approx({"a": 0.7, "munch-scream": 0.3})


def test_a_style_without_a_weight_counts_one(server: RunningServer, photo: Path) -> None:
    out = photo.with_name("out.jpg")
    run(server, "stylize", photo, "--style", "a", "--style", "munch-scream=3", "-o", out)
    assert [style.weight for style in server.servicer.requests[0].styles] == [0.25, 0.75]


def test_all_options_reach_the_server(server: RunningServer, photo: Path) -> None:
    options = (
        "--style=a --strength=0.5 --brush-size=2 --model=m --version=2 --format=webp --quality=40 "
        "--timeout=9"
    )
    out = photo.with_name("out")
    assert run(server, "stylize", photo, *options.split(), "-o", out) == 0
    request = server.servicer.requests[0]
    assert (request.model, request.version, request.strength) == ("m", 2, 0.5)
    assert request.brush_size == 2
    assert (request.output_format, request.quality) == (pb.IMAGE_FORMAT_WEBP, 40)
    assert out.read_bytes().startswith(b"RIFF")


def test_the_folder_of_the_output_is_made(server: RunningServer, photo: Path) -> None:
    out = photo.parent / "new" / "folder" / "out.jpg"
    assert run(server, "stylize", photo, "--style", "a", "-o", out) == 0
    assert out.is_file()


def test_a_folder_is_painted_with_its_subfolders(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos.with_name("out")
    assert run(server, "stylize", photos, "--style", "a", "-o", out) == 0
    assert files_below(out) == ["0.png", "2.png", "4.png", "sub/1.png", "sub/3.png", "sub/5.png"]
    assert np.array_equal(pixels(out / "sub" / "5.png"), 255 - RGB)
    assert capsys.readouterr().out == f"6 of 6 photos painted into {out}\n"


def test_old_results_are_replaced(server: RunningServer, photos: Path) -> None:
    out = photos.with_name("out")
    out.mkdir()
    (out / "0.png").write_text("old")
    assert run(server, "stylize", photos, "--style", "a", "-o", out) == 0
    assert np.array_equal(pixels(out / "0.png"), 255 - RGB)


@pytest.mark.parametrize("jobs", [1, 3])
def test_so_many_photos_are_on_the_way_as_jobs_are_given(
    server: RunningServer, photos: Path, jobs: int
) -> None:
    server.servicer.delay = 0.1
    out = photos.with_name("out")
    run(server, "stylize", photos, "--style", "a", "-o", out, "--jobs", str(jobs))
    assert server.servicer.most_at_once == jobs


def test_bad_photos_are_reported_and_the_others_painted(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "2.png").write_text("not a photo")
    (photos / "sub" / "3.png").write_bytes(encode(RGB, "PNG")[:-200])
    (photos / "empty.jpg").touch()
    out = photos.with_name("out")
    assert run(server, "stylize", photos, "--style", "a", "-o", out) == 1
    assert files_below(out) == ["0.png", "4.png", "sub/1.png", "sub/5.png"]
    printed = capsys.readouterr()
    assert printed.out == f"4 of 7 photos painted into {out}\n"
    lines = sorted(printed.err.splitlines())
    assert len(lines) == 3
    assert lines[0].startswith(f"sfumato: {photos / '2.png'}: the photo is not an image")
    assert "empty.jpg: the photo is empty" in lines[1]
    assert "truncated" in lines[2]


def test_a_mistyped_style_stops_a_folder_with_one_line(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photos.with_name("out")
    assert run(server, "stylize", photos, "--style", "munch-scraem", "-o", out) == 1
    assert "did you mean 'munch-scream'?" in one_line(capsys.readouterr().err)
    assert not out.exists()


def test_a_mistyped_style_gets_the_close_ones(
    server: RunningServer, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photo.with_name("out.jpg")
    assert run(server, "stylize", photo, "--style", "munch-scraem", "-o", out) == 1
    error = one_line(capsys.readouterr().err)
    assert error == "sfumato: no style 'munch-scraem'; did you mean 'munch-scream'?\n"
    assert not out.exists()


def test_a_model_of_fixed_strength_stops_a_folder_with_one_line(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.servicer.failures = [(grpc.StatusCode.FAILED_PRECONDITION, "no 'photograph'")] * 50
    arguments = ["--style", "a", "--strength", "0", "--jobs", "1"]
    assert run(server, "stylize", photos, *arguments, "-o", photos.with_name("out")) == 1
    assert one_line(capsys.readouterr().err) == "sfumato: no 'photograph'\n"
    (request,) = server.servicer.requests
    assert (request.HasField("strength"), request.strength) == (True, 0)


@pytest.mark.parametrize("command", ["stylize", "folder", "styles", "health"])
def test_without_a_server_there_is_one_line(
    photo: Path, photos: Path, free_target: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {
        "stylize": ["stylize", str(photo), "--style", "a", "-o", str(photo.parent / "o.jpg")],
        "folder": ["stylize", str(photos), "--style", "a", "-o", str(photo.parent / "out")],
    }.get(command, [command])
    assert main([*arguments, "--server", free_target]) == 1
    error = one_line(capsys.readouterr().err)
    assert error.startswith(f"sfumato: no server at {free_target} (start one with `python -m")


def test_a_server_that_goes_away_ends_a_folder(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 50
    assert run(server, "stylize", photos, "--style", "a", "-o", photos.with_name("out")) == 1
    assert "not available: draining" in one_line(capsys.readouterr().err)


def test_a_folder_that_a_server_leaves_unfinished_is_counted(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = server.servicer._begin

    def drain(request: object, context: grpc.ServicerContext) -> None:
        if len(server.servicer.requests) == 2:
            server.servicer.failures = [(grpc.StatusCode.UNAVAILABLE, "draining")] * 50
        begin(request, context)

    server.servicer._begin = drain  # type: ignore[method-assign]
    out = photos.with_name("out")
    assert run(server, "stylize", photos, "--style", "a", "-o", out, "--jobs", "1") == 1
    told = capsys.readouterr()
    assert "not available: draining" in one_line(told.err)
    assert told.out == f"2 of 6 photos painted into {out}\n"
    assert len(files_below(out)) == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--style", "a=0"], "all weights are zero"),
        (["--style", "a=-1"], "not negative"),
        (["--style", "a=nan"], "finite"),
        (["--style", "a", "--style", "a=2"], "named twice"),
    ],
)
def test_bad_weights_are_one_line_and_nothing_is_sent(
    server: RunningServer,
    photo: Path,
    options: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(server, "stylize", photo, *options, "-o", photo.with_name("out.jpg")) == 1
    assert reason in one_line(capsys.readouterr().err)
    assert server.servicer.requests == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "required: COMMAND"),
        ("paint", "invalid choice: 'paint'"),
        ("stylize a.jpg -o b.jpg", "required: --style"),
        ("stylize a.jpg --style a", "required: -o"),
        ("stylize a.jpg --style a=much -o b.jpg", "'a=much' is not STYLE or STYLE=WEIGHT"),
        ("stylize a.jpg --style a -o b.jpg --format gif", "invalid choice: 'gif'"),
        (
            "stylize a.jpg --style a -o b.jpg --quality 0",
            "argument --quality: 0 is not from 1 to 100",
        ),
        (
            "stylize a.jpg --style a -o b.jpg --strength 60",
            "argument --strength: 60 is not from 0 to 1",
        ),
        ("stylize a.jpg --style a -o b.jpg --strength -0.1", "-0.1 is not from 0 to 1"),
        ("stylize a.jpg --style a -o b.jpg --brush-size 0", "0 is not from 0.5 to 2"),
        ("stylize a.jpg --style a -o b.jpg --brush-size nan", "nan is not from 0.5 to 2"),
        ("video a.mp4 b.mp4 --style a --brush-size 3", "3 is not from 0.5 to 2"),
        ("stylize a.jpg --style a -o b.jpg --strength nan", "nan is not from 0 to 1"),
        ("stylize a.jpg --style a -o b.jpg --strength much", "much is not from 0 to 1"),
        ("stylize a.jpg --style a -o b.jpg --jobs 0", "0 is not a positive number"),
        ("stylize a.jpg --style a -o b.jpg --jobs two", "invalid int value: 'two'"),
        ("styles --timeout inf", "inf is not a positive number"),
        ("styles --colour red", "unrecognized arguments: --colour red"),
    ],
)
def test_wrong_usage_is_status_2(
    arguments: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments.split())
    assert exit_.value.code == 2
    assert reason in capsys.readouterr().err


def test_the_styles_are_an_aligned_table(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, "styles") == 0
    assert capsys.readouterr().out.splitlines() == [
        "STYLE         TITLE         ARTIST        YEAR  MODEL  EQUALS   STYLE LOSS  SSIM  KNOWN",
        "munch-scream  Skrik         Edvard Munch  1893  m/3    210 it.  0.25        0.50  38%",
        "a             A long title                      m/3    -        -           -     -",
    ]


def test_health_is_an_exit_status(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, "health") == 0
    assert capsys.readouterr().out == "serving\n"
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert run(server, "health") == 1
    assert capsys.readouterr().out == "not serving\n"
    assert run(server, "health", "--service", "nobody.knows.It") == 1


def test_a_disk_that_refuses_is_one_line(
    server: RunningServer, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo.parent / "file").touch()
    out = photo.parent / "file" / "out.jpg"  # below something that is no folder
    assert run(server, "stylize", photo, "--style", "a", "-o", out) == 1
    one_line(capsys.readouterr().err)


def test_a_file_that_cannot_be_written_is_named(
    server: RunningServer, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = photo.parent / f"{'long' * 75}.jpg"
    assert run(server, "stylize", photo, "--style", "a", "-o", out) == 1
    assert one_line(capsys.readouterr().err) == f"sfumato: {out}: File name too long\n"


def test_a_name_may_be_as_long_as_names_may_be(
    server: RunningServer, photos: Path, photo: Path
) -> None:
    photo.rename(photos / f"{'long' * 62}.png")
    out = photos.with_name("out")
    assert run(server, "stylize", photos, "--style", "a", "-o", out) == 0
    assert f"{'long' * 62}.png" in files_below(out)


def test_the_result_may_go_into_a_pipe_and_nothing_else_with_it(
    server: RunningServer, photo: Path
) -> None:
    arguments = ["stylize", str(photo), "--style", "a", "--format", "png", "-o", "/dev/stdout"]
    command = [sys.executable, "-m", "sfumato", *arguments, "--server", server.target]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert np.array_equal(decode_photo(answer.stdout).rgb, 255 - RGB)
    assert answer.stderr.startswith(b"sfumato: /dev/stdout: 48 x 32 pixels, painted by m/3")


def test_a_name_that_is_no_utf_8_is_painted_and_printed(
    server: RunningServer, photo: Path, photos: Path
) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    photo = photo.rename(photo.with_name(name))
    (photos / os.fsdecode(b"d\xe9faut.png")).write_text("no photo")
    for asked, out, status in ((photo, name, 0), (photos, os.fsdecode(b"r\xe9sultats"), 1)):
        arguments = ["stylize", str(asked), "--style", "a", "-o", str(photos / out)]
        command = [sys.executable, "-m", "sfumato", *arguments, "--server", server.target]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert answer.returncode == status, answer.stderr
        assert "Traceback" not in answer.stderr
    assert "résultats".replace("é", "\\udce9") in answer.stdout
    assert "défaut.png: the photo is not".replace("é", "\\udce9") in answer.stderr
    assert (photos / name).exists()


def test_a_folder_may_be_painted_into_the_one_around_it(
    server: RunningServer, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    assert run(server, "stylize", "photos", "--style", "a", "-o", ".") == 0
    assert np.array_equal(pixels(photos.parent / "sub" / "1.png"), 255 - RGB)
    assert np.array_equal(pixels(photos / "0.png"), RGB)


def test_pictures_of_other_formats_in_a_folder_are_named(
    server: RunningServer, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.gif", "sub/b.tiff"):
        (photos / name).touch()
    assert run(server, "stylize", photos, "--style", "a", "-o", photos.with_name("out")) == 0
    assert one_line(capsys.readouterr().err) == (
        "sfumato: left out, because photos end in .jpg, .jpeg, .png or .webp: a.gif, sub/b.tiff\n"
    )


def test_what_a_server_says_cannot_command_the_terminal(
    server: RunningServer, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "gone\x1b[2J\n\x9b2J\u202e"
    server.servicer.failures = [(grpc.StatusCode.PERMISSION_DENIED, hostile)]
    assert run(server, "stylize", photo, "--style", "a", "-o", photo.with_name("out.jpg")) == 1
    assert one_line(capsys.readouterr().err) == "sfumato: gone\\x1b[2J \\x9b2J\\u202e\n"


def test_a_photo_given_as_a_style_is_not_sent(
    server: RunningServer, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, "add-style", photo) == 1
    assert f"{photo}: this is not a style file, as `python -m training add-style` writes" in (
        one_line(capsys.readouterr().err)
    )


@pytest.mark.parametrize("name", ["photos", "photos/0.png"])
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_with_its_status_and_no_traceback(
    server: RunningServer, photos: Path, name: str, sent: signal.Signals, status: int
) -> None:
    server.servicer.delay = 30
    out, asked = photos.with_name("out.png"), str(photos.parent / name)
    command = [sys.executable, "-m", "sfumato", "stylize", asked, "--style", "a"]
    process = subprocess.Popen(
        [*command, "-o", str(out), "--server", server.target],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
    )
    deadline = time.monotonic() + 20
    while not server.servicer.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    server.servicer.delay = 0
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (status, "", "")


def test_the_module_runs_and_tells_its_version() -> None:
    command = [sys.executable, "-m", "sfumato", "--version"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert answer.stdout.startswith("sfumato 0.")


def test_importing_sfumato_loads_nothing_heavy() -> None:
    program = "import sys, sfumato.cli.main; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert not {"grpc", "numpy", "PIL", "google.protobuf"} & set(answer.stdout.split())
