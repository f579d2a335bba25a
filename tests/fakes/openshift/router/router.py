# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Serves Routes, in a pod: HAProxy, configured by what the API server says, and the word to each Route in its status.

Only the standard library and the modules that the Dockerfile copies. How OpenShift's router behaves is from its
documentation (route-specific annotations, forwarded headers) and from the tests of its operator (the timeouts).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.fakes.openshift.admission import GROUP, admitted, good, news, patch
from tests.fakes.openshift.errors import JSON

HTTP, HTTPS, HEALTH = 8080, 8443, 1936
_ANNOTATION = "haproxy.router.openshift.io/"
_TIME = re.compile(r"[1-9][0-9]*(us|ms|s|m|h|d)?")
_MICROSECONDS = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_LONGEST = "2147483647ms"  # that HAProxy takes
# What comes from users stands in the configuration, and must not end a word or a line there.
_HOST = re.compile(r"[a-z0-9.-]+")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@%/-]*")
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_START_SECONDS = 30.0  # that HAProxy has
_SECONDS = 0.5  # between two looks at the cluster

_GLOBAL = """\
global
    log stdout format raw local0 info
    maxconn 2000
    hard-stop-after 1h
    ssl-default-bind-options ssl-min-ver TLSv1.2
    stats socket {folder}/haproxy.sock mode 600 level admin expose-fd listeners

defaults
    mode http
    log global
    option dontlognull
    timeout connect 5s
    timeout client 30s
    timeout client-fin 1s
    timeout server 30s
    timeout server-fin 1s
    timeout tunnel 1h
    timeout http-request 10s
    timeout http-keep-alive 300s
    errorfile 503 {folder}/503.http

frontend health
    no log
    bind :{health}
    monitor-uri /healthz
"""
_HTTP = """
frontend http
    bind :{http}
    option httplog
    http-request del-header Proxy
"""
# SNI says which connections are passed on as they are; all others end here, by way of a socket.
_HTTPS = """
frontend https
    mode tcp
    bind :{https}
    option tcplog
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
"""
_TLS = """
    default_backend tls

backend tls
    mode tcp
    timeout tunnel 24d
    server tls unix@{folder}/tls.sock send-proxy-v2

frontend tls
    bind unix@{folder}/tls.sock mode 600 accept-proxy ssl crt {folder}/default.pem crt-list {folder}/certificates
    option httplog
    http-request del-header Proxy
"""
_NOWHERE = """
    default_backend nowhere

backend nowhere

backend redirect
    http-request redirect scheme https code 302
"""
_PAGE = b"""\
HTTP/1.0 503 Service Unavailable\r
Cache-Control: no-cache\r
Connection: close\r
Content-Type: text/html\r
\r
<!DOCTYPE html>
<title>503</title>
<h1>Application is not available</h1>
<p>No Route leads there, or nothing answers behind it.</p>
"""


@dataclass(frozen=True)
class _Served:
    """What is needed of a Route."""

    kind: str  # http, or how TLS is terminated
    namespace: str
    name: str
    host: str
    path: str
    insecure: str
    route: JSON

    @property
    def backend(self) -> str:
        return f"{self.kind}:{self.namespace}:{self.name}"

    @property
    def file(self) -> str:
        return f"{self.namespace}_{self.name}"


def _served(route: JSON) -> _Served:
    metadata, spec = route["metadata"], route["spec"]
    tls = spec.get("tls") or {}
    kind = tls["termination"] if tls else "http"
    insecure = "Allow" if kind == "http" else tls.get("insecureEdgeTerminationPolicy") or "None"
    return _Served(kind, metadata["namespace"], metadata["name"], spec["host"], spec.get("path") or "", insecure, route)


def problem(route: JSON) -> str:
    """Why a Route cannot be served whose host is its own; empty if it can. OpenShift calls it extended validation."""
    spec = route["spec"]
    tls = spec.get("tls") or {}
    if not _HOST.fullmatch(spec.get("host") or ""):
        return "spec.host: Invalid value"
    if spec.get("path") and not _PATH.fullmatch(spec["path"]):
        return "spec.path: Invalid value: only what a URL's path is made of"
    if tls.get("termination") == "reencrypt" and not tls.get("destinationCACertificate"):
        return "spec.tls.destinationCACertificate: Required value: there is no authority of the cluster's services here"
    if bool(tls.get("certificate")) != bool(tls.get("key")):
        return "spec.tls: Invalid value: a certificate and its key go together"
    try:
        if tls.get("certificate"):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "pem").write_text(_pem(tls))
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(Path(folder) / "pem", password="")  # else it would ask for one
        if tls.get("destinationCACertificate"):
            ssl.create_default_context(cadata=tls["destinationCACertificate"])
    except (ssl.SSLError, ValueError) as error:
        return f"spec.tls: Invalid value: {error}"
    return ""


