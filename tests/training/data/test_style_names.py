"""Ids of styles out of file names, and paintings chosen by name."""

import shutil
import unicodedata
from pathlib import Path

import pytest

from tests.training.drawn_data import draw_picture
from training.data.image_folder import look_through
from training.data.paintings import load_paintings, read_metadata
from training.data.style_ids import style_id
from training.data.style_names import StyleName, choose, paintings_of
from training.errors import TrainingError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Paintings in two sub-folders, most of their names of a trying kind."""
    names = ("monet/1.jpg", "degas/1.jpg", "2.jpg", "no.jpg", "07.png", "Café Terrace.jpg")
    for seed, name in enumerate(names):
        draw_picture(tmp_path / "folder" / name, seed, (40, 40))
    return tmp_path / "folder"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Great Wave.jpg", "great-wave"),
        ("Café Terrace.jpg", "cafe-terrace"),
        ("Krøyer – Sommeraften.jpg", "kroyer-sommeraften"),
        ("Łempicka_Zielona.png", "lempicka-zielona"),
        ("Straße in Köln.jpg", "strasse-in-koln"),
        ("Van Gogh’s bedroom.jpg", "van-gogh-s-bedroom"),
        ("\uff11\uff12.jpg", "12"),  # digits as wide as Japanese characters
        ("神奈川沖浪裏 2.jpg", "2"),
        ("神奈川沖浪裏.jpg", ""),
    ],
)
def test_an_id_is_what_a_name_has_in_ascii_on_every_system(name: str, expected: str) -> None:
    for form in ("NFC", "NFD"):
        assert style_id(Path(unicodedata.normalize(form, name))) == expected


def test_titles_and_descriptions_do_not_depend_on_how_a_system_stores_accents(
    tmp_path: Path,
) -> None:
    for form in ("NFC", "NFD"):
        name = unicodedata.normalize(form, "Café.png")
        draw_picture(tmp_path / form / name, 0, (40, 40))
        (tmp_path / form / "sources.csv").write_text("file,artist\nCafé.png,Vincent\n")
        (painting,) = load_paintings(tmp_path / form, 32)
        assert (painting.info.title, painting.info.artist) == ("Café", "Vincent")


def test_a_name_that_makes_no_id_is_named(tmp_path: Path) -> None:
    draw_picture(tmp_path / "神奈川沖浪裏.png", 0, (40, 40))
    with pytest.raises(TrainingError, match=r"神奈川沖浪裏\.png' has no letter .*: rename it"):
        load_paintings(tmp_path, 32)


def test_a_name_that_makes_an_id_too_long_is_named(tmp_path: Path) -> None:
    draw_picture(tmp_path / f"{'x' * 120}.png", 0, (40, 40))
    with pytest.raises(TrainingError, match=r"xx\.png' makes a style id of 120 characters"):
        load_paintings(tmp_path, 32)


def test_files_that_nobody_asked_for_may_have_any_name(folder: Path) -> None:
    draw_picture(folder / "神奈川沖浪裏.png", 9, (40, 40))
    (painting,) = load_paintings(folder, 32, ["Café Terrace"])
    assert painting.info.id == "cafe-terrace"
    assert list(paintings_of(look_through(folder), ["cafe-terrace"])) == ["cafe-terrace"]


def test_two_paintings_that_would_be_one_style_are_an_error_that_names_both(folder: Path) -> None:
    with pytest.raises(TrainingError, match=r"degas/1\.jpg' and '.*monet/1\.jpg' would both be"):
        load_paintings(folder, 32)


def test_two_suffixes_of_one_name_are_two_paintings(paintings: Path) -> None:
    shutil.copy(paintings / "red.png", paintings / "red.jpg")
    with pytest.raises(TrainingError, match=r"red\.jpg' and '.*red\.png' would both be"):
        load_paintings(paintings, 32)
    with pytest.raises(TrainingError, match=r"'red' may be '.*red\.jpg' or '.*red\.png': give"):
        load_paintings(paintings, 32, ["red"])
    with pytest.raises(TrainingError, match=r"may both be the painting of style 'red'"):
        paintings_of(look_through(paintings), ["blue", "red"])
    assert list(paintings_of(look_through(paintings), ["blue"])) == ["blue"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2", "2.jpg"),
        (2, "2.jpg"),  # what YAML makes of 2
        (7, "07.png"),
        ("no", "no.jpg"),
        (False, "no.jpg"),  # what YAML makes of no
        ("degas/1", "degas/1.jpg"),
        ("degas/1.jpg", "degas/1.jpg"),
        ("no.jpg", "no.jpg"),
        ("Café Terrace", "Café Terrace.jpg"),
        (unicodedata.normalize("NFD", "Café Terrace"), "Café Terrace.jpg"),
        ("cafe-terrace", "Café Terrace.jpg"),
    ],
)
def test_a_painting_is_chosen_by_name_by_path_or_by_id(
    folder: Path, name: StyleName, expected: str
) -> None:
    assert choose(look_through(folder), [name]) == [folder / expected]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1"], r"'1' may be '.*degas/1\.jpg' or '.*monet/1\.jpg': give the name with folder"),
        ([1], r"1 may be"),
        (["no", False], r"no\.jpg' twice: leave one out"),
        ([True], r"no painting True .*choose from .*and write the name in quotes, '\[\"NAME\"\]'"),
        (
            ["yes"],
            r"no painting 'yes' .*\['07', '2', 'Café Terrace', 'degas/1', 'monet/1', 'no'\]$",
        ),
    ],
)
def test_names_that_choose_no_painting_are_one_message(
    folder: Path, names: list[StyleName], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        choose(look_through(folder), names)


def test_a_file_that_is_described_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sources.csv").write_text("file,title\na.jpg,A\nb.jpg,B\na.jpg,C\n")
    with pytest.raises(TrainingError, match=r"describes 'a\.jpg' twice: leave one row out"):
        read_metadata(tmp_path / "sources.csv")


def test_rows_without_a_file_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sources.csv").write_text("title,file\nA,a.jpg\nB\n,\n")
    assert list(read_metadata(tmp_path / "sources.csv")) == ["a.jpg"]
