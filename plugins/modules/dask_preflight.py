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
  - Checks names, quantities and worker groups against each other, and the namespace and storage class against the
    cluster.
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
        description: Name by which it is reached through an Ingress.
        type: str
        default: ""
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
"""

RETURN = r"""
worker_groups:
  description:
    - The groups with C(requests), C(limits), C(nthreads) and C(memory_limit) (bytes, for Dask) worked out.
  returned: success
  type: list
  elements: dict
namespace_exists:
  description: Whether the namespace is there.
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

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _preflight
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE, WORKER_GROUP
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module

if t.TYPE_CHECKING:
    from decimal import Decimal

with contextlib.suppress(ImportError):  # reported with _kube's own
    from kubernetes.utils import parse_quantity

RESOURCES = {"cpu": {"type": "str", "required": True}, "memory": {"type": "str", "required": True}}
NOTEBOOK = {
    **RESOURCES,
    "persistent": {"type": "bool", "default": True},
    "storage": {"type": "str", "default": "10Gi"},
    "storage_class": {"type": "str", "default": ""},
    "password": {"type": "str", "no_log": True},
    "exposure": {"type": "str", "default": "port_forward"},
    "host": {"type": "str", "default": ""},
}


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number; raises ValueError."""
    return t.cast("Decimal", parse_quantity(text))


def check(params: dict[str, t.Any], connect: t.Callable[[], _kube.Cluster]) -> dict[str, t.Any]:
    """All checks: first those that need no cluster, then those that do; raises with all problems at once."""
    problems: list[str] = []
    _preflight.check_name(params["name"], "the deployment's name", problems, longest=30)
    _preflight.check_name(params["namespace"], "the namespace", problems)
    groups = _preflight.check_groups(params["name"], params["worker_groups"], quantity, problems)
    _preflight.check_resources(params["scheduler"], "scheduler", "scheduler", quantity, problems)
    notebook = params["notebook"]
    if notebook:
        _preflight.check_notebook(notebook, quantity, problems)
    existing = None
    where = params["target"] or params["context"] or "the cluster"
    # An input that cannot be is reported though the cluster may not answer.
    if not problems:
        cluster = connect()
        where = cluster.name
        existing = cluster.find(f"/api/v1/namespaces/{params['namespace']}")
        _preflight.check_namespace(existing, params["namespace"], params["name"], params["namespace_create"], problems)
        if notebook and notebook["persistent"]:
            try:
                classes = cluster.items("/apis/storage.k8s.io/v1/storageclasses")
                _preflight.check_storage_class(classes, notebook["storage_class"], problems)
            except _kube.ApiError as error:
                if error.status != 403:
                    raise  # whoever has rights in one namespace alone may not list them, and may use them
    if problems:
        raise DaskopsError(
            f"Dask {params['namespace']}/{params['name']} on {where} cannot be deployed, and nothing was touched: "
            f"{'; '.join(problems)}.",
            problems=problems,
        )
    return {"worker_groups": groups, "namespace_exists": existing is not None}


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "namespace_create": {"type": "bool", "default": False},
            "worker_groups": {"type": "list", "elements": "dict", "required": True, "options": WORKER_GROUP},
            "scheduler": {"type": "dict", "required": True, "options": RESOURCES},
            "notebook": {"type": "dict", "options": NOTEBOOK},
        },
        lambda module: check(module.params, lambda: _kube.Cluster(module.params, module.params["target"])),
    )


if __name__ == "__main__":
    main()
