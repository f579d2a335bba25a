# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a cluster offers to a Dask deployment, and what that lacks."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.daskops.kubernetes.plugins.module_utils import _namespace, _pod_security
from ansible_collections.daskops.kubernetes.plugins.module_utils._apply import KINDS
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster, Unreachable

with contextlib.suppress(ImportError):  # it comes with the Kubernetes client, whose absence the module reports
    import yaml

JSON = dict[str, t.Any]

# Pod Security's labels and server-side apply are older; this is what the tests of a supported release still run on.
MINIMUM_VERSION = (1, 29)

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# Who enforces NetworkPolicies, by a word in the name, containers or images of a DaemonSet; the first that is found
# counts.  Flannel is last but one, as Canal is Calico's enforcement beside it.
ENFORCERS = {
    "calico": "Calico",
    "cilium": "Cilium",
    "anetd": "GKE Dataplane V2",
    "antrea": "Antrea",
    "ovnkube": "OVN-Kubernetes",
    "kube-router": "kube-router",
    "weave": "Weave Net",
    "azure-npm": "Azure NPM",
    "kindnet": "kindnet",
}
BYSTANDERS = {"flannel": "Flannel"}


# What is done with objects of a deployment; server-side apply is a patch, and a creation of what was not there.
ALL_VERBS = ("list", "create", "patch", "delete")


@dataclass(frozen=True, order=True)
class Right:
    """Something that a deployment does."""

    group: str
    resource: str
    verb: str
    cluster_wide: bool = False

    @property
    def what(self) -> str:
        """As C(kubectl auth can-i) and RBAC name it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


# What a preflight reads if it may, to refuse what a namespace's limits would.
LIMITS_READ = tuple(Right("", plural, "list") for plural in _namespace.LIMITS.values())


def needed_rights(
    create_namespace: bool, ingress: bool = False, route: bool = False, route_host: bool = False
) -> tuple[Right, ...]:
    """What the deployment does with the API server; C(route_host) is to choose the host of a Route."""
    rights = []
    for kind in KINDS:
        group = kind.group_version.rpartition("/")[0]
        # It is looked for Ingresses in any case, as there may be one of an earlier exposure.
        verbs = {"Ingress": ALL_VERBS if ingress else ("list",), "Route": ALL_VERBS if route else ()}
        rights += [Right(group, kind.plural, verb) for verb in verbs.get(kind.kind, () if kind.optional else ALL_VERBS)]
    rights += [
        Right("", "secrets", "get"),
        Right("", "namespaces", "get"),
        Right("", "pods", "list"),
        Right("", "pods/log", "get"),
        Right("", "pods/portforward", "create"),
        Right("", "pods/portforward", "get"),  # by web socket, which is a GET
        Right("", "events", "list"),
        Right("apps", "replicasets", "list"),
    ]
    if route and route_host:
        rights.append(Right("route.openshift.io", "routes/custom-host", "create"))
    if create_namespace:
        rights.append(Right("", "namespaces", "create", cluster_wide=True))
    return tuple(rights)


def granted(rules: t.Iterable[JSON], right: Right) -> bool:
    """Whether a SelfSubjectRulesReview's rules hold a right for every name."""
    return any(
        not rule.get("resourceNames")
        and _holds(rule.get("verbs"), right.verb)
        and _holds(rule.get("apiGroups"), right.group)
        and _holds(rule.get("resources"), right.resource)
        for rule in rules
    )


def _holds(found: list[str] | None, wanted: str) -> bool:
    return bool(found) and ("*" in t.cast("list[str]", found) or wanted in t.cast("list[str]", found))


def describe_missing(missing: t.Iterable[Right]) -> list[str]:
    """One entry a resource."""
    verbs: dict[tuple[str, bool], list[str]] = {}
    for right in missing:
        verbs.setdefault((right.what, right.cluster_wide), []).append(right.verb)
    return [f"{'/'.join(found)} {what}" for (what, _wide), found in verbs.items()]