def render(routes: t.Iterable[JSON], services: t.Iterable[JSON], folder: str) -> str:
    """HAProxy's configuration for the Routes that are admitted. The folder is that of its files."""
    known = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in services}
    # The longest path first: it is the first rule that counts.
    served = sorted(map(_served, routes), key=lambda each: (each.host, -len(each.path), each.path, each.backend))
    names = {"folder": folder, "http": HTTP, "https": HTTPS, "health": HEALTH}
    text = _GLOBAL.format(**names) + _HTTP.format(**names) + _forwarded("http", 80)
    for number, each in enumerate(served):
        condition = _condition(f"r{number}", each)
        # Also if HTTP is not allowed, as a shorter path of the same host would get it then.
        backend = {"Redirect": "redirect", "Allow": each.backend}.get(each.insecure, "nowhere")
        text += f"{condition[0]}    use_backend {backend} if {condition[1]}\n"
    text += "    default_backend nowhere\n" + _HTTPS.format(**names)
    for each in served:
        if each.kind == "passthrough":
            text += f"    use_backend {each.backend} if {{ req.ssl_sni -i {each.host} }}\n"
    text += _TLS.format(**names) + _forwarded("https", 443)
    for number, each in enumerate(served):
        if each.kind in ("edge", "reencrypt"):
            condition = _condition(f"r{number}", each)
            text += f"{condition[0]}    use_backend {each.backend} if {condition[1]}\n"
    return text + _NOWHERE + "".join(_backend(each, known, folder) for each in served)


def _condition(name: str, served: _Served) -> tuple[str, str]:
    """The definition of what makes a request one for this Route, and how it is referred to."""
    text = f"    acl {name} req.hdr(host),field(1,:) -i {served.host}\n"
    if served.path in ("", "/"):
        return text, name
    path = served.path.rstrip("/")
    return f"{text}    acl {name}p path {path}\n    acl {name}p path_beg {path}/\n", f"{name} {name}p"


def _forwarded(scheme: str, port: int) -> str:
    """What backends learn of the client. Headers of these names that came along stay, as is OpenShift's default."""
    forwarded = f"for=%[src];host=%[req.hdr(host)];proto={scheme}"
    headers = {"Host": "%[req.hdr(host)]", "Port": port, "Proto": scheme}
    lines = [f"    http-request add-header X-Forwarded-{name} {value}" for name, value in headers.items()]
    return "\n".join(["    option forwardfor", *lines, f"    http-request add-header Forwarded {forwarded}", ""])


def _backend(served: _Served, services: t.Mapping[tuple[str, str], JSON], folder: str) -> str:
    annotations = served.route["metadata"].get("annotations") or {}
    timeout, tunnel = _time(annotations, "timeout"), _time(annotations, "timeout-tunnel")
    text = f"\nbackend {served.backend}\n"
    options = ""
    if served.kind == "passthrough":
        text += "    mode tcp\n"
        tunnel = tunnel or timeout
    elif timeout:
        text += f"    timeout server {timeout}\n"
    if tunnel:
        text += f"    timeout tunnel {tunnel}\n"
    if served.kind == "reencrypt":
        options = f" ssl verify required ca-file {folder}/{served.file}.ca"
    spec = served.route["spec"]
    for target in [spec["to"], *(spec.get("alternateBackends") or [])]:
        service = services.get((served.namespace, target["name"]), {})
        weight = target.get("weight")
        for number, address in enumerate(_addresses(service, (spec.get("port") or {}).get("targetPort"))):
            name = f"{target['name']}-{number}"
            text += f"    server {name} {address} weight {100 if weight is None else weight}{options}\n"
    return text


def _time(annotations: JSON, name: str) -> str:
    """A time as HAProxy takes it; what is not one is passed over, as in OpenShift."""
    value = annotations.get(_ANNOTATION + name) or ""
    match = _TIME.fullmatch(value)
    if not match:
        return ""
    unit = match[1] or "ms"
    microseconds = int(value.removesuffix(match[1] or "")) * _MICROSECONDS[unit]
    return value if microseconds <= 2147483647 * 1000 else _LONGEST


def _addresses(service: JSON, wanted: str | int | None) -> list[str]:
    """Where a Service is, at the port that the Route wants; at all of its ports if it wants none, as in OpenShift."""
    spec = service.get("spec") or {}
    try:
        address = ipaddress.ip_address(spec.get("clusterIP") or "")
    except ValueError:
        return []  # none, or a headless one
    host = f"[{address}]" if address.version == 6 else str(address)
    return [f"{host}:{port['port']}" for port in spec.get("ports") or [] if wanted is None or _is(port, wanted)]


def _is(port: JSON, wanted: str | int) -> bool:
    """A name is the port's own, a number is one of the pods. Which that is, is not known here if it has a name, too."""
    if isinstance(wanted, str):
        return bool(port.get("name") == wanted)
    number = port.get("targetPort") or port["port"]
    return bool((number if isinstance(number, int) else port["port"]) == wanted)


