# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""The namespace of a deployment: what there is, what follows from it, and doing it.

On OpenShift whoever may not make namespaces requests projects, and sees one where others see a namespace.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply, _pod_security
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import FIELD_MANAGER, MANAGED_BY, Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import APPLY_PATCH, ApiError, Cluster

with contextlib.suppress(ImportError):  # it comes with the Kubernetes client, whose absence the module reports
    from kubernetes.utils import parse_quantity

JSON = dict[str, t.Any]
_T = t.TypeVar("_T")

API = "/apis/project.openshift.io/v1"
PROJECTS = f"{API}/projects"
REQUESTS = f"{API}/projectrequests"
DESCRIPTION = "openshift.io/description"

# What is made in a namespace with it.
LIMITS = {"ResourceQuota": "resourcequotas", "LimitRange": "limitranges"}

# Whatever of these others have in a namespace keeps it, but for what comes with each; of optional kinds, what is seen.
_FOREIGN = (
    _apply.Kind("Pod", "pods"),
    *(kind for kind in _apply.KINDS if not kind.optional),
    _apply.Kind("StatefulSet", "statefulsets", "apps/v1"),
    _apply.Kind("Job", "jobs", "batch/v1"),
    _apply.Kind("CronJob", "cronjobs", "batch/v1", optional=True),
    _apply.Kind("DeploymentConfig", "deploymentconfigs", "apps.openshift.io/v1", optional=True),
    _apply.Kind("BuildConfig", "buildconfigs", "build.openshift.io/v1", optional=True),
    _apply.Kind("ImageStream", "imagestreams", "image.openshift.io/v1", optional=True),
    _apply.Kind("Pipeline", "pipelines", "tekton.dev/v1", optional=True),
    _apply.Kind("Task", "tasks", "tekton.dev/v1", optional=True),
)
_IN_EACH_NAMESPACE = {
    ("ConfigMap", "kube-root-ca.crt"),
    ("ConfigMap", "openshift-service-ca.crt"),
    ("ServiceAccount", "default"),
    ("ServiceAccount", "builder"),
    ("ServiceAccount", "deployer"),
    ("ServiceAccount", "pipeline"),  # OpenShift Pipelines', which may take its time
}
# What a project template and operators make with a namespace, and how soon they do. Whatever may be somebody's work or
# data is of none of these kinds, as somebody may be as quick.
_WITH_NAMESPACE = {"NetworkPolicy", "ServiceAccount"}
_SOON = datetime.timedelta(seconds=60)
# By these labels and annotations OpenShift fills a ConfigMap with certificates.
_INJECTED = ("config.openshift.io/inject-trusted-cabundle", "service.beta.openshift.io/inject-cabundle")
_OF_ACCOUNTS = {"kubernetes.io/service-account-token", "kubernetes.io/dockercfg"}  # types of Secrets
_OF_BUILDS = {"Build", "Pod"}  # what OpenShift's builds make is owned by these, and goes with them
_OF_IMAGE = {MANAGED_BY: "daskops", "app.kubernetes.io/component": "image"}  # the role image's


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A namespace as asked for; C(request) makes it by a request for a project."""

    instance: Instance
    create: bool = False
    request: bool = False
    pod_security: str = "restricted"
    quota: JSON = dataclasses.field(default_factory=dict)
    limits: t.Sequence[JSON] = ()

    @property
    def description(self) -> str:
        """By what a project is known as the deployment's: its requester can put nothing else on it."""
        return f"Dask deployment {self.instance.name}, made by daskops"

    def namespace(self) -> JSON:
        """The object that makes it."""
        name = self.instance.namespace
        if self.request:
            return {
                "apiVersion": "project.openshift.io/v1",
                "kind": "ProjectRequest",
                "metadata": {"name": name},
                "description": self.description,
            }
        labels = {
            "app.kubernetes.io/name": "dask",
            **self.instance.own_labels,
            _pod_security.ENFORCE: self.pod_security,
        }
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}

    def restrictions(self) -> dict[str, JSON]:
        """ResourceQuota and LimitRange, as far as they are asked for."""
        specs: dict[str, JSON] = {}
        if self.quota:
            specs["ResourceQuota"] = {"hard": {key: str(value) for key, value in self.quota.items()}}
        if self.limits:
            specs["LimitRange"] = {"limits": list(self.limits)}
        metadata = {"name": self.instance.name, "labels": self.instance.labels("namespace")}
        return {
            kind: {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec} for kind, spec in specs.items()
        }


