"""Contact sheets: rows of captioned pictures on one page, drawn with Pillow alone."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter, ImageFont

PAPER = (248, 246, 241)
INK = (38, 35, 31)
PALE_INK = (128, 121, 112)
SHADOW = (196, 190, 180)

_MARGIN = 0.028  # of the page's width, as are the next four
_GAP = 0.012
_HEADING_SIZE = 0.0185
_TITLE_SIZE = 0.0112
_SUBTITLE_SIZE = 0.0096
_MAX_HEIGHT = 0.36
_LINE = 1.32  # of the font's size

# Pillow's own font is everywhere the same, but holds little beyond ASCII.
_IN_FONT = "·…“”‘’"
_PLAIN = str.maketrans({"–": "-", "—": "-", "−": "-", "×": "x", "→": "to", "ł": "l", "ø": "o"})


@dataclass(frozen=True)
class Picture:
    """A picture with up to two lines below it."""

    image: Image.Image
    title: str = ""
    subtitle: str = ""


@dataclass(frozen=True)
class Row:
    """Pictures side by side, drawn to one height, perhaps with a heading above them."""

    pictures: Sequence[Picture]
    heading: str = ""


def draw_contact_sheet(rows: Sequence[Row], *, width: int = 1600) -> Image.Image:
    """Draws a page.

    Pictures keep their aspect ratio. Each row is as wide as the page, unless that would make it
    higher than about a third of the page's width.

    Args:
        rows: from top to bottom, each with at least one picture.
        width: of the page in pixels; margins and letters grow with it.

    Returns:
        The page, RGB, as high as its rows need.
    """
    page = _Page(width)
    heights = [page.height_of(row) for row in rows]
    image = Image.new("RGB", (width, sum(heights) + 2 * page.margin - page.gap), PAPER)
    top = page.margin
    for row, height in zip(rows, heights, strict=True):
        page.draw(row, image, top)
        top += height
    return image


class _Page:
    """The measures of a page of some width, and how a row is laid out on it."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.margin = round(_MARGIN * width)
        self.gap = round(_GAP * width)
        self.heading = _font(_HEADING_SIZE * width)
        self.title = _font(_TITLE_SIZE * width)
        self.subtitle = _font(_SUBTITLE_SIZE * width)

    def height_of(self, row: Row) -> int:
        """Pixels from the top of a row to the top of the next."""
        captions = self._title_height(row) + self._subtitle_height(row)
        return self._heading_height(row) + self._picture_height(row) + captions + 2 * self.gap

    def draw(self, row: Row, image: Image.Image, top: int) -> None:
        """Draws a row with its upper edge at ``top``."""
        pen = ImageDraw.Draw(image)
        if row.heading:
            heading = _fitted(row.heading, self.heading, self.width - 2 * self.margin)
            pen.text((self.margin, top), heading, font=self.heading, fill=INK)
        top += self._heading_height(row)
        height = self._picture_height(row)
        left = self.margin
        for picture in row.pictures:
            width = max(1, round(height * picture.image.width / picture.image.height))
            _hang(picture.image.resize((width, height), Image.Resampling.LANCZOS), image, left, top)
            self._caption(picture, row, pen, (left, top + height), width)
            left += width + self.gap

    def _caption(
        self, picture: Picture, row: Row, pen: ImageDraw.ImageDraw, at: tuple[int, int], width: int
    ) -> None:
        left, top = at
        top += self.gap // 2
        pen.text((left, top), _fitted(picture.title, self.title, width), font=self.title, fill=INK)
        top += self._title_height(row)
        subtitle = _fitted(picture.subtitle, self.subtitle, width)
        pen.text((left, top), subtitle, font=self.subtitle, fill=PALE_INK)

    def _picture_height(self, row: Row) -> int:
        ratios = sum(picture.image.width / picture.image.height for picture in row.pictures)
        room = self.width - 2 * self.margin - self.gap * (len(row.pictures) - 1)
        return max(1, round(min(room / ratios, _MAX_HEIGHT * self.width)))

    def _heading_height(self, row: Row) -> int:
        return round(_LINE * self.heading.size) + self.gap // 2 if row.heading else 0

    def _title_height(self, row: Row) -> int:
        used = any(picture.title for picture in row.pictures)
        return round(_LINE * self.title.size) if used else 0

    def _subtitle_height(self, row: Row) -> int:
        used = any(picture.subtitle for picture in row.pictures)
        return round(_LINE * self.subtitle.size) if used else 0


def _hang(picture: Image.Image, page: Image.Image, left: int, top: int) -> None:
    """Pastes a picture with a soft shadow."""
    blur = max(1, page.width // 400)
    frame = 3 * blur
    mask = Image.new("L", (picture.width + 2 * frame, picture.height + 2 * frame))
    mask.paste(255, (frame, frame, frame + picture.width, frame + picture.height))
    mask = mask.filter(ImageFilter.GaussianBlur(blur))
    page.paste(SHADOW, (left - frame, top - frame + blur // 2), mask)
    page.paste(picture.convert("RGB"), (left, top))


def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(max(8.0, size))
    assert isinstance(font, ImageFont.FreeTypeFont)  # with a size it is never the bitmap font
    return font


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Cuts a text to a width in pixels."""
    text = _printable(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _printable(text: str) -> str:
    """Writes with the letters that the font has: an accent is dropped, the rest becomes '?'."""
    decomposed = unicodedata.normalize("NFD", text.translate(_PLAIN))
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() or letter in _IN_FONT else "?" for letter in bare)
