"""Class names: what a classifier's outputs stand for, and how to find one."""

import difflib
from collections.abc import Sequence

from training.errors import TrainingError


def imagenet_classes() -> tuple[str, ...]:
    """Returns the names of ImageNet's 1,000 classes; they come with torchvision."""
    from torchvision.models import SqueezeNet1_1_Weights

    return tuple(SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"])


def find_class(text: str, names: Sequence[str]) -> int:
    """Returns the index of the class called ``text``, a name in any case or an index.

    Raises:
        TrainingError: there is no such class, or two are called so; the message helps on.
    """
    if text.strip().isdigit():
        index = int(text)
        if index >= len(names):
            raise TrainingError(f"there is no class {index}: there are 0 to {len(names) - 1}")
        return index
    wanted = _plain(text)
    found = [index for index, name in enumerate(names) if _plain(name) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise TrainingError(
            f"{len(found)} classes are called {text!r}: give {' or '.join(map(str, found))}"
        )
    raise TrainingError(f"there is no class {text!r}{_suggestions(wanted, names)}")


def _suggestions(wanted: str, names: Sequence[str]) -> str:
    """Returns ``: did you mean 'a' or 'b'?`` with up to four names that hold or resemble it."""
    plain = {_plain(name): name for name in reversed(names)}
    close = difflib.get_close_matches(wanted, plain, n=4, cutoff=0.7)
    holding = sorted((name for name in plain if wanted and wanted in name), key=len)
    chosen = list(dict.fromkeys([*close, *holding]))[:4]
    if not chosen:
        return f": give one of the {len(names)} names, or an index"
    return f": did you mean {' or '.join(repr(plain[name]) for name in chosen)}?"


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
