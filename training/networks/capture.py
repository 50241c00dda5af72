"""Capture: the outputs of named modules, as they were when the module returned them."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from training.errors import TrainingError


@contextmanager
def capture(model: nn.Module, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Gives a dictionary that fills with the outputs of ``layers`` whenever ``model`` runs.

    The rest of the model goes on with a copy: an in-place ReLU behind the layer would otherwise
    overwrite what was captured. Of a module that runs several times the last output stays.
    The hooks are gone when the block ends, however it ends.

    Args:
        model: any module; nothing of it is changed.
        layers: dotted names as in ``model.named_modules()``, such as ``features.3.expand1x1``.

    Raises:
        TrainingError: there is no such layer, or it returns something that is no tensor.
    """
    modules = dict(model.named_modules())
    outputs: dict[str, Tensor] = {}
    hooks = []
    try:
        for layer in layers:
            if not layer or layer not in modules:
                raise unknown_layer(layer, [name for name in modules if name])
            hooks.append(modules[layer].register_forward_hook(_store(outputs, layer)))
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def unknown_layer(layer: str, layers: Sequence[str]) -> TrainingError:
    """Returns the error for a ``layer`` that is not among ``layers``; it lists them, shortened."""
    close = difflib.get_close_matches(layer, layers, n=3, cutoff=0.75)
    guess = f", but there is {', '.join(close)}" if close else ""
    return TrainingError(f"there is no layer {layer!r}{guess}; layers are {summarize(layers)}")


def summarize(layers: Sequence[str]) -> str:
    """Returns dotted names in one line: numbered siblings as a range, two levels deep.

    ``["features", "features.0", "features.1", "features.1.relu", "logits"]`` becomes
    ``features, features.0 … features.1, logits (5 in all)``.
    """
    numbered: dict[str, list[str]] = {}
    for layer in layers:
        parent, _, name = layer.rpartition(".")
        if layer.count(".") <= 1:
            numbered.setdefault(f"{parent}." if name.isdigit() else layer, []).append(layer)
    parts = [
        group[0] if len(group) == 1 else f"{group[0]} … {group[-1]}" for group in numbered.values()
    ]
    shown = parts if len(parts) <= 12 else [*parts[:9], "…", *parts[-2:]]
    return f"{', '.join(shown)} ({len(layers)} in all)"


def _store(outputs: dict[str, Tensor], layer: str) -> Callable[[nn.Module, object, object], Tensor]:
    def hook(_module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise TrainingError(f"layer {layer!r} returns no tensor: name one inside it")
        outputs[layer] = output
        return output.clone()

    return hook
