#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_apply
short_description: Apply or remove all objects of a Dask deployment
version_added: 1.0.0
description:
  - Applies a deployment's objects by server-side apply, side by side, and removes those of its objects that are no
    longer among them,
    such as the Deployment of a group that was dropped.
  - Secrets and volume claims are removed only with the whole deployment.
  - Refuses to restart a scheduler whose tasks or results would be lost, unless O(scheduler_rollout) allows it.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._instance
  - daskops.kubernetes._attributes
  - daskops.kubernetes._attributes.ACTIONGROUP
attributes:
  check_mode:
    support: full
    details: By the API server's dry run, so that its validation and admission take part.
  diff_mode:
    support: full
    details: Data of Secrets is hidden.
  idempotent:
    support: full
options:
  state:
    description: Whether the deployment's objects are there or not.
    type: str
    choices: [present, absent]
    default: present
  objects:
    description:
      - The objects as Kubernetes takes them, all in O(namespace) and with the deployment's labels.
      - Required with O(state=present).
    type: list
    elements: dict
  route_keys:
    description:
      - Private keys in PEM of Routes among O(objects), by the Routes' names. They go to C(spec.tls.key).
      - Given here rather than in O(objects), they are in no log.
    type: dict
  scheduler_rollout:
    description:
      - When a change may restart the scheduler, which loses its tasks and what the workers hold.
      - V(when_idle) fails, with nothing changed, if there are unfinished tasks or results in memory.
    type: str
    choices: [when_idle, always, never]
    default: when_idle
  delete_namespace:
    description:
      - With O(state=absent), whether to delete the namespace too.
      - It stays if the collection did not make it, or if others have objects in it.
    type: bool
    default: false
  timeout:
    description: With O(state=absent), how long to wait until all is gone, in seconds.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Apply what the templates make
  daskops.kubernetes.dask_apply:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    objects: "{{ lookup('ansible.builtin.template', 'dask.yaml.j2') | from_yaml_all }}"

- name: Remove a deployment with its volumes and its namespace
  daskops.kubernetes.dask_apply:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    state: absent
    delete_namespace: true
"""

RETURN = r"""
created:
  description: Objects that were made, as C(Kind/name).
  returned: success
  type: list
  elements: str
updated:
  description: Objects that were changed.
  returned: success
  type: list
  elements: str
removed:
  description: Objects that were removed.
  returned: success
  type: list
  elements: str
seconds:
  description: How long it took.
  returned: success
  type: float
kept:
  description: Why the namespace stayed, if it did though O(delete_namespace=true).
  returned: success
  type: str
"""

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply, _kube, _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

JSON = dict[str, t.Any]

# Whatever of these others have in a namespace keeps it; what Kubernetes itself puts into each is no one's.
_FOREIGN = (
    _apply.Kind("Pod", "pods"),
    *(kind for kind in _apply.KINDS if not kind.optional),
    _apply.Kind("StatefulSet", "statefulsets", "apps/v1"),
    _apply.Kind("Job", "jobs", "batch/v1"),
)
_IN_EACH_NAMESPACE = {"kube-root-ca.crt", "openshift-service-ca.crt", "default", "builder", "deployer"}


def present(cluster: _kube.Cluster, instance: Instance, params: JSON, check_mode: bool) -> JSON:
    """Apply and prune; returns the module's result."""
    desired = _apply.with_route_keys(params["objects"] or [], params["route_keys"] or {})
    has_namespace = cluster.find(f"/api/v1/namespaces/{instance.namespace}") is not None
    live = _apply.fetch(cluster, instance) if has_namespace else {}
    plan = _apply.plan(desired, live)
    if has_namespace:
        _guard_scheduler(cluster, instance, params["scheduler_rollout"], desired, live)
    result: dict[_apply.Key, JSON] = {}
    with ThreadPoolExecutor(8) as pool:
        for wave in plan.waves:
            if not has_namespace:
                result.update({_apply.key_of(item): item for item in wave})
                continue
            answers = pool.map(lambda item: _apply.apply(cluster, instance, item, check_mode), wave)
            result.update({_apply.key_of(item): answer for item, answer in zip(wave, answers, strict=True)})
    created = [key for key in result if key not in live]
    updated = [key for key in result if key in live and _changed(live[key], result[key], check_mode)]
    if not check_mode:
        for key in plan.prune:
            _apply.delete(cluster, instance, key)
    return {
        "changed": bool(created or updated or plan.prune),
        "created": _names(created),
        "updated": _names(updated),
        "removed": _names(plan.prune),
        "kept": "",
        "diff": [
            {
                "before_header": "/".join(key),
                "after_header": "/".join(key),
                "before": _apply.shown(live.get(key)),
                "after": _apply.shown(result.get(key)),
            }
            for key in (*created, *updated, *plan.prune)
        ],
    }


