"""``add-style``: one painting more, and every old style as it was."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sfumato.bundle.bundle import Bundle, list_versions, read_bundle
from sfumato.bundle.quality_card import QualityCard
from sfumato.bundle.style_file import read_style_file
from sfumato.bundle.style_info import StyleInfo
from tests.training.drawn_data import draw_paintings, draw_photos, draw_picture, write_slim_vgg
from training.__main__ import main
from training.data.photos import spread
from training.new_style.command import Lesson
from training.new_style.nearest_blend import nearest_mixture
from training.new_style.options import AddStyleOptions, parse_options
from training.starting_point import read_trained

# Lightning's and torch's warnings are theirs to mend.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos, paintings, a loss network, and a bundle trained on them for a few steps."""
    folder = tmp_path_factory.mktemp("add_style")
    arguments = ["fit", "--config", "training/configs/smoke.yaml"]
    arguments += ["--data.photos", str(draw_photos(folder / "photos"))]
    arguments += ["--data.styles", str(draw_paintings(folder / "paintings"))]
    arguments += ["--model.loss_weights", str(write_slim_vgg(folder / "vgg.safetensors"))]
    arguments += ["--trainer.default_root_dir", str(folder / "run")]
    arguments += ["--trainer.enable_progress_bar", "false"]
    assert main(arguments) == 0
    checkpoint = folder / "run" / "checkpoints" / "last.ckpt"
    command = ["export", str(checkpoint), str(folder / "model"), "--no-float16"]
    assert main([*command, "--calibration", str(folder / "photos")]) == 0
    draw_picture(folder / "New Discs.png", 77, (90, 70))
    return folder


def add_style(folder: Path, *more: str, source: str = "model/1", steps: int = 4) -> int:
    arguments = ["add-style", str(folder / source), str(folder / "New Discs.png")]
    arguments += ["--photos", str(folder / "photos"), "--num-workers", "0"]
    arguments += ["--batch-size", "2", "--steps", str(steps)]
    return main([*arguments, "--loss-weights", str(folder / "vgg.safetensors"), *more])


def paint(bundle: Bundle, style: str) -> NDArray[np.uint8]:
    session = onnxruntime.InferenceSession(bundle.model_path, providers=["CPUExecutionProvider"])
    photo = np.random.default_rng(0).integers(0, 256, (1, 37, 50, 3), dtype=np.uint8)
    row = bundle.bank.row(style)[None]
    return np.asarray(session.run(None, {"image": photo, "style": row})[0])


def test_every_old_style_paints_as_before_to_the_bit(folder: Path, tmp_path: Path) -> None:
    before = read_bundle(folder / "model" / "1")
    old = {style: paint(before, style) for style in before.bank.ids}
    assert add_style(folder, "--next-version", "--out", str(tmp_path / "x.st")) == 0
    after = read_bundle(folder / "model" / str(list_versions(folder / "model")[-1]))
    assert after.bank.ids == (*before.bank.ids, "new-discs")
    assert after.network.digest == before.network.digest
    for network in ("model.onnx", "model.int8.onnx"):
        assert after.files[network] == before.files[network]
    for style, picture in old.items():
        assert np.array_equal(paint(after, style), picture), style
    assert set(after.training["calibration"]["relu1_1"]) == {"blue", "green", "red", "new-discs"}
    assert after.bank.row("new-discs")[-1] == 0  # nothing of the photo shows through


