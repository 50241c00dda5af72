"""Which of a bundle's networks is served."""

from pathlib import Path

import pytest

from serving.config import Precision
from serving.device import precision as decision
from serving.device.onnx_runtime import CPU, CUDA, SessionSettings
from serving.device.precision import has_int8_instructions
from serving.device.session import OnnxSession
from serving.errors import ConfigError
from sfumato.bundle.bundle import Bundle
from sfumato.client.async_client import AsyncClient
from sfumato.errors import BundleError
from tests.serving.pretended_cuda import PretendedCuda
from tests.serving.running import running
from tests.serving.tiny_network import write_tiny_bundle


@pytest.fixture
def whole(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "whole" / "1", float16=True, int8=True)


@pytest.fixture
def bare(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "bare" / "1")


def fast_bytes(monkeypatch: pytest.MonkeyPatch, are_there: bool) -> None:
    monkeypatch.setattr(decision, "has_int8_instructions", lambda: are_there)


def on_cpu(precision: Precision = "auto") -> SessionSettings:
    return SessionSettings(device="cpu", precision=precision)


@pytest.mark.parametrize(
    ("flags", "has_them"),
    [
        ("flags\t\t: fpu sse4_2 avx2 avx512f avx512_vnni\n", True),
        ("flags\t\t: fpu sse4_2 avx2 avx_vnni\n", True),
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile amx_int8\n", True),
        ("Features\t: fp asimd asimddp\n", True),
        ("flags\t\t: fpu sse4_2 avx2 fma avx512f\n", False),
        ("Features\t: fp asimd\n", False),
    ],
)
def test_the_processor_says_whether_it_multiplies_bytes(
    tmp_path: Path, flags: str, has_them: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}bugs\t\t: spectre_v1\n")
    assert has_int8_instructions(tmp_path / "cpuinfo") is has_them


def test_auto_takes_int8_where_processor_and_bundle_have_it(
    whole: Bundle, bare: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast_bytes(monkeypatch, are_there=True)
    assert OnnxSession(whole, on_cpu()).precision == "int8"
    assert OnnxSession(bare, on_cpu()).precision == "float32"
    fast_bytes(monkeypatch, are_there=False)
    assert OnnxSession(whole, on_cpu()).precision == "float32"


def test_auto_takes_float16_on_cuda(
    whole: Bundle, bare: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedCuda(monkeypatch, works=True)
    for bundle, wanted in ((whole, "float16"), (bare, "float32")):
        session = OnnxSession(bundle, SessionSettings())
        assert (session.provider, session.precision) == (CUDA, wanted)


def test_where_cuda_does_not_work_auto_takes_what_suits_the_cpu(
    whole: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    PretendedCuda(monkeypatch, works=False)
    for are_there, wanted in ((True, "int8"), (False, "float32")):
        fast_bytes(monkeypatch, are_there=are_there)
        session = OnnxSession(whole, SessionSettings())
        assert (session.provider, session.precision) == (CPU, wanted)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_what_is_asked_for_is_served(whole: Bundle, precision: Precision) -> None:
    assert OnnxSession(whole, on_cpu(precision)).precision == precision


def test_int8_is_refused_where_it_would_be_slow(
    whole: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast_bytes(monkeypatch, are_there=False)
    with pytest.raises(ConfigError, match=r"no instructions for it .*; use --precision auto"):
        OnnxSession(whole, on_cpu("int8"))
    PretendedCuda(monkeypatch, works=True)
    with pytest.raises(ConfigError, match=r"int8, which is for CPUs; use --device cpu"):
        OnnxSession(whole, SessionSettings(precision="int8"))


def test_a_bundle_without_int8_says_so_where_it_is_demanded(
    bare: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast_bytes(monkeypatch, are_there=True)
    with pytest.raises(BundleError, match=r"has no int8 network; serve it with --precision auto"):
        OnnxSession(bare, on_cpu("int8"))


async def test_the_styles_say_in_what_they_are_painted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast_bytes(monkeypatch, are_there=True)
    caplog.set_level("INFO")
    write_tiny_bundle(tmp_path / "models" / "fast" / "1", int8=True)
    write_tiny_bundle(tmp_path / "models" / "plain" / "1")
    async with running(tmp_path / "models") as server, AsyncClient(server.address) as client:
        said = {style.model: style.precision for style in await client.list_styles()}
    assert said == {"fast": "int8", "plain": "float32"}
    assert (
        "loaded model=fast/1 styles=3 provider=CPUExecutionProvider precision=int8" in caplog.text
    )
