"""``optimize style``, from files to a file."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.training.drawn_data import draw_picture
from training.baselines.style_options import Pictures
from training.baselines.style_transfer import as_compared
from training.errors import TrainingError
from training.optimize.colour import luminance
from training.optimize.command import main
from training.optimize.picture_file import read_picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of pale colours, whose luminance can be painted without leaving [0, 1]."""
    draw_picture(tmp_path / "drawn.png", 0, (48, 32))
    with Image.open(tmp_path / "drawn.png") as drawn:
        drawn.point(lambda level: 90 + level // 4).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    draw_picture(tmp_path / "painting.png", 100, (40, 56))
    return tmp_path / "painting.png"


def _paint(
    photo: Path, paintings: list[str], vgg_file: Path, *more: str, out: str = "o.png"
) -> str:
    """Runs the command on a tiny network and returns the picture's file."""
    file = str(photo.with_name(out))
    layers = ("--content-layers", "relu2_2", "--style-layers", "relu1_1,relu2_1,relu3_1")
    small = ("--size", "48", "--levels", "1", "--steps", "4", "--loss-weights", str(vgg_file))
    main(["style", str(photo), *paintings, "--out", file, *layers, *small, *more])
    return file


def test_it_writes_a_picture_of_the_photos_proportions_and_says_so(
    photo: Path, painting: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _paint(photo, [str(painting)], vgg_file, "--levels", "2", "--steps", "3")
    assert read_picture(Path(file)).shape == (1, 3, 32, 48)
    assert f"wrote {file} (48 × 32), loss 50" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_picture_and_another_one_does_not(
    photo: Path, painting: Path, vgg_file: Path
) -> None:
    def read(seed: str, out: str) -> bytes:
        options = ("--init", "noise", "--seed", seed)
        return Path(_paint(photo, [str(painting)], vgg_file, *options, out=out)).read_bytes()

    assert read("1", "a.png") == read("1", "b.png")
    assert read("1", "c.png") != read("2", "d.png")


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["photo", "noise", "painting"])
def test_the_loss_falls_from_every_start(
    init: str,
    optimizer: str,
    photo: Path,
    painting: Path,
    vgg_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--init", init, "--optimizer", optimizer, "--steps", "8")
    _paint(photo, [str(painting)], vgg_file, *options)
    line = capsys.readouterr().out.split("loss ")[-1]
    first, last = (float(number) for number in line.split(" in ")[0].split(" → "))
    assert last < first


def test_content_alone_from_the_photo_gives_the_photo(
    photo: Path, painting: Path, vgg_file: Path
) -> None:
    options = ("--style-weight", "0", "--tv-weight", "0")
    file = _paint(photo, [str(painting)], vgg_file, *options)
    original = read_picture(photo, 48)
    torch.testing.assert_close(read_picture(Path(file)), original, atol=1 / 255, rtol=0)


def test_weights_of_paintings_change_the_picture(
    photo: Path, painting: Path, vgg_file: Path, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "other.png", 101, (40, 40))
    other = str(tmp_path / "other.png")

    def paint(*paintings: str, out: str) -> bytes:
        return Path(_paint(photo, list(paintings), vgg_file, out=out)).read_bytes()

    even = paint(str(painting), other, out="a.png")
    assert even == paint(f"{painting}=2", f"{other}=2", out="b.png")
    assert even != paint(f"{painting}=3", other, out="c.png")


def test_kept_luminance_keeps_the_photos_chroma(
    photo: Path, painting: Path, vgg_file: Path
) -> None:
    file = _paint(photo, [str(painting)], vgg_file, "--keep-colours", "luminance", "--steps", "12")
    painted, original = read_picture(Path(file)), read_picture(photo, 48)
    chroma, own = (image - luminance(image) for image in (painted, original))
    torch.testing.assert_close(chroma, own, atol=1.5 / 255, rtol=0)  # 8 bits are written
    assert (painted - original).abs().max() > 5 / 255


def test_with_coral_the_painting_has_the_photos_mean_and_covariance(photo: Path) -> None:
    original = read_picture(photo)
    strokes = 0.5 + 0.1 * torch.rand(1, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    pictures = as_compared(Pictures(original, (strokes,)), "coral")
    recoloured = pictures.paintings[0].flatten(2)[0]
    colours = original.flatten(2)[0]
    torch.testing.assert_close(recoloured.mean(dim=1), colours.mean(dim=1), atol=1e-3, rtol=0)
    assert torch.equal(pictures.photo, original)


def test_colours_of_a_painting_that_is_the_photo_are_kept_as_they_are(photo: Path) -> None:
    original = read_picture(photo)
    recoloured = as_compared(Pictures(original, (original,)), "coral")
    torch.testing.assert_close(recoloured.paintings[0], original, atol=1e-5, rtol=0)
    grey = as_compared(Pictures(original, (original,)), "luminance")
    torch.testing.assert_close(grey.paintings[0], grey.photo)


def test_with_luminance_the_painting_is_as_light_as_the_photo(photo: Path) -> None:
    dark = 0.2 * torch.rand(1, 3, 20, 20)
    seen = as_compared(Pictures(read_picture(photo), (dark,)), "luminance")
    torch.testing.assert_close(seen.paintings[0].mean(), seen.photo.mean())
    torch.testing.assert_close(seen.paintings[0][:, 0], seen.paintings[0][:, 2])


def test_coral_uses_the_painting_recoloured(photo: Path, painting: Path, vgg_file: Path) -> None:
    plain = _paint(photo, [str(painting)], vgg_file, "--steps", "12", out="a.png")
    kept = ("--keep-colours", "coral", "--steps", "12")
    recoloured = _paint(photo, [str(painting)], vgg_file, *kept, out="b.png")
    mean = read_picture(photo, 48).mean(dim=(2, 3))
    off = [
        (read_picture(Path(file)).mean(dim=(2, 3)) - mean).abs().max().item()
        for file in (plain, recoloured)
    ]
    assert off[1] < 0.5 * off[0]


def test_finished_levels_are_not_painted_again(
    photo: Path, painting: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ("--levels", "2", "--size", "96", "--work", str(photo.with_name("work")))
    first = Path(_paint(photo, [str(painting)], vgg_file, *work, out="a.png")).read_bytes()
    again = Path(_paint(photo, [str(painting)], vgg_file, *work, out="b.png")).read_bytes()
    assert first == again
    assert "in 0 steps" in capsys.readouterr().out
    _paint(photo, [f"{painting}", f"{photo}=0.1"], vgg_file, *work, out="c.png")
    assert "in 8 steps" in capsys.readouterr().out


def test_weights_of_0_are_one_clear_message(photo: Path, painting: Path, vgg_file: Path) -> None:
    with pytest.raises(TrainingError, match="both 0, so there is nothing to paint"):
        _paint(photo, [str(painting)], vgg_file, "--content-weight", "0", "--style-weight", "0")


def test_a_layer_that_the_weights_lack_is_named_with_those_they_have(
    photo: Path, painting: Path, vgg_file: Path
) -> None:
    with pytest.raises(TrainingError, match=r"'relu4_2' is not in .* have relu1_1, relu1_2"):
        _paint(photo, [str(painting)], vgg_file, "--content-layers", "relu4_2")


def test_a_painting_of_20_pixels_is_enlarged(photo: Path, vgg_file: Path, tmp_path: Path) -> None:
    draw_picture(tmp_path / "tiny.png", 7, (20, 20))
    file = _paint(photo, [str(tmp_path / "tiny.png")], vgg_file)
    assert read_picture(Path(file)).shape == (1, 3, 32, 48)


def test_a_painting_too_narrow_for_the_layers_is_one_clear_message(
    photo: Path, vgg_file: Path, tmp_path: Path
) -> None:
    draw_picture(tmp_path / "narrow.png", 7, (640, 20))
    with pytest.raises(TrainingError, match=r"48 × 2 pixels is too small for layer relu3_1"):
        _paint(photo, [str(tmp_path / "narrow.png")], vgg_file)


def test_a_painting_that_is_no_image_is_named(photo: Path, vgg_file: Path) -> None:
    text = photo.with_name("notes.txt")
    text.write_text("no image")
    with pytest.raises(TrainingError, match=r"notes\.txt"):
        _paint(photo, [str(text)], vgg_file)