def test_the_style_file_says_what_a_server_must_know(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "style.safetensors"
    assert add_style(folder, "--out", str(out), "--artist", "Berta", "--id", "discs-2") == 0
    style = read_style_file(out)
    bundle = read_bundle(folder / "model" / "1")
    assert style.network_digest == bundle.network.digest
    assert (style.info.id, style.info.title, style.info.artist) == ("discs-2", "New Discs", "Berta")
    quality = QualityCard.from_card(style.info.card)
    assert quality is not None
    assert quality.total_loss is not None
    assert quality.total_loss > 0
    assert style.info.card["learned"]["steps"] == 4
    assert bundle.bank.with_style(style).ids[-1] == "discs-2"


def test_a_checkpoint_will_do_where_no_next_version_is_asked_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = "run/checkpoints/last.ckpt"
    out = tmp_path / "style.safetensors"
    assert add_style(folder, "--out", str(out), source=checkpoint) == 0
    digest = read_bundle(folder / "model" / "1").network.digest
    assert read_style_file(out).network_digest == digest
    assert add_style(folder, "--next-version", source=checkpoint) == 1
    assert "export it" in capsys.readouterr().err


def test_training_brings_the_style_nearer(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = []
    for steps in (1, 40):
        out = tmp_path / f"{steps}.safetensors"
        assert add_style(folder, "--out", str(out), "--init", "neutral", steps=steps) == 0
        quality = QualityCard.from_card(read_style_file(out).info.card)
        assert quality is not None
        assert quality.total_loss is not None
        totals.append(quality.total_loss)
    assert totals[1] < 0.9 * totals[0]


def test_a_style_file_is_a_place_to_go_on_from(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert add_style(folder, "--out", str(first)) == 0
    still = ("--init", str(first), "--learning-rate", "0")
    assert add_style(folder, "--out", str(second), *still, steps=1) == 0
    assert np.array_equal(read_style_file(first).row, read_style_file(second).row)


def test_ctrl_c_keeps_what_was_learned(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "style.safetensors"
    command = [sys.executable, "-m", "training", "add-style", str(folder / "model" / "1")]
    command += [str(folder / "New Discs.png"), "--photos", str(folder / "photos")]
    command += ["--loss-weights", str(folder / "vgg.safetensors"), "--num-workers", "1"]
    command += ["--steps", "100000", "--out", str(out)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "starting from" in line:
            break
    time.sleep(10)  # some steps, even of a busy machine
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the readers of photos get it, too
    output, _ = process.communicate(timeout=300)
    assert f"wrote {out}" in output
    assert 0 < read_style_file(out).info.card["learned"]["steps"] < 100000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--init", "absent.safetensors"), "choose nearest, neutral, a style file, or one of blue"),
        (("--id", "red"), "has a style 'red' already"),
        (("--id", "photograph"), "has a style 'photograph' already"),
        (("--photos", "absent"), "is no folder"),
        (("--steps", "-1"), "--steps is -1: it must be at least 1"),
        (("--style-size", "0"), "--style-size is 0: it must be between 32 and 4096"),
        (("--learning-rate", "-1"), "--learning-rate is -1.0: it must be at least 0"),
        (("--learning-rate", "nan"), "--learning-rate is nan: it must be at least 0"),
        (("--style-strength", "-1"), "--style-strength is -1.0: it must be at least 0"),
        (("--seed", "-1"), "--seed is -1: it must be at least 0"),
        (("--crop-size", "8"), "--crop-size is 8: it must be a multiple of 4, between"),
        (("--batch-size", "0"), "--batch-size is 0: it must be at least 1"),
        (("--num-workers", "-1"), "--num-workers is -1: it must be at least 0"),
        (("--out", "pyproject.toml/x.safetensors"), "a file is in the way"),
        (("--out", "docs"), "is a folder: give the name of a file"),
    ],
)
def test_wrong_input_is_one_clear_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, ...],
    message: str,
) -> None:
    assert add_style(folder, *change) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_painting_whose_name_makes_no_id_needs_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_picture(tmp_path / "神奈川沖浪裏.png", 3, (60, 50))
    arguments = ["add-style", str(folder / "model/1"), str(tmp_path / "神奈川沖浪裏.png")]
    arguments += ["--photos", str(folder / "photos"), "--num-workers", "0"]
    arguments += ["--loss-weights", str(folder / "vgg.safetensors"), "--steps", "1"]
    arguments += ["--out", str(tmp_path / "wave.safetensors")]
    assert main(arguments) == 1
    assert "神奈川沖浪裏.png' has no letter from a to z" in (error := capsys.readouterr().err)
    assert "rename it, or give --id" in error
    assert main([*arguments, "--id", "wave-2"]) == 0
    style = read_style_file(tmp_path / "wave.safetensors").info
    assert (style.id, style.title) == ("wave-2", "神奈川沖浪裏")


@pytest.mark.parametrize(("count", "trained_on"), [(31, 31), (64, 48)])
def test_the_photos_held_out_are_evenly_spread(
    folder: Path, tmp_path: Path, count: int, trained_on: int
) -> None:
    for number in range(count):
        Image.new("L", (64, 64), number).save(tmp_path / f"{number:02}.png")
    weights = str(folder / "vgg.safetensors")
    options = AddStyleOptions(
        source=folder / "model/1",
        painting=folder / "New Discs.png",
        photos=(tmp_path,),
        crop_size=64,
        loss_weights=weights,
    )
    lesson = Lesson(read_trained(options.source), options, StyleInfo("new-discs"))
    numbers = (lesson.held_out.mean(dim=(1, 2, 3)) * 255).round().int().tolist()
    assert numbers == spread(range(count), 16)
    assert len(lesson.photos) == trained_on


def test_another_loss_network_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "vgg.safetensors")
    save_file({k: 2 * v for k, v in weights.items()}, tmp_path / "other.safetensors")
    assert add_style(folder, "--loss-weights", str(tmp_path / "other.safetensors")) == 1
    assert "another loss network" in capsys.readouterr().err


