#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_preflight
short_description: Check a Dask deployment before anything is touched
version_added: 1.0.0
description:
  - Checks names, quantities and worker groups against each other, and the namespace, the storage class and a volume
    that is there against the cluster.
  - Adds up what the deployment asks for, and compares it with what the namespace's ResourceQuotas leave over, and each
    container with its LimitRanges. Objects that are counted are pods, volumes and Services.
  - Reports all problems at once.
  - Returns the groups with what the manifests need worked out.
  - Only reads.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._instance
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP
options:
  namespace_create:
    description: Whether the namespace may be created when it is not there.
    type: bool
    default: false
  namespace_exists:
    description:
      - Whether the namespace is there, if that is known already.
      - The cluster is asked otherwise. A namespace that the user may not read counts as one that is there.
    type: bool
  quota:
    description:
      - Hard limits of a ResourceQuota that the namespace is to get, such as C(requests.cpu).
      - They take the place of those of a ResourceQuota with the name of the deployment, if there is one.
    type: dict
    default: {}
  security_context:
    description: Further fields of the pods' security context, as Kubernetes takes it.
    type: dict
    default: {}
  pod_security:
    description:
      - Pod Security level that a namespace is made with.
      - It also holds for a namespace that the user may not read. Of any other, the label says it.
    type: str
    choices: [restricted, baseline, privileged]
    default: restricted
  arbitrary_uid:
    description:
      - Whether the cluster gives each namespace a user ID of its own, as OpenShift does.
      - What it gives is read from the namespace's annotations.
    type: bool
    default: false
  worker_groups:
    description: The groups of workers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the group, a DNS label.
        type: str
        required: true
      replicas:
        description: Number of workers.
        type: int
        default: 1
      cpu:
        description:
          - CPUs of one worker, a Kubernetes quantity; limit and, unless O(worker_groups[].cpu_request) says
            otherwise, request.
        type: str
        default: "1"
      memory:
        description:
          - Memory of one worker, a Kubernetes quantity; limit and, unless O(worker_groups[].memory_request)
            says otherwise, request.
        type: str
        default: 2Gi
      cpu_request:
        description: CPUs that are set aside for one worker.
        type: str
      memory_request:
        description: Memory that is set aside for one worker.
        type: str
      extended_resources:
        description: Further resources of one worker, such as C(nvidia.com/gpu).
        type: dict
        default: {}
      nthreads:
        description: Threads of one worker. By default the whole CPUs in O(worker_groups[].cpu), at least 1.
        type: int
      resources:
        description: Abstract resources that tasks can ask for, by name.
        type: dict
        default: {}
      env:
        description: Environment variables of the group's workers.
        type: dict
        default: {}
      image:
        description: Image of the group's workers, if not the deployment's.
        type: str
      node_selector:
        description: Labels that the nodes of the group must have.
        type: dict
        default: {}
      tolerations:
        description: Tolerations of the group's pods, as Kubernetes takes them.
        type: list
        elements: dict
        default: []
      affinity:
        description: Affinity of the group's pods, as Kubernetes takes it.
        type: dict
        default: {}
      priority_class:
        description: Priority class of the group's pods.
        type: str
      local_directory_size:
        description: Size limit of the volume that workers spill to, a Kubernetes quantity.
        type: str
        default: 10Gi
      extra_arguments:
        description: Further arguments of C(dask worker).
        type: list
        elements: str
        default: []
  scheduler:
    description: The scheduler's resources.
    type: dict
    required: true
    suboptions:
      cpu:
        description: CPUs, a Kubernetes quantity.
        type: str
        required: true
      memory:
        description: Memory, a Kubernetes quantity.
        type: str
        required: true
      exposure:
        description: How the scheduler is reached, as in the role's variable C(dask_scheduler_exposure).
        type: str
        default: port_forward
  notebook:
    description: The notebook, unless there is none.
    type: dict
    suboptions:
      cpu:
        description: CPUs, a Kubernetes quantity.
        type: str
        required: true
      memory:
        description: Memory, a Kubernetes quantity.
        type: str
        required: true
      persistent:
        description: Whether the notebook has a volume.
        type: bool
        default: true
      storage:
        description: Size of the volume, a Kubernetes quantity.
        type: str
        default: 10Gi
      storage_class:
        description: Storage class of the volume; the cluster's default one if it is empty.
        type: str
        default: ""
      password:
        description: The password that was given, to check its length.
        type: str
      exposure:
        description: How the notebook is reached, as in the role's variable C(dask_notebook_exposure).
        type: str
        default: port_forward
      host:
        description: Name by which it is reached through an Ingress or a Route. OpenShift makes one for a Route without.
        type: str
        default: ""
      domains:
        description: Domains that the router serves, of which a Route's host has to be. Empty if they are not known.
        type: list
        elements: str
        default: []
      sidecars:
        description: Containers beside the notebook's.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the container.
            type: str
            required: true
          cpu:
            description: CPUs, a Kubernetes quantity.
            type: str
            required: true
          memory:
            description: Memory, a Kubernetes quantity.
            type: str
            required: true
