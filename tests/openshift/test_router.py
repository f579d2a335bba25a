# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The router: what HAProxy is configured with, what Routes are told, and how it comes into the cluster."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from cryptography import x509

from tests.fakes import certificates
from tests.fakes.openshift import FakeOpenShift, manifests
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.router import __main__ as command
from tests.fakes.openshift.router.manifests import objects
from tests.fakes.openshift.router.router import Api as RealApi
from tests.fakes.openshift.router.router import HAProxy, once, problem, render
from tests.fakes.openshift.router.router import certificates as own_certificates
from tests.openshift.api_server import ADMIN, ApiServer

JSON = dict[str, t.Any]
DOMAIN = "apps.example.test"
ROOT = Path(__file__).resolve().parents[2]
EDGE = {"termination": "edge"}


def route(name: str, tls: JSON | None = None, annotations: JSON | None = None, **spec: t.Any) -> JSON:
    prefixed = {f"haproxy.router.openshift.io/{key}": value for key, value in (annotations or {}).items()}
    metadata = {"namespace": "team", "name": name, "annotations": prefixed, "creationTimestamp": "2026-01-01T00:00:00Z"}
    given = {"host": f"{name}.{DOMAIN}", "to": {"kind": "Service", "name": "web", "weight": 100}, **spec}
    return {"metadata": metadata, "spec": given | ({"tls": tls} if tls else {})}


def service(name: str = "web", address: str = "10.96.0.7") -> JSON:
    ports: list[JSON] = [{"name": "http", "port": 80, "targetPort": 8888}]
    ports.append({"name": "tls", "port": 443, "targetPort": "tls"})
    return {"metadata": {"namespace": "team", "name": name}, "spec": {"clusterIP": address, "ports": ports}}


