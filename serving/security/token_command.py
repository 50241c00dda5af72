"""``python -m serving token NAME``: makes a token and its line for the token file."""

import argparse
import sys
from collections.abc import Sequence

from serving.security.tokens import Scope, make_token

_DESCRIPTION = (
    "Make a token. Its line for the token file goes to standard output; the token itself is shown "
    "once, on standard error, and is kept nowhere."
)


def main(arguments: Sequence[str]) -> int:
    """Runs the command; gives the exit status.

    Raises:
        ConfigError: the name has other characters than those allowed.
    """
    parser = argparse.ArgumentParser(
        prog="python -m serving token",
        description=_DESCRIPTION,
        epilog="example: python -m serving token camera-1 --scope paint >> tokens.txt",
    )
    parser.add_argument(
        "name", help="whose token it is; letters, digits, dots, dashes, underscores"
    )
    parser.add_argument(
        "--scope",
        type=Scope,
        choices=list(Scope),
        action="append",
        help="what it allows; may be given twice (default: paint)",
    )
    options = parser.parse_args(arguments)
    secret, token = make_token(options.name, options.scope or [Scope.PAINT])
    print(token.line())
    print(f"the token of {token.name}, shown only this once: {secret}", file=sys.stderr)
    return 0
