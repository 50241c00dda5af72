"""Losses on photos that are not trained on, while the run goes on."""

import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.drawn_data import draw_picture
from tests.training.fit_runner import Fit
from training.checkpoint import read_checkpoint
from training.data.module import MOST_HELD_OUT, PhotosAndPaintings, photos_aside
from training.errors import TrainingError

pytestmark = pytest.mark.filterwarnings("default")

EVERY_TWO = ("--trainer.val_check_interval", "2", "--trainer.max_steps", "4")
CSV = ("--trainer.logger", "lightning.pytorch.loggers.CSVLogger")


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's losses on photos held out."""
    (file,) = folder.rglob("metrics.csv")
    with file.open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["held_out/total"]]


def test_the_losses_on_photos_held_out_are_told_for_all_styles_and_for_each(fit: Fit) -> None:
    logger = (*CSV, "--trainer.logger.save_dir", str(fit.run))
    assert fit(*EVERY_TWO, *logger, "--data.held_out", "0.25") == 0
    rows = table(fit.run)
    assert [row["step"] for row in rows] == ["1", "3"]  # the numbers of the steps before
    for row in rows:
        for term in ("content", "style", "total"):
            of_styles = [float(row[f"held_out_{term}/{s}"]) for s in ("blue", "green", "red")]
            assert float(row[f"held_out/{term}"]) == pytest.approx(sum(of_styles) / 3, rel=1e-4)
        assert "held_out_total/photograph" not in row  # it has nothing to learn


def test_tensorboard_shows_a_curve_for_each_style(fit: Fit) -> None:
    assert fit(*EVERY_TWO, "--data.held_out", "0.25") == 0
    events = EventAccumulator(str(fit.run / "lightning_logs" / "version_0")).Reload()
    scalars = set(events.Tags()["scalars"])
    assert {"held_out/total", "held_out_style/green", "held_out_total/red"} <= scalars
    assert [event.step for event in events.Scalars("held_out_total/red")] == [1, 3]


def test_looking_at_the_photos_held_out_changes_nothing_of_the_training(
    fit: Fit, tmp_path: Path
) -> None:
    aside = (*EVERY_TWO, "--data.held_out", "0.25")
    assert fit(*aside) == 0
    other = ("--trainer.default_root_dir", str(tmp_path / "other"))
    assert fit(*aside, *other, "--trainer.limit_val_batches", "0") == 0
    unseen = read_checkpoint(tmp_path / "other" / "checkpoints" / "last.ckpt")
    assert read_checkpoint(fit.last).network.digest() == unseen.network.digest()


def test_photos_held_out_are_not_trained_on(photos: Path, paintings: Path) -> None:
    data = PhotosAndPaintings(photos, paintings, crop_size=32, held_out=0.5, num_workers=0)
    data.setup("fit")
    everything = {file.name for file in photos.rglob("*.*")}
    assert data.held_out_photos.shape == (2, 3, 32, 32)
    assert len(data.photos) == 2
    assert {file.name for file in data.photos.files} < everything
    assert sum(len(batch) for batch in data.val_dataloader()) == 2


def test_nothing_held_out_is_no_curve_and_no_warning(
    fit: Fit, recwarn: pytest.WarningsRecorder, tmp_path: Path
) -> None:
    for seed in range(40):
        draw_picture(tmp_path / "photos" / f"{seed}.jpg", seed, (40, 40))
    logger = (*CSV, "--trainer.logger.save_dir", str(fit.run))
    assert fit(*EVERY_TWO, *logger, "--data.held_out", "0", "--data.crop_size", "32") == 0
    (file,) = fit.run.rglob("metrics.csv")
    assert "held_out" not in file.read_text()
    assert not [w for w in recwarn if "is zero" in str(w.message)]


def test_a_photo_set_aside_that_cannot_be_read_is_no_reason_to_stop(
    photos: Path, paintings: Path
) -> None:
    (aside,) = photos_aside(list(photos.rglob("*.*")), 0.25)
    aside.write_bytes(b"no photo")
    data = PhotosAndPaintings(photos, paintings, crop_size=32, held_out=0.25, num_workers=0)
    data.setup("fit")
    assert len(data.held_out_photos) == 0
    assert len(data.photos) == 3


def test_the_same_photos_are_set_aside_in_a_folder_that_has_moved_or_grown() -> None:
    files = [Path(f"photos/{number}.jpg") for number in range(400)]
    moved = [Path("elsewhere", file.name) for file in files]
    first = photos_aside(files, 0.03)
    assert len(first) == 12
    assert {file.name for file in first} == {file.name for file in photos_aside(moved, 0.03)}
    grown = photos_aside([*files, *(Path(f"photos/{n}.jpg") for n in range(400, 440))], 0.03)
    assert len(first & grown) >= 9  # of 13, and by chance it would be one
    assert len(photos_aside(files, 0.5)) == MOST_HELD_OUT
    assert photos_aside(files, 0) == photos_aside(files[:33], 0.03) == frozenset()


def test_a_share_that_leaves_too_little_is_refused(photos: Path, paintings: Path) -> None:
    with pytest.raises(TrainingError, match=r"held_out is 0\.6: it must be between 0 and 0\.5"):
        PhotosAndPaintings(photos, paintings, held_out=0.6)