"""

EXAMPLES = r"""
- name: Check a deployment with a group of large workers
  daskops.kubernetes.dask_preflight:
    kubeconfig: ~/.kube/team.yaml
    context: team
    name: dask
    namespace: dask
    scheduler: {cpu: 500m, memory: 1Gi}
    worker_groups:
      - name: default
        replicas: 3
      - name: highmem
        replicas: 1
        cpu: 4
        memory: 64Gi

- name: Check one for a project of OpenShift that is to be made with a quota
  daskops.kubernetes.dask_preflight:
    kubeconfig: ~/.kube/team.yaml
    context: team
    name: dask
    namespace: dask
    namespace_create: true
    namespace_exists: false
    quota:
      requests.cpu: "8"
      requests.memory: 32Gi
    arbitrary_uid: true
    scheduler: {cpu: 500m, memory: 1Gi}
    worker_groups:
      - name: default
        replicas: 3
"""

RETURN = r"""
worker_groups:
  description:
    - The groups with C(requests), C(limits), C(nthreads), and C(memory_limit) and C(max_spill) (bytes, for Dask)
      worked out.
  returned: success
  type: list
  elements: dict
namespace_exists:
  description: Whether the namespace is there, or null if the user may not know, and it is taken to be there.
  returned: success
  type: bool
namespace_limited:
  description: Whether the namespace has a ResourceQuota or LimitRange that was made for the deployment.
  returned: success
  type: bool
quota_checked:
  description:
    - Whether all ResourceQuotas and LimitRanges of the namespace could be read.
    - V(false) where the user may not list them, or not what the deployment has of them.
  returned: success
  type: bool
problems:
  description: All that is wrong, a sentence each.
  returned: failure
  type: list
  elements: str
"""

import contextlib
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import (
    _kube,
    _pod_security,
    _preflight,
    _preflight_facts,
    _quota,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE, WORKER_GROUP
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module

if t.TYPE_CHECKING:
    from decimal import Decimal

with contextlib.suppress(ImportError):  # reported with _kube's own
    from kubernetes.utils import parse_quantity

RESOURCES = {"cpu": {"type": "str", "required": True}, "memory": {"type": "str", "required": True}}
SCHEDULER = {**RESOURCES, "exposure": {"type": "str", "default": "port_forward"}}
NOTEBOOK = {
    **RESOURCES,
    "persistent": {"type": "bool", "default": True},
    "storage": {"type": "str", "default": "10Gi"},
    "storage_class": {"type": "str", "default": ""},
    "password": {"type": "str", "no_log": True},
    "exposure": {"type": "str", "default": "port_forward"},
    "host": {"type": "str", "default": ""},
    "domains": {"type": "list", "elements": "str", "default": []},
    "sidecars": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, **RESOURCES},
    },
}


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number; raises ValueError."""
    number = t.cast("Decimal", parse_quantity(text))
    if not number.is_finite():
        raise ValueError(text)
    return number


def check(params: dict[str, t.Any], connect: t.Callable[[], _kube.Cluster]) -> dict[str, t.Any]:
    """All checks: first those that need no cluster, then those that do; raises with all problems at once."""
    problems: list[str] = []
    _preflight.check_service_name(params["name"], "the deployment's name", problems, longest=30)
    _preflight.check_name(params["namespace"], "the namespace", problems)
    asked = _preflight.check_input(params, quantity, problems)
    _quota.check_hard(params["quota"], quantity, problems)
    _pod_security.check_types(params["security_context"], problems)
    where = params["target"] or params["context"] or "the cluster"
    facts = None
    # An input that cannot be is reported though the cluster may not answer.
    if not problems:
        cluster = connect()
        where = cluster.name
        instance = Instance(params["name"], params["namespace"])
        facts = _preflight_facts.gather(cluster, instance, params["namespace_exists"], asked.volume is not None)
        _preflight.check_facts(params, asked, facts, quantity, problems)
    if problems or facts is None:
        raise DaskopsError(
            f"Dask {params['namespace']}/{params['name']} on {where} cannot be deployed, and nothing was touched: "
            f"{'; '.join(problems)}.",
            problems=problems,
        )
    return {
        "worker_groups": asked.groups,
        "namespace_exists": facts.namespace_exists,
        "namespace_limited": facts.limited_by(Instance(params["name"], params["namespace"])),
        "quota_checked": facts.quota_checked,
    }


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "namespace_create": {"type": "bool", "default": False},
            "namespace_exists": {"type": "bool"},
            "quota": {"type": "dict", "default": {}},
            "security_context": {"type": "dict", "default": {}},
            "pod_security": {
                "type": "str",
                "choices": ["restricted", "baseline", "privileged"],
                "default": "restricted",
            },
            "arbitrary_uid": {"type": "bool", "default": False},
            "worker_groups": {"type": "list", "elements": "dict", "required": True, "options": WORKER_GROUP},
            "scheduler": {"type": "dict", "required": True, "options": SCHEDULER},
            "notebook": {"type": "dict", "options": NOTEBOOK},
        },
        lambda module: check(module.params, lambda: _kube.Cluster(module.params, module.params["target"])),
    )


if __name__ == "__main__":
    main()
