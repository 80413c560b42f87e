"""The compose file and the Kubernetes example say what this version understands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from consentkit.cli.main import COMMANDS
from consentkit.settings import Settings

EXAMPLES = Path(__file__).parent.parent / "docs/examples"
COMPOSE: dict[str, Any] = yaml.safe_load((EXAMPLES / "compose.yaml").read_text("utf-8"))
KUBERNETES: list[dict[str, Any]] = list(yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text("utf-8")))


def of_kind(kind: str) -> dict[str, Any]:
    return next(one for one in KUBERNETES if one["kind"] == kind)


def pods() -> Iterator[dict[str, Any]]:
    for kind in ("Job", "Deployment"):
        spec: dict[str, Any] = of_kind(kind)["spec"]["template"]["spec"]
        yield spec


def containers() -> list[dict[str, Any]]:
    return [container for pod in pods() for container in pod["containers"]]


def environments() -> Iterator[dict[str, str]]:
    """Yield the variables of each container, with a likely value for what stands in a secret."""
    secret = of_kind("Secret")["stringData"]
    for container in containers():
        yield {
            one["name"]: one["value"] if "value" in one else secret[one["valueFrom"]["secretKeyRef"]["key"]]
            for one in container["env"]
        }
    for service in COMPOSE["services"].values():
        if service["image"] == "site":
            yield dict(service["environment"])


def test_the_settings_in_the_config_map_are_settings(tmp_path: Path) -> None:
    data = tomllib.loads(of_kind("ConfigMap")["data"]["consentkit.toml"])
    for environment in environments():
        settings = Settings.from_mapping(data, base=tmp_path, environ=environment)
        assert settings.storage.url.startswith("postgresql://")
        assert settings.storage.keys == Path("/var/lib/consentkit-keys")


@pytest.mark.parametrize("pod", list(pods()), ids=["Job", "Deployment"])
def test_keys_are_shared_and_the_spool_is_each_pods_own(pod: dict[str, Any]) -> None:
    volumes = {one["name"]: one for one in pod["volumes"]}
    mounted = {one["mountPath"]: volumes[one["name"]] for one in pod["containers"][0]["volumeMounts"]}
    claim = of_kind("PersistentVolumeClaim")
    assert mounted["/var/lib/consentkit-keys"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "emptyDir" in mounted["/var/spool/consentkit"]


def test_commands_are_commands_and_servers_keep_their_own_logs_off() -> None:
    commands = [one["command"] for one in containers()]
    commands += [one["command"] for one in COMPOSE["services"].values() if "command" in one]
    ours = [re.search(r"consentkit (\w+)", " ".join(one)) for one in commands]
    assert [match[1] for match in ours if match] == ["db", "db"]
    assert "db" in COMMANDS
    for command in commands:
        if command[0] == "uvicorn":
            assert {"--no-access-log", "--no-proxy-headers"} <= set(command)


def test_every_secret_and_volume_that_is_used_is_declared() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        assert {one.partition(":")[0] for one in service.get("volumes", [])} <= set(COMPOSE["volumes"])
