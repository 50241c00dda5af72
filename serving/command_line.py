"""Reads a ServerConfig from flags, SFUMATO_* environment variables and a YAML file."""

import argparse
import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from jsonargparse import ArgumentParser

from serving.config import ModelConfig, ServerConfig
from serving.errors import ConfigError
from sfumato import __version__

PROGRAM = "python -m serving"
ENVIRONMENT_PREFIX = "SFUMATO"
_DESCRIPTION = (
    "Serve the models of a folder over gRPC. Every option can also be set by its SFUMATO_* "
    "environment variable or in a YAML file. The command line wins over variables, and variables "
    "win over the file that SFUMATO_CONFIG names; on the command line the last one wins, so put "
    "--config first. Words of an option may be joined by - or _."
)
_CONFIG_VARIABLE = f"{ENVIRONMENT_PREFIX}_CONFIG"
_UNION = r"Does not validate .*?Subtypes: \[(?:NoneType, )?(.*?)(?:, NoneType)?\]"


def read_config(arguments: Sequence[str]) -> ServerConfig:
    """Parses the command line and the environment.

    Raises:
        ConfigError: an unknown option or a value that does not fit; one line that says which.
        SystemExit: after printing, for --help, --version and --print_config.
    """
    parser = _parser()
    try:
        settings = parser.parse_args([_underscored(word) for word in arguments]).as_dict()
    except argparse.ArgumentError as error:
        raise ConfigError(_one_line(str(error))) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"the file of --config cannot be read as YAML: {error}") from None
    # A name with nothing behind it, in YAML, leaves the setting as it is without the name.
    given = {name: settings[name] for name in ServerConfig.names() if settings[name] is not None}
    per_model = {name: _model(name, own) for name, own in given.pop("per_model", {}).items()}
    return ServerConfig(**given, per_model=per_model)


def _model(name: str, own: Mapping[str, Any]) -> ModelConfig:
    try:
        return ModelConfig(**own)
    except ConfigError as error:
        raise ConfigError(f"per_model.{name}: {error}") from None


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Lists SFUMATO_* variables that set nothing here, most likely misspelt."""
    known = {f"{ENVIRONMENT_PREFIX}_{name.upper()}" for name in (*ServerConfig.names(), "config")}
    ours = {name for name in environment if name.startswith(f"{ENVIRONMENT_PREFIX}_")}
    return sorted(ours - known)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=PROGRAM,
        version=__version__,
        description=_DESCRIPTION,
        default_env=True,
        env_prefix=ENVIRONMENT_PREFIX,
        exit_on_error=False,  # its own report is a page of usage
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="YAML file with settings.")
    parser.add_class_arguments(ServerConfig)
    return parser


def _underscored(word: str) -> str:
    """Turns --port-file=a-b into --port_file=a-b: either spelling of an option works."""
    if not word.startswith("--"):
        return word
    option, equals, value = word[2:].partition("=")
    name, *rest = option.split(".")
    name = name.replace("-", "_")
    kept = int(name == "per_model")  # the name of a model stays as it is
    words = (part.replace("-", "_") for part in rest[kept:])
    return "--" + ".".join([name, *rest[:kept], *words]) + equals + value


def _one_line(message: str) -> str:
    """Says on one line, in words of the command line, what jsonargparse says on several."""
    text = " ".join(message.split())
    if "Unexpected config" in text and not os.environ.get(_CONFIG_VARIABLE, "named").strip():
        return f"{_CONFIG_VARIABLE} is empty; let it name a YAML file, or unset it"
    if "Unexpected config" in text:
        return "the file of --config names no settings; a line is like port: 8001"
    if "class_path" in text:  # of what is no mapping; per_model alone consists of objects
        names = ", ".join(field.name for field in fields(ModelConfig))
        return f"per_model: expected settings of models by their names, each with {names}"
    text = text.replace(' in "<unicode string>", line', " at line")
    text = re.sub(r"^Problems parsing config:", "the file of --config is not YAML:", text)
    text = re.sub(r"^(argument --admin: expected one argument)", r"\1; write --admin true", text)
    text = re.sub(r"typing\.Literal\[(.*?)\]", r"one of \1", text)
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    text = re.sub(r'^Parser key "(\w+)": ', r"\1: ", text)
    text = re.sub(_UNION + r" .* Given value: (.*)", r"expected \1, not \2", text)
    text = re.sub(r"Expected an? (.*?)\. Got value: (.*)", r"expected \1, not \2", text)
    text = re.sub(r"Expected an? (.*?)\. Got value:$", r"expected \1, not an empty value", text)
    return text + "".join(f"; did you mean {name}?" for name in _close_options(text))


def _close_options(text: str) -> Iterator[str]:
    wrong = re.search(r"unrecognized arguments: --(\w+)|Option '(\w+)' is not accepted", text)
    if wrong:
        name = wrong[1] or wrong[2]
        dashes = "--" if wrong[1] else ""
        for close in difflib.get_close_matches(name, ServerConfig.names(), n=1):
            yield dashes + close
