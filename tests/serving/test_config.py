import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from serving.command_line import read_config, unknown_variables
from serving.config import ModelConfig, ServerConfig
from serving.errors import ConfigError
from sfumato import __version__

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "serving.md"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ServerConfig.names(), "config"):
        monkeypatch.delenv(f"SFUMATO_{name.upper()}", raising=False)


DEFAULTS = ServerConfig()


def test_without_settings_the_defaults_hold() -> None:
    config = read_config([])
    assert config == ServerConfig()
    assert (config.host, config.port) == ("127.0.0.1", 8001)
    assert config.max_message_bytes == 64 * 1024 * 1024
    assert config.max_pixels == 24_000_000


def test_flags_fill_the_settings_in_either_spelling() -> None:
    config = read_config(["--max-batch-size=3", "--max_queue_size", "5", "--models", "a-b_c"])
    assert (config.max_batch_size, config.max_queue_size) == (3, 5)
    assert config.models == Path("a-b_c")


def test_variables_fill_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFUMATO_MAX_BATCH_DELAY_MS", "7.5")
    monkeypatch.setenv("SFUMATO_DEVICE", "cpu")
    config = read_config([])
    assert (config.max_batch_delay_ms, config.device) == (7.5, "cpu")


def test_a_file_fills_the_settings(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("port: 7\nport_file: there\nmax_batch_size: null\n")
    config = read_config(["--config", str(tmp_path / "a.yaml")])
    assert (config.port, config.port_file, config.max_batch_size) == (7, Path("there"), None)


def test_flags_win_over_variables_and_variables_over_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text("port: 1\nmax_queue_size: 1\nmax_batch_size: 1\n")
    monkeypatch.setenv("SFUMATO_CONFIG", str(tmp_path / "a.yaml"))
    monkeypatch.setenv("SFUMATO_MAX_QUEUE_SIZE", "2")
    monkeypatch.setenv("SFUMATO_MAX_BATCH_SIZE", "2")
    config = read_config(["--max_batch_size", "3"])
    assert (config.port, config.max_queue_size, config.max_batch_size) == (1, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"max_pixels": 255},
        {"max_message_bytes": 2**31},
        {"max_batch_delay_ms": float("inf")},
        {"codec_threads": 0},
    ],
)
def test_settings_made_in_python_are_checked_too(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ServerConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--prot", "1"], "unrecognized arguments: --prot 1; did you mean --port?"),
        (["--max-batch-sise=1"], "did you mean --max_batch_size?"),
        (["--nothing-like-it"], "unrecognized arguments: --nothing_like_it"),
        (["--port", "many"], "port: expected int, not many"),
        (["--port", "65536"], "port must be between 0 and 65,535, not 65536"),
        (["--device", "gpu"], "device: expected one of 'auto', 'cuda', 'cpu', not gpu"),
        (["--max-batch-size", "x"], "max_batch_size: expected int, not x"),
        (["--max-batch-size", "0"], "max_batch_size must be between 1 and 1,024, not 0"),
        (["--grace-seconds", "-1"], "grace_seconds must be between 0 and 86,400, not -1"),
        (["--cuda-graphs", "512x512"], "'512x512' is not the shape of a batch; write width x"),
        (["--cuda-graphs", "0x8x1"], "'0x8x1' is not the shape of a batch"),
        (["--cuda-graphs", "16x16x1,"], "'' is not the shape of a batch"),
        (["--cuda-graphs", "9000x3000x1"], "a batch of 27,000,000 pixels, which is more than the"),
        (["--cuda-graphs=16x16x1", "--batches-at-once=2"], "cuda_graphs needs batches_at_once 1"),
        (["--per-model.big.max_batch_size=0"], "per_model.big: max_batch_size must be between"),
        (["--port=8001", "--metrics-port=8001"], "port and metrics_port are both 8001"),
        (["--admin"], "argument --admin: expected one argument; write --admin true"),
        (["--config", "absent.yaml"], "File does not exist"),
        (["models"], "unrecognized arguments: models"),
    ],
)
def test_wrong_settings_are_told_on_one_line(options: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_config(options)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file of --config names no settings; a line is like port: 8001"),
        (b"# port: 8001\n", "names no settings"),
        (b"\x00\xff", "cannot be read as YAML"),
        (b"a: &a [*a]", "cannot be read as YAML"),
        (b"per_model: {x: 3}", "per_model: expected settings of models by their names, each with"),
        (b"per_model: {x: {max_batch_sise: 3}}", "each with max_batch_size, max_batch_delay_ms"),
        (
            b"models: [a\nport: }",
            "the file of --config is not YAML: while parsing a flow",
        ),
        (b'port_file: ""', "port_file must name a file"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_on_one_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "serving.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_config(["--config", str(tmp_path / "serving.yaml")])
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_empty_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFUMATO_PORT", "")
    with pytest.raises(ConfigError, match=r"^port: expected int, not an empty value$"):
        read_config([])
    monkeypatch.setenv("SFUMATO_CONFIG", "")
    with pytest.raises(ConfigError, match=r"^SFUMATO_CONFIG is empty; let it name a YAML file"):
        read_config([])


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_config(["--version"])
    assert end.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_two_addresses_can_have_the_same_port() -> None:
    config = ServerConfig(port=8001, metrics_port=8001, metrics_host="127.0.0.2")
    assert config.port == config.metrics_port
    with pytest.raises(ConfigError, match="are both 8001"):
        ServerConfig(port=8001, metrics_port=8001, metrics_host="0.0.0.0")


def test_a_name_without_a_value_leaves_the_default(tmp_path: Path) -> None:
    names = "".join(f"{name}:\n" for name in ServerConfig.names() if name != "port")
    (tmp_path / "serving.yaml").write_text(names + "port: 1\n")
    config = read_config(["--config", str(tmp_path / "serving.yaml")])
    assert config == read_config(["--port", "1"])


def test_a_wrong_name_in_the_file_is_told_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("prot: 1\n")
    with pytest.raises(ConfigError, match=r"'prot' is not accepted; did you mean port\?"):
        read_config(["--config", str(tmp_path / "server.yaml")])


def test_batches_that_are_replayed_are_written_width_height_photos() -> None:
    config = read_config(["--cuda-graphs", "640x480x8, 16x17x1"])
    assert [shape.image for shape in config.replayed_batches] == [(8, 480, 640, 3), (1, 17, 16, 3)]
    assert ServerConfig().replayed_batches == ()


def test_an_empty_host_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0"):
        ServerConfig(host="")


def test_misspelt_variables_are_found() -> None:
    environment = {"SFUMATO_PROT": "1", "SFUMATO_PORT": "2", "SFUMATO_CONFIG": "x", "PATH": ""}
    assert unknown_variables(environment) == ["SFUMATO_PROT"]


def test_every_setting_is_explained() -> None:
    explained = re.findall(r"^    (\w+): ", inspect.getdoc(ServerConfig) or "", re.MULTILINE)
    settings = [name for name in explained if name != "ConfigError"]
    assert settings == list(ServerConfig.names())


def test_the_document_lists_every_option_with_its_default() -> None:
    rows = re.findall(
        r"^\| `--([\w-]+)` \| `?(.*?)`? \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    documented = {name.replace("-", "_"): default for name, default in rows}
    defaults = {
        field.name: "unset"
        if getattr(DEFAULTS, field.name) in (None, {})
        else str(getattr(DEFAULTS, field.name))
        for field in fields(ServerConfig)
    }
    assert documented == defaults


def test_a_model_can_have_limits_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "serving.yaml").write_text(
        "max_batch_size: 2\nper_model:\n  big: {max_batch_size: 1, max_queue_size: 8}\n"
    )
    config = read_config(["--config", str(tmp_path / "serving.yaml")])
    assert config.max_batch_size == 2
    assert config.per_model == {"big": ModelConfig(max_batch_size=1, max_queue_size=8)}


def test_the_name_of_a_model_may_have_dashes() -> None:
    config = read_config(["--per-model.my-model.max-batch-size=3"])
    assert config.per_model == {"my-model": ModelConfig(max_batch_size=3)}


def test_the_limits_of_a_model_are_checked_too() -> None:
    with pytest.raises(ConfigError, match="max_batch_size must be between 1 and 1,024, not 0"):
        read_config(["--per_model", '{"big": {"max_batch_size": 0}}'])


def test_administration_of_a_server_that_others_reach_demands_tokens() -> None:
    with pytest.raises(ConfigError, match=r"give a token_file, or listen on 127\.0\.0\.1 only"):
        ServerConfig(admin=True, host="0.0.0.0")
    assert ServerConfig(admin=True, host="0.0.0.0", token_file=Path("tokens")).admin
    assert ServerConfig(admin=True, host="127.0.0.1").admin
    assert not ServerConfig().admin


def test_the_summary_names_every_setting_on_one_line() -> None:
    config = ServerConfig(models=Path("a\nb"), per_model={"big": ModelConfig(max_batch_size=2)})
    summary = config.summary()
    assert "\n" not in summary
    assert re.findall(r"(?:^| )(\w+)=(?=\S)", summary.partition(" per_model=")[0]) == list(
        ServerConfig.names()[: ServerConfig.names().index("per_model")]
    )
    assert "models='a\\nb'" in summary
    assert "port=8001" in summary
    assert "max_batch_size=2" in summary
    assert "tls_cert=unset" in summary
