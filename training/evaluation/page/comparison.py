"""The section of the page that puts two versions side by side."""

from html import escape

from training.data.photos import spread
from training.evaluation.comparison import COLUMNS, Comparison
from training.evaluation.page.pictures import PagePictures
from training.evaluation.page.sections import SHEET_PHOTOS, html_table, note, scroll


def comparison_section(comparison: Comparison, old: PagePictures, new: PagePictures) -> str:
    """Returns the table, and some photos in every style, old and new beside each other."""
    head = ("style", *(column.name for column in COLUMNS))
    return (
        note(escape(comparison.note()))
        + scroll(html_table(head, comparison.rows()))
        + _sheet(comparison, old, new)
    )


def _sheet(comparison: Comparison, old: PagePictures, new: PagePictures) -> str:
    numbers = spread(range(comparison.new.conditions.photos), SHEET_PHOTOS)
    versions = "".join(f"<th>{escape(name)}</th>" for name in comparison.names)
    photos = "".join(f'<th colspan="2">{new.photo(number)}</th>' for number in numbers)
    body = "".join(
        f"<tr><th>{style}</th>"
        + "".join(
            f"<td>{pictures.painted(style, number)}</td>"
            for number in numbers
            for pictures in (old, new)
        )
        + "</tr>"
        for style in comparison.styles
    )
    return scroll(
        f'<table class="sheet versus"><thead><tr><th></th>{photos}</tr>'
        f"<tr><th></th>{versions * len(numbers)}</tr></thead><tbody>{body}</tbody></table>"
    )
