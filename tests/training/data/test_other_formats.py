"""Image files as training reads them, whatever their format."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from sfumato.errors import ImageError, ImageTooLargeError
from training.data.image_file import read_photo
from training.data.other_formats import as_served
from training.data.paintings import load_painting
from training.errors import TrainingError

FORMATS = {".gif": "GIF", ".tif": "TIFF", ".bmp": "BMP", ".avif": "AVIF"}


def _ramps(width: int = 48, height: int = 32) -> npt.NDArray[np.uint8]:
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)[:, None]
    return np.stack(np.broadcast_arrays(x, y, (x + y) / 2), -1).astype(np.uint8)


def _tiff(image: Image.Image, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "TIFF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(_ramps()), _ramps()),
        (Image.fromarray(_ramps()).convert("RGBA"), _ramps()),
        (Image.fromarray(_ramps()[..., 0]), _ramps()[..., [0, 0, 0]]),
        (Image.fromarray(_ramps()[..., 0].astype(np.uint16) * 257), _ramps()[..., [0, 0, 0]]),
        (
            Image.fromarray(_ramps()).convert("CMYK"),
            np.asarray(Image.fromarray(_ramps()).convert("CMYK").convert("RGB")),
        ),
        (Image.fromarray(_ramps()).quantize(8), None),
        (Image.fromarray(_ramps()).convert("1"), None),
    ],
    ids=["RGB", "RGBA", "grey", "16 bits", "CMYK", "palette", "black and white"],
)
def test_a_tiff_of_any_common_kind_is_read(
    image: Image.Image, expected: npt.NDArray[np.uint8] | None, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(image))
    wanted = np.asarray(image.convert("RGB")) if expected is None else expected
    read = read_photo(tmp_path / "a.tif").rgb
    assert np.abs(read.astype(int) - wanted).max() <= 2


def test_the_orientation_of_a_tiff_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(Image.fromarray(_ramps()), tiffinfo={274: 6}))
    assert np.array_equal(read_photo(tmp_path / "a.tif").rgb, np.rot90(_ramps(), -1))


def test_the_colour_profile_of_a_tiff_is_obeyed(tmp_path: Path) -> None:
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")  # each names the other's numbers
    profile = bytearray(swapped)
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    image = Image.new("RGB", (32, 32), (255, 0, 0))
    (tmp_path / "a.tif").write_bytes(_tiff(image, icc_profile=bytes(profile)))
    assert read_photo(tmp_path / "a.tif").rgb[0, 0].tolist() == pytest.approx([0, 255, 0], abs=2)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_was_cut_off_is_an_error_that_says_so(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{suffix}"
    random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(random).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ImageError, match=f"the {FORMATS[suffix]} file is truncated or damaged"):
        read_photo(file)


def test_colours_that_have_no_range_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(Image.fromarray(np.zeros((32, 32), np.float32))))
    with pytest.raises(ImageError, match="32 bits for each pixel; save it with 8 or 16"):
        read_photo(tmp_path / "a.tif")


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageTooLargeError, match="48 x 32 pixels, the limit is 0 million"):
        as_served(_tiff(Image.fromarray(_ramps())), max_pixels=1000)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"it is empty \(zero bytes\)"),
        (b"8BPS and more", "it is a Photoshop file"),
        (b"words", "it is not an image that can be read"),
        (b"\xff\xd8\xff and more", "the JPEG file is truncated or damaged"),
        (b"GIF89a and more", "the GIF file is truncated or damaged"),
    ],
)
def test_messages_about_paintings_speak_of_the_file_and_not_of_sending_a_photo(
    data: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(TrainingError, match=f"{message}.*: mend or remove it") as failure:
        load_painting(tmp_path / "a.jpg", 32)
    assert "send" not in str(failure.value)
    assert "photo " not in str(failure.value)
