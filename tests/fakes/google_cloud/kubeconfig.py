# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real cluster that the fake hands out as all of its clusters: where it is, and by which keys it signs."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from kubernetes import client, config

from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.nodes import Nodes


@dataclass(frozen=True)
class Cluster:
    """What a kubeconfig says of a cluster."""

    endpoint: str  # host and port, as the API gives the former
    ca_certificate: str  # PEM in base64


def read(path: Path, context: str | None = None) -> Cluster:
    """Read a kubeconfig; raises ValueError if it does not say enough."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    name = context or content.get("current-context")
    contexts = {each["name"]: each["context"] for each in content.get("contexts") or []}
    clusters = {each["name"]: each["cluster"] for each in content.get("clusters") or []}
    if name not in contexts or contexts[name]["cluster"] not in clusters:
        raise ValueError(f"{path} has no context {name}.")
    cluster = clusters[contexts[name]["cluster"]]
    data = cluster.get("certificate-authority-data")
    if not data and "certificate-authority" in cluster:
        data = base64.b64encode((path.parent / cluster["certificate-authority"]).read_bytes()).decode()
    if not data:
        raise ValueError(f"{path} does not say by which authority the cluster's certificate is signed.")
    return Cluster(urlsplit(cluster["server"]).netloc, data)


class Connection:
    """A connection to the cluster of a kubeconfig."""

    def __init__(self, path: Path, context: str | None = None) -> None:
        self._client = config.new_client_from_config(str(path), context)

    def jwks(self) -> JSON:
        """The keys by which it signs the tokens of service accounts."""
        return self._get("/openid/v1/jwks")

    def nodes(self) -> Nodes:
        return Nodes(client.CoreV1Api(self._client), lambda path: t.cast("list[JSON]", self._get(path)["items"]))

    def _get(self, path: str) -> JSON:
        # Keys are served as a type of their own, and nothing else will do.
        accept = {"Accept": "application/json, application/jwk-set+json"}
        answer = self._client.call_api("GET", self._client.configuration.host + path, accept)
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"The cluster answered {answer.status} to {path}: {content.decode(errors='replace')}")
        return t.cast("JSON", json.loads(content))