def test_a_loss_that_is_no_number_keeps_what_was_learned_before(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "style.safetensors"
    assert add_style(folder, "--out", str(out), "--learning-rate", "1e20", steps=30) == 0
    assert "lower --learning-rate" in capsys.readouterr().out
    assert np.isfinite(read_style_file(out).row).all()


def test_the_nearest_mixture_of_points_is_their_convex_projection() -> None:
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    inside = nearest_mixture(corners, torch.tensor([0.25, 0.5]))
    torch.testing.assert_close(inside, torch.tensor([0.25, 0.25, 0.5]), atol=1e-3, rtol=0)
    # Outside, the nearest point of the triangle is the middle of its long side.
    outside = nearest_mixture(corners, torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(outside, torch.tensor([0.0, 0.5, 0.5]), atol=1e-3, rtol=0)
    beyond = nearest_mixture(corners, torch.tensor([3.0, -1.0]))
    torch.testing.assert_close(beyond, torch.tensor([0.0, 1.0, 0.0]))


def test_a_new_folder_is_made_and_texts_are_taken_as_they_are_typed(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder" / "x.safetensors"
    texts = ("--title", "null", "--year=1893", "--artist", "no", "--licence", "", "--id", "2")
    assert add_style(folder, "--out", str(out), *texts, steps=1) == 0
    info = read_style_file(out).info
    said = (info.id, info.title, info.artist, info.year, info.licence)
    assert said == ("2", "null", "no", "1893", "")


def test_a_version_that_is_not_the_newest_is_no_base_for_the_next(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "model" / "1", tmp_path / "m" / "1")
    shutil.copytree(folder / "model" / "1", tmp_path / "m" / "2")
    arguments = ("--next-version", "--out", str(tmp_path / "x.safetensors"))
    assert add_style(folder, *arguments, source=str(tmp_path / "m" / "1")) == 1
    error = capsys.readouterr().err
    assert "would lose what version 2 has: give the model's folder" in error
    assert list_versions(tmp_path / "m") == [1, 2]


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="a GPU")
def test_a_gpu_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert add_style(folder, "--device", "cuda") == 1
    assert "no device 'cuda' here" in capsys.readouterr().err


OLD = "--data.photos [a, b] --data.crop_size 64 --next_version true --loss_weights=x --device gpu"


@pytest.mark.parametrize("words", [OLD, OLD.replace("_version true", "-version=true")])
def test_the_spellings_of_the_version_before_are_understood_and_the_new_ones_told(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    split = words.replace("[a, b]", "[a,b]").split()
    old = parse_options(["model", "painting.jpg", *split])
    hints = capsys.readouterr().err.splitlines()
    new = [
        "--photos",
        "[a,b]",
        "--crop-size",
        "64",
        "--next-version",
        "--loss-weights",
        "x",
        "--device",
        "cuda",
    ]
    assert old == parse_options(["model", "painting.jpg", *new])
    assert old.photos == (Path("a"), Path("b"))
    assert old.next_version
    assert "python -m training add-style: --loss_weights is now --loss-weights; " in "".join(hints)
    assert len(hints) in (5, 6)
    assert capsys.readouterr().err == ""


def test_next_version_false_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model", "painting.jpg", "--photos", "a", "--next_version", "false"]
    assert not parse_options(words).next_version


def test_a_file_of_options_says_what_the_command_line_leaves_open(tmp_path: Path) -> None:
    file = tmp_path / "style.yaml"
    file.write_text(
        "data: {photos: [a, b], batch_size: 2}\nsteps: 7\nnext_version: true\ntitle: Waves 2\n"
    )
    words = ["--config", str(file), "model", "painting.jpg", "--steps", "9"]
    options = parse_options(words)
    assert options.photos == (Path("a"), Path("b"))
    assert (options.batch_size, options.steps, options.next_version) == (2, 9, True)
    assert options.title == "Waves 2"
