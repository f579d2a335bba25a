# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pull secrets of service accounts, which OpenShift's controller gives to each, some time after it was made."""

from __future__ import annotations

import threading
import time

from tests.fakes.openshift.errors import JSON, ApiError
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.projects import SCC_LABEL

_POLL = 0.3
_DELAY = 1.5  # more than it takes to make pods after an account
_MERGE = "application/merge-patch+json"


class Accounts(threading.Thread):
    """The controller, for namespaces that came through the fake. Registries in tests want no credentials: it is that
    pods have them that counts."""

    def __init__(self, kube: Kube) -> None:
        super().__init__(daemon=True)
        self._kube = kube
        self._seen: dict[str, float] = {}  # by uid, when
        self._ended = threading.Event()

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(_POLL):
            try:
                for namespace in self._kube.ask("GET", f"/api/v1/namespaces?labelSelector={SCC_LABEL}").json()["items"]:
                    self._provide(namespace["metadata"]["name"])
            except ApiError:
                continue  # the API server is away for a moment

    def _provide(self, namespace: str) -> None:
        root = f"/api/v1/namespaces/{namespace}"
        for account in self._kube.ask("GET", f"{root}/serviceaccounts").json()["items"]:
            metadata = account["metadata"]
            name, given = f"{metadata['name']}-dockercfg", account.get("imagePullSecrets") or []
            seen = self._seen.setdefault(metadata["uid"], time.monotonic())
            if {"name": name} in given or time.monotonic() - seen < _DELAY:
                continue
            owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": metadata["name"], "uid": metadata["uid"]}
            secret: JSON = {
                "metadata": {"name": name, "ownerReferences": [owner]},
                "type": "kubernetes.io/dockercfg",
                "stringData": {".dockercfg": "{}"},
            }
            self._kube.ask("POST", f"{root}/secrets", secret)
            patch = {"imagePullSecrets": [*given, {"name": name}]}
            self._kube.ask("PATCH", f"{root}/serviceaccounts/{metadata['name']}", patch, _MERGE)
