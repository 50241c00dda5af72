"""Class names."""

import pytest

from training.errors import TrainingError
from training.networks.class_names import find_class, imagenet_classes

NAMES = ("tabby cat", "crane", "volcano", "Crane", "Bell Cote", "water bottle", "wine bottle")


def test_a_class_is_found_by_name_in_any_case_and_by_index() -> None:
    assert find_class("VOLCANO", NAMES) == 2
    assert find_class("bell_cote", NAMES) == 4
    assert find_class("5", NAMES) == 5


def test_an_unknown_class_is_an_error_that_suggests_close_names() -> None:
    with pytest.raises(TrainingError, match="did you mean 'volcano'"):
        find_class("vulcano", NAMES)


def test_a_part_of_names_is_an_error_that_lists_them() -> None:
    with pytest.raises(TrainingError, match="'wine bottle' or 'water bottle'"):
        find_class("bottle", NAMES)


def test_a_class_like_no_other_is_an_error_that_says_what_to_give() -> None:
    with pytest.raises(TrainingError, match="'qqq': give one of the 7 names, or an index"):
        find_class("qqq", NAMES)


def test_an_index_out_of_range_is_an_error_that_gives_the_range() -> None:
    with pytest.raises(TrainingError, match="no class 7: there are 0 to 6"):
        find_class("7", NAMES)


def test_two_classes_of_one_name_are_an_error_that_gives_both_indices() -> None:
    with pytest.raises(TrainingError, match="give 1 or 3"):
        find_class("crane", NAMES)


def test_the_names_of_imagenet_come_without_a_download() -> None:
    names = imagenet_classes()
    assert len(names) == 1000
    assert (names[0], names[980]) == ("tench", "volcano")
