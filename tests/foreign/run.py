"""Drives a server with clients that others have written, and tells what passed.

    make foreign

Each client gets an environment of its own under build/foreign, because most need an older protobuf
than the server's tools; they take 650 MB of disk. The server has a tiny network, so
this is about protocols and not about speed. Exits with 1 if anything failed.
"""

import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.foreign.checklist import DARK, PHOTOS
from tests.serving.photos import encode
from tests.serving.running import ROOT, ServerProcess
from tests.serving.tiny_network import write_tiny_bundle

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "foreign"
TRITONCLIENT = ("tritonclient[grpc]==2.73.0", "pillow")
KSERVE = ("kserve==0.21.0",)
GRPC_JS = ("@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1")
DOCUMENT = ROOT / "docs" / "open-inference.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PATIENCE = 300.0  # seconds for one client
SERVICE = "inference.GRPCInferenceService"


@dataclass(frozen=True)
class Row:
    """What one client tried and how it went."""

    client: str
    call: str
    result: str


def main() -> int:
    """Runs every client and prints the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_tiny_bundle(folder / "models" / "default" / "1")
        with ServerProcess(folder / "models", folder, "--admin", "true") as server:
            rows = list(_every_client(server.address, folder))
            alive = server.process.poll() is None
    print("| client | call | result |\n| --- | --- | --- |")
    for row in rows:
        print(f"| {row.client} | {row.call} | {row.result} |")
    failed = sum(row.result != "pass" for row in rows)
    print(f"\n{len(rows)} rows, {failed} failed; the server {'lives' if alive else 'died'}")
    return 0 if alive and not failed else 1


def _every_client(address: str, folder: Path) -> Iterator[Row]:
    python = _environment("tritonclient", *TRITONCLIENT)
    for kind in ("sync", "stream", "aio"):
        command = [python, str(HERE / "triton_clients.py"), kind, address]
        yield from _rows(f"tritonclient 2.73.0 {kind}", command)
    yield from _example(python, address, folder)
    python = _environment("kserve", *KSERVE)
    yield from _rows("kserve 0.21.0", [python, str(HERE / "kserve_client.py"), address])
    yield from _grpc_js(address, folder)
    yield from _buf(address)


def _example(python: str, address: str, folder: Path) -> Iterator[Row]:
    """Runs the example of the document, which paints a file."""
    (example,) = EXAMPLE.findall(DOCUMENT.read_text())
    for ours, tiny in (("127.0.0.1:8001", address), ("hokusai-great-wave", "dark")):
        example = example.replace(ours, tiny)
    (folder / "photo.jpg").write_bytes(encode(PHOTOS[0], "JPEG"))
    command = [python, "-c", example]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    painted = (folder / "painted.png").exists()
    result = "pass" if painted else (done.stderr.strip().splitlines() or ["no picture"])[-1]
    yield Row("tritonclient 2.73.0 sync", "the example above", result)


def _environment(name: str, *requirements: str) -> str:
    """Makes a virtual environment, unless it is there; gives its interpreter."""
    folder = BUILD / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    if not (stamp.is_file() and stamp.read_text() == " ".join(requirements)):
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        stamp.write_text(" ".join(requirements))
    return str(python)


def _rows(client: str, command: list[str]) -> Iterator[Row]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        yield Row(client, entry["call"], " ".join(entry["result"].split()))
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        yield Row(client, "the whole", last[0])


def _grpc_js(address: str, folder: Path) -> Iterator[Row]:
    client = "grpc-js 1.14.7"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        yield Row(client, "the whole", "there is no node or no npm here")
        return
    modules = BUILD / "node"
    modules.mkdir(parents=True, exist_ok=True)
    install = [npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(modules)]
    subprocess.run([*install, *GRPC_JS], check=True)
    photo = folder / "photo.png"
    photo.write_bytes(encode(PHOTOS[0]))
    script, packages = str(HERE / "grpc_js_client.js"), str(modules / "node_modules")
    yield from _rows(client, [node, script, packages, str(ROOT / "protos"), address, str(photo)])


def _buf(address: str) -> Iterator[Row]:
    """Calls by ``buf curl``, which knows only the address: all else comes by reflection."""
    live = _curl(address, f"{SERVICE}/ServerLive", {})
    yield Row("buf curl", "ServerLive", "pass" if live == {"live": True} else str(live))
    request: dict[str, Any] = {
        "model_name": "default",
        "parameters": {"style": {"string_param": "dark"}},
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": list(PHOTOS.shape)}],
        "raw_input_contents": [base64.b64encode(PHOTOS.tobytes()).decode()],
    }
    answer = _curl(address, f"{SERVICE}/ModelInfer", request)
    painted = base64.b64decode(answer.get("rawOutputContents", [""])[0])
    yield Row("buf curl", "ModelInfer", "pass" if painted == DARK.tobytes() else str(answer)[:200])
    missing = _curl(address, f"{SERVICE}/ModelMetadata", {"name": "nobody"})
    found = missing.get("code")
    yield Row("buf curl", "error NOT_FOUND", "pass" if found == "not_found" else str(missing))
    health = _curl(address, "grpc.health.v1.Health/Check", {"service": SERVICE})
    serving = health == {"status": "SERVING"}
    yield Row("buf curl", "grpc.health.v1 Check", "pass" if serving else str(health))


def _curl(address: str, method: str, request: dict[str, Any]) -> dict[str, Any]:
    options = ["--protocol", "grpc", "--http2-prior-knowledge", "--data", "@-"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "buf"), "curl", *options, f"http://{address}/{method}"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    answer: dict[str, Any] = json.loads(done.stdout or done.stderr or "{}")
    return answer


if __name__ == "__main__":
    sys.exit(main())
