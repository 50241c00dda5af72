import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.device import onnx_runtime
from serving.device.onnx_runtime import CPU, CUDA, SessionSettings, usual_batches_at_once
from serving.device.session import DeviceShare, OnnxSession
from serving.errors import ConfigError, OutOfMemoryError
from sfumato.bundle.bundle import Bundle
from sfumato.errors import BundleError
from tests.serving.photos import draw
from tests.serving.pretended_cuda import PretendedCuda
from tests.serving.tiny_network import paint, tiny_graph, write_tiny_bundle

ON_CPU = SessionSettings(device="cpu", intra_op_threads=1)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "1")


def test_each_photo_of_a_batch_has_its_own_style(bundle: Bundle) -> None:
    photos = np.stack([draw(seed=0), draw(seed=1)])
    styles = np.array([[0.5, 0.0], [1.0, 30.0]], np.float32)
    painted = OnnxSession(bundle, ON_CPU).run(photos, styles)
    np.testing.assert_array_equal(painted[0], paint(photos[0], 0.5, 0.0))
    np.testing.assert_array_equal(painted[1], paint(photos[1], 1.0, 30.0))


def test_a_photo_need_not_be_contiguous(bundle: Bundle) -> None:
    turned = np.rot90(draw(40, 24))
    painted = OnnxSession(bundle, ON_CPU).run(turned[None], np.array([[1.0, 0.0]], np.float32))
    np.testing.assert_array_equal(painted[0], turned)


