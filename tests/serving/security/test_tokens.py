import errno
import hashlib
import itertools
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from serving.errors import ConfigError
from serving.security.tokens import Scope, Token, find_token, make_token, read_tokens
from serving.security.watched_files import WatchedFiles
from tests.serving.running import ROOT

DIGEST = hashlib.sha256(b"open sesame").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.txt"


def test_a_token_is_found_by_its_secret(file: Path) -> None:
    secret, token = make_token("camera-1", [Scope.PAINT, Scope.ADMIN])
    other_secret, other = make_token("camera-2", [Scope.PAINT])
    file.write_text(f"# who may\n\n{token.line()}\n{other.line()}\n")
    tokens = read_tokens(file)
    assert tokens == (token, other)
    assert find_token(tokens, secret) == token
    assert find_token(tokens, other_secret) == other
    assert find_token(tokens, secret + "x") is None
    assert find_token(tokens, "") is None


def test_the_file_holds_no_secret(file: Path) -> None:
    secret, token = make_token("camera-1", [Scope.PAINT])
    assert secret not in token.line()
    assert token.line().split() == [
        "camera-1",
        "paint",
        hashlib.sha256(secret.encode()).hexdigest(),
    ]


def test_no_two_tokens_are_alike() -> None:
    secrets = {make_token("a", [Scope.PAINT])[0] for _ in range(100)}
    assert len(secrets) == 100
    assert min(len(secret) for secret in secrets) >= 43  # 256 bits in base64


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a paint", "line 1: expected NAME SCOPES DIGEST, found 2 words"),
        (f"a paint {DIGEST} b", "found 4 words"),
        ("a paint secret-token", "the third word must be a SHA-256 digest"),
        (f"a paint {DIGEST.upper()}", "the third word must be"),
        (f"a dance {DIGEST}", "the second word must be paint or admin, or both with a comma"),
        (f"a paint,,admin {DIGEST}", "the second word must be"),
        (f"a\x1bb paint {DIGEST}", "the name of a token has 1 to 64 letters"),
        (f"{'a' * 65} paint {DIGEST}", "the name of a token has"),
    ],
)
def test_a_wrong_line_is_told_without_quoting_it(file: Path, line: str, reason: str) -> None:
    file.write_text(line)
    with pytest.raises(ConfigError) as refusal:
        read_tokens(file)
    assert reason in str(refusal.value)
    assert "secret-token" not in str(refusal.value)
    assert DIGEST not in str(refusal.value).lower()


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=f"cannot read token_file {file}: No such"):
        read_tokens(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        read_tokens(file)


def test_a_changed_file_is_read_again_and_a_broken_one_is_not_taken(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    first, second = make_token("first", [Scope.PAINT])[1], make_token("second", [Scope.PAINT])[1]
    file.write_text(first.line())
    watched = WatchedFiles([file], lambda: read_tokens(file), clock=lambda: now)
    file.write_text(second.line() + "\n")
    assert watched.content() == (first,)  # it looks once a second only
    now = 1.0
    assert watched.content() == (second,)
    file.write_text("nonsense")
    now = 2.0
    assert watched.content() == (second,)
    now = 3.0
    assert watched.content() == (second,)
    assert caplog.text.count("cannot be used, what was read before stays") == 1
    file.unlink()
    now = 4.0
    assert watched.content() == (second,)
    os.mkfifo(file)
    now = 5.0
    assert watched.content() == (second,)  # nobody waits for what somebody may write into a pipe
    file.unlink()
    file.write_text(first.line())
    now = 6.0
    assert watched.content() == (first,)


def test_a_changed_file_that_may_be_read_only_later_is_read_then(file: Path) -> None:
    seconds = itertools.count()
    first, second = make_token("first", [Scope.PAINT])[1], make_token("second", [Scope.PAINT])[1]
    file.write_text(first.line())

    def read() -> tuple[Token, ...]:
        if not file.stat().st_mode & stat.S_IRUSR:  # modes do not keep an administrator out
            raise ConfigError("Permission denied")
        return read_tokens(file)

    watched = WatchedFiles([file], read, clock=lambda: next(seconds))
    file.write_text(second.line())
    file.chmod(0)
    assert watched.content() == (first,)
    file.chmod(0o400)
    assert watched.content() == (second,)


def test_a_changed_file_is_read_as_soon_as_the_system_allows_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = itertools.count()
    first, second = make_token("first", [Scope.PAINT])[1], make_token("second", [Scope.PAINT])[1]
    file.write_text(first.line())
    watched = WatchedFiles([file], lambda: read_tokens(file), clock=lambda: next(seconds))
    file.write_text(second.line())

    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as full:
        full.setattr(Path, "read_text", refuse)
        assert watched.content() == (first,)
        assert watched.content() == (first,)
    assert watched.content() == (second,)
    assert watched.content() == (second,)
    assert caplog.text.count("Too many open files") == 1


def run_token(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "serving", "token", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_makes_a_line_for_the_file_and_shows_the_token_once(file: Path) -> None:
    done = run_token("camera-1", "--scope", "paint", "--scope", "admin")
    assert done.returncode == 0
    file.write_text(done.stdout)
    secret = done.stderr.split()[-1]
    [token] = read_tokens(file)
    assert find_token([token], secret) == token
    assert token.name == "camera-1"
    assert token.scopes == frozenset(Scope)
    assert secret not in done.stdout


def test_the_command_refuses_a_name_that_would_break_the_file() -> None:
    done = run_token("camera 1")
    assert done.returncode == 2
    assert "python -m serving: error: the name of a token has" in done.stderr
    assert done.stdout == ""
