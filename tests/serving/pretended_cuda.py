"""CUDA where there is none."""

from typing import Any

import onnxruntime
import pytest

from serving.device import onnx_runtime
from serving.device.onnx_runtime import CPU, CUDA


class PretendedCuda:
    """An ONNX Runtime with CUDA built in, which works or falls back without a word."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, works: bool) -> None:
        self.asked: list[Any] = []
        self.threads: list[int] = []
        pretended = self

        class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
            def __init__(self, path: str, options: Any, providers: list[Any]) -> None:
                pretended.asked.append(providers)
                pretended.threads.append(options.intra_op_num_threads)
                self.pretend = works and len(providers) > 1
                super().__init__(path, options, providers=[CPU])

            def get_providers(self) -> list[str]:
                return [CUDA, CPU] if self.pretend else [CPU]

            def get_provider_options(self) -> dict[str, dict[str, str]]:
                [[_, options], _] = pretended.asked[-1]
                return {CUDA: {"device_id": "0", **options}}

        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
        monkeypatch.setattr(onnx_runtime, "_has_driver", lambda: True)
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("Failed to load"))
        monkeypatch.setattr(onnxruntime, "set_default_logger_severity", lambda _: None)
