"""The training application's command table: ``python -m training COMMAND``."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sfumato.errors import SfumatoError

COMMANDS: dict[str, tuple[str, str]] = {  # what it does, and the module whose main() it is
    "fit": ("train a network on photos and paintings", "training.run.fit"),
    "add-style": (
        "learn one painting more, in minutes, without touching the others",
        "training.new_style.command",
    ),
    "export": ("write a checkpoint as the next version of a bundle", "training.export.command"),
    "evaluate": (
        "measure every style of a bundle and write its quality cards",
        "training.evaluation.command",
    ),
    "optimize": (
        "optimize one image: style transfer, textures, dreams, features",
        "training.optimize.command",
    ),
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
        with _leaving_at_once():
            command = importlib.import_module(COMMANDS[name][1])
        command.main(rest)
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


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """Lets Ctrl-C end the process while it imports: torch's C++ aborts on a KeyboardInterrupt."""
    before = signal.getsignal(signal.SIGINT)
    heard = before is signal.default_int_handler
    if not heard or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(*_: object) -> None:
    sys.stderr.write("python -m training: interrupted\n")
    sys.stderr.flush()
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
