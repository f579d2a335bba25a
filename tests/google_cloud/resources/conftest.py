# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gke_resources and gke_preflight as Ansible runs them, against the fake."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from tests.fakes.google_cloud import FakeCloud
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_engine, _google  # noqa: E402
from ansible_collections.daskops.kubernetes.plugins.modules import gke_preflight, gke_resources  # noqa: E402

JSON = dict[str, t.Any]
PROJECT = "fake-project"
REGION = "europe-west4"
BUCKET = "data-of-the-team"


@pytest.fixture
def cloud(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A project with a bucket in it; nobody else can be asked."""
    for name in ("GCP_PROJECT", "GCP_AUTH_KIND", "GCP_ACCESS_TOKEN", "DASKOPS_GCP_API_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in cloud.proxy_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_google, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(_google, "FIRST_POLL", 0.01)
    monkeypatch.setattr(_gke_engine, "FIRST_PAUSE", 0.02)
    cloud.put(f"storage/b/{BUCKET}", {"kind": "storage#bucket", "name": BUCKET, "id": BUCKET})
    return cloud


class Modules:
    """The two modules, with what they write counted anew for each run."""

    def __init__(self, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
        self.cloud = cloud
        self._capsys = capsys

    def resources(self, check: bool = False, ansibles_own: bool = False, **params: t.Any) -> JSON:
        return self._run(gke_resources, check, params, ansibles_own)

    def preflight(self, **params: t.Any) -> JSON:
        result = self._run(gke_preflight, False, params)
        assert self.cloud.writes == []
        return result

    def _run(self, module: t.Any, check: bool, params: JSON, ansibles_own: bool = False) -> JSON:
        auth = {
            "project": PROJECT,
            "auth_kind": "accesstoken",
            "access_token": self.cloud.token,
            "api_endpoint": self.cloud.api_endpoint,
        }
        self.cloud.forget()
        self._capsys.readouterr()
        arguments = {**auth, **params, "_ansible_check_mode": check}
        arguments = {key: value for key, value in arguments.items() if value is not ...}  # ... leaves an option out
        with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
            module.main()
        result = t.cast("JSON", json.loads(self._capsys.readouterr().out))
        # A URL that is fixed would have come by the proxy, and so with the name of a host of Google's.
        assert {record.host for record in self.cloud.requests} <= {""}
        assert bool(ended.value.code) == bool(result.get("failed")), result
        if result.get("failed") and not ansibles_own:
            assert "\n" not in result["msg"]
            assert result["msg"].endswith(".")
            assert "Traceback" not in result["msg"]
        return result


@pytest.fixture
def modules(cloud: FakeCloud, capsys: pytest.CaptureFixture[str]) -> Modules:
    return Modules(cloud, capsys)


def everything() -> JSON:
    """All parts."""
    return {
        "cluster": {"name": "dask", "location": REGION},
        "network": {"name": "dask"},
        "subnetwork": {
            "name": "dask",
            "region": REGION,
            "ip_range": "10.0.0.0/22",
            "pods_range": {"name": "pods", "cidr": "10.4.0.0/14"},
            "services_range": {"name": "services", "cidr": "10.8.0.0/20"},
        },
        "nat": {"router": "dask", "name": "dask"},
        "node_service_account": {"account_id": "dask-nodes"},
        "artifact_registry": {
            "repository": "dask",
            "location": REGION,
            "writers": ["group:builders@example.com"],
        },
        "workload_identity": [{"namespace": "dask", "service_account": "dask-worker", "bucket": BUCKET}],
        "labels": {"team": "data"},
        "timeout": 20,
    }
