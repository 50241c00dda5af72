"""The commands in the documents exist, with the options that are named."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_COMMANDS = {"sfumato", "training"}
SHELL = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def shell_lines(document: Path) -> list[str]:
    blocks = SHELL.findall(document.read_text())
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]


def ours(document: Path) -> list[list[str]]:
    """The words after ``python -m`` of each of our own programs, comments left out."""
    words = [shlex.split(line, comments=True) for line in shell_lines(document)]
    programs = [line[2:] for line in words if line[:2] == ["python", "-m"]]
    return [line for line in programs if (ROOT / line[0].replace(".", "/")).exists()]


def command_of(program: str, arguments: list[str]) -> list[str]:
    """The program with those of its arguments that name a command with a help of its own."""
    if program == "serving":
        return [program, *(word for word in arguments[:1] if word == "token")]
    if program not in WITH_COMMANDS:
        return [program]
    return [program, *arguments[: 2 if arguments[:1] == ["optimize"] else 1]]


@cache
def help_of(*program: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", *program, "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_in_a_document_is_in_the_help(document: Path) -> None:
    for program, *arguments in ours(document):
        words = command_of(program, arguments)
        text = help_of(*words)
        if program == "serving":
            text = text.replace("_", "-")  # the server takes either, and shows one
        for option in (word.partition("=")[0] for word in arguments if word.startswith("-")):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), [*words, option]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_in_a_document_exists(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = re.findall(r"`make ([a-z]+)`", document.read_text())
    for target in named + re.findall(r"\bmake ([a-z]+)\b", "\n".join(shell_lines(document))):
        assert f"\n{target}:" in makefile


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_command_wants_a_pip_that_the_environment_lacks(document: Path) -> None:
    assert not [line for line in shell_lines(document) if line.startswith("pip install '.")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_of_the_checkout_that_a_command_names_is_there(document: Path) -> None:
    for _, *arguments in ours(document):
        for word in arguments:
            if word.startswith(("training/", "examples/", "benchmarks/")):
                assert (ROOT / word).exists(), word


def test_the_readme_names_the_programs() -> None:
    assert {words[0] for words in ours(ROOT / "README.md")} == {"serving", "sfumato", "training"}
