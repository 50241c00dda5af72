"""All measures of one style, on painters whose flaws are known."""

from dataclasses import make_dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.evaluation.drawn_bundle import DrawnBundle
from training.data.image_folder import find_images
from training.data.photos import center_crops
from training.evaluation import results_folder as naming
from training.evaluation.measures.judge import Judge, load_judge
from training.evaluation.measures.stability import Painter
from training.evaluation.measures.style_measures import StyleMeasures, measure_style
from training.evaluation.subject import Subject, find_bundle, load_subject


@pytest.fixture(scope="module")
def subject(drawn: DrawnBundle) -> Subject:
    bundle, cpu = find_bundle(drawn.path), torch.device("cpu")
    return load_subject(bundle, Path(drawn.paintings), str(drawn.weights), cpu)


@pytest.fixture(scope="module")
def photos(drawn: DrawnBundle) -> Tensor:
    return center_crops(find_images(drawn.photos), 2, 32)


def measured(subject: Subject, photos: Tensor, drawn: DrawnBundle, paint: Painter) -> StyleMeasures:
    judge = Judge(load_judge(str(drawn.judge)), photos)
    return measure_style(subject, "red", paint, photos, judge, 0)[0]


def test_who_paints_nothing_keeps_all_and_leaves_the_calm_area_empty(
    subject: Subject, photos: Tensor, drawn: DrawnBundle
) -> None:
    found = measured(subject, photos, drawn, lambda each: each)
    assert found.recognized == 1
    assert found.detail_kept == pytest.approx(1, abs=1e-5)
    assert found.halo is not None
    assert found.halo < 0.2
    assert found.calm_painted is not None
    assert found.calm_painted < 0.01
    assert all(rms is not None and rms < 0.5 for rms in found.lattices)


def test_a_lattice_of_four_pixels_is_in_the_measure_of_its_name(
    subject: Subject, photos: Tensor, drawn: DrawnBundle
) -> None:
    def paint(each: Tensor) -> Tensor:
        return each + 10 / 255 * (torch.arange(each.shape[-1]) % 4 == 0)

    found = measured(subject, photos, drawn, paint)
    # One column of four is 10 brighter: root mean square 10 · √(1/4 · 3/4), and at 2 pixels the
    # mean of two columns, 5 and 0, so 2.5 around theirs. The box takes up to a fifteenth.
    assert found.lattice_4 == pytest.approx(4.33, rel=0.08)
    assert found.lattice_2 == pytest.approx(2.5, rel=0.08)
    assert found.lattice_8 == pytest.approx(4.33, rel=0.08)


def test_results_of_other_measures_are_other_results(
    subject: Subject, photos: Tensor, drawn: DrawnBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = load_judge(str(drawn.judge))
    now = naming.fingerprint(subject, photos, judge, 0)
    assert now == naming.fingerprint(subject, photos, judge, 0)
    monkeypatch.setattr(naming, "StyleMeasures", make_dataclass("Fewer", ["ssim", "psnr"]))
    assert naming.fingerprint(subject, photos, judge, 0) != now
