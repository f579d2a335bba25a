# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Bring a deployment's objects to the cluster, and take away what is no longer asked for.

Server-side apply, so that fields of others (an autoscaler's, a service mesh's) stay, and fields that we no longer
send go.  The plan says what is applied and what is pruned; the server says what that changes.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import (
    FIELD_MANAGER,
    INSTANCE,
    MANAGED_BY,
    Instance,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import APPLY_PATCH, ApiError, Cluster

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

JSON = dict[str, t.Any]
Key = tuple[str, str]  # kind, name


@dataclasses.dataclass(frozen=True)
class Kind:
    """Where objects of a kind are; those that hold data go only with the whole deployment.

    An C(optional) kind is one provider's own: whoever may not see it has none.
    """

    kind: str
    plural: str
    group_version: str = ""
    keeps_data: bool = False
    optional: bool = False


# In the order in which they are applied: what pods need comes before the pods.
KINDS = (
    Kind("ServiceAccount", "serviceaccounts"),
    Kind("Secret", "secrets", keeps_data=True),
    Kind("ConfigMap", "configmaps"),
    Kind("PersistentVolumeClaim", "persistentvolumeclaims", keeps_data=True),
    Kind("BackendConfig", "backendconfigs", "cloud.google.com/v1", optional=True),
    Kind("ManagedCertificate", "managedcertificates", "networking.gke.io/v1", optional=True),
    Kind("Service", "services"),
    Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io/v1"),
    Kind("Ingress", "ingresses", "networking.k8s.io/v1"),
    Kind("Route", "routes", "route.openshift.io/v1", optional=True),
    Kind("Deployment", "deployments", "apps/v1"),
)
BY_NAME = {kind.kind: kind for kind in KINDS}
WORKLOADS = {"Deployment"}

# Each thread has a connection of its own to make, which takes longer than a request.
_THREADS = 10

# What the server adds or counts; no one asked for it.
_NOISE = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to apply, in waves of which each may go at once, and what to delete."""

    waves: tuple[tuple[JSON, ...], ...]
    prune: tuple[Key, ...]


def plan(desired: list[JSON], live: t.Iterable[Key], absent: bool = False) -> Plan:
    """Decide.  With C(absent) all that is live goes, data too."""
    if absent:
        return Plan((), tuple(live))
    wanted = {key_of(item) for item in desired}
    prune = tuple(key for key in live if key not in wanted and not BY_NAME[key[0]].keeps_data)
    before = tuple(item for item in desired if item["kind"] not in WORKLOADS)
    after = tuple(item for item in desired if item["kind"] in WORKLOADS)
    return Plan(tuple(wave for wave in (before, after) if wave), prune)


def made_anew(desired: list[JSON], live: t.Mapping[Key, JSON]) -> tuple[Key, ...]:
    """Routes whose host or certificate is another now, or is no longer chosen.

    Who may choose these for a new Route may not change them later, by OpenShift's roles C(admin) and C(edit):
    https://docs.openshift.com/container-platform/latest/networking/routes/route-configuration.html
    """
    routes = [item for item in desired if item["kind"] == "Route" and key_of(item) in live]
    return tuple(key_of(item) for item in routes if _chosen_otherwise(item["spec"], live[key_of(item)]))


def _chosen_otherwise(spec: JSON, route: JSON) -> bool:
    fields: list[JSON] = [
        entry.get("fieldsV1", {}).get("f:spec", {})
        for entry in route["metadata"].get("managedFields") or []
        if entry.get("manager") == FIELD_MANAGER
    ]
    places = [(spec, route["spec"], fields)]
    places.append((spec.get("tls") or {}, route["spec"].get("tls") or {}, [each.get("f:tls") or {} for each in fields]))
    for (wanted, there, ours), names in zip(places, (("host",), ("certificate", "key", "caCertificate")), strict=True):
        for name in names:
            if wanted.get(name) != there.get(name) and (wanted.get(name) or any(f"f:{name}" in each for each in ours)):
                return True
    return False


def key_of(item: JSON) -> Key:
    """What tells objects of a deployment apart."""
    return item["kind"], item["metadata"]["name"]


def shown(item: JSON | None, secrets: bool = False) -> JSON:
    """An object as a diff shows it: without status and noise and, unless C(secrets) are asked for, without those."""
    if item is None:
        return {}
    result = copy.deepcopy(item)
    result.pop("status", None)
    for key in _NOISE:
        result["metadata"].pop(key, None)
    annotations = result["metadata"].get("annotations", {})
    # The deployment controller counts rollouts here.
    annotations.pop("deployment.kubernetes.io/revision", None)
    if not annotations:
        result["metadata"].pop("annotations", None)
    if secrets:
        return result
    if result["kind"] == "Secret":
        result["data"] = dict.fromkeys(result.get("data", {}), "(hidden)")
    if result["kind"] == "Route" and "key" in (result["spec"].get("tls") or {}):
        result["spec"]["tls"]["key"] = "(hidden)"
    return result


def with_route_keys(desired: list[JSON], keys: t.Mapping[str, str]) -> list[JSON]:
    """The objects with the private keys of Routes, by the Routes' names, put into them."""

    def one(item: JSON) -> JSON:
        kind, name = key_of(item)
        if kind != "Route" or not keys.get(name):
            return item
        spec = item["spec"]
        return {**item, "spec": {**spec, "tls": {**(spec.get("tls") or {}), "key": keys[name]}}}

    return [one(item) for item in desired]


def fetch(cluster: Cluster, instance: Instance) -> dict[Key, JSON]:
    """All objects of the deployment that are there."""

    def one(kind: Kind) -> list[JSON]:
        path = instance.path(kind.plural, group_version=kind.group_version)
        list_all = cluster.visible_items if kind.optional else cluster.items
        found = list_all(path, labelSelector=instance.selector) or []
        return [{"apiVersion": kind.group_version or "v1", "kind": kind.kind, **item} for item in found]

    with ThreadPoolExecutor(_THREADS) as pool:
        return {key_of(item): item for items in pool.map(one, KINDS) for item in items}


def refuse_foreign(cluster: Cluster, instance: Instance, keys: t.Iterable[Key]) -> None:
    """Fail if any of the objects, which are not among those of the deployment, is there all the same."""

    def one(key: Key) -> str:
        kind = BY_NAME[key[0]]
        path = instance.path(kind.plural, group_version=kind.group_version)
        # By a list, as that is a right that the deployment takes in any case.
        list_all = cluster.visible_items if kind.optional else cluster.items
        found = list_all(path, fieldSelector=f"metadata.name={key[1]}") or []
        # What was made meanwhile is one's own.
        foreign = [item for item in found if not instance.owns(item)]
        return f"{'/'.join(key)} ({_whose(foreign[0])})" if foreign else ""

    with ThreadPoolExecutor(_THREADS) as pool:
        foreign = [name for name in pool.map(one, keys) if name]
    if foreign:
        raise DaskopsError(
            f"Cluster {cluster.name}: {instance} would take over what is not its own: {', '.join(foreign)}; nothing "
            "was changed: choose another dask_name, or remove what is there."
        )


def _whose(item: JSON) -> str:
    labels = item["metadata"].get("labels") or {}
    manager, name = (labels.get(label) for label in (MANAGED_BY, INSTANCE))
    return f"managed by {manager or 'nobody that it names'}" + (f", instance {name}" if name else "")


def apply(cluster: Cluster, instance: Instance, item: JSON, dry_run: bool) -> JSON:
    """Apply one object; returns what the server made of it, or would."""
    kind = BY_NAME[item["kind"]]
    query = {"fieldManager": FIELD_MANAGER, "force": "true", **({"dryRun": "All"} if dry_run else {})}
    path = instance.path(kind.plural, item["metadata"]["name"], kind.group_version)
    try:
        return cluster.send("PATCH", path, item, APPLY_PATCH, **query)
    except ApiError as error:
        remedy = _remedy(kind, error)
        if not remedy:
            raise
        raise ApiError(f"{error.message.rstrip('.')}; {remedy}.", error.status, error.reason) from None


def _remedy(kind: Kind, error: ApiError) -> str:
    """What to do where the server's answer does not tell."""
    if kind.kind != "Route":
        return ""
    if error.status == 404:
        return f"it has no Routes ({kind.group_version}): choose another dask_notebook_exposure"
    # What may not be chosen is forbidden at first and immutable later:
    # https://github.com/openshift/library-go/tree/master/pkg/route
    if error.status == 422 and re.search(r"spec\.(host|tls)\b.*(permission to set|field is immutable)", error.reason):
        return "ask for the right to routes/custom-host, or leave host and certificate out of dask_notebook_route"
    return ""


def delete(cluster: Cluster, instance: Instance, key: Key, propagation: str = "Foreground") -> None:
    """Delete one object, and what it owns before it or, in the C(Background), after it."""
    kind = BY_NAME[key[0]]
    path = instance.path(kind.plural, key[1], kind.group_version)
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
    cluster.send("DELETE", path, body)


def wait_for_pull_secrets(cluster: Cluster, instance: Instance, timeout: float = 30.0) -> None:
    """Wait until the service accounts have pull secrets, where the cluster gives them some for its own registry.

    A pod that is made before cannot pull from there, and never will:
    https://docs.openshift.com/container-platform/latest/openshift_images/managing_images/using-image-pull-secrets.html
    """
    end = time.monotonic() + timeout
    while True:
        found = cluster.items(instance.path("serviceaccounts"), labelSelector=instance.selector)
        without = [item["metadata"]["name"] for item in found if not item.get("imagePullSecrets")]
        if not without:
            return
        if time.monotonic() > end:
            raise DaskopsError(
                f"Cluster {cluster.name}: {instance} has no pods yet, as service account {without[0]} was given no "
                f"pull secret for the cluster's registry within {timeout:.0f} s; have an admin see whether the "
                "registry is managed (configs.imageregistry.operator.openshift.io/cluster), or name another registry."
            )
        time.sleep(0.25)


def wait_until_gone(where: str, left: t.Callable[[], list[str]], timeout: float, progress: Progress) -> None:
    """Look until C(left) finds nothing; C(where) begins the sentence that says what would not go."""
    end, pause = time.monotonic() + timeout, 0.25
    while remaining := left():
        if time.monotonic() > end:
            raise DaskopsError(
                f"{where} is not gone after {timeout:.0f} s: {', '.join(remaining[:5])} ({len(remaining)} in all) "
                "remain; look for finalizers on them."
            )
        progress.say(f"{len(remaining)} objects are left to go, such as {remaining[0]}")
        time.sleep(pause)
        pause = min(pause * 1.5, 2)
