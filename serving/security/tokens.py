"""The token file: who may do what. It holds SHA-256 digests, never the tokens themselves.

One line per token: ``NAME SCOPE[,SCOPE] DIGEST``. Empty lines and those that begin with # are
skipped. A plain digest is enough because tokens are 256 random bits, which nobody can guess.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from serving.errors import ConfigError

_log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_BYTES: Final = 32


class Scope(StrEnum):
    """What a token allows."""

    PAINT = "paint"
    ADMIN = "admin"


@dataclass(frozen=True)
class Token:
    """What the server knows of a token.

    Attributes:
        name: whose it is; letters, digits, ``.``, ``_`` and ``-``. It is logged.
        scopes: what it allows.
        digest: SHA-256 of the token, in lower-case hexadecimal digits.
    """

    name: str
    scopes: frozenset[Scope]
    digest: str

    def line(self) -> str:
        """Gives its line for the token file."""
        return f"{self.name} {','.join(sorted(self.scopes))} {self.digest}"


def make_token(name: str, scopes: Iterable[Scope]) -> tuple[str, Token]:
    """Makes a token: the secret for the client, and what the server is to know.

    Raises:
        ConfigError: the name has other characters than those allowed.
    """
    secret = secrets.token_urlsafe(_BYTES)
    return secret, Token(_checked_name(name), frozenset(scopes), _digest(secret))


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Reads a token file; one without tokens lets nobody in.

    Raises:
        ConfigError: the file cannot be read, or a line is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read token_file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"token_file {path} is no text in UTF-8") from None
    tokens = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                tokens.append(_parse(line))
            except ConfigError as error:
                raise ConfigError(f"token_file {path}, line {number}: {error}") from None
    return tuple(tokens)


def warn_if_empty(path: Path, tokens: Collection[Token]) -> None:
    """Tells of a token file that has lost its last token.

    It is obeyed: whoever removes a token that has leaked must be able to rely on that, whether or
    not it was the last one. But it may as well be an accident, and nobody can call any more.
    """
    if not tokens:
        _log.error(
            "token_file %s holds no token any more: every call but those of health is refused "
            "until it does; put the tokens back, or make one: "
            "python -m serving token NAME --scope paint >> %s",
            path,
            path,
        )


def find_token(tokens: Iterable[Token], secret: str) -> Token | None:
    """Gives the token of ``secret``, in a time that tells nothing about the others."""
    digest, found = _digest(secret), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


def _parse(line: str) -> Token:
    # No message may quote the line: somebody may have put a token where its digest belongs.
    words = line.split()
    if len(words) != 3:
        raise ConfigError(f"expected NAME SCOPES DIGEST, found {len(words)} words")
    name, scopes, digest = words
    if not _DIGEST.fullmatch(digest):
        raise ConfigError("the third word must be a SHA-256 digest, 64 digits of 0-9 and a-f")
    try:
        return Token(_checked_name(name), frozenset(Scope(s) for s in scopes.split(",")), digest)
    except ValueError:
        raise ConfigError(
            f"the second word must be {' or '.join(Scope)}, or both with a comma"
        ) from None


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "the name of a token has 1 to 64 letters, digits, dots, dashes or underscores"
        )
    return name


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
