"""What the numbers of the page mean."""

from html import escape
from typing import Final

from training.evaluation.measures.judge import JUDGES
from training.evaluation.report import Report

_TEXT: Final = """<dl>
<dt>content, style, total</dt>
<dd>The losses of the training, by its own loss network, means over the photos. Content: 1 is a
picture without any features. Style: 1 is an unpainted photo of the training; <i>photo's style</i>
is that of the unpainted photos of this page. Total is what the training minimizes.</dd>
<dt>equals iterations (K)</dt>
<dd>Slow style transfer changes the pixels themselves by L-BFGS, from noise, with the same losses,
the values kept in [0, 1]. K is the first of its iterations at which its best total loss so far is
as low as that of the network's picture of the same photo. An iteration is one evaluation of the
loss; there are at most {iterations}, and ≥ marks what was not met by then. Mean, and lowest to
highest of the photos.</dd>
<dt>SSIM</dt>
<dd>Structural similarity to the photo, 1 for the photo itself.</dd>
<dt>judge</dt>
<dd>{judge}, a classifier that had no part in the training. Style: squared distance of the Gram
matrices to the painting's at {style_layers}, divided by that of the unpainted photos, mean over
the layers: 1 is as far as a photo. Content: squared distance of {content_layer} to the photo's,
divided by the photo's energy.</dd>
<dt>recognized</dt>
<dd>Share of the photos whose first class, by {judge}, is still among its first five after
painting.</dd>
<dt>detail kept</dt>
<dd>Correlation of the gradients of luminance of picture and photo, pooled over 2 and over 4 pixels,
where the photo's are strong. 1: every edge is where it was, from dark to bright as it was, however
faint; 0: none; below 0: reversed.</dd>
<dt>lattice 2 · 4 · 8</dt>
<dd>Of a drawn sky without clouds, with noise of one level, painted: its luminance without the
mean of 15 pixels around, folded modulo 2, 4 and 8 pixels and averaged; root mean square in levels
of 255, without what irregular strokes leave by chance. A pattern of 2 pixels is in the numbers of 4
and 8, too.</dd>
<dt>line</dt>
<dd>Of the spectrum of that painted sky, in blocks of 128 pixels, under noise of one level: how many
times the power of the strongest single frequency is that of its surroundings, which nine tenths of
the frequencies 3 and 4 steps of 1/128 away do not exceed. Some 2 by chance; a pattern that repeats,
whatever its period, stands out tenfold and more.</dd>
<dt>halo</dt>
<dd>Of a drawn step from 60 to 225, painted: how far the bright side 4 to 20 pixels from the edge
lies from that 108 to 158 pixels away, in levels of 255.</dd>
<dt>calm painted</dt>
<dd>Variance of the fine detail of that sky, painted without the noise, by that of the painting: 0
is an empty sky, 1 has as much as the painting; a lattice counts like strokes.</dd>
<dt>shift</dt>
<dd>Change of the picture when the photo is moved down and right by one pixel and the picture back,
root mean square without the border; 1 is from black to white. In the photo's row: what the movement
changes in the photo.</dd>
<dt>shift, noise too</dt>
<dd>The same where the noise that the network has of its own is moved along with the photo: what is
left is due to the network's stride. Missing for a network without noise.</dd>
<dt>noise</dt>
<dd>Change of the picture when Gaussian noise of 1 % is added to the photo, root mean square. In the
photo's row: the noise itself.</dd>
<dt>finest</dt>
<dd>Share of the picture's energy in the highest sixteenth of the frequencies, in per mille. A
checkerboard of single pixels would show here.</dd>
<dt>nearest style</dt>
<dd>The style that paints most alike, and the root mean square difference between the two pictures,
in levels of 255.</dd>
<dt>speed-up</dt>
<dd>Iterations × seconds per iteration ÷ seconds per photo, medians of the same run. K was measured
at {side}² and is taken for all sizes.</dd>
</dl>"""


def definitions(report: Report) -> str:
    """Returns the definitions as HTML."""
    conditions = report.conditions
    layers = JUDGES[conditions.judge]
    return _TEXT.format(
        iterations=conditions.iterations,
        judge=escape(conditions.judge),
        style_layers=", ".join(layers.style),
        content_layer=layers.content,
        side=conditions.side,
    )
