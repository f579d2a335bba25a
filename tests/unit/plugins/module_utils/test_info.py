# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import typing as t
from email.message import Message
from urllib.error import HTTPError, URLError

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _info
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance

JSON = dict[str, t.Any]
HOST = "dask-notebook-team.apps.example.com"


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


def route(status: str, reason: str = "", message: str = "") -> JSON:
    condition = {"type": "Admitted", "status": status, "reason": reason, "message": message}
    ingress = {"host": HOST, "routerName": "default", "conditions": [condition]}
    return {
        "metadata": {"name": "dask-notebook"},
        "spec": {"host": HOST, "tls": {"termination": "edge"}},
        "status": {"ingress": [ingress]},
    }


def test_a_route_is_the_notebooks_address() -> None:
    found = _info.behind_route(route("True"))
    assert (found.address, found.how) == (f"https://{HOST}", "Route dask-notebook of router default")
    found = _info.behind_route(route("False"))
    assert (found.address, found.how) == (f"https://{HOST}", "Route dask-notebook, which no router has admitted")


class Door:
    """What answers at the URLs that are opened: one answer after the other, the last for good."""

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.opened: list[str] = []

    def __call__(self, url: str, **options: t.Any) -> None:
        assert options["validate_certs"] is False
        assert options.get("use_proxy", True)
        self.opened.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise URLError(answer)
        if answer != 200:
            raise HTTPError(url, answer, "said no", Message(), io.BytesIO())


class Seconds:
    """Time that passes only when somebody sleeps."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def asked(monkeypatch: pytest.MonkeyPatch, door: Door, patience: float = 10.0, **port: t.Any) -> tuple[bool, str]:
    monkeypatch.setattr(_info, "open_url", door)
    monkeypatch.setattr(_info, "time", Seconds())
    notebook = {"spec": {"ports": [{"port": 8888, **port}]}}
    return _info._answers_by_route(route("True"), f"https://{HOST}", notebook, patience)


def test_a_router_is_given_time_to_serve_what_it_has_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(503, 503, 200)
    assert asked(monkeypatch, door) == (True, "")
    assert door.opened == [f"https://{HOST}/api"] * 3


@pytest.mark.parametrize(("answer", "patience"), [(404, 10.0), ("no such host", 10.0), (503, 0.0)])
def test_what_time_does_not_heal_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, answer: int | str, patience: float
) -> None:
    door = Door(answer)
    answers, why = asked(monkeypatch, door, patience)
    assert not answers
    assert f"https://{HOST}/api: " in why
    assert len(door.opened) == 1


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(503)
    assert asked(monkeypatch, door)[0] is False
    assert len(door.opened) == 21


def test_behind_an_oauth_proxy_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(200)
    assert asked(monkeypatch, door, targetPort="http-oauth") == (True, "")
    assert door.opened == [f"https://{HOST}/oauth/healthz"]


def test_a_route_that_is_not_admitted_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_info, "open_url", None)
    refused = route("False", "HostAlreadyClaimed", f"namespace other owns hostname {HOST}")
    answers, why = _info._answers_by_route(refused, f"https://{HOST}", None, 10.0)
    assert not answers
    assert why.startswith(f"router default does not admit host {HOST}: HostAlreadyClaimed: namespace other owns")
    assert "; choose another host in dask_notebook_route, or " in why
