# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _info
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance

JSON = dict[str, t.Any]


def service(kind: str, **more: t.Any) -> JSON:
    spec = {"type": kind, "ports": [{"port": 8888, "nodePort": 30888}]}
    return {"metadata": {"name": "dask-notebook"}, "spec": spec, **more}


def balanced(**ingress: str) -> JSON:
    return service("LoadBalancer", status={"loadBalancer": {"ingress": [ingress]}})


@pytest.mark.parametrize(
    ("item", "node", "address", "how", "command"),
    [
        (service("NodePort"), "10.0.0.7", "http://10.0.0.7:30888", "node port", False),
        (service("NodePort"), "", "http://localhost:8888", "port-forward", True),
        (service("ClusterIP"), "10.0.0.7", "http://localhost:8888", "port-forward", True),
        (balanced(ip="1.2.3.4"), "", "http://1.2.3.4:8888", "load balancer of", False),
        (balanced(hostname="lb.example.com"), "", "http://lb.example.com:8888", "load balancer of", False),
        (service("LoadBalancer"), "", "http://localhost:8888", "waits for its load balancer", True),
    ],
)
def test_where_a_service_is_reached(item: JSON, node: str, address: str, how: str, command: bool) -> None:
    found = _info.endpoint(Instance("dask", "team"), item, 8888, "http", node, "kubectl --context c")
    assert found is not None
    assert found.address == address
    assert how in found.how
    expected = "kubectl --context c -n team port-forward service/dask-notebook 8888"
    assert found.command == (expected if command else "")


def test_no_service_no_endpoint() -> None:
    assert _info.endpoint(Instance("dask", "team"), None, 8888, "http", "", "kubectl") is None


@pytest.mark.parametrize(
    ("change", "address"),
    [
        ({}, "http://dask.example.com"),
        ({"spec": {"tls": [{"secretName": "cert"}]}}, "https://dask.example.com"),
        ({"metadata": {"annotations": {"networking.gke.io/managed-certificates": "c"}}}, "https://dask.example.com"),
    ],
)
def test_an_ingress_is_the_notebooks_address(change: dict[str, t.Any], address: str) -> None:
    ingress: dict[str, t.Any] = {
        "metadata": {"name": "dask-notebook", **change.get("metadata", {})},
        "spec": {"rules": [{"host": "dask.example.com"}], **change.get("spec", {})},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}},
    }
    found = _info.behind_ingress(ingress)
    assert (found.address, found.how) == (address, "Ingress dask-notebook at 203.0.113.9")
    del ingress["status"]
    assert _info.behind_ingress(ingress).how == "Ingress dask-notebook, which has no address yet"
