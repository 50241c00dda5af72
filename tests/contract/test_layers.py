"""What is imported when; import-linter guards the same rules in the source."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TORCH = {"torch", "torchvision", "lightning", "pytorch_lightning"}
EXPORT = {"onnx", "onnxscript"}


def modules_after(package: str) -> set[str]:
    """Imports a package with all of its modules, and gives the top-level names in sys.modules."""
    program = f"""
import importlib, json, pkgutil, sys
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, {package + "."!r}):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(json.loads(answer.stdout))


@pytest.fixture(scope="module")
def after_serving() -> set[str]:
    return modules_after("serving")


@pytest.fixture(scope="module")
def after_sfumato() -> set[str]:
    return modules_after("sfumato")


def test_the_client_and_the_server_never_import_torch(
    after_sfumato: set[str], after_serving: set[str]
) -> None:
    assert not TORCH & after_sfumato
    assert not TORCH & after_serving


def test_the_client_and_the_server_never_import_the_exporter(
    after_sfumato: set[str], after_serving: set[str]
) -> None:
    assert not EXPORT & after_sfumato
    assert not EXPORT & after_serving


def test_the_server_never_imports_training(after_serving: set[str]) -> None:
    assert "serving" in after_serving
    assert "training" not in after_serving


def test_the_client_imports_neither_application_nor_a_runtime(after_sfumato: set[str]) -> None:
    assert "sfumato" in after_sfumato
    assert not {"training", "serving", "onnxruntime"} & after_sfumato
