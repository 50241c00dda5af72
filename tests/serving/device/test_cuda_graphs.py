"""Without a GPU nothing is captured; the arrays and their runs are the same in main memory."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from serving.batch_shape import BatchShape
from serving.device import cuda_graphs, session
from serving.device.cuda_graphs import CudaGraph, open_graphs
from serving.device.onnx_runtime import CUDA, SessionSettings, open_network
from serving.device.session import OnnxSession
from sfumato.bundle.bundle import Bundle
from sfumato.errors import BundleError
from tests.serving.photos import draw
from tests.serving.pretended_cuda import PretendedCuda
from tests.serving.tiny_network import paint, write_tiny_bundle

ONE, TWO = BatchShape(40, 24, 1), BatchShape(20, 16, 2)
Graphs = dict[tuple[int, ...], CudaGraph]
ON_CUDA = SessionSettings(device="cuda", cuda_graphs=(ONE, TWO))


@pytest.fixture
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "1")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> PretendedCuda:
    def in_main_memory(shape: Any, kind: Any, _device_id: int) -> Any:
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, kind)

    monkeypatch.setattr(cuda_graphs, "array_on_gpu", in_main_memory)
    # There is no arena of a GPU that could shrink.
    monkeypatch.setattr(session, "shrinking_run", lambda _: None)
    return PretendedCuda(monkeypatch, works=True)


@pytest.fixture
def graphs(bundle: Bundle, cuda: PretendedCuda) -> Graphs:
    network = open_network(bundle.model_path, ON_CUDA)
    return open_graphs(bundle.model_path, ON_CUDA, network, 2)


def replayed(graphs: Graphs, images: np.ndarray, styles: np.ndarray) -> np.ndarray:
    return graphs[images.shape].run(images, styles)


def rows(*styles: tuple[float, float]) -> np.ndarray:
    return np.array(styles, np.float32)


def test_each_run_paints_its_own_photos_and_keeps_those_before(graphs: Graphs) -> None:
    first, second = draw(40, 24, 1), draw(40, 24, 2)
    painted = [
        replayed(graphs, first[None], rows((0.5, 0))),
        replayed(graphs, second[None], rows((1, 9))),
    ]
    np.testing.assert_array_equal(painted[0][0], paint(first, 0.5, 0))
    np.testing.assert_array_equal(painted[1][0], paint(second, 1, 9))


def test_shapes_have_arrays_of_their_own(graphs: Graphs) -> None:
    pair, single = np.stack([draw(20, 16, 1), draw(20, 16, 2)]), draw(40, 24)
    for _ in range(2):
        painted = replayed(graphs, pair, rows((1, 7), (0.5, 0)))
        np.testing.assert_array_equal(painted[0], paint(pair[0], 1, 7))
        np.testing.assert_array_equal(painted[1], paint(pair[1], 0.5, 0))
        np.testing.assert_array_equal(replayed(graphs, single[None], rows((1, 0)))[0], single)


def test_photos_need_not_be_contiguous(graphs: Graphs) -> None:
    turned = np.rot90(draw(24, 40))[None]
    np.testing.assert_array_equal(replayed(graphs, turned, rows((1, 0))), turned)


def test_only_the_chosen_shapes_are_replayed(graphs: Graphs) -> None:
    assert graphs.keys() == {(1, 24, 40, 3), (2, 16, 20, 3)}


def test_a_network_of_its_own_is_opened_for_graphs(bundle: Bundle, cuda: PretendedCuda) -> None:
    OnnxSession(bundle, ON_CUDA)
    [(_, usual), _], [(name, replaying), _] = cuda.asked
    assert name == CUDA
    assert "enable_cuda_graph" not in usual
    assert replaying == {**usual, "enable_cuda_graph": "1"}


def test_warming_up_captures_every_shape_before_any_request(
    bundle: Bundle, cuda: PretendedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = OnnxSession(bundle, ON_CUDA)
    captured: list[tuple[str, tuple[int, ...]]] = []
    for batch in network._graphs.values():
        number = batch._options.get_run_config_entry("gpu_graph_id")
        run = batch.run

        def spy(images: Any, styles: Any, number: str = number, run: Any = run) -> Any:
            captured.append((number, images.shape))
            return run(images, styles)

        monkeypatch.setattr(batch, "run", spy)
    for first in network.warm_up_runs(8):
        first()
    assert captured == [("1", (1, 24, 40, 3)), ("2", (2, 16, 20, 3))]


def test_other_shapes_run_as_ever_and_paint_the_same(bundle: Bundle, cuda: PretendedCuda) -> None:
    network = OnnxSession(bundle, ON_CUDA)
    for width in (40, 41):
        photo = draw(width, 24)
        painted = network.run(photo[None], rows((0.5, 3)))
        np.testing.assert_array_equal(painted[0], paint(photo, 0.5, 3))
    assert len(cuda.asked) == 2


def test_on_the_cpu_nothing_is_replayed(bundle: Bundle) -> None:
    network = OnnxSession(bundle, SessionSettings(device="cpu", cuda_graphs=(ONE,)))
    for first in network.warm_up_runs(1):
        first()
    assert not network._graphs


def test_memory_that_does_not_suffice_is_told_with_the_reason(
    bundle: Bundle, cuda: PretendedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA failure 2: out of memory\nlong story")

    monkeypatch.setattr(cuda_graphs, "array_on_gpu", fail)
    with pytest.raises(BundleError, match=r"no CUDA graphs for .*: CUDA failure 2: out of memory$"):
        OnnxSession(bundle, ON_CUDA)
