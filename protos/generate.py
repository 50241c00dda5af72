"""Generates the Python stubs of every .proto in this directory.

    python protos/generate.py             writes into the checkout
    python protos/generate.py --check     writes nothing, exits 1 if the committed stubs differ
    python protos/generate.py OUTPUT_DIR  writes into OUTPUT_DIR

The generator must be old (TOOLS below): code of grpcio-tools 1.81.1 loads under protobuf 6.33 and
7 alike, code of newer ones refuses protobuf 6, which other gRPC tools still need. The old tools
themselves demand protobuf 6, so they cannot live in the environment of the project: they are put
in a directory of their own by pip, which needs neither a virtual environment nor anything else.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
TOOLS = ("grpcio-tools==1.81.1", "mypy-protobuf==5.1.0")
TOOLS_DIR = ROOT / "build" / "proto-tools"


def install_tools(directory: Path) -> None:
    """Puts the generator into a directory, unless it is there already."""
    stamp = directory / "installed"
    wanted = "\n".join((*TOOLS, sys.version))
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts"]
    subprocess.run([*pip, "--upgrade", "--target", str(directory), *TOOLS], check=True)
    stamp.write_text(wanted)


def generate(tools: Path, output: Path) -> None:
    """Writes *_pb2.py, *_pb2_grpc.py and their type stubs below the output directory."""
    output.mkdir(parents=True, exist_ok=True)
    plugins = [
        f"--plugin=protoc-gen-{name}={tools / 'bin' / f'protoc-gen-{name}'}"
        for name in ("mypy", "mypy_grpc")
    ]
    outputs = [f"--{kind}_out={output}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    sources = [str(path.relative_to(PROTOS)) for path in sorted(PROTOS.rglob("*.proto"))]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTOS}"]
    answer = subprocess.run(
        [*protoc, *plugins, *outputs, *sources],
        check=False,
        cwd=PROTOS,
        env={**os.environ, "PYTHONPATH": str(tools)},
        capture_output=True,  # the plugins tell of every file they write
        text=True,
    )
    if answer.returncode != 0:
        sys.exit(answer.stderr)


def drift(fresh: Path, committed: Path) -> list[str]:
    """Names the generated files that the checkout lacks or holds with other content."""
    return [
        str(name)
        for name in sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
        if not (committed / name).is_file()
        or (committed / name).read_bytes() != (fresh / name).read_bytes()
    ]


def check(tools: Path) -> int:
    """Compares the committed stubs with fresh ones; returns the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(tools, Path(scratch))
        stale = drift(Path(scratch), ROOT)
    for name in stale:
        print(f"{name} is not what the .proto gives; run `python protos/generate.py`")
    return 1 if stale else 0


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Generate the Python stubs of the .proto files.")
    parser.add_argument("output", nargs="?", type=Path, default=ROOT, help="default: the checkout")
    parser.add_argument("--check", action="store_true", help="only compare with the checkout")
    parser.add_argument(
        "--tools", type=Path, default=TOOLS_DIR, help="where the generator is kept between runs"
    )
    options = parser.parse_args()
    tools = options.tools.resolve()
    install_tools(tools)
    if options.check:
        return check(tools)
    generate(tools, options.output.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