@dataclasses.dataclass(frozen=True)
class Found:
    """What is there; what the user may not see is None."""

    namespace: JSON | None = None
    restrictions: t.Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    can_restrict: bool = True


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to make, to apply and to delete, in this order."""

    make: JSON | None = None
    apply: tuple[JSON, ...] = ()
    delete: tuple[str, ...] = ()  # of LIMITS

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.make or self.apply or self.delete)


def plan(wanted: Wanted, found: Found) -> Plan:
    """Decide; raises where it cannot be."""
    name = wanted.instance.namespace
    make = None
    if found.namespace is None:
        if not wanted.create:
            raise DaskopsError(f"namespace {name} does not exist and may not be created; have it created first")
        make = wanted.namespace()
    restrictions = wanted.restrictions()
    apply = tuple(
        item for kind, item in restrictions.items() if not _same(item["spec"], found.restrictions.get(kind, {}))
    )
    ours = [kind for kind, live in found.restrictions.items() if is_ours(live, wanted.instance)]
    delete = tuple(kind for kind in ours if kind not in restrictions)
    if (apply or delete) and not found.can_restrict:
        kinds = " and ".join([*(item["kind"] for item in apply), *delete])
        raise DaskopsError(
            f"the user may not change the {kinds} of namespace {name}; have an admin of the cluster do it"
        )
    return Plan(make, apply, delete)


def is_ours(item: JSON, instance: Instance) -> bool:
    """Whether limits were made with a namespace for a deployment."""
    labels = item["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in instance.labels("namespace").items())


def _same(spec: JSON, live: JSON) -> bool:
    """Whether a specification is what is there, however its quantities are written."""
    wanted, there = _normal(spec), _normal(live.get("spec", {}))
    for one, other in zip(wanted.get("limits", []), there.get("limits", []), strict=False):
        # Kubernetes works these out from the other fields where they are not given.
        for field in ("default", "defaultRequest"):
            found, asked = other.pop(field, {}), one.get(field, {})
            one[field] = {key: found.get(key) for key in asked} == asked
            other[field] = True
    return bool(wanted == there)


def _normal(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _normal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_normal(each) for each in value]
    with contextlib.suppress(ValueError):
        return parse_quantity(value)
    return value


def gather(cluster: Cluster, wanted: Wanted) -> Found:
    """Look; whoever may not see limits has none that count here."""
    name, here = wanted.instance.namespace, wanted.instance.path
    with ThreadPoolExecutor(4) as pool:
        namespace = pool.submit(find, cluster, name, wanted.request)
        limits = {kind: pool.submit(cluster.visible_items, here(plural)) for kind, plural in LIMITS.items()}
        asked = bool(wanted.quota or wanted.limits)
        may = pool.submit(may_restrict, cluster, name) if asked else None
        live = {
            kind: {"apiVersion": "v1", "kind": kind, **item}
            for kind, future in limits.items()
            for item in future.result() or []
            if item["metadata"]["name"] == wanted.instance.name
        }
        return Found(namespace.result(), live, may.result() if may else True)


def find(cluster: Cluster, name: str, request: bool) -> JSON | None:
    """The namespace or, where projects are requested, the project; an empty one if it may only be believed in.

    OpenShift does not tell a project that is not there from one of others.
    """
    path = f"{PROJECTS}/{name}" if request else f"/api/v1/namespaces/{name}"
    try:
        return cluster.find(path)
    except ApiError as error:
        if error.status != 403:
            raise
        return None if request else {"metadata": {"name": name}}


def look_into(cluster: Cluster, name: str, look: t.Callable[[], _T]) -> _T | None:
    """What C(look) finds in a namespace, or None where OpenShift shows the user nothing of it.

    OpenShift forbids what is in a project that is not there.  Who may see any of one that is there is told so.
    """
    try:
        return look()
    except ApiError as error:
        if error.status != 403 or not _is_hidden(cluster, name):
            raise
        return None


def _is_hidden(cluster: Cluster, name: str) -> bool:
    """Whether the user may see neither a namespace nor its project, nor anything that a deployment has in it."""
    if cluster.find_visible(API) is None:
        return False  # elsewhere who has no rights has to ask for them
    if any(cluster.find_visible(path) is not None for path in (f"/api/v1/namespaces/{name}", f"{PROJECTS}/{name}")):
        return False
    kinds = [kind for kind in _apply.KINDS if not kind.optional]
    return not any(cluster.may(name, kind.group_version.rpartition("/")[0], kind.plural, "list") for kind in kinds)


def may_restrict(cluster: Cluster, namespace: str) -> bool:
    """Whether the user may have ResourceQuotas and LimitRanges in a namespace, which OpenShift keeps for admins."""
    rights = [(plural, verb) for plural in LIMITS.values() for verb in ("create", "patch", "delete")]
    return all(cluster.may(namespace, "", plural, verb) for plural, verb in rights)


def carry_out(cluster: Cluster, wanted: Wanted, steps: Plan) -> None:
    """Do what the plan says."""
    name = wanted.instance.namespace
    if steps.make:
        try:
            cluster.send("POST", REQUESTS if wanted.request else "/api/v1/namespaces", steps.make)
        except ApiError as error:
            if error.status == 409:
                raise DaskopsError(
                    f"Cluster {cluster.name}: project {name} is there already and belongs to somebody else; "
                    "choose another name, or have its owner let you in."
                ) from error
            raise
    for item in steps.apply:
        path = wanted.instance.path(LIMITS[item["kind"]], item["metadata"]["name"])
        cluster.send("PATCH", path, item, APPLY_PATCH, fieldManager=FIELD_MANAGER, force="true")
    for kind in steps.delete:
        cluster.send("DELETE", wanted.instance.path(LIMITS[kind], wanted.instance.name), {})


def diff(found: Found, steps: Plan) -> JSON:
    """Before and after, as Ansible shows it."""
    before: list[JSON] = [_apply.shown(item) for item in found.restrictions.values()]
    after = [copy.deepcopy(item) for item in before if item["kind"] not in steps.delete]
    for item in (*((steps.make,) if steps.make else ()), *steps.apply):
        after = [each for each in after if each["kind"] != item["kind"]]
        after.append(item)
    return {"before": {item["kind"]: item for item in before}, "after": {item["kind"]: item for item in after}}


def why_keep(cluster: Cluster, wanted: Wanted, namespace: JSON) -> str:
    """Why the namespace is not to be deleted with the deployment; empty if it is."""
    instance, metadata = wanted.instance, namespace["metadata"]
    made = wanted.namespace()["metadata"].get("labels", {})
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    marked = all(labels.get(key) == made[key] for key in made if key != _pod_security.ENFORCE)
    if not (annotations.get(DESCRIPTION) == wanted.description if wanted.request else marked):
        return f"namespace {instance.namespace} was not made for {instance}"
    for kind in _FOREIGN:
        path = instance.path(kind.plural, group_version=kind.group_version)
        list_all = cluster.visible_items if kind.optional else cluster.items
        for item in list_all(path) or []:
            if not instance.owns(item) and not _is_nobodys(kind.kind, item, namespace):
                name = item["metadata"]["name"]
                return f"namespace {instance.namespace} has objects of others, such as {kind.kind}/{name}"
    return ""


def _is_nobodys(kind: str, item: JSON, namespace: JSON) -> bool:
    """Whether an object came with its namespace or a build; when in doubt, somebody has made it."""
    metadata = item["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    owners = {owner["kind"] for owner in metadata.get("ownerReferences") or []}
    if (kind, metadata["name"]) in _IN_EACH_NAMESPACE or item.get("type") in _OF_ACCOUNTS or owners & _OF_BUILDS:
        return True
    if _OF_IMAGE.items() <= labels.items():
        return True
    if kind == "ConfigMap":
        injected = any({**labels, **annotations}.get(key) == "true" for key in _INJECTED)
        return _has_only_certificates(item) and (injected or _came_with(metadata, namespace))
    return kind in _WITH_NAMESPACE and _came_with(metadata, namespace)


def _has_only_certificates(config_map: JSON) -> bool:
    keys = config_map.get("data") or {}
    return bool(keys) and not config_map.get("binaryData") and all(key.endswith(".crt") for key in keys)


def _came_with(metadata: JSON, namespace: JSON) -> bool:
    """Whether an object was made as soon as its namespace; by their names nobody could tell."""
    stamps = [each.get("creationTimestamp") for each in (metadata, namespace["metadata"])]
    if not all(stamps):
        return False
    made, since = (datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ") for stamp in t.cast("list[str]", stamps))
    return abs(made - since) <= _SOON


def remove(cluster: Cluster, wanted: Wanted) -> None:
    """Ask for the namespace's end."""
    root = PROJECTS if wanted.request else "/api/v1/namespaces"
    cluster.send("DELETE", f"{root}/{wanted.instance.namespace}", {})
