"""The training application's command table: ``python -m training COMMAND``."""

import signal
import sys
from collections.abc import Callable, Sequence

from sfumato.errors import SfumatoError


def _fit(arguments: Sequence[str]) -> None:
    from training.fit import main

    main(arguments)


def _export(arguments: Sequence[str]) -> None:
    from training.export_command import main

    main(arguments)


def _optimize(arguments: Sequence[str]) -> None:
    from training.baselines.command import main

    main(arguments)


def _add_style(arguments: Sequence[str]) -> None:
    from training.new_style.command import main

    main(arguments)


def _evaluate(arguments: Sequence[str]) -> None:
    from training.evaluation.command import main

    main(arguments)


COMMANDS: dict[str, tuple[str, Callable[[Sequence[str]], None]]] = {
    "fit": ("train a network on photos and paintings", _fit),
    "add-style": ("learn one painting more, in minutes, without touching the others", _add_style),
    "export": ("write a checkpoint as the next version of a bundle", _export),
    "evaluate": ("measure every style of a bundle and write its quality cards", _evaluate),
    "optimize": ("optimize one image: style transfer, textures, dreams, features", _optimize),
}

# What the commands import of what `make install` adds.
_TRAINING_NEEDS = {"jsonargparse", "lightning", "onnx", "onnxruntime", "torch", "torchvision"}


def usage() -> str:
    """Returns the command table as text."""
    lines = [f"  {name:10}{summary}" for name, (summary, _) in COMMANDS.items()]
    return "\n".join(
        ["usage: python -m training COMMAND …", "", *lines, "", "COMMAND --help says more."]
    )


def main(arguments: Sequence[str]) -> int:
    """Runs one command and return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"python -m training: no command {name!r}\n{usage()}", file=sys.stderr)
        return 2
    try:
        COMMANDS[name][1](rest)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _TRAINING_NEEDS:
            raise
        print(
            f"python -m training {name}: training needs torch and Lightning "
            f"(there is no {error.name}): run `make install`",
            file=sys.stderr,
        )
        return 2
    except (SfumatoError, OSError) as error:
        print(f"python -m training {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"python -m training {name}: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
