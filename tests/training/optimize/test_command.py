"""The command's table, its shared options, and what is kept when something goes wrong."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.training.drawn_data import draw_picture
from training.errors import TrainingError
from training.optimize.command import TECHNIQUES, build_parser, main
from training.optimize.failures import DivergedError
from training.optimize.loop import Progress, Result
from training.optimize.picture_file import fit, keep_last_good, read_picture, write_picture
from training.optimize.technique import Technique
from training.optimize.watch import choose_device, is_frame, summary, watch

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    draw_picture(tmp_path / "photo.png", 0, (64, 48))
    return tmp_path / "photo.png"


def test_help_lists_every_technique_without_importing_torch() -> None:
    program = "import sys; from training.optimize.command import build_parser as b; "
    program += "print(b(None).format_help()); print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    *lines, imported = answer.stdout.splitlines()
    assert imported == "False"
    for name, (_, says) in TECHNIQUES.items():
        assert any(line.split() == [name, *says.split()] for line in lines), name


def test_without_a_technique_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        main([])
    assert wrong.value.code == 2
    told = capsys.readouterr().out
    assert all(summary in told for _, summary in TECHNIQUES.values())


@pytest.mark.parametrize("without", ["torch", "lightning"])
def test_without_torch_or_lightning_there_is_one_line(without: str) -> None:
    program = f"import sys; sys.modules[{without!r}] = None; from training.__main__ import main; "
    command = "['fit']" if without == "lightning" else "['optimize', 'dream', 'x', '--out', 'y']"
    answer = subprocess.run(
        [sys.executable, "-c", f"{program} sys.exit(main({command}))"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert "training needs torch and Lightning" in line
    assert line.endswith("run `make install`")


@pytest.mark.parametrize("command", ["style photo.png absent.png", "texture absent.png"])
def test_a_picture_that_is_not_there_is_told_before_weights_are_loaded(
    command: str, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    with pytest.raises(TrainingError, match=r"absent\.png"):
        main([*command.split(), "--out", "out.png", "--loss-weights", "no-weights"])


@pytest.mark.parametrize("technique", ["texture", "invert"])
def test_a_technique_has_the_shared_options(technique: str) -> None:
    parsed = build_parser(technique).parse_args([technique, "in.png", "--out", "out.png"])
    options = parsed.technique.of(parsed)
    assert (options.seed, options.device, options.frames) == (0, "auto", None)
    assert (options.optimizer, options.steps, options.size) == ("lbfgs", 300, 256)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "x.gif"], "'x.gif' must end in .png, .jpg, .jpeg, .webp"),
        (["--out", "x.png", "--steps", "0"], "'0' is no whole number from 1 up"),
        (["--out", "x.png", "--size", "big"], "'big' is no whole number from 1 up"),
        ([], "the following arguments are required: --out"),
    ],
)
def test_a_wrong_option_is_told_before_anything_runs(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        Technique.parse(words, "technique")
    assert says in capsys.readouterr().err


def test_places_of_output_are_made_before_the_work(tmp_path: Path) -> None:
    words = ["texture", str(tmp_path / "absent.png"), "--loss-weights", "absent"]
    with pytest.raises(TrainingError, match="absent"):
        main([*words, "--out", str(tmp_path / "new" / "x.png"), "--frames", str(tmp_path / "f")])
    assert (tmp_path / "new").is_dir()
    assert (tmp_path / "f").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be made"):
        main([*words, "--out", str(tmp_path / "file" / "x.png")])
    (tmp_path / "y.png").mkdir()
    with pytest.raises(TrainingError, match="is a folder"):
        main([*words, "--out", str(tmp_path / "y.png")])


def test_a_file_that_is_no_image_is_an_error(tmp_path: Path, vgg_file: Path) -> None:
    words = ["--out", str(tmp_path / "x.png"), "--loss-weights", str(vgg_file), "--device", "cpu"]
    for technique, more in (("texture", ["--up-to", "pool2"]), ("invert", [])):
        with pytest.raises(TrainingError, match="cannot be read"):
            main([technique, str(vgg_file), *words, *more])
        with pytest.raises(TrainingError, match="cannot be read"):
            main([technique, str(tmp_path / "absent.png"), *words, *more])


def test_an_unknown_device_is_an_error_that_says_what_would_do() -> None:
    with pytest.raises(TrainingError, match=r"no device 'toaster' here .* give cpu or auto"):
        choose_device("toaster")
    assert choose_device("cpu").type == "cpu"


def progress(step: int, steps: int = 10) -> Progress:
    return Progress(step, steps, 2.0, {}, lambda: torch.full((1, 3, 16, 20), step / 10))


def test_frames_come_first_last_and_in_between() -> None:
    assert [s for s in range(1, 11) if is_frame(progress(s), 4)] == [1, 4, 8, 10]


def test_frames_are_written_as_the_image_was_then(tmp_path: Path) -> None:
    with watch(tmp_path / "frames", 4, "small") as on_step:
        for step in range(1, 11):
            on_step(progress(step))
    files = sorted((tmp_path / "frames").iterdir())
    assert [file.name for file in files] == [f"small-{s:05d}.png" for s in (1, 4, 8, 10)]
    torch.testing.assert_close(
        read_picture(files[1]), torch.full((1, 3, 16, 20), 0.4), atol=0.002, rtol=0
    )


def test_no_frames_unless_asked_for(tmp_path: Path) -> None:
    with watch(None, 1) as on_step:
        on_step(progress(1))
    assert list(tmp_path.iterdir()) == []


def test_the_last_line_says_what_was_written_and_what_the_loss_did() -> None:
    out = Path("out.png")
    image = torch.zeros(1, 3, 2, 4)
    line = summary(out, Result(image, [3.0, 0.5, 0.25], interrupted=False))
    assert line == "wrote out.png (4 × 2), loss 3 → 0.25 in 3 steps"
    line = summary(out, Result(image, [3.0], interrupted=True))
    assert line == "interrupted, the best so far: wrote out.png (4 × 2), loss 3 → 3 in 1 steps"


def test_the_last_good_image_is_written_beside_the_output(tmp_path: Path) -> None:
    image = torch.full((1, 3, 16, 20), 0.2)
    kept = tmp_path / "out-last-good.png"
    with pytest.raises(TrainingError, match=r"at step 3; the last good image is in .*last-good"):
        keep_last_good(DivergedError("no number at step 3", image), tmp_path / "out.png")
    torch.testing.assert_close(read_picture(kept), image, atol=0.002, rtol=0)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp"])
def test_a_picture_survives_its_file(suffix: str, tmp_path: Path) -> None:
    y = torch.linspace(0, 1, 16).view(1, 1, 16, 1)
    image = y.expand(1, 3, 16, 24)
    write_picture(tmp_path / f"x{suffix}", image)
    tolerance = 0.003 if suffix == ".png" else 0.03
    torch.testing.assert_close(read_picture(tmp_path / f"x{suffix}"), image, atol=tolerance, rtol=0)
    with Image.open(tmp_path / f"x{suffix}") as file:
        assert file.format == {".png": "PNG", ".webp": "WEBP"}.get(suffix, "JPEG")


@pytest.mark.parametrize(
    ("shape", "expected"), [((480, 640), (192, 256)), ((20, 20), (256, 256)), ((1, 999), (1, 256))]
)
def test_the_longer_side_gets_the_size(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fit(shape, 256) == expected


def test_a_large_scan_is_reduced_to_the_size(tmp_path: Path) -> None:
    y = torch.linspace(0, 1, 900).view(1, 1, 900, 1)
    write_picture(tmp_path / "scan.png", y.expand(1, 3, 900, 600))
    small = read_picture(tmp_path / "scan.png", 96)
    assert small.shape == (1, 3, 96, 64)
    expected = (torch.arange(96) + 0.5) / 96  # a ramp stays the ramp, where its border is not near
    torch.testing.assert_close(small[0, 0, 4:-4, 20], expected[4:-4], atol=0.006, rtol=0)


def test_a_small_painting_is_enlarged(tmp_path: Path) -> None:
    write_picture(tmp_path / "small.png", torch.full((1, 3, 20, 20), 0.4))
    large = read_picture(tmp_path / "small.png", 64)
    torch.testing.assert_close(large, torch.full((1, 3, 64, 64), 0.4), atol=0.002, rtol=0)


def test_an_interrupted_command_writes_the_best_so_far(
    photo: Path, vgg_file: Path, tmp_path: Path
) -> None:
    out, frames = tmp_path / "out.png", tmp_path / "frames"
    words = [str(photo), "--loss-weights", str(vgg_file), "--out", str(out), "--up-to", "pool2"]
    words += ["--size", "32", "--steps", "100000", "--optimizer", "adam", "--frames", str(frames)]
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "optimize", "texture", *words, "--device", "cpu"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(frames.glob("*-00025.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert printed.splitlines()[-1].startswith("interrupted, the best so far: wrote ")
    assert read_picture(out).shape == (1, 3, 32, 32)
