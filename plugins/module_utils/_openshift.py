# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What an OpenShift cluster offers to a Dask deployment, what that lacks, and what to ask its admin for."""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ansible_collections.daskops.kubernetes.plugins.module_utils import _namespace, _pod_security, _target_info
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster
from ansible_collections.daskops.kubernetes.plugins.module_utils._target_info import Right

with contextlib.suppress(ImportError):  # it comes with the Kubernetes client, whose absence the module reports
    import yaml

JSON = dict[str, t.Any]

ROUTES, PROJECTS, BUILDS, IMAGES = (f"{group}.openshift.io" for group in ("route", "project", "build", "image"))
SCC = "security.openshift.io"

# Where the cluster's console is says in which domain its router serves; everybody who is logged in may read it.
CONSOLE = "/api/v1/namespaces/openshift-config-managed/configmaps/console-public"
CONSOLE_HOST = "console-openshift-console."
INGRESS = "/apis/config.openshift.io/v1/ingresses/cluster"
# Image streams that everybody may see, by which the registry's addresses are known.
SAMPLES = f"/apis/{IMAGES}/v1/namespaces/openshift/imagestreams"
# What the integrated registry is called in every cluster that has one.
INTERNAL_REGISTRY = "image-registry.openshift-image-registry.svc:5000"

# What dask_image does for a build.
BUILD_RIGHTS = (
    *(Right(IMAGES, "imagestreams", verb) for verb in ("get", "create", "patch", "delete")),
    Right(IMAGES, "imagestreamtags", "get"),
    *(Right(BUILDS, "buildconfigs", verb) for verb in ("get", "create", "update", "delete")),
    Right(BUILDS, "buildconfigs/instantiatebinary", "create"),
    Right(BUILDS, "builds/docker", "create"),  # the strategy, which admins may take away
    *(Right(BUILDS, "builds", verb) for verb in ("get", "patch")),  # to patch one is to cancel it
    Right(BUILDS, "builds/log", "get"),
)
# What the registry asks of whoever pushes to it; the stream is made with the first image.
PUSH_RIGHTS = (
    Right(IMAGES, "imagestreams", "create"),
    *(Right(IMAGES, "imagestreams/layers", verb) for verb in ("get", "update")),
)


@dataclass(frozen=True)
class Ask:
    """What a deployment wants of the cluster."""

    namespace: str
    create: bool = True
    route: bool = True
    route_host: bool = False
    builds: bool = False
    exposed_registry: bool = False

    def rights(self, groups: t.Collection[str]) -> tuple[Right, ...]:
        """Beyond those that a deployment needs anywhere, where there are these groups of APIs."""
        # A namespace may be seen by who may see pods; a project is a thing of its own.
        project = (Right(PROJECTS, "projects", "get"),) if PROJECTS in groups else ()
        return (*project, *(BUILD_RIGHTS if self.builds else ()), *(PUSH_RIGHTS if self.exposed_registry else ()))


@dataclass(frozen=True)
class Facts:
    """What was found."""

    groups: frozenset[str]
    user: str
    namespace: JSON | None
    may_create: bool
    refusal: str  # why no project may be requested; empty if one may
    target: _target_info.Facts
    domain: str
    registry: str  # the host by which it is reached from outside
    internal_registry: str

    @property
    def by_request(self) -> bool:
        """Whether a namespace is had by a request for a project."""
        return PROJECTS in self.groups and not self.may_create


def problems(facts: Facts, ask: Ask) -> list[str]:
    """All that keeps a deployment from this cluster, a sentence each."""
    if ROUTES not in facts.groups:
        return [
            f"it is no OpenShift, as it has no Routes ({ROUTES}); use provider=kubernetes with its kubeconfig for it"
        ]
    found = _target_info.problems(facts.target, ask.namespace, ask.create, needs_ingress=False)
    if lacking := [group for group in (IMAGES, BUILDS) if ask.builds and group not in facts.groups]:
        found.append(
            f"it builds no images, as it has no {' and no '.join(lacking)}; set openshift_registry_repository to a "
            "registry that it pulls from"
        )
    elif ask.builds and not facts.internal_registry:
        found.append(
            "it has no image registry of its own to build into, as that was removed; have an admin set managementState "
            "of configs.imageregistry.operator.openshift.io/cluster, or set openshift_registry_repository to one that "
            "it pulls from"
        )
    if facts.namespace is None:
        what = f"project {ask.namespace} does not exist, or is not for {facts.user} to see"
        if not ask.create:
            found.append(f"{what}, and is not to be created; have it created first, or let {facts.user} in")
        elif facts.by_request and facts.refusal:
            found.append(f"{what}, and {facts.user} may not request one ({facts.refusal}); have an admin make it")
    if ask.exposed_registry and not facts.registry:
        found.append(
            "its image registry is not exposed; have an admin set spec.defaultRoute of "
            "configs.imageregistry.operator.openshift.io/cluster, or have it built there (openshift_registry_kind)"
        )
    return found