def section(text: str, name: str) -> str:
    """A part of HAProxy's configuration."""
    found = re.search(rf"^{re.escape(name)}\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def rendered(*routes: JSON, services: t.Sequence[JSON] = (service(),)) -> str:
    return render(routes, services, "/run/router")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> certificates.Files:
    return certificates.make(tmp_path_factory.mktemp("pair"), ["own.example.com"], fake="own")


def test_edge_termination() -> None:
    text = rendered(route("web", EDGE, port={"targetPort": "http"}))
    assert section(text, "backend edge:team:web") == "    server web-0 10.96.0.7:80 weight 100\n"
    tls = section(text, "frontend tls")
    assert "acl r0 req.hdr(host),field(1,:) -i web.apps.example.test" in tls
    assert "use_backend edge:team:web if r0" in tls
    assert "X-Forwarded-Proto https" in tls
    assert "X-Forwarded-Port 443" in tls
    assert "option forwardfor" in tls
    assert "default_backend nowhere" in tls
    assert "req.ssl_sni" not in text


@pytest.mark.parametrize(
    ("policy", "backend"),
    [("Redirect", "redirect"), ("Allow", "edge:team:web"), ("None", "nowhere"), ("", "nowhere")],
)
def test_what_becomes_of_http(policy: str, backend: str) -> None:
    text = rendered(route("web", {**EDGE, "insecureEdgeTerminationPolicy": policy}))
    assert f"use_backend {backend} if r0\n" in section(text, "frontend http")
    assert "redirect scheme https code 302" in section(text, "backend redirect")


def test_a_route_without_tls_is_served_by_http_alone() -> None:
    text = rendered(route("web"))
    assert "use_backend http:team:web if r0\n" in section(text, "frontend http")
    assert "http:team:web" not in section(text, "frontend tls")


def test_the_longest_path_comes_first() -> None:
    text = rendered(*(route(name, EDGE, host="a.test", path=path) for name, path in (("a", ""), ("b", "/b/c/"))))
    rules = re.findall(r"use_backend (\S+) if (.*)", section(text, "frontend tls"))
    assert rules == [("edge:team:b", "r0 r0p"), ("edge:team:a", "r1")]
    assert "acl r0p path /b/c\n    acl r0p path_beg /b/c/\n" in text  # but not /b/cd


@pytest.mark.parametrize(
    ("annotations", "lines"),
    [
        ({}, []),
        ({"timeout": "5m"}, ["timeout server 5m"]),
        ({"timeout": "90s", "timeout-tunnel": "2h"}, ["timeout server 90s", "timeout tunnel 2h"]),
        ({"timeout": "1500"}, ["timeout server 1500"]),
        ({"timeout": "30d"}, ["timeout server 2147483647ms"]),
        ({"timeout": "5 minutes", "timeout-tunnel": "0s"}, []),
        ({"timeout": "5m\n    server evil 192.0.2.1:80"}, []),
    ],
)
def test_timeouts(annotations: JSON, lines: list[str]) -> None:
    backend = section(rendered(route("web", EDGE, annotations)), "backend edge:team:web")
    assert [line.strip() for line in backend.splitlines() if "timeout" in line] == lines


def test_the_defaults_of_timeouts() -> None:
    defaults = section(rendered(), "defaults")
    assert "timeout server 30s\n" in defaults
    assert "timeout tunnel 1h\n" in defaults


def test_passthrough_goes_by_the_name_in_the_handshake() -> None:
    tls = {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"}
    text = rendered(route("web", tls, {"timeout": "5m"}, port={"targetPort": "tls"}))
    https = section(text, "frontend https")
    assert "use_backend passthrough:team:web if { req.ssl_sni -i web.apps.example.test }\n" in https
    backend = section(text, "backend passthrough:team:web")
    assert backend == "    mode tcp\n    timeout tunnel 5m\n    server web-0 10.96.0.7:443 weight 100\n"
    assert "use_backend redirect if r0" in section(text, "frontend http")
    assert "passthrough:team:web" not in section(text, "frontend tls")


def test_reencrypt(pair: certificates.Files) -> None:
    tls = {"termination": "reencrypt", "destinationCACertificate": pair.authority.read_text()}
    made = route("web", tls, port={"targetPort": "tls"})
    server = "server web-0 10.96.0.7:443 weight 100 ssl verify required ca-file /run/router/team_web.ca\n"
    assert server in section(rendered(made), "backend reencrypt:team:web")
    assert own_certificates([made], "/run/router") == {"team_web.ca": pair.authority.read_text(), "certificates": ""}


def test_a_certificate_of_its_own(pair: certificates.Files, tmp_path: Path) -> None:
    texts = (pair.certificate.read_text(), pair.authority.read_text(), pair.key.read_text())
    made = route("web", {**EDGE, **dict(zip(("certificate", "caCertificate", "key"), texts, strict=True))})
    assert problem(made) == ""
    files = own_certificates([made], "/run/router")
    assert files["certificates"] == "/run/router/team_web.pem web.apps.example.test\n"
    (tmp_path / "pem").write_text(files["team_web.pem"])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "pem")


@pytest.mark.parametrize(
    ("wanted", "servers"),
    [
        ("http", ["10.96.0.7:80"]),
        (8888, ["10.96.0.7:80"]),
        (443, ["10.96.0.7:443"]),  # the port of the pods has a name
        (80, []),  # the Service's number is not the pods'
        ("dashboard", []),
        (None, ["10.96.0.7:80", "10.96.0.7:443"]),
    ],
)
def test_which_port_of_the_service(wanted: str | int | None, servers: list[str]) -> None:
    made = route("web", EDGE, **({"port": {"targetPort": wanted}} if wanted else {}))
    assert re.findall(r"server web-\d (\S+) weight", rendered(made)) == servers


def test_services_that_are_not_there_or_headless_and_further_ones() -> None:
    further = [{"kind": "Service", "name": "other", "weight": 0}, {"kind": "Service", "name": "gone"}]
    made = route("web", EDGE, port={"targetPort": "http"}, alternateBackends=further)
    services = [service(address="None"), service("other", "fd00::1")]
    backend = section(rendered(made, services=services), "backend edge:team:web")
    assert backend == "    server other-0 [fd00::1]:80 weight 0\n"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"path": "/a b"}, "spec.path"),
        ({"path": "/a\n    default_backend evil"}, "spec.path"),
        ({"host": "a b.apps.example.test"}, "spec.host"),
        ({"tls": {**EDGE, "certificate": "x", "key": "y"}}, "spec.tls"),
        ({"tls": {**EDGE, "certificate": "x"}}, "go together"),
        ({"tls": {"termination": "reencrypt"}}, "destinationCACertificate: Required"),
        ({"tls": {"termination": "reencrypt", "destinationCACertificate": "x"}}, "spec.tls"),
        ({"path": "/lab/~user", "tls": EDGE}, ""),
    ],
)
def test_what_cannot_be_served(spec: JSON, said: str) -> None:
    found = problem(route("web", **spec))
    assert said in found
    assert bool(said) == bool(found)


