"""Going on from a checkpoint: what it learned belongs to style ids, not to places in a list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from training.checkpoint import CHECKPOINT_FORMAT, CHECKPOINT_KEY, first_not_finite
from training.errors import TrainingError

ROWS = "rows"
"""Name of the module's parameter that holds the style rows [S, P]."""


@dataclass(frozen=True)
class Learned:
    """What a run learns and by which losses: what a run that goes on must share.

    Attributes:
        styles: ids in the order of the rows.
        facts: everything else that must be the same, by the name that a person knows it by.
    """

    styles: tuple[str, ...]
    facts: Mapping[str, Any]

    @classmethod
    def of(
        cls, options: Mapping[str, Any], styles: Iterable[str], conventions: Mapping[str, Any]
    ) -> Self:
        """Describes a run by its module's options, its styles and its conventions."""
        return cls(
            tuple(styles),
            {
                "network": options["architecture"],
                "content layers": tuple(options["content_layers"]),
                "style layers": tuple(options["style_layers"]),
                "loss network": conventions.get("loss_network"),
                "style size": conventions.get("style_size"),
                "crop size": conventions.get("crop_size"),
            },
        )


def go_on(checkpoint: dict[str, Any], now: Learned, module: nn.Module) -> None:
    """Makes ``checkpoint`` fit a run that learns the same styles, perhaps in another order.

    Args:
        checkpoint: as Lightning loaded it; its rows, and the optimizer's notes on them, are put
            into the order of ``now``.
        now: what the run learns.
        module: what the checkpoint's weights are for; the optimizer numbers its parameters.

    Raises:
        TrainingError: the checkpoint is of another program, of other styles, losses or sizes,
            lacks the optimizer's state, or holds numbers that are not finite.
    """
    extras = checkpoint.get(CHECKPOINT_KEY)
    if not isinstance(extras, dict) or extras.get("format_version") != CHECKPOINT_FORMAT:
        raise TrainingError(
            "--ckpt_path is a checkpoint, but not of `python -m training fit` in this version"
        )
    if "optimizer_states" not in checkpoint:
        _refuse("it has the weights only and not the optimizer's state")
    if name := first_not_finite(checkpoint["state_dict"]):
        _refuse(f"{name} holds numbers that are not finite", "give an earlier checkpoint")
    ids = [style["id"] for style in extras["styles"]]
    then = Learned.of(checkpoint["hyper_parameters"], ids, extras["conventions"])
    if differences := compare(then, now):
        _refuse("; ".join(differences))
    if _shapes(checkpoint["state_dict"]) != _shapes(module.state_dict()):
        _refuse(f"its {now.facts['network']} network is that of another version")
    order = torch.tensor([ids.index(style) for style in now.styles])
    checkpoint["state_dict"][ROWS] = checkpoint["state_dict"][ROWS][order]
    (optimizer,) = checkpoint["optimizer_states"]
    number = [name for name, _ in module.named_parameters()].index(ROWS)
    notes = optimizer["state"].get(number, {})
    for name, value in notes.items():
        if isinstance(value, Tensor) and value.dim():  # Adam counts its steps in a scalar
            notes[name] = value[order]


def compare(then: Learned, now: Learned) -> list[str]:
    """Returns what differs between two runs, in words; the styles' order does not count."""
    differences = []
    if lost := [style for style in then.styles if style not in now.styles]:
        differences.append(f"it learned {_listed(lost)}, which this run leaves out")
    if new := [style for style in now.styles if style not in then.styles]:
        differences.append(f"this run has {_listed(new)}, which it did not learn")
    return differences + [
        f"its {name}: {_short(before)}, this run's: {_short(now.facts[name])}"
        for name, before in then.facts.items()
        if before != now.facts[name]
    ]


def _refuse(reason: str, remedy: str = "") -> None:
    remedy = remedy or (
        "give the options of the run that wrote it, or start a new run from it with "
        "--model.init_from FILE instead of --ckpt_path"
    )
    raise TrainingError(f"the checkpoint of --ckpt_path cannot go on here: {reason}; {remedy}")


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


def _listed(ids: Sequence[str]) -> str:
    return f"the style{'s' if len(ids) > 1 else ''} {', '.join(map(repr, ids))}"


def _short(fact: Any) -> str:
    if isinstance(fact, tuple):
        return f"[{', '.join(fact)}]"
    return str(fact)[:19] + "…" if str(fact).startswith("sha256:") else str(fact)
