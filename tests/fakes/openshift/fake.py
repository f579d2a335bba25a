# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake as tests use it."""

from __future__ import annotations

import base64
import json
import tempfile
import time
import typing as t
from dataclasses import replace
from pathlib import Path

import yaml

from tests.fakes import certificates
from tests.fakes.openshift import admission, manifests
from tests.fakes.openshift.accounts import Accounts
from tests.fakes.openshift.builds import Builder, pretend
from tests.fakes.openshift.edge import Edge, Record
from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.oauth import REVIEW
from tests.fakes.openshift.proxy import Proxied, Proxy
from tests.fakes.openshift.server import Server
from tests.fakes.openshift.state import Settings

_PROBE = f"/apis/{admission.GROUP}/v1/namespaces/default/routes?dryRun=All"
_SECONDS = 60.0  # for a new kind to be known


class FakeOpenShift:
    """A running fake: with FakeOpenShift(kubeconfig) as openshift. Options are those of Settings."""

    def __init__(
        self,
        kubeconfig: Path,
        *,
        context: str | None = None,
        port: int = 0,
        log: Path | None = None,
        settings: Settings | None = None,
        folder: Path | None = None,
        proxy_port: int = 0,
        builder: Builder = pretend,
        **options: t.Any,
    ) -> None:
        """C(folder) is where certificates are kept, so that who has trusted them once still does the next time.

        With C(proxy_target) there is a proxy, on C(proxy_port) if that is given.
        """
        self.settings = replace(settings or Settings(), **options)
        self.kube = Kube(kubeconfig, context)
        self.edge = Edge(self.settings, self.kube, builder, log)
        self._folder = tempfile.TemporaryDirectory(prefix="fake-openshift-")
        self.files = _certificates(folder or Path(self._folder.name), self.settings)
        self._server = Server(self.edge, port, self.files)
        self._accounts = Accounts(self.kube) if self.settings.pull_secrets else None
        self._proxy = Proxy(self.settings, proxy_port) if self.settings.proxy_target else None

    def __enter__(self) -> t.Self:
        self._server.start()
        if self._accounts:
            self._accounts.start()
        if self._proxy:
            self.edge.proxied = self._proxy.records
            self._proxy.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop()
        self.edge.builds.stop()
        if self._accounts:
            self._accounts.stop()
        if self._proxy:
            self._proxy.stop()
        self._folder.cleanup()

    # Where it is.

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        """Where clients find it; the first of its further names if it listens on all addresses."""
        return _url(self.settings, self.port)

    @property
    def proxy(self) -> str:
        """By which proxy the hosts of Routes are reached; empty if there is none."""
        return f"http://127.0.0.1:{self._proxy.server_port}" if self._proxy else ""

    def kubeconfig(self, path: Path, token: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for a token."""
        return _kubeconfig(path, self.url, self.files, {"token": token}, namespace)

    def webhook_config(self, path: Path) -> Path:
        """Write what the API server's --authentication-token-webhook-config-file wants."""
        return webhook_config(path, self.settings, self.port, self.files)

    # Setting the scene.

    def login(self, user: str) -> str:
        """A token for a user, without the password."""
        return self.edge.oauth.issue(user)

    def expire(self, user: str | None = None) -> int:
        """Let all tokens expire, or a user's."""
        return self.edge.oauth.expire(user)

    def install(self) -> None:
        """Put what the cluster needs to look like OpenShift into it: roles, Routes, the SCC."""
        manifests.apply(self.kube, manifests.rendered(self.kube, self.settings.domain))
        # Admission policies know a new kind only some seconds after it is there, and until then none can be made.
        probe = {"metadata": {"name": "probe"}, "spec": {"to": {"kind": "Service", "name": "probe"}}}
        body = {"apiVersion": f"{admission.GROUP}/v1", "kind": "Route", **probe}
        end = time.monotonic() + _SECONDS
        while not (said := self.kube.ask("POST", _PROBE, body)).good:
            if time.monotonic() > end:
                raise RuntimeError(f"After {_SECONDS:.0f} s the cluster takes no Route yet: it answers {said.status}.")
            time.sleep(0.3)

    # What it was asked.

    @property
    def requests(self) -> list[Record]:
        """All requests."""
        return self.edge.requests

    @property
    def writes(self) -> list[Record]:
        """Requests that change something, or would have."""
        return self.edge.writes

    @property
    def refused(self) -> list[Record]:
        """Requests for which somebody lacked a right, or was not known."""
        return self.edge.refused

    @property
    def unknown(self) -> list[Record]:
        """Requests for what the fake does not model, and those at which it has failed."""
        return self.edge.unknown

    @property
    def proxied(self) -> list[Proxied]:
        """What the proxy was asked for."""
        return list(self.edge.proxied)

    def forget(self) -> None:
        """Forget the requests, not the state."""
        self.edge.forget()


def webhook_config(path: Path, settings: Settings, port: int, files: certificates.Files) -> Path:
    """Write the kubeconfig by which an API server asks for tokens; no credentials are needed to ask."""
    return _kubeconfig(path, f"{_url(settings, port)}{REVIEW}", files, {}, "default")


def _url(settings: Settings, port: int) -> str:
    everywhere = settings.address in ("0.0.0.0", "::")
    return f"https://{settings.names[0] if everywhere and settings.names else settings.address}:{port}"


def _certificates(folder: Path, settings: Settings) -> certificates.Files:
    files = certificates.files(folder)
    names = sorted({"127.0.0.1", "localhost", settings.address, *settings.names})
    of = folder / "names.json"
    if not files.key.exists():
        folder.mkdir(parents=True, exist_ok=True)
        certificates.make(folder, names, fake="OpenShift", days=30)
        of.write_text(json.dumps(names), encoding="utf-8")
    elif not set(names) <= set(json.loads(of.read_text(encoding="utf-8"))):
        raise ValueError(f"The certificate in {folder} is not for all of {', '.join(names)}. Take another folder.")
    return files


def _kubeconfig(path: Path, url: str, files: certificates.Files, user: JSON, namespace: str) -> Path:
    authority = base64.b64encode(files.authority.read_bytes()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "openshift", "cluster": {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [
            {"name": "openshift", "context": {"cluster": "openshift", "user": "user", "namespace": namespace}}
        ],
        "current-context": "openshift",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
