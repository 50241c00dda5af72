"""``fit``, ``--ckpt_path last`` and ``export`` on pictures that the test draws."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from sfumato.bundle.bundle import list_versions, read_bundle
from tests.training.drawn_data import draw_photos
from tests.training.fit_runner import Fit
from training.__main__ import main
from training.checkpoint import read_checkpoint
from training.export.int8 import LEAST_PSNR

PATIENCE = 300.0

# Lightning's and torch's warnings are theirs to mend.
pytestmark = pytest.mark.filterwarnings("default")


def test_fit_writes_a_checkpoint_with_the_styles_and_their_conventions(fit: Fit) -> None:
    assert fit() == 0
    trained = read_checkpoint(fit.last)
    assert [style.id for style in trained.styles] == ["blue", "green", "red", "photograph"]
    assert trained.styles[1].artist == "Anna"
    assert trained.rows.shape == (4, 1281)
    assert trained.rows[:, -1].tolist() == [0, 0, 0, 1]
    assert not trained.rows[-1, :-1].any()
    assert trained.training["steps"] == 8
    assert trained.training["style_size"] == 64
    assert trained.training["loss_network"].startswith("sha256:")
    assert set(trained.training["calibration"]) == {"relu1_1", "relu2_1"}
    assert set(trained.training["calibration"]["relu1_1"]) == {"blue", "green", "red"}
    # Not even the run's own folders are told to those who get the model.
    assert trained.training["loss_weights"] == "vgg.safetensors"


def test_fit_writes_preview_sheets_of_photos_by_styles(fit: Fit) -> None:
    assert fit() == 0
    sheets = sorted(file.name for file in (fit.run / "previews").iterdir())
    assert sheets == ["step-000004.png", "step-000008.png"]
    with Image.open(fit.run / "previews" / sheets[-1]) as sheet:
        # Five columns (the photo, three styles, photograph) of 64 pixels, gaps of 2; two rows.
        assert sheet.size == (5 * 66 + 2, 2 * 66 + 2)


def test_the_same_seed_trains_the_same_network(fit: Fit, tmp_path: Path) -> None:
    assert fit("--trainer.max_steps", "3") == 0
    first = read_checkpoint(fit.last).network.digest()
    other = str(tmp_path / "other")
    assert fit("--trainer.max_steps", "3", "--trainer.default_root_dir", other) == 0
    second = read_checkpoint(Path(other) / "checkpoints" / "last.ckpt").network.digest()
    assert first == second
    assert fit("--trainer.max_steps", "3", "--seed_everything", "1") == 0


def test_the_last_steps_are_saved_even_between_two_checkpoints(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "6") == 0  # one checkpoint at 4, the next would be at 8
    assert read_checkpoint(fit.last).training["steps"] == 6


def test_a_run_goes_on_from_its_last_checkpoint_with_the_optimizer(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "4") == 0
    before = torch.load(fit.last, weights_only=True)
    assert fit("--trainer.max_steps", "6", "--ckpt_path", "last") == 0
    after = torch.load(fit.last, weights_only=True)
    assert (before["global_step"], after["global_step"]) == (4, 6)
    steps = {float(s["step"]) for s in after["optimizer_states"][0]["state"].values()}
    assert steps == {6.0}


def test_a_run_that_is_asked_to_end_saves_its_last_step(fit: Fit) -> None:
    more = ("--trainer.max_steps", "100000", "--data.num_workers", "1")
    command = [sys.executable, "-m", "training", *fit.arguments, *more]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, process_group=0) as process:
        deadline = time.monotonic() + PATIENCE
        while not (fit.run / "checkpoints" / "step-000004.ckpt").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.5)  # the checkpoint is a part of step 4, and a signal in it ends the run there
        os.killpg(process.pid, signal.SIGTERM)  # as a scheduler does: the readers get it, too
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    steps = read_checkpoint(fit.last).training["steps"]
    assert 4 < steps < 100000
    assert fit("--trainer.max_steps", str(steps + 1), "--ckpt_path", "last") == 0
    assert read_checkpoint(fit.last).training["steps"] == steps + 1


def test_a_run_can_start_from_a_bundle_and_learn_one_painting_more(
    fit: Fit, paintings: Path, tmp_path: Path
) -> None:
    names = ("--data.style_names", "[red, blue]", "--model.photograph", "false")
    assert fit("--trainer.max_steps", "2", *names) == 0
    before = read_checkpoint(fit.last)
    assert main(["export", str(fit.last), str(tmp_path / "models"), "--no-float16"]) == 0
    start = ("--model.init_from", str(tmp_path / "models"))
    still = ("--trainer.max_steps", "1", "--model.learning_rate", "0")
    assert fit(*start, *still, "--trainer.default_root_dir", str(tmp_path / "next")) == 0
    after = read_checkpoint(tmp_path / "next" / "checkpoints" / "last.ckpt")
    assert after.network.digest() == before.network.digest() == after.training["started_from"]
    assert torch.equal(after.rows[0], before.rows[1])  # blue
    assert torch.equal(after.rows[2], before.rows[0])  # red
    assert torch.equal(after.rows[1], before.network.neutral_style())  # green is new


def test_a_run_cannot_start_from_another_architecture(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--trainer.max_steps", "1") == 0
    start = ("--model.init_from", str(fit.last), "--model.architecture", "reference")
    assert fit(*start, "--trainer.default_root_dir", str(tmp_path / "next")) == 1
    assert "choose --model.architecture lite" in capsys.readouterr().err


def test_no_painting_may_be_called_photograph(
    fit: Fit, paintings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (paintings / "red.png").rename(paintings / "Photograph.png")
    assert fit() == 1
    assert "rename the file" in capsys.readouterr().err


def test_a_run_that_goes_on_obeys_its_own_command_line(fit: Fit) -> None:
    assert fit("--trainer.max_steps", "4") == 0
    more = ("--trainer.max_steps", "5", "--model.style_strength", "0.5")
    assert fit(*more, "--ckpt_path", str(fit.last)) == 0
    trained = read_checkpoint(fit.last).training
    assert (trained["steps"], trained["style_strength"], trained["style_weight"]) == (5, 0.5, 25)


def test_unreadable_photos_are_skipped_with_one_warning_each(
    fit: Fit, photos: Path, recwarn: pytest.WarningsRecorder
) -> None:
    (photos / "a.jpg").write_bytes(b"no photo")
    (photos / "b.png").write_bytes(b"")
    assert fit() == 0
    messages = [str(w.message) for w in recwarn if "photo skipped" in str(w.message)]
    assert sorted(m.split(": ")[1].rsplit("/")[-1] for m in messages) == ["a.jpg", "b.png"]


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(
    fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("--trainer.max_steps", "4") == 0
    kept = fit.last.read_bytes()
    more = ("--trainer.max_steps", "9", "--ckpt_path", "last", "--model.learning_rate", "1e30")
    assert fit(*more) == 1
    error = capsys.readouterr().err
    assert "the loss became " in error
    assert "lower --model.learning_rate" in error
    assert fit.last.read_bytes() == kept


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--data.photos", "empty", "no image below"),
        ("--data.photos", "absent", "is no folder"),
        ("--data.styles", "empty", "no image below"),
        ("--model.loss_weights", "absent", "give a safetensors file, vgg16 or vgg19"),
        ("--model.style_layers", "[relu5_1]", "loss layer 'relu5_1' is not in"),
    ],
)
def test_wrong_input_is_one_clear_line(
    fit: Fit,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    value = str(tmp_path / value) if value in ("empty", "absent") else value
    assert fit(option, value) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_wrong_option_name_is_refused(fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        fit("--model.stile_weight", "3")
    assert exit_info.value.code == 2
    assert "stile_weight" in capsys.readouterr().err


def test_a_wrong_command_shows_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fitt"]) == 2
    error = capsys.readouterr().err
    assert "no command 'fitt'" in error
    assert "export" in error


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> "Exported":
    """A checkpoint and the bundle that export made of it."""
    return Exported(tmp_path_factory.mktemp("exported"))


class Exported:
    """Holds an untrained checkpoint, as fit would write it, and its bundle."""

    def __init__(self, folder: Path) -> None:
        from sfumato.bundle.style_info import StyleInfo
        from training.checkpoint import CHECKPOINT_KEY, checkpoint_extras
        from training.networks.johnson_networks import LiteNetwork

        torch.manual_seed(0)
        network = LiteNetwork()
        rows = network.neutral_style() + 0.2 * torch.randn(2, network.style_size)
        self.checkpoint = folder / "last.ckpt"
        self.state: dict[str, Any] = {
            "state_dict": {
                **{f"network.{name}": value for name, value in network.state_dict().items()},
                "rows": rows,
            },
            "hyper_parameters": {"architecture": "lite", "loss_weights": "/home/me/vgg.st"},
            "global_step": 7,
            CHECKPOINT_KEY: checkpoint_extras([StyleInfo(id="one"), StyleInfo(id="two")], {}),
        }
        torch.save(self.state, self.checkpoint)
        self.model = folder / "model"
        photos = draw_photos(folder / "photos")
        command = ["export", str(self.checkpoint), str(self.model), "--calibration", str(photos)]
        assert main(command) == 0


def test_export_writes_a_bundle_of_all_precisions(exported: Exported) -> None:
    bundle = read_bundle(exported.model / "1")
    assert [style.id for style in bundle.styles] == ["one", "two"]
    assert bundle.network.architecture == "lite"
    assert bundle.network.digest == read_checkpoint(exported.checkpoint).network.digest()
    assert bundle.rows.shape == (2, 1281)
    assert bundle.float16_path is not None
    assert bundle.float16_path.stat().st_size < 0.7 * bundle.model_path.stat().st_size
    assert bundle.int8_path is not None
    assert bundle.int8_path.stat().st_size < 0.5 * bundle.model_path.stat().st_size
    assert bundle.training["int8_psnr"].keys() == {"one", "two"}
    assert min(bundle.training["int8_psnr"].values()) >= LEAST_PSNR


@pytest.mark.parametrize(
    ("files", "said"), [([], "no image below"), (["a.jpg"], "none of the 1 photos could be read")]
)
def test_a_calibration_without_photos_is_told_before_the_work(
    exported: Exported,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    files: list[str],
    said: str,
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("no photo")
    command = ["export", str(exported.checkpoint), str(tmp_path / "model")]
    assert main([*command, "--calibration", str(folder)]) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""
    assert list_versions(tmp_path / "model") == []


def test_the_graph_is_free_in_batch_height_and_width_and_says_so(exported: Exported) -> None:
    session = onnxruntime.InferenceSession(
        exported.model / "1" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    assert inputs == {
        "image": ("tensor(uint8)", ["N", "H", "W", 3]),
        "style": ("tensor(float)", ["N", 1281]),
    }
    (output,) = session.get_outputs()
    assert (output.name, output.type) == ("stylized", "tensor(uint8)")
    assert output.shape == ["N", "H", "W", 3]


def test_the_files_tell_nothing_of_the_trainers_machine(exported: Exported) -> None:
    for file in (exported.model / "1").iterdir():
        data = file.read_bytes()
        for secret in (b"/home/", b"site-packages", b"transformation_network.py"):
            assert secret not in data, f"{secret!r} in {file.name}"


def test_each_export_is_the_next_version(exported: Exported) -> None:
    before = list_versions(exported.model)
    assert main(["export", str(exported.checkpoint), str(exported.model), "--no-float16"]) == 0
    assert list_versions(exported.model) == [*before, before[-1] + 1]


def test_a_version_is_no_place_for_an_export(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (exported.model / "1", tmp_path / "m" / "3"):
        assert main(["export", str(exported.checkpoint), str(place)]) == 1
        error = capsys.readouterr().err
        assert f"give its folder {str(place.parent)!r}" in error
        assert len(error.splitlines()) == 1
        assert list_versions(place) == []


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["export", str(exported.checkpoint), str(tmp_path / "file" / "model")]) == 1
    captured = capsys.readouterr()
    assert "cannot be made" in captured.err
    assert captured.out == ""


def test_export_can_describe_the_paintings_anew(exported: Exported, tmp_path: Path) -> None:
    metadata = tmp_path / "paintings.csv"
    metadata.write_text(
        "file,title,artist,year,licence\ntwo.jpg,The Second,Anna,1901,CC0\n"
        "神奈川沖浪裏.jpg,The Great Wave,Hokusai,1831,CC0\n",  # of which this model knows nothing
        encoding="utf-8",
    )
    model = tmp_path / "model"
    command = ["export", str(exported.checkpoint), str(model), "--no-float16"]
    assert main([*command, "--metadata", str(metadata)]) == 0
    one, two = read_bundle(model / "1").styles
    assert (one.id, one.title) == ("one", "")
    assert (two.id, two.title, two.artist, two.year) == ("two", "The Second", "Anna", "1901")


def test_metadata_that_describes_no_paintings_is_refused(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = tmp_path / "paintings.csv"
    metadata.write_text("a,b\n1,2\n")
    command = ["export", str(exported.checkpoint), str(tmp_path / "model"), "--metadata"]
    assert main([*command, str(metadata)]) == 1
    assert main([*command, str(tmp_path / "absent.csv")]) == 1
    metadata.write_text("file,title\ntwo.jpg,The Second\ntwo.png,Another\n")
    assert main([*command, str(metadata)]) == 1
    error = capsys.readouterr().err
    assert "with the columns file, title" in error
    assert "no metadata file" in error
    assert "describes style 'two' twice" in error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hyper_parameters": {"architecture": "reference"}}, "another network than 'reference'"),
        ({"sfumato": None}, "not of `python -m training fit`"),
        ({"sfumato": {"format_version": 99}}, "not of `python -m training fit`"),
    ],
)
def test_a_checkpoint_of_another_network_or_program_is_refused(
    exported: Exported,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
    message: str,
) -> None:
    torch.save({**exported.state, **change}, tmp_path / "other.ckpt")
    assert main(["export", str(tmp_path / "other.ckpt"), str(tmp_path / "model")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network.to_rgb.bias", float("nan")),
        ("network.encode1.convolution.weight", float("inf")),
        ("rows", float("nan")),
    ],
)
def test_a_network_that_holds_nan_is_refused(
    exported: Exported,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: float,
) -> None:
    state = {name: tensor.clone() for name, tensor in exported.state["state_dict"].items()}
    state[key].flatten()[0] = value
    torch.save({**exported.state, "state_dict": state}, tmp_path / "nan.ckpt")
    assert main(["export", str(tmp_path / "nan.ckpt"), str(tmp_path / "model")]) == 1
    assert f"holds numbers that are not finite (in {key})" in capsys.readouterr().err
    assert list_versions(tmp_path / "model") == []


def test_pictures_that_are_not_finite_are_refused(exported: Exported) -> None:
    from training.errors import TrainingError
    from training.export.export import check_parity

    trained = read_checkpoint(exported.checkpoint)
    graph = (exported.model / "1" / "model.onnx").read_bytes()
    with pytest.raises(TrainingError, match="not finite"):
        check_parity(trained.network, trained.rows * 1e38, graph)  # finite, but not what it paints


def test_a_graph_that_loses_a_small_number_is_caught(exported: Exported) -> None:
    import onnx
    from onnx import numpy_helper

    from training.errors import TrainingError
    from training.export.export import check_parity

    trained = read_checkpoint(exported.checkpoint)
    model = onnx.load(exported.model / "1" / "model.onnx")
    floors = [
        t for t in model.graph.initializer if np.isclose(numpy_helper.to_array(t), 1e-4).any()
    ]
    for floor in floors:  # as the exporter made 0 of 1e-8 here
        floor.CopyFrom(numpy_helper.from_array(np.zeros((), np.float32), floor.name))
    with pytest.raises(TrainingError, match="by up to 255 of 255 levels"):
        check_parity(trained.network, trained.rows, model.SerializeToString())


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\x80\x04junk"])
def test_a_file_that_is_no_checkpoint_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    assert main(["export", str(tmp_path / "x.ckpt"), str(tmp_path / "model")]) == 1
    assert "x.ckpt" in capsys.readouterr().err


def test_a_checkpoint_is_never_unpickled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "exploded"),))

    torch.save({"state_dict": {}, "bomb": Bomb()}, tmp_path / "x.ckpt")
    assert main(["export", str(tmp_path / "x.ckpt"), str(tmp_path / "model")]) == 1
    assert "safe to read" in capsys.readouterr().err
    assert not (tmp_path / "exploded").exists()