class Api:
    """The API server, as the router sees it."""

    def __init__(self, *routes: JSON) -> None:
        self.routes = list(routes)
        self.patched: list[str] = []

    def all(self, path: str) -> list[JSON]:
        return self.routes if path.endswith("/routes") else [service()]

    def ask(self, _verb: str, path: str, body: JSON) -> tuple[int, JSON]:
        self.patched.append(path.split("/")[-2])
        next(each for each in self.routes if each["metadata"]["name"] == self.patched[-1]).update(body)
        return 200, {}


class Served(HAProxy):
    """What would be served."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def serve(self, routes: t.Collection[JSON], services: t.Collection[JSON]) -> None:
        self.names = [each["metadata"]["name"] for each in routes]
        render(routes, services, "/run/router")


def test_routes_are_told_once() -> None:
    younger = route("younger", EDGE, host=f"web.{DOMAIN}")
    younger["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    younger["metadata"]["namespace"] = "rivals"
    broken, outside = route("broken", {**EDGE, "certificate": "x"}), route("outside", host="web.example.com")
    api, served = Api(route("web", EDGE), younger, broken, outside), Served()
    for _again in range(2):
        once(t.cast("t.Any", api), served, DOMAIN, [DOMAIN])
        assert served.names == ["web"]
    assert api.patched == ["web", "younger", "broken", "outside"]
    conditions = [each["status"]["ingress"][0]["conditions"][0] for each in api.routes]
    reasons = ["", "HostAlreadyClaimed", "ExtendedValidationFailed", "RouteNotAdmitted"]
    assert [each.get("reason", "") for each in conditions] == reasons
    assert [each["status"] for each in conditions] == ["True", "False", "False", "False"]


@pytest.mark.parametrize("api_server", [True], indirect=True)  # with TLS
def test_it_asks_as_its_service_account(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes(api_server.files.authority.read_bytes())
    (account / "token").write_text(ADMIN)
    monkeypatch.setattr("tests.fakes.openshift.router.router._ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api_server.server_port))
    path = "/apis/route.openshift.io/v1/namespaces/team/routes/web"
    api_server.objects[path] = json.loads(json.dumps(route("web", EDGE)))
    api, served = RealApi(), Served()
    once(api, served, DOMAIN, [DOMAIN])
    assert served.names == ["web"]
    [ingress] = api_server.objects[path]["status"]["ingress"]
    assert (ingress["routerName"], ingress["conditions"][0]["status"]) == ("default", "True")
    (account / "token").write_text("wrong")
    with pytest.raises(OSError, match="401"):
        once(api, served, DOMAIN, [DOMAIN])
    (account / "token").write_text(ADMIN)  # it is read anew
    once(api, served, DOMAIN, [DOMAIN])


# A stub in the place of HAProxy: it refuses a configuration in which a backend has no server, and notes its signals.
STUB = """#!/bin/sh
case "$*" in *" -q "*) ! grep -q 'web-9' "$4" ;; *)
    echo start >> {log}; touch {folder}/haproxy.sock; trap 'echo reload >> {log}' USR2; trap 'exit 0' TERM
    while :; do sleep 0.02; done ;;
