import numpy as np
from PIL import Image

from examples.contact_sheet import PAPER, Picture, Row, draw_contact_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def coloured(colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> Picture:
    return Picture(Image.new("RGB", size, colour))


def extent(page: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of what has exactly this colour."""
    rows, columns = np.nonzero((np.asarray(page) == colour).all(axis=-1))
    left, top = columns.min(), rows.min()
    return left, top, columns.max() - left + 1, rows.max() - top + 1


def test_a_row_fills_the_width_of_the_page() -> None:
    page = draw_contact_sheet([Row([coloured(RED), coloured(BLUE)])], width=500)
    assert page.width == 500
    margin = extent(page, RED)[0]
    left, _, width, _ = extent(page, BLUE)
    assert abs(page.width - margin - (left + width)) <= 2


def test_pictures_of_a_row_have_one_height_and_their_own_aspect_ratio() -> None:
    row = Row([coloured(RED, (300, 100)), coloured(BLUE, (50, 100))])
    page = draw_contact_sheet([row], width=800)
    _, red_top, red_width, red_height = extent(page, RED)
    _, blue_top, blue_width, blue_height = extent(page, BLUE)
    assert (red_top, red_height) == (blue_top, blue_height)
    assert abs(red_width - 3 * red_height) <= 2
    assert abs(2 * blue_width - blue_height) <= 2


def test_a_single_portrait_does_not_fill_the_page() -> None:
    page = draw_contact_sheet([Row([coloured(RED, (100, 300))])], width=600)
    assert page.height < page.width


def test_rows_follow_each_other_without_overlap() -> None:
    page = draw_contact_sheet([Row([coloured(RED)]), Row([coloured(BLUE)])], width=400)
    _, red_top, _, red_height = extent(page, RED)
    assert extent(page, BLUE)[1] > red_top + red_height


def test_headings_and_captions_take_room_only_where_they_are() -> None:
    image = coloured(RED).image
    bare = draw_contact_sheet([Row([Picture(image)])], width=400)
    titled = draw_contact_sheet([Row([Picture(image, "The Scream")])], width=400)
    full = draw_contact_sheet([Row([Picture(image, "The Scream", "1893")], "Munch")], width=400)
    assert bare.height < titled.height < full.height


def test_a_caption_is_cut_to_its_picture() -> None:
    row = Row([Picture(coloured(RED).image, "a very long title " * 9), coloured(BLUE)])
    page = np.asarray(draw_contact_sheet([row], width=400))
    left, top, width, height = extent(Image.fromarray(page), RED)
    beside = page[top + height + 9 :, left + width + 1 :]
    assert (beside == PAPER).all()


def test_letters_that_the_font_lacks_are_written_plainly() -> None:
    image = coloured(RED).image
    plain = draw_contact_sheet([Row([Picture(image, "Theodore 1909-1913")])], width=400)
    accented = draw_contact_sheet([Row([Picture(image, "Théodore 1909–1913")])], width=400)
    assert plain == accented
