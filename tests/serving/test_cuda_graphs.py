"""Without a GPU nothing is captured; the arrays and their runs are the same in main memory."""

from typing import Any

import numpy as np
import pytest

from serving import cuda_graphs, session
from serving.batch_shape import BatchShape
from serving.cuda_graphs import CudaGraphs
from serving.onnx_runtime import CUDA, SessionSettings, array_on_device, open_network
from serving.session import OnnxSession
from sfumato.bundle import Bundle
from sfumato.errors import BundleError
from tests.serving.photos import draw
from tests.serving.pretended_cuda import PretendedCuda
from tests.serving.tiny_network import paint, write_tiny_bundle

ONE, TWO = BatchShape(40, 24, 1), BatchShape(20, 16, 2)
ON_CUDA = SessionSettings(device="cuda", cuda_graphs=(ONE, TWO))


@pytest.fixture
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "1")


@pytest.fixture
def graphs(bundle: Bundle) -> CudaGraphs:
    network = open_network(bundle.model_path, SessionSettings(device="cpu"))
    return CudaGraphs(network, (ONE, TWO), 2, memory="cpu")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> PretendedCuda:
    def in_main_memory(shape: Any, kind: Any, memory: str, device_id: int) -> Any:
        assert memory == "cuda"
        return array_on_device(shape, kind, "cpu", device_id)

    monkeypatch.setattr(cuda_graphs, "array_on_device", in_main_memory)
    # There is no arena of a GPU that could shrink.
    monkeypatch.setattr(session, "shrinking_run", lambda _: None)
    return PretendedCuda(monkeypatch, works=True)


def rows(*styles: tuple[float, float]) -> np.ndarray:
    return np.array(styles, np.float32)


def test_each_run_paints_its_own_photos_and_keeps_those_before(graphs: CudaGraphs) -> None:
    first, second = draw(40, 24, 1), draw(40, 24, 2)
    painted = [graphs.run(first[None], rows((0.5, 0))), graphs.run(second[None], rows((1, 9)))]
    np.testing.assert_array_equal(painted[0][0], paint(first, 0.5, 0))
    np.testing.assert_array_equal(painted[1][0], paint(second, 1, 9))


def test_shapes_have_arrays_of_their_own(graphs: CudaGraphs) -> None:
    pair, single = np.stack([draw(20, 16, 1), draw(20, 16, 2)]), draw(40, 24)
    for _ in range(2):
        painted = graphs.run(pair, rows((1, 7), (0.5, 0)))
        np.testing.assert_array_equal(painted[0], paint(pair[0], 1, 7))
        np.testing.assert_array_equal(painted[1], paint(pair[1], 0.5, 0))
        np.testing.assert_array_equal(graphs.run(single[None], rows((1, 0)))[0], single)


def test_photos_need_not_be_contiguous(graphs: CudaGraphs) -> None:
    turned = np.rot90(draw(24, 40))[None]
    np.testing.assert_array_equal(graphs.run(turned, rows((1, 0))), turned)


def test_only_the_chosen_shapes_are_replayed(graphs: CudaGraphs) -> None:
    assert (1, 24, 40, 3) in graphs
    assert (2, 16, 20, 3) in graphs
    assert (2, 24, 40, 3) not in graphs
    assert (1, 40, 24, 3) not in graphs


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
    assert network._graphs is not None
    for shape, batch in network._graphs._batches.items():
        number = batch._options.get_run_config_entry("gpu_graph_id")
        run = batch.run

        def spy(images: Any, styles: Any, number: str = number, run: Any = run) -> Any:
            captured.append((number, images.shape))
            return run(images, styles)

        assert shape in network._graphs
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
    assert network._graphs is None


def test_memory_that_does_not_suffice_is_told_with_the_reason(
    bundle: Bundle, cuda: PretendedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA failure 2: out of memory\nlong story")

    monkeypatch.setattr(cuda_graphs, "array_on_device", fail)
    with pytest.raises(BundleError, match=r"no CUDA graphs for .*: CUDA failure 2: out of memory$"):
        OnnxSession(bundle, ON_CUDA)