def test_memory_is_given_back_when_the_size_changes_and_only_then(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = OnnxSession(bundle, ON_CPU)
    options: list[Any] = []
    run = session._session.run_with_ortvaluevector

    def spy(run_options: Any, *arrays: Any) -> None:
        options.append(run_options is session._shrink)
        run(run_options, *arrays)

    monkeypatch.setattr(session._session, "run_with_ortvaluevector", spy)
    for width in (20, 20, 30, 20, 20):
        session.run(draw(width, 20)[None], np.zeros((1, 2), np.float32))
    assert options == [True, False, True, True, False]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("bfc_arena.cc: Failed to allocate memory for requested buffer of size 7"),
        MemoryError("Unable to allocate 7 B for an array"),
    ],
)
def test_a_lack_of_memory_is_told_in_plain_words(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    session = OnnxSession(bundle, ON_CPU)
    monkeypatch.setattr(session._session, "run_with_ortvaluevector", fail)
    with pytest.raises(OutOfMemoryError, match="1 of 40 x 24 pixels at once; send a smaller"):
        session.run(draw()[None], np.zeros((1, 2), np.float32))


def test_warming_up_runs_the_smallest_photos_and_the_largest_batch(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    session = OnnxSession(bundle, ON_CPU)
    run = session.run

    def spy(images: Any, styles: Any) -> Any:
        shapes.append(images.shape)
        return run(images, styles)

    monkeypatch.setattr(session, "run", spy)
    for first in session.warm_up_runs(5):
        first()
    assert (1, 16, 17, 3) in shapes
    assert shapes[-1] == (5, 16, 17, 3)


def test_a_network_that_fails_while_it_warms_up_is_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such kernel\nlong story")

    session = OnnxSession(bundle, ON_CPU)
    monkeypatch.setattr(session, "run", fail)
    with pytest.raises(BundleError, match=r"no such kernel$"):
        session.warm_up_runs(1)[0]()


def test_a_wrong_type_of_input_is_refused(tmp_path: Path) -> None:
    graph = tiny_graph().replace(b"stylized", b"painting")
    with pytest.raises(BundleError, match="it must have image, style, stylized"):
        OnnxSession(write_tiny_bundle(tmp_path / "1", graph=graph), ON_CPU)


def test_cuda_is_asked_for_with_options_that_suit_changing_sizes(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended = PretendedCuda(monkeypatch, works=True)
    assert OnnxSession(bundle, SessionSettings(device="auto")).provider == CUDA
    [[(name, options), second]] = pretended.asked
    assert (name, second) == (CUDA, CPU)
    assert options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert options["do_copy_in_default_stream"] == "1"
    assert pretended.threads == [1]
    assert capsys.readouterr().out == ""


def test_an_operator_can_change_what_cuda_gets(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedCuda(monkeypatch, works=True)
    own = {"cudnn_conv_algo_search": "EXHAUSTIVE", "use_tf32": "0"}
    OnnxSession(bundle, SessionSettings(device="cuda", cuda_options=own))
    [[(_, options), _]] = pretended.asked
    assert options == {**onnx_runtime.CUDA_OPTIONS, **own}


def test_memory_is_given_back_by_the_gpu_that_was_chosen(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedCuda(monkeypatch, works=True)
    second = SessionSettings(device="cuda", cuda_options={"device_id": "1"})
    for settings, arena in ((SessionSettings(device="cuda"), "gpu:0"), (second, "gpu:1")):
        shrink = OnnxSession(bundle, settings)._shrink
        assert shrink.get_run_config_entry("memory.enable_memory_arena_shrinkage") == arena


def test_an_option_that_cuda_does_not_know_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="has 'use_tf33'; the CUDA provider takes arena_extend"):
        OnnxSession(bundle, SessionSettings(device="cpu", cuda_options={"use_tf33": "0"}))


def test_auto_takes_the_cpu_with_its_threads_where_cuda_does_not_work(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedCuda(monkeypatch, works=False)
    monkeypatch.setattr(onnx_runtime, "usable_cores", lambda: 3)
    assert OnnxSession(bundle, SessionSettings(device="auto")).provider == CPU
    assert pretended.asked[-1] == [CPU]
    assert pretended.threads[-1] == 3


def test_without_a_driver_cuda_is_not_even_loaded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedCuda(monkeypatch, works=True)
    monkeypatch.setattr(onnx_runtime, "_has_driver", lambda: False)
    assert OnnxSession(bundle, SessionSettings(device="auto")).provider == CPU
    assert pretended.asked == [[CPU]]


def test_cuda_that_does_not_work_is_an_error_where_it_is_demanded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedCuda(monkeypatch, works=False)
    with pytest.raises(ConfigError, match=r"CUDA does not work here .* says: Failed to load$"):
        OnnxSession(bundle, SessionSettings(device="cuda"))


def test_the_cpu_is_taken_at_once_where_it_is_demanded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedCuda(monkeypatch, works=True)
    assert OnnxSession(bundle, SessionSettings(device="cpu")).provider == CPU
    assert pretended.asked == [[CPU]]


def test_a_session_may_run_on_another_thread_than_it_was_opened_on(bundle: Bundle) -> None:
    session = OnnxSession(bundle, ON_CPU)
    thread = threading.Thread(target=session.warm_up_runs(1)[0])
    thread.start()
    thread.join()
    assert session.run(draw()[None], np.zeros((1, 2), np.float32)).shape == (1, 24, 40, 3)


@pytest.mark.parametrize(
    ("at_once", "own", "threads"),
    [(1, None, [5]), (2, None, [5, 2]), (5, None, [5, 1]), (8, None, [5, 1]), (2, 7, [7, 3])],
)
def test_batches_that_run_at_once_divide_the_threads(
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    own: int | None,
    threads: list[int],
) -> None:
    pretended = PretendedCuda(monkeypatch, works=False)
    monkeypatch.setattr(onnx_runtime, "usable_cores", lambda: 5)
    settings = SessionSettings(device="cpu", batches_at_once=at_once, intra_op_threads=own)
    OnnxSession(bundle, settings)
    assert pretended.threads == threads


def test_on_cuda_batches_at_once_share_one_network(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = PretendedCuda(monkeypatch, works=True)
    OnnxSession(bundle, SessionSettings(device="cuda", batches_at_once=2))
    assert pretended.threads == [1]


def test_a_batch_has_all_threads_only_if_nothing_else_runs_on_the_device(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = DeviceShare()
    session = OnnxSession(bundle, SessionSettings(device="cpu", batches_at_once=2), device)
    used: list[str] = []
    names = {id(session._session): "all", id(session._sharing): "share"}

    def spy(on: Any, *_: object) -> None:
        used.append(names[id(on)])

    monkeypatch.setattr(session, "_run", spy)
    photo, style = draw()[None], np.zeros((1, 2), np.float32)
    session.run(photo, style)
    with device.taken() as others:  # by another network
        assert others == 0
        session.run(photo, style)
    session.run(photo, style)
    assert used == ["all", "share", "all"]


def test_a_failed_batch_leaves_the_device(bundle: Bundle) -> None:
    device = DeviceShare()
    session = OnnxSession(bundle, SessionSettings(device="cpu", batches_at_once=2), device)
    with pytest.raises(Exception, match="style"):
        session.run(draw()[None], np.zeros((1, 3), np.float32))
    with device.taken() as others:
        assert others == 0


def test_a_share_of_the_threads_paints_the_same(bundle: Bundle) -> None:
    device = DeviceShare()
    session = OnnxSession(bundle, SessionSettings(device="cpu", batches_at_once=2), device)
    photo, style = draw()[None], np.array([[0.5, 3.0]], np.float32)
    alone = session.run(photo, style)
    with device.taken():
        np.testing.assert_array_equal(session.run(photo, style), alone)


def test_one_session_paints_on_several_threads_at_once(bundle: Bundle) -> None:
    session = OnnxSession(bundle, SessionSettings(device="cpu", batches_at_once=4))

    def paint_one(number: int) -> bool:
        photo = draw(20 + number % 5, 30 + number % 3, number)
        style = np.array([[0.5, float(number)]], np.float32)
        painted = session.run(photo[None], style)
        return np.array_equal(painted[0], paint(photo, 0.5, float(number)))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(paint_one, range(100)))


def test_a_cpu_runs_a_batch_per_core_and_at_most_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, at_once in ((1, 1), (2, 2), (4, 4), (64, 4)):
        monkeypatch.setattr(onnx_runtime, "usable_cores", lambda cores=cores: cores)
        assert usual_batches_at_once("cpu") == at_once


def test_a_gpu_runs_one_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    PretendedCuda(monkeypatch, works=True)
    monkeypatch.setattr(onnx_runtime, "usable_cores", lambda: 8)
    assert usual_batches_at_once("auto") == usual_batches_at_once("cuda") == 1
    assert usual_batches_at_once("cpu") == 4