def read_contexts(kubeconfig: t.Any) -> tuple[list[str], str]:
    """The contexts of a kubeconfig, and what it is called in messages."""
    if isinstance(kubeconfig, dict):
        return _context_names(kubeconfig), "that was given"
    names: list[str] = []
    for part in kubeconfig.split(os.pathsep):
        path = os.path.expanduser(part)
        try:
            with open(path, encoding="utf-8") as file:
                names += _context_names(yaml.safe_load(file))
        except FileNotFoundError:
            raise Unreachable(f"The kubeconfig {path} does not exist; give the path of one that does.") from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            why = " ".join(str(error).split())
            raise DaskopsError(f"The kubeconfig {path} cannot be read: {why}; give the path of one that can.") from None
    return names, kubeconfig


def _context_names(content: t.Any) -> list[str]:
    contexts = content.get("contexts") if isinstance(content, dict) else None
    return [entry["name"] for entry in contexts or [] if isinstance(entry, dict) and "name" in entry]


def choose_context(contexts: list[str], where: str) -> str:
    """The only context; never one that some tool has left as the current one."""
    if len(contexts) == 1:
        return contexts[0]
    if not contexts:
        raise DaskopsError(f"The kubeconfig {where} has no context; give one that has.")
    raise DaskopsError(
        f"The kubeconfig {where} has several contexts, and none was chosen; give one as the context: "
        f"{', '.join(sorted(contexts))}."
    )


def checked_context(params: JSON) -> str | None:
    """The context that a module's parameters choose; a name that is none for a namespace is refused first."""
    if not DNS_LABEL.fullmatch(params["namespace"]):
        raise DaskopsError(
            f"{params['namespace']!r} is no name for a namespace: use up to 63 lower-case letters, digits and hyphens, "
            "with a letter or digit at both ends."
        )
    context: str | None = params["context"]
    if context or params["host"]:
        return context
    if params["kubeconfig"]:
        return choose_context(*read_contexts(params["kubeconfig"]))
    if "KUBERNETES_SERVICE_HOST" in os.environ:  # which a pod has, with credentials of its own
        return context
    raise DaskopsError(
        "No cluster was chosen, and the current context of ~/.kube/config is not taken for one; "
        "give kubeconfig and context."
    )