def summary(facts: Facts) -> JSON:
    """The facts as a module returns them."""
    annotations = (facts.namespace or {}).get("metadata", {}).get("annotations") or {}
    # A project that is yet to be made gets its ids with it.
    uids = _pod_security.UIDS in annotations or (facts.namespace is None and bool({SCC, PROJECTS} & facts.groups))
    return {
        **_target_info.summary(facts.target),
        "user": facts.user,
        "api_groups": sorted(facts.groups & {ROUTES, PROJECTS, BUILDS, IMAGES, SCC}),
        "namespace_exists": facts.namespace is not None,
        "project_request": facts.by_request,
        "arbitrary_uid": uids,
        "domains": [facts.domain] if facts.domain else [],
        "registry": {"public": facts.registry, "internal": facts.internal_registry},
    }


def grant(rights: t.Iterable[Right], namespace: str, user: str, make_namespace: bool) -> str:
    """What an admin applies to let a user deploy, as YAML."""
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in sorted(rights):
        if not right.cluster_wide:
            verbs.setdefault((right.group, right.resource), []).append(right.verb)
    for (group, resource), found in verbs.items():
        rules.setdefault((group, tuple(found)), []).append(resource)
    metadata = {"name": "daskops-tenant", "namespace": namespace}
    api, version = "rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1"
    objects: list[JSON] = []
    if make_namespace:
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    objects.append(
        {
            "apiVersion": version,
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {"apiGroups": [group], "resources": resources, "verbs": list(found)}
                for (group, found), resources in rules.items()
            ],
        }
    )
    objects.append(
        {
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "Role", "name": metadata["name"]},
            "subjects": [_subject(user)],
        }
    )
    return str(yaml.safe_dump_all(objects, sort_keys=False))


def _subject(user: str) -> JSON:
    """A user or, by its full name, a service account."""
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        return {"kind": "ServiceAccount", "namespace": parts[2], "name": parts[3]}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}


def gather(cluster: Cluster, ask: Ask) -> Facts:
    """Ask the API server; what the user may not see is no error."""
    groups = frozenset(group["name"] for group in cluster.get("/apis")["groups"])
    projects = PROJECTS in groups
    with ThreadPoolExecutor(8) as pool:
        user = pool.submit(_user, cluster)
        namespace = pool.submit(_namespace.find, cluster, ask.namespace, projects)
        may_create = pool.submit(cluster.may, "", "", "namespaces", "create")
        refusal = pool.submit(_refusal, cluster) if projects else None
        domain = pool.submit(_domain, cluster)
        registry = pool.submit(_registries, cluster) if IMAGES in groups else None
        target = _target_info.gather(
            cluster,
            ask.namespace,
            create_namespace=False,
            route=ask.route and ROUTES in groups,
            route_host=ask.route_host,
            more=ask.rights(groups),
        )
        here = namespace.result() or target.namespace  # who may see the one and not the other is told so
        if here is None:
            # Who has requested a project is its admin, and who makes a namespace is not.
            missing = () if projects and not may_create.result() else target.missing
            target = replace(target, namespace=None, namespace_visible=False, missing=missing)
        public, internal = registry.result() if registry else ("", "")
        return Facts(
            groups=groups,
            user=user.result(),
            namespace=here,
            may_create=may_create.result(),
            refusal=refusal.result() if refusal else "",
            target=target,
            domain=domain.result(),
            registry=public,
            internal_registry=internal,
        )


def _user(cluster: Cluster) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
    except ApiError as error:
        if error.status != 404:
            raise
        return "the user"  # of a release that is too old, which is then said
    return str(answer["status"]["userInfo"]["username"])


def _refusal(cluster: Cluster) -> str:
    """Why the user may not request projects: to list requests is to ask that, and admins choose the words."""
    try:
        cluster.get(_namespace.REQUESTS)
    except ApiError as error:
        if error.status != 403:
            raise
        return error.reason.rstrip(".")
    return ""


def _domain(cluster: Cluster) -> str:
    ingress = cluster.find_visible(INGRESS)
    if ingress:
        return str(ingress["spec"].get("domain", ""))
    console = cluster.find_visible(CONSOLE)
    host = urlsplit(((console or {}).get("data") or {}).get("consoleURL", "")).hostname or ""
    return host.removeprefix(CONSOLE_HOST) if host.startswith(CONSOLE_HOST) else ""


def _registries(cluster: Cluster) -> tuple[str, str]:
    """By which hosts the integrated registry is reached from outside, if it is, and from inside, if there is one."""
    items = cluster.visible_items(SAMPLES, limit="1")
    if not items:
        return "", INTERNAL_REGISTRY
    status = items[0].get("status", {})
    public = str(status.get("publicDockerImageRepository", "")).partition("/")[0]
    return public, str(status.get("dockerImageRepository", "")).partition("/")[0]