def certificates(routes: t.Iterable[JSON], folder: str) -> dict[str, str]:
    """The files with the Routes' own certificates, by name, and the list of which is for which host."""
    found: dict[str, str] = {}
    lines: list[str] = []
    for each in sorted(map(_served, routes), key=lambda each: (each.host, each.path)):
        tls = each.route["spec"].get("tls") or {}
        if each.kind == "reencrypt":
            found[f"{each.file}.ca"] = tls["destinationCACertificate"]
        if each.kind in ("edge", "reencrypt") and tls.get("certificate"):
            found[f"{each.file}.pem"] = _pem(tls)
            lines.append(f"{folder}/{each.file}.pem {each.host}\n")
    return {**found, "certificates": "".join(lines)}


def _pem(tls: JSON) -> str:
    return "\n".join(tls[name].strip() for name in ("certificate", "caCertificate", "key") if tls.get(name)) + "\n"


class Api:
    """The API server, as a pod's service account reaches it; one connection, which is made anew when it breaks."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
        tls = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
        self._connection = http.client.HTTPSConnection(host, port, timeout=10, context=tls)

    def ask(self, verb: str, path: str, body: JSON | None = None) -> tuple[int, JSON]:
        token = (_ACCOUNT / "token").read_text(encoding="ascii")  # it is exchanged from time to time
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
        try:
            self._connection.request(verb, path, json.dumps(body) if body else None, headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            raise

    def all(self, path: str) -> list[JSON]:
        status, found = self.ask("GET", f"{path}?resourceVersion=0")  # from the API server's memory
        if status != 200:
            raise OSError(f"{path}: {status} {found.get('message', '')}")
        return list(found["items"])


class HAProxy:
    """The program, and what it is configured with."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        self._folder = folder
        self._configuration = folder / "haproxy.cfg"
        self._written: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        parts = [(certificate / name).read_bytes() for name in ("tls.crt", "tls.key")]
        self._keep("default.pem", b"\n".join(parts))
        self._keep("503.http", _PAGE)

    def serve(self, routes: t.Collection[JSON], services: t.Collection[JSON]) -> None:
        """Serve these from now on. What HAProxy does not take is reported, and what was served before still is."""
        folder = str(self._folder)
        files = {**certificates(routes, folder), "haproxy.cfg": render(routes, services, folder)}
        if files == self._written:
            return
        for name, content in files.items():
            self._keep("candidate.cfg" if name == "haproxy.cfg" else name, content.encode())
        self._written = files
        candidate = self._folder / "candidate.cfg"
        command = ["haproxy", "-c", "-q", "-f", str(candidate)]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if checked.returncode:
            say("HAProxy does not take the configuration:", checked.stderr.strip())
            return
        candidate.replace(self._configuration)
        digest = hashlib.sha256(files["haproxy.cfg"].encode()).hexdigest()[:12]
        say(f"serve {len(routes)} Routes, by the configuration {digest}")
        if self._process is None:
            socket = self._folder / "haproxy.sock"
            socket.unlink(missing_ok=True)
            self._process = subprocess.Popen(["haproxy", "-W", "-db", "-f", self._configuration])
            end = time.monotonic() + _START_SECONDS
            while not socket.exists() and not self.ended() and time.monotonic() < end:  # before, a signal would be lost
                time.sleep(0.05)
        else:
            self._process.send_signal(signal.SIGUSR2)

    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _keep(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def once(api: Api, haproxy: HAProxy, domain: str, domains: t.Collection[str]) -> None:
    """Look, serve what there is, and tell the Routes what is news to them."""
    routes, services = api.all(f"/apis/{GROUP}/v1/routes"), api.all("/api/v1/services")
    verdicts = [(each, admitted(each, routes, domain, domains, problem(each))) for each in routes]
    haproxy.serve([route for route, ingress in verdicts if good(ingress)], services)
    for route, ingress in news(verdicts):
        path, status = patch(route, ingress)
        answered, body = api.ask("PATCH", quote(path), status)
        if answered not in (200, 404):  # 404: it was deleted meanwhile
            say(f"{path}: {answered} {body.get('message', '')}")


def say(*words: str) -> None:
    print(*words, flush=True)


def main() -> int:
    """Run until it is told to end, or HAProxy has ended."""
    parser = argparse.ArgumentParser(prog="router", description=__doc__)
    parser.add_argument("--domain", required=True, help="of the router")
    parser.add_argument("--allowed-domain", action="append", default=[], help="what it serves; by default its domain")
    parser.add_argument(
        "--certificate", type=Path, required=True, help="the folder of tls.crt and tls.key for all hosts"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where files may be written")
    arguments = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_signal: over.set())
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # inherited by HAProxy, which one that comes too early does not kill
    api, haproxy = Api(), HAProxy(arguments.folder, arguments.certificate)
    said = ""
    with contextlib.ExitStack() as stack:
        stack.callback(haproxy.stop)
        while not over.wait(_SECONDS):
            if haproxy.ended():
                say("HAProxy has ended")
                return 1
            try:
                once(api, haproxy, arguments.domain, arguments.allowed_domain or [arguments.domain])
                said = ""
            except (OSError, http.client.HTTPException, ValueError) as error:
                if said != repr(error):
                    said = repr(error)
                    say("The API server gave no answer:", said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