def parse_version(text: str) -> tuple[int, int] | None:
    """v1.34.0-gke.1 as (1, 34)."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def network_policy(daemon_sets: list[JSON] | None) -> tuple[str, str]:
    """Whether NetworkPolicies are enforced (yes, no, unknown), and by what."""
    for words, answer in ((ENFORCERS, "yes"), (BYSTANDERS, "no")):
        for word, name in words.items():
            for item in daemon_sets or []:
                pod = item["spec"]["template"]["spec"]
                texts = [item["metadata"]["name"]]
                for container in pod.get("containers", []):
                    texts += [container["name"], container["image"], *container.get("command", [])[:1]]
                if any(word in text for text in texts):
                    return answer, name
    return "unknown", ""


@dataclass(frozen=True)
class Facts:
    """What was found; None is what the user may not see."""

    version: str
    namespace: JSON | None
    namespace_visible: bool
    missing: tuple[Right, ...]
    storage_classes: list[JSON] | None
    ingress_classes: list[JSON] | None
    daemon_sets: list[JSON] | None
    routes: bool | None = None


def problems(facts: Facts, namespace: str, create_namespace: bool, needs_ingress: bool) -> list[str]:
    """All that keeps a deployment from this cluster, a sentence each."""
    found = []
    version = parse_version(facts.version)
    if version is None or version < MINIMUM_VERSION:
        least = ".".join(map(str, MINIMUM_VERSION))
        found.append(f"it runs Kubernetes {facts.version}, and {least} or newer is needed")
    if facts.namespace_visible and facts.namespace is None and not create_namespace:
        found.append(f"namespace {namespace} does not exist and is not to be created; have it created first")
    if facts.namespace and facts.namespace.get("status", {}).get("phase") == "Terminating":
        found.append(f"namespace {namespace} is being deleted; wait until it is gone")
    here = describe_missing(right for right in facts.missing if not right.cluster_wide)
    if here:
        found.append(f"in namespace {namespace} the user may not {', '.join(here)}; ask for a role that grants it")
    if any(right.cluster_wide for right in facts.missing):
        found.append(f"namespace {namespace} does not exist and the user may not create it; have it created first")
    if needs_ingress and facts.ingress_classes == []:
        found.append("an ingress is to be offered, and there is no ingress class; install an ingress controller")
    if facts.routes is False:
        found.append("it has no Routes (route.openshift.io); choose another exposure")
    return found


def summary(facts: Facts) -> JSON:
    """The facts as a module returns them."""
    metadata = (facts.namespace or {}).get("metadata", {})
    enforced, by = network_policy(facts.daemon_sets)
    classes = _names(facts.storage_classes)
    default = next(
        (
            item["metadata"]["name"]
            for item in facts.storage_classes or []
            if (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
        ),
        "",
    )
    return {
        "version": facts.version,
        "namespace_exists": facts.namespace is not None if facts.namespace_visible else None,
        "pod_security": (metadata.get("labels") or {}).get(_pod_security.ENFORCE, ""),
        "arbitrary_uid": _pod_security.UIDS in (metadata.get("annotations") or {}),
        "storage_classes": classes,
        "default_storage_class": default if classes is not None else None,
        "ingress_classes": _names(facts.ingress_classes),
        "network_policy": {"enforced": enforced, "by": by},
        "missing_rights": describe_missing(facts.missing),
    }


def _names(items: list[JSON] | None) -> list[str] | None:
    return None if items is None else sorted(item["metadata"]["name"] for item in items)


def gather(
    cluster: Cluster,
    namespace: str,
    create_namespace: bool,
    ingress: bool = False,
    route: bool = False,
    route_host: bool = False,
    more: tuple[Right, ...] = (),
) -> Facts:
    """Ask the API server; what the user may not see is no error.  C(more) rights are asked for, too."""
    version = cluster.get("/version")["gitVersion"]
    with ThreadPoolExecutor(8) as pool:
        found = pool.submit(_visible, lambda: cluster.find(f"/api/v1/namespaces/{namespace}"))
        storage = pool.submit(_visible, lambda: cluster.items("/apis/storage.k8s.io/v1/storageclasses"))
        classes = pool.submit(_visible, lambda: cluster.items("/apis/networking.k8s.io/v1/ingressclasses"))
        daemons = pool.submit(_visible, lambda: cluster.items("/apis/apps/v1/daemonsets", limit="500"))
        rules = pool.submit(_rules, cluster, namespace)
        routes = pool.submit(_visible, lambda: cluster.find("/apis/route.openshift.io/v1")) if route else None
        namespace_visible, existing = found.result()
        has_routes = None
        if routes:
            routes_visible, api = routes.result()
            has_routes = api is not None if routes_visible else None
        to_create = create_namespace and namespace_visible and existing is None
        wanted = needed_rights(to_create, ingress, route and has_routes is not False, route_host) + more
        # An authorizer of a cloud may grant what it cannot list, so what is not listed is asked for by itself.
        unlisted = [right for right in wanted if right.cluster_wide or not granted(rules.result(), right)]
        answers = pool.map(
            lambda right: cluster.may("" if right.cluster_wide else namespace, right.group, right.resource, right.verb),
            unlisted,
        )
        missing = tuple(right for right, may in zip(unlisted, answers, strict=True) if not may)
        return Facts(
            version=version,
            namespace=existing,
            namespace_visible=namespace_visible,
            missing=missing,
            storage_classes=storage.result()[1],
            ingress_classes=classes.result()[1],
            daemon_sets=daemons.result()[1],
            routes=has_routes,
        )


_T = t.TypeVar("_T")


def _visible(ask: t.Callable[[], _T]) -> tuple[bool, _T | None]:
    try:
        return True, ask()
    except ApiError as error:
        if error.status == 403:
            return False, None
        raise


def _rules(cluster: Cluster, namespace: str) -> list[JSON]:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    answer = cluster.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
    return t.cast("list[JSON]", answer["status"].get("resourceRules") or [])
