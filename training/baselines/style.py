"""Style transfer (Gatys, Ecker, Bethge 2016, "Image Style Transfer Using CNNs").

Deviations: by default each layer's style loss is divided by its value at the photo (see
``Recipe``), sizes go from coarse to fine, the start is the photo, leaving [0, 1] has a price and
the total variation counts a little. ``--normalization gatys --init noise --levels 1`` is the
paper, but for the price.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from training.baselines.style_objective import Recipe
from training.baselines.style_options import (
    TV_WEIGHT,
    KeptColours,
    Transfer,
    WeightedFile,
    shares_of,
    weighted_file,
)
from training.baselines.style_transfer import transfer
from training.losses.perceptual import STYLE_WEIGHT
from training.networks.loss_network import load_loss_network
from training.optimize.loop import Result
from training.options import NotNegative, Positive, not_negative

GATYS_STYLE_WEIGHT: Final = 1e3
"""α/β = 10⁻³, as in figure 2 of Gatys 2016."""


@dataclass(frozen=True, kw_only=True)
class StyleTransfer(Transfer):
    """A photo in the style of one or several paintings (Gatys 2016).

    Args:
        paintings: image files; the weights (default 1) say how much each counts beside the others
        content_weight: of the photo
        style_weight: of the paintings (default 50; with --normalization gatys 1000)
        tv_weight: of the total variation (default 1; with --normalization gatys 0)
        keep_colours: keep the photo's colours: paint its luminance only, or give the paintings its
            colours first
    """

    paintings: tuple[Annotated[WeightedFile, weighted_file, "PAINTING[=WEIGHT]"], ...]
    content_weight: Annotated[float, not_negative, "α"] = 1.0
    style_weight: Annotated[float | None, not_negative, "β"] = None
    tv_weight: NotNegative | None = None
    keep_colours: KeptColours | None = None
    size: Positive = 512
    steps: Positive = 200
    levels: Positive = 2

    positional: ClassVar = ("photo", "paintings")

    @property
    def recipe(self) -> Recipe:
        """What counts how much. Raises TrainingError if both weights are 0."""
        papers = self.normalization == "gatys"
        usual = GATYS_STYLE_WEIGHT if papers else STYLE_WEIGHT
        usual_tv = 0.0 if papers else TV_WEIGHT
        return Recipe(
            content_weight=self.content_weight,
            style_weight=usual if self.style_weight is None else self.style_weight,
            tv_weight=usual_tv if self.tv_weight is None else self.tv_weight,
            content_layers=self.content_layers,
            style_layers=self.style_layers,
            normalization=self.normalization,
        )

    def make(self) -> Result:
        """Paints a photo.

        Raises:
            TrainingError: a file is no image, the network lacks a layer, or the weights are all 0.
        """
        recipe = self.recipe
        files = tuple(each.path for each in self.paintings)
        pictures = self.read_pictures(files)  # before weights are downloaded
        network = load_loss_network(self.loss_weights, recipe.layers).to(pictures.photo.device)
        return transfer(
            self,
            network,
            pictures,
            recipe,
            files,
            shares=shares_of(self.paintings),
            keep_colours=self.keep_colours,
            work=self.work,
        )
