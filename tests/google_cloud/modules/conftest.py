# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules as Ansible runs them, against the fake of Google Cloud and nothing else."""

from __future__ import annotations

import json
import socket
import typing as t

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from tests.fakes.google_cloud import FakeCloud
from tests.unit import conftest as _finder  # makes the collection importable

JSON = dict[str, t.Any]

LOCATION = "europe-west1"
POOL: JSON = {"name": "core", "machine_type": "e2-standard-4", "autoscaling": {"total_min": 1, "total_max": 3}}

assert _finder


class Ansible:
    """Runs modules in this process and says what they sent."""

    def __init__(self, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloud = cloud
        self._capsys = capsys

    def __call__(self, module: t.Any, check: bool = False, **params: t.Any) -> JSON:
        """The module's result; what it wrote is C(sent) afterwards."""
        self.cloud.forget()
        given = {
            "project": "fake-project",
            "auth_kind": "accesstoken",
            "access_token": self.cloud.token,
            "api_endpoint": self.cloud.api_endpoint,
            "timeout": 20,
            **params,
            "_ansible_check_mode": check,
        }
        if module.__name__.endswith("_info"):
            given.pop("timeout")
        warnings._global_warnings.clear()  # modules of other runs said these
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        return json.loads(self._capsys.readouterr().out)

    def good(self, module: t.Any, check: bool = False, **params: t.Any) -> JSON:
        result = self(module, check, **params)
        assert not result.get("failed"), result["msg"]
        return result

    def bad(self, module: t.Any, check: bool = False, **params: t.Any) -> str:
        """The message of a failure, which is one sentence and leaves nothing of Python's to be seen."""
        result = self(module, check, **params)
        assert result.get("failed"), result
        assert "Traceback" not in json.dumps(result)
        assert "MODULE FAILURE" not in result["msg"]
        assert result["msg"].endswith(".")
        return result["msg"]

    @property
    def sent(self) -> list[str]:
        """The requests that wrote and were accepted: the method's short name and its fields."""
        found = []
        for record in self.cloud.writes:
            if record.status != 200:
                continue
            action = record.method.rpartition(".locations.")[2]
            body = record.body or {}
            fields = sorted(body.get("update", body))
            found.append(f"{action} {' '.join(fields)}".strip())
        return found


@pytest.fixture
def ansible(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> Ansible:
    return Ansible(cloud, capsys)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, only faster."""
    from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke, _google

    monkeypatch.setattr(_google, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(_google, "LONGEST_DELAY", 0.05)
    monkeypatch.setattr(_google, "FIRST_POLL", 0.005)
    monkeypatch.setattr(_google, "LONGEST_POLL", 0.02)
    monkeypatch.setattr(_gke, "SETTLE", 0.01)


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """A connection to anything but this machine fails, and the test with it."""
    attempts: list[t.Any] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: t.Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            attempts.append(address)
            raise OSError(f"a test reached for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield
    assert attempts == []