esac
"""


def test_haproxy_is_started_once_and_reloaded_when_something_has_changed(
    tmp_path: Path, pair: certificates.Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, source in (("tls.crt", pair.certificate), ("tls.key", pair.key)):
        (tmp_path / name).write_bytes(source.read_bytes())
    folder, log, stub = tmp_path / "run", tmp_path / "log", tmp_path / "haproxy"
    folder.mkdir()
    stub.write_text(STUB.format(log=log, folder=folder))
    stub.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    haproxy = HAProxy(folder, tmp_path)
    try:
        haproxy.serve([route("web")], [service()])
        haproxy.serve([route("web")], [service()])
        before = (folder / "haproxy.cfg").read_text()
        refused = route("web-9", to={"kind": "Service", "name": "web-9"})
        haproxy.serve([refused], [service()])
        assert (folder / "haproxy.cfg").read_text() == before
        haproxy.serve([route("other")], [service()])
        assert "http:team:other" in (folder / "haproxy.cfg").read_text()
        end = time.monotonic() + 10
        while "reload" not in log.read_text() and time.monotonic() < end:
            time.sleep(0.02)
        assert log.read_text() == "start\nreload\n"
        assert not haproxy.ended()
    finally:
        haproxy.stop()
    assert haproxy.ended()
    assert (folder / "default.pem").stat().st_mode & 0o077 == 0


def test_it_needs_no_more_than_its_image_has(tmp_path: Path) -> None:
    source = ROOT / "tests" / "fakes" / "openshift"
    lines = (source / "router" / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split() if word.endswith(".py")]
    assert "router/router.py" in copied
    for name in copied:
        target = tmp_path / "tests" / "fakes" / "openshift" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((source / name).read_text())
    # Neither site-packages nor the checkout are there.
    run = [sys.executable, "-S", "-m", "tests.fakes.openshift.router.router", "--help"]
    env = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--allowed-domain" in done.stdout


# How it comes into the cluster.


def test_the_manifests() -> None:
    found = {each["kind"]: each for each in objects("image:1", DOMAIN, b"certificate", b"key", 30443, 30080)}
    labels = found["Namespace"]["metadata"]["labels"]
    assert labels["policy-group.network.openshift.io/ingress"] == ""
    assert labels["network.openshift.io/policy-group"] == "ingress"
    assert [port["nodePort"] for port in found["Service"]["spec"]["ports"]] == [30080, 30443]
    pod = found["Deployment"]["spec"]["template"]
    assert found["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    [container] = pod["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert all(port["containerPort"] > 1024 for port in container["ports"])
    other = objects("image:1", DOMAIN, b"another", b"key", 30443)
    assert other[-2]["spec"]["template"]["metadata"]["annotations"] != pod["metadata"]["annotations"]


def test_they_are_put_there(api_server: ApiServer, openshift: FakeOpenShift, tmp_path: Path, folder: Path) -> None:
    assert openshift.files.authority.parent == folder
    deployments = "/apis/apps/v1/namespaces/openshift-ingress/deployments"
    ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
    api_server.objects[f"{deployments}/router-default"] = {"metadata": {"generation": 1}, "status": ready}
    run = [sys.executable, "-m", "tests.fakes.openshift.router", "--image", "image:1", "--https-port", "30443"]
    run += ["--kubeconfig", str(api_server.kubeconfig(tmp_path / "kubeconfig")), "--folder", str(folder)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    made = api_server.objects["/api/v1/namespaces/openshift-ingress/secrets/router-certs-default"]
    assert set(made["data"]) == {"tls.crt", "tls.key"}
    assert api_server.objects[f"{deployments}/router-default"]["spec"]["replicas"] == 1


def test_the_wildcard_certificate(openshift: FakeOpenShift, folder: Path) -> None:
    made = command.wildcard(folder, {DOMAIN, "example.com"})
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    authority = x509.load_pem_x509_certificate(openshift.files.authority.read_bytes())
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"*.{DOMAIN}", "*.example.com"]
    before = made.certificate.read_bytes()
    assert command.wildcard(folder, {DOMAIN, "example.com"}).certificate.read_bytes() == before
    assert command.wildcard(folder, {DOMAIN}).certificate.read_bytes() != before


def test_without_a_fake_there_is_no_authority(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="start the fake with this --folder first"):
        command.wildcard(tmp_path, {DOMAIN})


def test_a_router_that_does_not_get_ready(api_server: ApiServer, tmp_path: Path) -> None:
    kube = Kube(api_server.kubeconfig(tmp_path / "kubeconfig"))
    manifests.apply(kube, objects("image:1", DOMAIN, b"certificate", b"key", 30443))
    path = "/apis/apps/v1/namespaces/openshift-ingress/deployments/router-default"
    api_server.objects[path]["status"] = {"conditions": [{"type": "Progressing", "message": "no image"}]}
    with pytest.raises(SystemExit, match=r"not ready\. Progressing: no image"):
        command.wait(kube, 0.6)


def test_the_fake_leaves_the_status_to_it(openshift: FakeOpenShift, api_server: ApiServer) -> None:
    path = "/apis/route.openshift.io/v1/namespaces/team/routes/web"
    api_server.objects[path] = json.loads(json.dumps(route("web")))
    openshift.settings.router = True
    openshift.edge.routes.follow()
    assert "status" not in api_server.objects[path]
    openshift.settings.router = False
    openshift.edge.routes.follow()
    assert api_server.objects[path]["status"]["ingress"][0]["conditions"][0]["status"] == "True"
