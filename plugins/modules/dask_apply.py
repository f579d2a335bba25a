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
  - Refuses to touch anything if one of the objects is there without the deployment's labels
    C(app.kubernetes.io/managed-by) and C(app.kubernetes.io/instance), as it is somebody else's.
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
      - V(when_idle) fails, with nothing changed, if there are unfinished tasks or results in memory, or if a scheduler
        that runs does not answer.
    type: str
    choices: [when_idle, always, never]
    default: when_idle
  account_pull_secrets:
    description:
      - Whether the cluster gives service accounts pull secrets for its own registry, as OpenShift does. Pods are made
        when they have them, as those that are made before cannot pull from there.
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

- name: Remove a deployment with its volumes
  daskops.kubernetes.dask_apply:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    state: absent
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
"""

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply, _kube, _namespace, _rollout
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

JSON = dict[str, t.Any]


def present(cluster: _kube.Cluster, instance: Instance, params: JSON, check_mode: bool) -> JSON:
    """Apply and prune; returns the module's result."""
    desired = _apply.with_route_keys(params["objects"] or [], params["route_keys"] or {})
    has_namespace = _namespace.find(cluster, instance.namespace, request=False) is not None
    live = _apply.fetch(cluster, instance) if has_namespace else {}
    plan = _apply.plan(desired, live)
    if has_namespace:
        new = [key for key in map(_apply.key_of, desired) if key not in live]
        _apply.refuse_foreign(cluster, instance, new)
        _guard_scheduler(cluster, instance, params["scheduler_rollout"], desired, live)
    anew = _apply.made_anew(desired, live)
    if not check_mode:
        for key in anew:
            _apply.delete(cluster, instance, key, "Background")

    def apply(item: JSON) -> JSON:
        if check_mode and _apply.key_of(item) in anew:  # the server would refuse the change
            return item
        return _apply.apply(cluster, instance, item, check_mode)

    result: dict[_apply.Key, JSON] = {}
    with ThreadPoolExecutor(8) as pool:
        for wave in plan.waves:
            if not has_namespace:
                result.update({_apply.key_of(item): item for item in wave})
                continue
            if params["account_pull_secrets"] and not check_mode and _apply.WORKLOADS & {item["kind"] for item in wave}:
                _apply.wait_for_pull_secrets(cluster, instance)
            answers = pool.map(apply, wave)
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
    """Delete all that is the deployment's; returns the module's result."""
    name, live = instance.namespace, None
    if _namespace.find(cluster, name, request=False):
        live = _namespace.look_into(cluster, name, lambda: _apply.fetch(cluster, instance))
    plan = _apply.plan([], live or {}, absent=True)
    if not check_mode and live is not None:
        for key in plan.prune:
            _apply.delete(cluster, instance, key)
        _wait_until_gone(cluster, instance, params["timeout"], progress)
    return {
        "changed": bool(plan.prune),
        "created": [],
        "updated": [],
        "removed": _names(plan.prune),
        "diff": {"before": "".join(f"{name}\n" for name in _names(plan.prune)), "after": ""},
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
    _rollout.guard(cluster, instance, policy, "the change")


def _wait_until_gone(cluster: _kube.Cluster, instance: Instance, timeout: int, progress: Progress) -> None:
    def left() -> list[str]:
        pods = cluster.items(instance.path("pods"), labelSelector=instance.selector)
        return [f"Pod/{pod['metadata']['name']}" for pod in pods] + _names(_apply.fetch(cluster, instance))

    where = f"Cluster {cluster.name}: {instance}"
    _apply.wait_until_gone(where, left, timeout, progress)


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
            "account_pull_secrets": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 180},
        },
        work,
        required_if=[("state", "present", ("objects",))],
    )


if __name__ == "__main__":
    main()