def absent(cluster: _kube.Cluster, instance: Instance, params: JSON, check_mode: bool, progress: Progress) -> JSON:
    """Delete all that is the deployment's, and its namespace; returns the module's result."""
    namespace = cluster.find(f"/api/v1/namespaces/{instance.namespace}")
    live = _apply.fetch(cluster, instance) if namespace else {}
    plan = _apply.plan([], live, absent=True)
    removed, kept = list(plan.prune), ""
    if namespace and params["delete_namespace"]:
        kept = _why_keep(cluster, instance, namespace, set(live))
        if not kept:
            removed.append(("Namespace", instance.namespace))
    if not check_mode:
        for key in plan.prune:
            _apply.delete(cluster, instance, key)
        _wait_until_gone(cluster, instance, params["timeout"], progress)
        if ("Namespace", instance.namespace) in removed:
            cluster.send("DELETE", f"/api/v1/namespaces/{instance.namespace}", {})
            _wait_until_no_namespace(cluster, instance, params["timeout"], progress)
    return {
        "changed": bool(removed),
        "created": [],
        "updated": [],
        "removed": _names(removed),
        "kept": kept,
        "diff": {"before": "".join(f"{name}\n" for name in _names(removed)), "after": ""},
    }


def _changed(before: JSON, after: JSON, check_mode: bool) -> bool:
    if check_mode:
        after = {"apiVersion": before["apiVersion"], **after}
        return _apply.shown(before, secrets=True) != _apply.shown(after, secrets=True)
    return bool(before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"])


def _guard_scheduler(
    cluster: _kube.Cluster, instance: Instance, policy: str, desired: list[JSON], live: dict[_apply.Key, JSON]
) -> None:
    """Fail before anything is changed, if the scheduler would restart and must not."""
    key = ("Deployment", f"{instance.name}-scheduler")
    wanted = next((item for item in desired if _apply.key_of(item) == key), None)
    if policy == "always" or wanted is None or key not in live:
        return
    after = _apply.apply(cluster, instance, wanted, dry_run=True)
    if after["spec"]["template"] == live[key]["spec"]["template"]:
        return
    what = f"Cluster {cluster.name}: the change would restart the scheduler of {instance}"
    if policy == "never":
        raise DaskopsError(f"{what}, which dask_scheduler_rollout=never forbids; nothing was changed.")
    pods = cluster.items(instance.path("pods"), labelSelector=instance.selector)
    pod = _scheduler.scheduler_pod(pods)
    if pod is None:
        return  # there is no state to lose
    with _scheduler.connect(cluster, instance, pod) as source:
        lost = source.read().busy
    if lost:
        raise DaskopsError(
            f"{what} and lose {lost}; nothing was changed: run this again when it is idle, or with "
            "dask_scheduler_rollout=always."
        )


def _why_keep(cluster: _kube.Cluster, instance: Instance, namespace: JSON, ours: set[_apply.Key]) -> str:
    labels = namespace["metadata"].get("labels") or {}
    mine = {"app.kubernetes.io/managed-by": "daskops", "app.kubernetes.io/instance": instance.name}
    if any(labels.get(key) != value for key, value in mine.items()):
        return f"namespace {instance.namespace} was not made for {instance}"
    selector = f"app.kubernetes.io/instance!={instance.name}"
    for kind in _FOREIGN:
        path = instance.path(kind.plural, group_version=kind.group_version)
        for item in cluster.items(path, labelSelector=selector):
            name = item["metadata"]["name"]
            if (kind.kind, name) not in ours and name not in _IN_EACH_NAMESPACE:
                return f"namespace {instance.namespace} has objects of others, such as {kind.kind}/{name}"
    return ""


def _wait_until_gone(cluster: _kube.Cluster, instance: Instance, timeout: int, progress: Progress) -> None:
    def left() -> list[str]:
        pods = cluster.items(instance.path("pods"), labelSelector=instance.selector)
        return [f"Pod/{pod['metadata']['name']}" for pod in pods] + _names(_apply.fetch(cluster, instance))

    _poll(cluster, instance, timeout, progress, left)


def _wait_until_no_namespace(cluster: _kube.Cluster, instance: Instance, timeout: int, progress: Progress) -> None:
    path = f"/api/v1/namespaces/{instance.namespace}"
    _poll(cluster, instance, timeout, progress, lambda: ["Namespace"] if cluster.find(path) else [])


def _poll(
    cluster: _kube.Cluster, instance: Instance, timeout: int, progress: Progress, left: t.Callable[[], list[str]]
) -> None:
    end, pause = time.monotonic() + timeout, 0.25
    while remaining := left():
        if time.monotonic() > end:
            raise DaskopsError(
                f"Cluster {cluster.name}: {instance} is not gone after {timeout} s: {', '.join(remaining[:5])} "
                f"({len(remaining)} in all) remain; look for finalizers on them."
            )
        progress.say(f"{len(remaining)} objects are left to go, such as {remaining[0]}")
        time.sleep(pause)
        pause = min(pause * 1.5, 2)


def _names(keys: t.Iterable[_apply.Key]) -> list[str]:
    return ["/".join(key) for key in keys]


def work(module: AnsibleModule) -> JSON:
    """Do what the parameters say, and time it."""
    params, start = module.params, time.monotonic()
    instance = Instance(params["name"], params["namespace"])
    cluster = _kube.Cluster(params, params["target"])
    if params["state"] == "present":
        result = present(cluster, instance, params, module.check_mode)
    else:
        result = absent(cluster, instance, params, module.check_mode, Progress())
    return {"seconds": round(time.monotonic() - start, 2), **result}


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "objects": {"type": "list", "elements": "dict"},
            "route_keys": {"type": "dict", "no_log": True},
            "scheduler_rollout": {
                "type": "str",
                "choices": ["when_idle", "always", "never"],
                "default": "when_idle",
            },
            "delete_namespace": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 180},
        },
        work,
        required_if=[("state", "present", ("objects",))],
    )


if __name__ == "__main__":
    main()
