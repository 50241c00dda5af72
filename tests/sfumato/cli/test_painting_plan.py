"""Which files are painted, and where the results go."""

from pathlib import Path

import pytest

from sfumato.cli.painting_plan import FolderPlan, Painting, plan_folder, plan_photo
from sfumato.errors import ImageError
from sfumato.images.image_format import ImageFormat

JPEG, PNG, WEBP = ImageFormat


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def outputs(plan: FolderPlan, folder: Path) -> dict[str, ImageFormat]:
    return {
        painting.output.relative_to(folder).as_posix(): painting.format
        for painting in plan.paintings
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jpg", JPEG), ("a.JPEG", JPEG), ("a.png", PNG), ("a.b.WebP", WEBP)],
)
def test_the_suffix_of_the_output_names_the_format(
    tmp_path: Path, name: str, expected: ImageFormat
) -> None:
    touch(tmp_path / "in.jpg")
    painting = plan_photo(tmp_path / "in.jpg", tmp_path / name, None)
    assert painting == Painting(tmp_path / "in.jpg", tmp_path / name, expected)


@pytest.mark.parametrize("name", ["a.gif", "a.tiff", "a", "a.jpg.bak", ".jpg"])
def test_a_suffix_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "in.jpg")
    with pytest.raises(ImageError, match=r"use one of \.jpg"):
        plan_photo(tmp_path / "in.jpg", tmp_path / name, None)


def test_a_format_that_is_asked_for_needs_no_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "in.jpg")
    assert plan_photo(tmp_path / "in.jpg", tmp_path / "out", PNG).format is PNG
    assert plan_photo(tmp_path / "in.jpg", tmp_path / "out.png", PNG).format is PNG


def test_a_suffix_and_a_format_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "in.jpg")
    with pytest.raises(ImageError, match=r"out\.jpg is not a name for a png file"):
        plan_photo(tmp_path / "in.jpg", tmp_path / "out.jpg", PNG)


def test_an_output_folder_takes_the_name_of_the_photo(tmp_path: Path) -> None:
    touch(tmp_path / "in.jpg")
    (tmp_path / "out").mkdir()
    plain = plan_photo(tmp_path / "in.jpg", tmp_path / "out", None)
    assert plain.output == tmp_path / "out" / "in.jpg"
    other = plan_photo(tmp_path / "in.jpg", tmp_path / "out", WEBP)
    assert other.output == tmp_path / "out" / "in.webp"


def test_the_photo_itself_is_never_the_output(tmp_path: Path) -> None:
    touch(tmp_path / "in.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "in.jpg")
    for output in (tmp_path / "in.jpg", tmp_path, tmp_path / "link.jpg"):
        with pytest.raises(ImageError, match="is the photo itself"):
            plan_photo(tmp_path / "in.jpg", output, None)


def test_a_missing_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="neither a photo nor a folder"):
        plan_photo(tmp_path / "none.jpg", tmp_path / "out.jpg", None)


def test_subfolders_are_kept_and_other_files_left_out(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "b.png", photos / "a.JPG", photos / "x" / "y" / "c.webp", photos / "notes.txt")
    touch(photos / ".hidden.jpg", photos / ".thumbnails" / "d.jpg")
    plan = plan_folder(photos, out, None)
    assert outputs(plan, out) == {"a.JPG": JPEG, "b.png": PNG, "x/y/c.webp": WEBP}
    assert [painting.photo.name for painting in plan.paintings] == ["a.JPG", "b.png", "c.webp"]
    assert plan.left_out == []


def test_pictures_that_are_not_painted_are_named(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    touch(photos / "a.jpg", photos / "notes.txt", photos / "film.mp4", photos / ".b.gif")
    others = ["a.AVIF", "b.bmp", "c.gif", "d.heic", "e.tif", "f.tiff", "g.jxl", "h.DNG"]
    touch(*(photos / name for name in others))
    assert sorted(map(str, plan_folder(photos, tmp_path / "out", None).left_out)) == others


def test_photos_of_linked_folders_are_painted_and_each_folder_once(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "a.jpg", tmp_path / "elsewhere" / "b.jpg")
    (photos / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "loop").symlink_to(photos)
    assert outputs(plan_folder(photos, out, None), out).keys() == {"a.jpg", "linked/b.jpg"}


def test_a_format_for_a_folder_changes_the_suffixes(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "a.jpeg", photos / "b.png", photos / "c.JPG")
    assert outputs(plan_folder(photos, out, JPEG), out) == dict.fromkeys(
        ("a.jpeg", "b.jpg", "c.JPG"), JPEG
    )


def test_two_photos_never_become_one_file(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "a.jpg", photos / "a.png", photos / "a.webp")
    names = outputs(plan_folder(photos, out, PNG), out).keys()
    assert names == {"a.jpg.png", "a.png", "a.webp.png"}


def test_a_longer_name_is_not_that_of_another_photo(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "a.png", photos / "a.jpg", photos / "a.jpg.png")
    names = outputs(plan_folder(photos, out, PNG), out).keys()
    assert names == {"a.png", "a.jpg.png.png", "a.jpg.png"}


def test_results_inside_the_folder_of_photos_are_not_painted_again(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "painted" / "a.jpg")
    plan = plan_folder(tmp_path, tmp_path / "painted", None)
    assert [painting.photo for painting in plan.paintings] == [tmp_path / "a.jpg"]


def test_results_may_lie_around_the_folder_of_photos(tmp_path: Path) -> None:
    touch(tmp_path / "photos" / "a.jpg", tmp_path / "b.jpg")
    assert outputs(plan_folder(tmp_path / "photos", tmp_path, None), tmp_path) == {"a.jpg": JPEG}


def test_no_result_takes_the_place_of_a_photo(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    touch(photos / "a.jpg", photos / "photos" / "a.jpg")
    with pytest.raises(ImageError, match=r"photos/a\.jpg is one of the photos"):
        plan_folder(photos, tmp_path, None)
    touch(out / "c.jpg")
    (out / "a.jpg").symlink_to(photos / "a.jpg")
    with pytest.raises(ImageError, match=r"out/a\.jpg is one of the photos"):
        plan_folder(photos, out, None)


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no photos in"):
        plan_folder(tmp_path, tmp_path / "out", None)
    touch(tmp_path / "a.txt", tmp_path / "b.gif")
    with pytest.raises(ImageError, match=r"photos end in \.jpg.*; there are b\.gif"):
        plan_folder(tmp_path, tmp_path / "out", None)


def test_an_output_that_would_overwrite_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "file")
    with pytest.raises(ImageError, match="is the folder of the photos"):
        plan_folder(tmp_path, tmp_path / "x" / "..", None)
    with pytest.raises(ImageError, match="name a folder for the results"):
        plan_folder(tmp_path, tmp_path / "file", None)
