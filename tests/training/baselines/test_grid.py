"""``optimize grid``: layers × α/β on one sheet."""

import _thread
import re
import threading
import time
from pathlib import Path

import pytest

from tests.training.drawn_data import draw_picture
from training.baselines.grid import StyleGrid
from training.optimize.command import main
from training.optimize.picture_file import read_picture


@pytest.fixture
def arguments(tmp_path: Path, vgg_file: Path) -> list[str]:
    """The command on a tiny network: two rows, three columns."""
    draw_picture(tmp_path / "photo.png", 0, (32, 24))
    draw_picture(tmp_path / "painting.png", 100, (24, 32))
    return [
        *("grid", str(tmp_path / "photo.png"), str(tmp_path / "painting.png")),
        *("--out", str(tmp_path / "grid.png"), "--loss-weights", str(vgg_file)),
        *("--content-layers", "relu2_2", "--style-layers", "relu1_1,relu2_1"),
        *("--ratios", "1e-7,1e-5,1e-3", "--size", "32", "--steps", "40"),
    ]


def test_rows_add_layers_and_columns_are_ratios(arguments: list[str]) -> None:
    cells = StyleGrid.parse(arguments[1:], "grid").plan()
    assert [cell.recipe.style_layers for cell in cells] == [("relu1_1",)] * 3 + [
        ("relu1_1", "relu2_1")
    ] * 3
    assert [cell.recipe.content_weight for cell in cells] == [1e-7, 1e-5, 1e-3] * 2
    assert {cell.recipe.style_weight for cell in cells} == {1}


def test_the_usual_grid_is_that_of_figure_3() -> None:
    cells = StyleGrid(photo=Path("a.jpg"), painting=Path("b.jpg")).plan()
    assert len(cells) == 5 * 4
    assert cells[0].recipe.style_layers == ("relu1_1",)
    assert cells[-1].recipe.style_layers[-1] == "relu5_1"
    assert [cell.recipe.content_weight for cell in cells[:4]] == [1e-5, 1e-4, 1e-3, 1e-2]
    assert {cell.recipe.normalization for cell in cells} == {"gatys"}


def test_along_each_row_the_content_loss_falls_and_the_style_loss_rises(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(arguments)
    output = capsys.readouterr().out
    losses = re.findall(r"content ([\d.]+), style ([\d.]+)", output)
    assert len(losses) == 6
    for row in (losses[:3], losses[3:]):
        contents = [float(content) for content, _ in row]
        styles = [float(style) for _, style in row]
        assert contents == sorted(contents, reverse=True)
        assert styles == sorted(styles)
        assert contents[0] > contents[-1]
        assert styles[0] < styles[-1]
    assert "6/6 pictures" in output


def test_the_sheet_holds_every_picture_and_labels(arguments: list[str], tmp_path: Path) -> None:
    main([*arguments, "--steps", "2"])
    height, width = read_picture(tmp_path / "grid.png").shape[-2:]
    assert width > 3 * 32
    assert height > 2 * 24


def test_finished_cells_are_not_painted_again(arguments: list[str], tmp_path: Path) -> None:
    work = [*arguments, "--steps", "2", "--work", str(tmp_path / "work")]
    main(work)
    first = (tmp_path / "grid.png").read_bytes()
    finished = sorted((tmp_path / "work").glob("*/*.safetensors"))
    written = [file.stat().st_mtime_ns for file in finished]
    main(work)
    assert (tmp_path / "grid.png").read_bytes() == first
    assert len(finished) == 6
    assert [file.stat().st_mtime_ns for file in finished] == written


def test_ctrl_c_writes_the_pictures_until_then(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = tmp_path / "frames"

    def interrupt() -> None:
        while not (frames / "1.2-32x24-00001.png").exists():
            time.sleep(0.005)
        _thread.interrupt_main()

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    main([*arguments, "--steps", "150", "--frames", str(frames)])
    watcher.join()
    assert re.search(r"interrupted: wrote .*, [1-5]/6 pictures", capsys.readouterr().out)
    sheet = read_picture(tmp_path / "grid.png")
    grey = (sheet - 0.9).abs().amax(dim=1) < 0.003
    assert grey.sum() >= 32 * 24  # a cell that was not painted
