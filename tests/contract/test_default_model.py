"""The default model that everybody gets with a clone."""

import itertools
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from serving.device.precision import has_int8_instructions
from sfumato.bundle.bundle import Bundle, list_versions, read_bundle
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.images.codec import decode_photo

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "default"
STYLES = [
    *("hokusai-great-wave", "munch-scream", "picabia-udnie", "turner-minotaur"),
    *("van-gogh-starry-night", "kandinsky-composition-vii", "seurat-grande-jatte"),
    *("matisse-dance", "mondrian-composition-1913", "monet-water-lilies-1919"),
    *("klimt-adele-bloch-bauer", "vrubel-seated-demon", "kandinsky-composition-viii"),
    *("van-gogh-wheatfield-cypresses", "degas-blue-dancers", "rublev-trinity"),
]

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(MODEL / str(list_versions(MODEL)[-1]))


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A photo [H, W, 3], reduced to every third pixel."""
    file = ROOT / "examples" / "photos" / "china.jpg"
    return np.ascontiguousarray(decode_photo(file.read_bytes()).rgb[::3, ::3])


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def paint(
    network: onnxruntime.InferenceSession, photo: Pixels, row: NDArray[np.float32]
) -> NDArray[np.float64]:
    (painted,) = network.run(None, {"image": photo[None], "style": row[None]})
    return np.asarray(painted[0], dtype=np.float64)


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Root mean square difference in levels of 255."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def test_it_has_the_sixteen_paintings_described_and_the_photograph(bundle: Bundle) -> None:
    assert [style.id for style in bundle.styles] == [*STYLES, PHOTOGRAPH_STYLE]
    for style in bundle.styles[:-1]:
        assert style.title
        assert style.artist
        assert style.year
        assert style.licence.startswith("public domain")


def test_it_is_small_enough_for_a_clone() -> None:
    assert sum(file.stat().st_size for file in MODEL.rglob("*")) < 16_000_000


def test_no_two_styles_paint_alike(bundle: Bundle, photo: Pixels) -> None:
    network = session(bundle.model_path)
    painted = [paint(network, photo, row) for row in bundle.rows]
    for (i, a), (j, b) in itertools.combinations(enumerate(painted), 2):
        assert distance(a, b) > 8, (bundle.bank.ids[i], bundle.bank.ids[j])


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("hokusai-great-wave", "van-gogh-starry-night"),
        ("munch-scream", "mondrian-composition-1913"),
        ("matisse-dance", "kandinsky-composition-viii"),
    ],
)
def test_a_blend_moves_monotonically_and_without_a_jump(
    bundle: Bundle, photo: Pixels, first: str, last: str
) -> None:
    network = session(bundle.model_path)
    shares = np.linspace(0, 1, 9)
    steps = [paint(network, photo, bundle.bank.blend([(first, 1 - t), (last, t)])) for t in shares]
    from_first = [distance(step, steps[0]) for step in steps]
    from_last = [distance(step, steps[-1]) for step in steps]
    assert from_first == sorted(from_first)
    assert from_last == sorted(from_last, reverse=True)
    # Eight steps of equal size would each be an eighth of the way.
    largest = max(distance(a, b) for a, b in itertools.pairwise(steps))
    assert largest < from_first[-1] / 2


def test_the_half_precision_network_paints_the_same(bundle: Bundle, photo: Pixels) -> None:
    assert bundle.float16_path is not None
    row = bundle.rows[0]
    full = paint(session(bundle.model_path), photo, row)
    half = paint(session(bundle.float16_path), photo, row)
    assert np.abs(full - half).max() <= 8


def test_the_network_in_eight_bits_paints_nearly_the_same(bundle: Bundle, photo: Pixels) -> None:
    # Without VNNI, sums of products overflow, and nobody is served with it there.
    if not has_int8_instructions():
        pytest.skip("this processor has no instructions for products of bytes")
    assert bundle.int8_path is not None
    row = bundle.bank.row("munch-scream")
    full = paint(session(bundle.model_path), photo, row)
    # 30 dB are 8.1 levels.
    assert distance(full, paint(session(bundle.int8_path), photo, row)) < 8.1


def test_at_strength_zero_the_photo_comes_back(bundle: Bundle, photo: Pixels) -> None:
    # Asked for are 28 dB, a distance of 255 / 10^(28/20) = 10.2 levels.
    row = bundle.bank.blend([("munch-scream", 1.0)], strength=0.0)
    for path in (bundle.model_path, bundle.float16_path):
        assert path is not None
        assert distance(paint(session(path), photo, row), photo.astype(np.float64)) < 0.5


@pytest.mark.parametrize("style", ["hokusai-great-wave", "mondrian-composition-1913"])
def test_strength_moves_monotonically_from_the_photo_to_the_style(
    bundle: Bundle, photo: Pixels, style: str
) -> None:
    network = session(bundle.model_path)
    strengths = np.linspace(0, 1, 9)
    steps = [paint(network, photo, bundle.bank.blend([(style, 1.0)], s)) for s in strengths]
    from_photo = [distance(step, steps[0]) for step in steps]
    from_style = [distance(step, steps[-1]) for step in steps]
    assert from_photo == sorted(from_photo)
    assert from_style == sorted(from_style, reverse=True)
    largest = max(distance(a, b) for a, b in itertools.pairwise(steps))
    assert largest < from_photo[-1] / 2


def drawings() -> dict[str, Pixels]:
    """What people draw: channels that are the same everywhere, two colours, a gradient."""
    white = np.full((64, 96, 3), 255, np.uint8)
    red = white.copy()
    red[20:40, 30:60] = (255, 0, 0)
    share = np.linspace(0, 1, 96)[:, None]
    line = (1 - share) * np.array([0, 0, 255]) + share * np.array([255, 255, 255])
    gradient = np.broadcast_to(line.round().astype(np.uint8), (64, 96, 3)).copy()
    grey = np.full((16, 16, 3), 128, np.uint8)
    return {"white": white, "red on white": red, "blue to white": gradient, "small grey": grey}


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_at_strength_zero_drawings_come_back_as_they_are(bundle: Bundle, precision: str) -> None:
    path = bundle.model_path if precision == "float32" else bundle.float16_path
    assert path is not None
    network = session(path)
    row = bundle.bank.blend([("munch-scream", 1.0)], strength=0.0)
    for name, drawing in drawings().items():
        assert np.abs(paint(network, drawing, row) - drawing).max() <= 1, name


def test_a_large_white_page_gets_the_colour_of_a_small_one(bundle: Bundle) -> None:
    # Means of large channels are rounded; nothing of that may be seen. Strokes cover both pages, so
    # their mean colours are compared.
    network = session(bundle.model_path)
    for row in bundle.rows[:-1:8]:
        small, large = (
            paint(network, np.full((side, side, 3), 255, np.uint8), row).mean(axis=(0, 1))
            for side in (256, 1024)
        )
        assert np.abs(large - small).max() <= 4


def test_the_half_precision_network_paints_gradients_alike(bundle: Bundle) -> None:
    assert bundle.float16_path is not None
    full, half = session(bundle.model_path), session(bundle.float16_path)
    gradient = drawings()["blue to white"]
    for row in bundle.rows:
        assert np.abs(paint(full, gradient, row) - paint(half, gradient, row)).max() <= 8
