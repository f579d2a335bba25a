# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""How a deployment can be reached, and what it is doing."""

from __future__ import annotations

import base64
import dataclasses
import socket
import ssl
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url
from ansible_collections.daskops.kubernetes.plugins.module_utils import _namespace, _route, _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import (
    NOTEBOOK_PORT,
    SCHEDULER_PORT,
    Instance,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster

JSON = dict[str, t.Any]

# The name that roles/dask/templates/notebook.yaml.j2 gives to the port of an oauth-proxy before the notebook, and what
# answers there to whom has not logged in: the proxy, which the router reaches only while the notebook is ready too.
_PROXY_PORT = "http-oauth"
_PROXY_HEALTH = "/oauth/healthz"


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where something is from outside the cluster, how that was found, and what would have to be done first."""

    address: str
    how: str
    command: str = ""

    def as_json(self, answers: bool | None, reason: str) -> JSON:
        """As the module returns it."""
        return {**dataclasses.asdict(self), "answers": answers, "reason": reason}


def endpoint(
    instance: Instance, service: JSON | None, port: int, scheme: str, node_address: str, kubectl: str
) -> Endpoint | None:
    """Where a Service is reached from outside; None if there is no such Service.

    ``node_address`` is the address of a node, or empty if none is known.
    """
    if service is None:
        return None
    name, kind = service["metadata"]["name"], service["spec"].get("type", "ClusterIP")
    forward = f"{kubectl} -n {instance.namespace} port-forward service/{name} {port}"
    if kind == "NodePort" and node_address:
        node_port = next(p["nodePort"] for p in service["spec"]["ports"] if p["port"] == port)
        return Endpoint(f"{scheme}://{node_address}:{node_port}", f"node port of Service {name}")
    if kind == "LoadBalancer":
        ingress = (service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}])[0]
        host = ingress.get("hostname") or ingress.get("ip")
        if host:
            return Endpoint(f"{scheme}://{host}:{port}", f"load balancer of Service {name}")
        return Endpoint(f"{scheme}://localhost:{port}", f"Service {name} waits for its load balancer", forward)
    return Endpoint(f"{scheme}://localhost:{port}", f"port-forward to Service {name}", forward)


def behind_ingress(ingress: JSON) -> Endpoint:
    """Where an Ingress with one host is reached from outside."""
    name, annotations = ingress["metadata"]["name"], ingress["metadata"].get("annotations") or {}
    # GKE puts a managed certificate before an Ingress that names none itself.
    encrypted = ingress["spec"].get("tls") or "networking.gke.io/managed-certificates" in annotations
    host = ingress["spec"]["rules"][0]["host"]
    balancer = (ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}])[0]
    at = balancer.get("hostname") or balancer.get("ip")
    return Endpoint(
        f"{'https' if encrypted else 'http'}://{host}",
        f"Ingress {name} at {at}" if at else f"Ingress {name}, which has no address yet",
    )


def behind_route(route: JSON) -> Endpoint:
    """Where a Route is reached from outside, if a router has admitted it."""
    name, found = route["metadata"]["name"], _route.admission(route)
    return Endpoint(
        f"{'https' if route['spec'].get('tls') else 'http'}://{found.host}",
        f"Route {name} of router {found.router}" if found.admitted else f"Route {name}, which no router has admitted",
    )


def gather(
    cluster: Cluster, instance: Instance, node_address: str, show_password: bool = False, patience: float = 0.0
) -> JSON:
    """Everything about a deployment; what cannot be had is said in words.

    A router that has just admitted a Route is given C(patience) seconds to serve it.
    """
    found = _namespace.look_into(
        cluster, instance.namespace, lambda: _gather(cluster, instance, node_address, show_password, patience)
    )
    return found or {"exists": False}


def _gather(cluster: Cluster, instance: Instance, node_address: str, show_password: bool, patience: float) -> JSON:
    with ThreadPoolExecutor(max_workers=5) as side_by_side:
        listed = side_by_side.submit(_mine, cluster, instance, "services")
        owned = side_by_side.submit(_mine, cluster, instance, "deployments", "apps/v1")
        exposed = side_by_side.submit(_mine, cluster, instance, "ingresses", "networking.k8s.io/v1")
        running = side_by_side.submit(_mine, cluster, instance, "pods")
        routed = side_by_side.submit(
            cluster.visible_items,
            instance.path("routes", group_version=_route.GROUP_VERSION),
            labelSelector=instance.selector,
        )
        kept = side_by_side.submit(cluster.find, instance.path("secrets", f"{instance.name}-notebook"))
    services = {s["metadata"]["name"]: s for s in listed.result()}
    deployments, pods = owned.result(), running.result()
    if not deployments and not services:
        return {"exists": False}
    scheduler = _scheduler.scheduler_pod(pods)
    status, reason = None, "no scheduler pod is ready"
    if scheduler:
        try:
            with _scheduler.connect(cluster, instance, scheduler) as source:
                status, reason = source.read(), ""
        except DaskopsError as error:
            reason = error.message
    return {
        "exists": True,
        "endpoints": _endpoints(
            cluster,
            instance,
            services,
            exposed.result(),
            routed.result() or [],
            pods,
            node_address,
            status is not None,
            reason,
            patience,
        ),
        "password": _password(cluster, instance, kept.result(), show_password),
        "groups": _groups(deployments, status),
        "scheduler": _status(status, reason),
        "images": sorted({c["image"] for d in deployments for c in d["spec"]["template"]["spec"]["containers"]}),
    }


def _mine(cluster: Cluster, instance: Instance, plural: str, group_version: str = "") -> list[JSON]:
    return cluster.items(instance.path(plural, group_version=group_version), labelSelector=instance.selector)


def _endpoints(
    cluster: Cluster,
    instance: Instance,
    services: dict[str, JSON],
    ingresses: list[JSON],
    routes: list[JSON],
    pods: list[JSON],
    node_address: str,
    scheduler_answers: bool,
    scheduler_reason: str,
    patience: float,
) -> JSON:
    external = services.get(f"{instance.name}-scheduler-external") or services.get(f"{instance.name}-scheduler")
    notebook = services.get(f"{instance.name}-notebook")
    if not node_address and any(s["spec"].get("type") == "NodePort" for s in (external, notebook) if s):
        node_address = _node_address(cluster)
    result: JSON = {
        "scheduler_internal": {
            "address": f"tls://{instance.name}-scheduler.{instance.namespace}.svc:{SCHEDULER_PORT}",
            "how": f"Service {instance.name}-scheduler, inside the cluster",
            "command": "",
            "answers": scheduler_answers,
            "reason": "" if scheduler_answers else scheduler_reason,
        }
    }
    found = endpoint(instance, external, SCHEDULER_PORT, "tls", node_address, cluster.kubectl)
    if found:
        # A port-forward is the user's to open; that the scheduler answers through one was seen above.
        if found.command:
            result["scheduler"] = found.as_json(scheduler_answers, "" if scheduler_answers else scheduler_reason)
        else:
            result["scheduler"] = found.as_json(*_accepts(found.address))
    found = endpoint(instance, notebook, NOTEBOOK_PORT, "http", node_address, cluster.kubectl)
    if ingresses:
        found = behind_ingress(ingresses[0])
    if routes:
        found = behind_route(routes[0])
    if found:
        if routes:
            answers, why = _answers_by_route(routes[0], found.address, notebook, patience)
        elif found.command:
            answers, why = _answers_in_pod(cluster, instance, pods)
        else:
            answers, why = _answers_http(f"{found.address}/api")
        result["notebook"] = found.as_json(answers, why)
        dashboard = dataclasses.replace(
            found,
            address=f"{found.address}/dashboard",
            how=f"behind the notebook's login: {found.how}",
        )
        result["dashboard"] = dashboard.as_json(answers and scheduler_answers, why or scheduler_reason)
    return result


def _node_address(cluster: Cluster) -> str:
    try:
        nodes = cluster.items("/api/v1/nodes")
    except ApiError:
        return ""  # a tenant may not list nodes
    for kind in ("ExternalIP", "InternalIP"):
        for node in nodes:
            for address in node["status"].get("addresses") or []:
                if address["type"] == kind:
                    return str(address["address"])
    return ""


def _accepts(address: str) -> tuple[bool, str]:
    host, _colon, port = address.partition("://")[2].rpartition(":")
    try:
        # A handshake, as proxies in front (a container engine's, a load balancer's) take any connection.
        # Whose certificate it is, the client checks by its own files.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection((host, int(port)), timeout=3) as connection:
            context.wrap_socket(connection).close()
        return True, ""
    except OSError as error:
        return False, f"no TLS handshake: {error}"


def _answers_http(url: str, patience: float = 0.0) -> tuple[bool, str]:
    end = time.monotonic() + patience
    while True:
        try:
            # The certificate of a door is the door's; what is asked here is whether anyone answers.
            open_url(url, timeout=5, validate_certs=False)
            return True, ""
        except OSError as error:
            # What a router says of a host that its configuration does not have yet.
            if not isinstance(error, HTTPError) or error.code != 503 or time.monotonic() >= end:
                return False, f"{url}: {error}"
        time.sleep(0.5)


def _answers_by_route(route: JSON, address: str, notebook: JSON | None, patience: float) -> tuple[bool, str]:
    admission = _route.admission(route)
    if not admission.admitted:
        return False, f"{admission.cause}; {admission.remedy}"
    ports = notebook["spec"]["ports"] if notebook else []
    path = _PROXY_HEALTH if any(port.get("targetPort") == _PROXY_PORT for port in ports) else "/api"
    return _answers_http(address + path, patience)


def _answers_in_pod(cluster: Cluster, instance: Instance, pods: list[JSON]) -> tuple[bool, str]:
    for pod in pods:
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") != "notebook":
            continue
        try:
            with cluster.port_forward(instance.namespace, pod["metadata"]["name"], NOTEBOOK_PORT) as tunnel:
                status, _body = tunnel.request("GET", "/api")
            return status == 200, "" if status == 200 else f"/api was answered {status}"
        except DaskopsError as error:
            return False, error.message
    return False, "there is no notebook pod"


def _password(cluster: Cluster, instance: Instance, secret: JSON | None, show: bool) -> JSON:
    if secret is None:
        return {"secret": "", "generated": False, "command": ""}
    name = secret["metadata"]["name"]
    generated = "password" in (secret.get("data") or {})
    command = (
        f"{cluster.kubectl} -n {instance.namespace} get secret {name} -o jsonpath='{{.data.password}}' | base64 -d"
    )
    result = {"secret": name, "generated": generated, "command": command if generated else ""}
    if show and generated:
        result["value"] = base64.b64decode(secret["data"]["password"]).decode()
    return result


def _groups(deployments: list[JSON], status: _scheduler.Status | None) -> JSON:
    registered = status.groups if status else {}
    groups: JSON = {}
    for deployment in deployments:
        group = deployment["metadata"]["labels"].get("daskops.io/group")
        if group:
            groups[group] = {
                "replicas": deployment["spec"]["replicas"],
                "registered": len(registered.get(group, [])),
                "workers": sorted(registered.get(group, [])),
            }
    return groups


def _status(status: _scheduler.Status | None, reason: str) -> JSON:
    if status is None:
        return {"answers": False, "reason": reason}
    return {
        "answers": True,
        "reason": "",
        "id": status.id,
        "workers": status.workers,
        "threads": status.threads,
        "memory": status.memory,
        "memory_limit": status.memory_limit,
        "tasks": status.tasks,
        "clients": status.clients,
        "versions": status.versions,
        "mismatches": status.mismatches,
    }


def client_files(cluster: Cluster, instance: Instance) -> dict[str, bytes]:
    """What a client outside the cluster needs for TLS, by file name."""
    secret = cluster.find(instance.path("secrets", f"{instance.name}-tls"))
    if secret is None:
        raise DaskopsError(
            f"Cluster {cluster.name}: {instance} has no Secret {instance.name}-tls; deploy it first, or check the name."
        )
    return {name: base64.b64decode(secret["data"][name]) for name in ("ca.crt", "tls.crt", "tls.key")}
