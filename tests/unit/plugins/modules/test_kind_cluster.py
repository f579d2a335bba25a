# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What kind_cluster makes of its parameters."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kind
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.modules import kind_cluster

DEFAULTS: dict[str, t.Any] = {name: option.get("default") for name, option in kind_cluster.ARGUMENTS.items()}


def test_defaults_are_a_cluster_on_this_machine_alone() -> None:
    spec = kind_cluster.specification(DEFAULTS)
    _kind.check(spec)
    assert spec.listen == "127.0.0.1"
    assert spec.node_names == ["dask-control-plane", "dask-worker", "dask-worker2"]
    assert spec.kubernetes_version is None


def test_an_empty_version_is_none() -> None:
    assert kind_cluster.specification({**DEFAULTS, "kubernetes_version": ""}).kubernetes_version is None


def test_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kind_cluster.kubeconfig_path({**DEFAULTS, "name": "trial"}) == tmp_path / ".kube" / "daskops-trial.yaml"
    assert kind_cluster.kubeconfig_path({**DEFAULTS, "kubeconfig": "/srv/trial"}) == Path("/srv/trial")
    shared = tmp_path / ".kube" / "config"
    link = tmp_path / "link"
    link.symlink_to(shared)
    for path in (shared, link):
        with pytest.raises(DaskopsError, match="is the one that all tools share"):
            kind_cluster.kubeconfig_path({**DEFAULTS, "kubeconfig": str(path)})
