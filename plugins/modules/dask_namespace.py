#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_namespace
short_description: Make or remove the namespace of a Dask deployment, and its limits
version_added: 1.0.0
description:
  - Makes a namespace or, on OpenShift, requests a project, and puts a ResourceQuota and a LimitRange into it.
  - A namespace that is there is left as it is, but for those two.
  - Removes a namespace only if it was made for the deployment and nobody else has anything in it.
  - NetworkPolicies and ServiceAccounts that were made within a minute of the namespace came with it and do not keep it,
    nor do ConfigMaps of nothing but certificates (C(*.crt)) that were, or that OpenShift fills. Of workloads, volumes,
    Secrets and other ConfigMaps each that is not the deployment's keeps it.
  - Custom resources keep no namespace, but for Pipelines and Tasks of OpenShift Pipelines.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._instance
  - daskops.kubernetes._attributes
  - daskops.kubernetes._attributes.ACTIONGROUP
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: Whether the namespace is there or not.
    type: str
    choices: [present, absent]
    default: present
  create:
    description:
      - Whether the namespace may be made if it is not there.
      - With O(state=absent), whether it may be removed. ResourceQuota and LimitRange are removed in any case.
    type: bool
    default: true
  project_request:
    description:
      - Whether it is made by a request for a project, as whoever is no admin of an OpenShift cluster makes one.
      - The project is known as the deployment's by its description.
    type: bool
    default: false
  pod_security:
    description: Pod Security level that a namespace enforces. A project has the cluster's.
    type: str
    choices: [restricted, baseline, privileged]
    default: restricted
  quota:
    description:
      - Hard limits of a ResourceQuota named after the deployment, by what they limit, such as C(requests.memory).
      - Without any, there is none.
    type: dict
    default: {}
  limit_range:
    description:
      - Limits of a LimitRange, as Kubernetes takes them. It is named after the deployment.
      - Without any, there is none.
    type: list
    elements: dict
    default: []
  timeout:
    description: With O(state=absent), how long to wait until the namespace is gone, in seconds.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: A namespace of at most 64 GiB
  daskops.kubernetes.dask_namespace:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    quota:
      requests.memory: 64Gi
      limits.memory: 64Gi

- name: A project of OpenShift, for whoever may request one
  daskops.kubernetes.dask_namespace:
    host: https://api.cluster.example.com:6443
    api_key: "{{ token }}"
    namespace: dask
    project_request: true
"""

RETURN = r"""
existed:
  description: Whether the namespace was there.
  returned: success
  type: bool
kept:
  description: Why the namespace stayed, if it did though it might have been removed.
  returned: success
  type: str
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply, _kube, _namespace
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

JSON = dict[str, t.Any]


def present(cluster: _kube.Cluster, wanted: _namespace.Wanted, check_mode: bool) -> JSON:
    """Have the namespace; returns the module's result."""
    found = _namespace.gather(cluster, wanted)
    try:
        steps = _namespace.plan(wanted, found)
    except DaskopsError as error:
        raise DaskopsError(f"Cluster {cluster.name}: {error.message}.") from error
    if not check_mode:
        _namespace.carry_out(cluster, wanted, steps)
    return {
        "changed": steps.changes,
        "existed": found.namespace is not None,
        "kept": "",
        "diff": _namespace.diff(found, steps),
    }


def absent(cluster: _kube.Cluster, wanted: _namespace.Wanted, timeout: float, check_mode: bool) -> JSON:
    """Have it gone, if it is the deployment's alone; returns the module's result."""
    found = _namespace.gather(cluster, wanted)
    if found.namespace is None:
        return {"changed": False, "existed": False, "kept": "", "diff": {"before": {}, "after": {}}}
    instance = wanted.instance
    kept = _namespace.why_keep(cluster, wanted, found.namespace) if wanted.create else ""
    go = wanted.create and not kept
    # With the namespace all of it goes.
    steps = _namespace.Plan() if go else _namespace.plan(wanted, found)
    if not check_mode:
        _namespace.carry_out(cluster, wanted, steps)
        if go:
            _namespace.remove(cluster, wanted)

            def left() -> list[str]:
                return ["Namespace"] if _namespace.find(cluster, instance.namespace, wanted.request) else []

            where = f"Cluster {cluster.name}: namespace {instance.namespace}"
            _apply.wait_until_gone(where, left, timeout, Progress())
    diff = _namespace.diff(found, steps)
    if go:
        diff["before"]["Namespace"], diff["after"] = instance.namespace, {}
    return {"changed": go or steps.changes, "existed": True, "kept": kept, "diff": diff}


def work(module: AnsibleModule) -> JSON:
    """Do what the parameters say."""
    params = module.params
    cluster = _kube.Cluster(params, params["target"])
    there = params["state"] == "present"
    wanted = _namespace.Wanted(
        instance=Instance(params["name"], params["namespace"]),
        create=params["create"],
        request=params["project_request"],
        pod_security=params["pod_security"],
        quota=params["quota"] if there else {},
        limits=params["limit_range"] if there else (),
    )
    if there:
        return present(cluster, wanted, module.check_mode)
    return absent(cluster, wanted, params["timeout"], module.check_mode)


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "create": {"type": "bool", "default": True},
            "project_request": {"type": "bool", "default": False},
            "pod_security": {
                "type": "str",
                "choices": ["restricted", "baseline", "privileged"],
                "default": "restricted",
            },
            "quota": {"type": "dict", "default": {}},
            "limit_range": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "int", "default": 180},
        },
        work,
    )


if __name__ == "__main__":
    main()
