"""The table that `sfumato styles` prints."""

from sfumato.bundle.quality_card import QualityCard
from sfumato.cli.style_table import style_table
from sfumato.client.stylized_photo import StyleSummary


def style(
    name: str, title: str = "", artist: str = "", quality: QualityCard | None = None
) -> StyleSummary:
    return StyleSummary(name, title, artist, "1893", "", model="m", version=3, quality=quality)


def test_the_columns_are_aligned_and_a_dash_is_what_is_not_known() -> None:
    full = QualityCard(equals_iterations=209.6, style_loss=0.123456, ssim=0.5, recognized=0.3)
    styles = [style("munch-scream", "Skrik", "Edvard Munch", full), style("a")]
    assert style_table(styles) == [
        "STYLE         TITLE  ARTIST        YEAR  MODEL  EQUALS   STYLE LOSS  SSIM  KNOWN",
        "munch-scream  Skrik  Edvard Munch  1893  m/3    210 it.  0.1235      0.50  30%",
        "a                                  1893  m/3    -        -           -     -",
    ]


def test_each_number_may_be_missing() -> None:
    qualities = [
        QualityCard(equals_iterations=30),
        QualityCard(style_loss=0),
        QualityCard(ssim=-0.25),
        QualityCard(recognized=1),
        QualityCard(photos=8),
    ]
    lines = style_table([style("a", quality=quality) for quality in qualities])
    assert [line.split()[3:] for line in lines[1:]] == [
        ["30", "it.", "-", "-", "-"],
        ["-", "0", "-", "-"],
        ["-", "-", "-0.25", "-"],
        ["-", "-", "-", "100%"],
        ["-", "-", "-", "-"],
    ]


def test_a_style_that_the_baseline_never_beat_says_at_least() -> None:
    beaten = QualityCard(equals_iterations=499, baseline_iterations=500)
    unbeaten = QualityCard(equals_iterations=500, baseline_iterations=500)
    lines = style_table([style("a", quality=beaten), style("b", quality=unbeaten)])
    assert "  499 it.  " in lines[1]
    assert "  500+ it.  " in lines[2]


def test_the_photograph_is_named_whatever_its_title() -> None:
    lines = style_table([style("photograph", title="Photograph"), style("munch-scream", "Skrik")])
    assert lines[1].startswith("photograph    (the photo itself)  ")
    assert lines[2].startswith("munch-scream  Skrik               ")


def test_long_titles_are_cut_so_that_a_line_has_120_characters() -> None:
    full = QualityCard(equals_iterations=500, baseline_iterations=500, style_loss=0.01234, ssim=0.5)
    title, artist = "Udnie (Young American Girl, The Dance)", "Katsushika Hokusai"
    styles = [style("van-gogh-wheatfield-cypresses", title, artist, full), style("photograph")]
    lines = style_table(styles)
    assert max(map(len, lines)) == 120
    assert "  Udnie (Young America…  Katsushika" in lines[1]
    assert lines[1].endswith("  500+ it.  0.01234     0.50  -")
    assert "  (the photo itself)          " in lines[2]


def test_a_title_is_never_cut_away() -> None:
    lines = style_table([style("x" * 100, "The Garden of Earthly Delights", "Hieronymus Bosch")])
    assert f"{'x' * 100}  The Garden of Ear…  Hieronymus Bosch" in lines[1]


def test_without_styles_there_is_the_line_of_names() -> None:
    assert style_table([]) == ["STYLE  TITLE  ARTIST  YEAR  MODEL  EQUALS  STYLE LOSS  SSIM  KNOWN"]


def test_what_is_no_character_to_be_seen_is_escaped() -> None:
    [_, line] = style_table([style("a", "Skrik\x1b[2J", "Munch\r\n")])
    assert line.startswith("a      Skrik\\x1b[2J  Munch\\r\\n")


def test_letters_of_any_script_stay_as_they_are() -> None:
    title = "神奈川沖浪裏　नमस्ते می‌خواهم Žižka\xa0№"
    [_, line] = style_table([style("a", title)])
    assert title in line
