# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""A kubeconfig of its own for a GKE cluster."""

from __future__ import annotations

import os
import traceback
import typing as t
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils import _private_file
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

try:
    import yaml

    YAML_IMPORT_ERROR: str | None = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()

JSON = dict[str, t.Any]

PLUGIN = "gke-gcloud-auth-plugin"
INSTALL_HINT = f"Install {PLUGIN}: gcloud components install {PLUGIN}, or the package google-cloud-cli-{PLUGIN}."


def context_name(project: str, location: str, cluster: str) -> str:
    """The name that gcloud, too, gives a cluster in a kubeconfig."""
    return f"gke_{project}_{location}_{cluster}"


def server(cluster: JSON, endpoint: str = "auto") -> tuple[str, str | None]:
    """URL of a cluster's API server, and the certificate of its CA unless it is publicly trusted.

    By C(auto) it is the DNS-based endpoint where that takes traffic from outside, else the one by IP address.
    """
    endpoints = cluster.get("controlPlaneEndpointsConfig") or {}
    dns = endpoints.get("dnsEndpointConfig") or {}
    ip = endpoints.get("ipEndpointsConfig") or {}
    private = cluster.get("privateClusterConfig") or {}
    if endpoint == "auto":
        endpoint = "dns" if dns.get("allowExternalTraffic") and dns.get("endpoint") else "ip"
    address = {
        "dns": dns.get("endpoint"),
        "ip": cluster.get("endpoint"),
        "private": ip.get("privateEndpoint") or private.get("privateEndpoint"),
    }[endpoint]
    if not address:
        raise DaskopsError(
            f"Cluster {cluster.get('name')} has no {endpoint} endpoint now (its state is {cluster.get('status')}), so "
            "there is no kubeconfig for it; wait until it runs, or take another endpoint."
        )
    if endpoint == "dns":
        return f"https://{address}", None
    return f"https://{address}", (cluster.get("masterAuth") or {}).get("clusterCaCertificate")


def plugin_arguments(params: JSON) -> tuple[list[str], JSON] | None:
    """What makes gcloud's plugin use the same credentials as the module, or None where nothing does."""
    kind = params.get("auth_kind") or "application"
    if params.get("impersonate_service_account"):
        return None
    if kind == "application" or (kind == "machineaccount" and not params.get("service_account_email")):
        return ["--use_application_default_credentials"], {}
    if kind == "serviceaccount" and params.get("service_account_file") and not params.get("service_account_contents"):
        return ["--use_application_default_credentials"], {
            "GOOGLE_APPLICATION_CREDENTIALS": os.path.abspath(params["service_account_file"])
        }
    return None


def kubeconfig(
    cluster: JSON,
    project: str,
    token: str | None = None,
    endpoint: str = "auto",
    plugin: tuple[list[str], JSON] | None = None,
) -> JSON:
    """A kubeconfig with one cluster and one context, by a C(token) or else by gcloud's C(plugin)."""
    name = context_name(project, str(cluster.get("location")), str(cluster.get("name")))
    url, ca = server(cluster, endpoint)
    user: JSON = {"token": token}
    if token is None:
        arguments, environment = plugin or ([], {})
        user = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": PLUGIN,
                "installHint": INSTALL_HINT,
                "interactiveMode": "IfAvailable",
                "provideClusterInfo": True,
                **({"args": arguments} if arguments else {}),
                **({"env": [{"name": k, "value": v} for k, v in environment.items()]} if environment else {}),
            }
        }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, **({"certificate-authority-data": ca} if ca else {})}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,  # the only one, of a file of its own
        "users": [{"name": name, "user": user}],
    }


def check_path(path: str) -> Path:
    """Where a kubeconfig may go, which is never the one that all tools share."""
    shared = Path.home() / ".kube" / "config"
    chosen = Path(path).expanduser()
    if chosen.resolve() == shared.resolve():
        raise DaskopsError(
            f"The cluster wants a kubeconfig of its own, and {path} is the one that all tools share; give another path."
        )
    return chosen


def write(path: Path, content: JSON, check: bool) -> bool:
    """Write a kubeconfig for its owner only, and say whether that changes anything but a token."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
        private = _private_file.is_private(path)
    except (OSError, yaml.YAMLError):
        found, private = None, False
    changed = not private or _without_token(found) != _without_token(content)
    if check or (not changed and found == content):
        return changed
    try:
        _private_file.write(path, yaml.safe_dump(content, sort_keys=False))
    except OSError as error:
        raise DaskopsError(f"The kubeconfig {path} could not be written: {error}; give another path.") from error
    return changed


def deliver(
    options: JSON, params: JSON, cluster: JSON, project: str, token: t.Callable[[], str], plugin: bool, check: bool
) -> JSON:
    """Write the kubeconfig that a module's option asks for; C(plugin) says whether gcloud's is installed here.

    By itself it is taken only where it can use the module's own credentials.
    """
    path = check_path(options["path"])
    arguments = plugin_arguments(params)
    auth = options.get("auth") or "auto"
    if auth == "auto":
        auth = "exec" if plugin and arguments else "token"
    endpoint = options.get("endpoint") or "auto"
    if check and not cluster.get("endpoint") and cluster.get("status") is None:  # it is not there yet
        return {"path": str(path), "context": "", "server": "", "auth": auth, "changed": True}
    content = kubeconfig(cluster, project, token() if auth == "token" else None, endpoint, arguments)
    return {
        "path": str(path),
        "context": content["current-context"],
        "server": content["clusters"][0]["cluster"]["server"],
        "auth": auth,
        "changed": write(path, content, check),
    }


def _without_token(content: t.Any) -> t.Any:
    """A kubeconfig as it is apart from its token, which is a new one each time."""
    if not isinstance(content, dict):
        return None
    users = [
        {**entry, "user": {**entry["user"], "token": ""}} if (entry.get("user") or {}).get("token") else entry
        for entry in content.get("users") or []
        if isinstance(entry, dict)
    ]
    return {**content, "users": users}
