"""The Kubernetes manifests fit the server that they start."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.command_line import read_config, unknown_variables
from serving.config import ServerConfig
from serving.device.memory_limit import Memory, fitted

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"


def manifest(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


POD = manifest("deployment.yaml")["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
VARIABLES = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> ServerConfig:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return read_config(CONTAINER["args"])


def test_every_variable_of_the_pod_sets_something(config: ServerConfig) -> None:
    assert unknown_variables(VARIABLES) == []
    assert config.max_queue_size == int(VARIABLES["SFUMATO_MAX_QUEUE_SIZE"])


def test_the_pod_has_the_time_that_a_drain_takes(config: ServerConfig) -> None:
    before = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > before + config.grace_seconds


def test_a_drain_is_over_before_the_liveness_probe_gives_up(config: ServerConfig) -> None:
    probe = CONTAINER["livenessProbe"]
    assert probe["periodSeconds"] * (probe["failureThreshold"] - 1) > config.grace_seconds


def test_probes_and_services_look_where_the_server_listens(config: ServerConfig) -> None:
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert ports == {"grpc": config.port, "metrics": config.metrics_port}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert CONTAINER[probe]["grpc"]["port"] == config.port
    annotations = manifest("deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert int(annotations["prometheus.io/port"]) == config.metrics_port
    assert {port["targetPort"] for port in manifest("service.yaml")["spec"]["ports"]} <= {*ports}


def test_the_pod_runs_as_the_user_of_the_image() -> None:
    security = POD["securityContext"]
    user = f"USER {security['runAsUser']}:{security['runAsGroup']}"
    assert user in (ROOT / "Dockerfile").read_text().splitlines()


def test_a_base_image_that_is_pinned_is_that_of_every_stage() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert "ARG BASE=python:3.13-slim" in lines
    assert {*bases} == {"$BASE"}


def test_the_photos_that_are_allowed_fit_into_the_memory_that_is_reserved(
    config: ServerConfig,
) -> None:
    resources = CONTAINER["resources"]
    assert resources["requests"] == resources["limits"]
    memory = resources["limits"]["memory"]
    assert memory.endswith("Gi")
    reserved = Memory(int(memory.removesuffix("Gi")) * 2**30, is_container=True)
    codecs = int(resources["limits"]["cpu"])
    assert fitted(config, reserved, codecs=codecs, on_cpu=True) is config


def test_the_metrics_are_for_one_namespace_and_the_calls_for_all() -> None:
    policy = manifest("network-policy.yaml")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    sources = {
        port["port"]: rule.get("from") for rule in policy["ingress"] for port in rule["ports"]
    }
    assert {*sources} == {port["name"] for port in CONTAINER["ports"]}
    assert sources["grpc"] is None
    assert [*sources["metrics"][0]] == ["namespaceSelector"]


def test_all_manifests_are_applied_and_select_the_same_pods() -> None:
    kustomization = manifest("kustomization.yaml")
    assert {*kustomization["resources"]} == {
        path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml"
    }
    [labels] = kustomization["labels"]
    assert labels["includeSelectors"]
    budget = manifest("disruption-budget.yaml")["spec"]
    assert budget["selector"]["matchLabels"] == labels["pairs"]  # which kustomize does not add
    policy = manifest("network-policy.yaml")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels["pairs"]
    [spread] = POD["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels["pairs"]
