#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dask_wait
short_description: Wait until a Dask deployment's workers are registered
version_added: 1.0.0
description:
  - Waits until the scheduler has the wanted workers, those of the present rollout, and scheduler and notebook are
    ready, and a router has admitted the notebook's Route, if there is one.
  - Fails early, with one sentence that names object, cause and remedy, on what will not heal. That is an image that
    cannot be pulled,
    an exceeded quota, a pod that no node takes, a crash loop, a lack of memory, a scheduler that workers cannot reach,
    versions that differ, a volume claim that is not bound, a Route that the router does not admit, a port-forward
    that is not let through.
  - Reaches the scheduler by a port-forward through the API server, or at O(scheduler_url).
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP
options:
  name:
    description:
      - Name of the Dask deployment, as in the variable C(dask_name) of the role P(daskops.kubernetes.dask#role).
    type: str
    default: dask
  namespace:
    description: Namespace of the Dask deployment. Required without O(scheduler_url).
    type: str
  target:
    description:
      - What the cluster is called in messages.
      - By default the kubeconfig's context or the API server's URL.
    type: str
  scheduler_url:
    description:
      - HTTP address of a scheduler of this collection, such as C(http://dask-scheduler.dask:8787).
      - Then only registered workers and versions are looked at, and O(groups) or O(workers) is required.
    type: str
  groups:
    description: Number of workers to wait for, by group. By default the replicas of each group's Deployment.
    type: dict
  workers:
    description: Number of workers to wait for in all, whatever their groups.
    type: int
  fraction:
    description: Part of the wanted workers, of each group, that suffices; more than 0 and at most 1.
    type: float
    default: 1.0
  timeout:
    description: How long to wait, in seconds.
    type: int
    default: 300
  unschedulable_grace:
    description:
      - How long a pod may find no node before that is a failure, in seconds.
      - Far longer while a cluster autoscaler says that it adds a node, and while pods of the deployment are ending.
    type: float
    default: 5.0
  allow_version_mismatch:
    description:
      - Whether workers may have other versions of Python, Dask and what messages pass through than the scheduler.
    type: bool
    default: false
  gather_info:
    description:
      - Whether to gather, once all is ready, what M(daskops.kubernetes.dask_info) would. Saves a task of its own.
      - Cannot be had with O(scheduler_url).
    type: bool
    default: false
  node_address:
    description: As for M(daskops.kubernetes.dask_info), with O(gather_info=true).
    type: str
    default: ""
seealso:
  - module: daskops.kubernetes.dask_info
"""

EXAMPLES = r"""
- name: Wait for all workers of all groups
  daskops.kubernetes.dask_wait:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask

- name: Go on when nine tenths of the highmem group are there
  daskops.kubernetes.dask_wait:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    groups: {highmem: 40}
    fraction: 0.9
    timeout: 900
"""

RETURN = r"""
registered:
  description: Number of registered workers.
  returned: always
  type: int
  sample: 3
groups:
  description: Number of registered workers by group.
  returned: always
  type: dict
  sample: {default: 3}
wanted:
  description: Number of workers waited for, by group.
  returned: always
  type: dict
  sample: {default: 3}
seconds:
  description: How long the wait took.
  returned: always
  type: float
phases:
  description:
    - Seconds from the start of the wait until the scheduler answered (C(scheduler)) and until all was ready
      (C(ready)), and what gathering C(info) took, if it was.
  returned: success
  type: dict
  sample: {scheduler: 2.1, ready: 4.0}
slow:
  description: What took long, in words.
  returned: success
  type: list
  elements: str
  sample: [pulling registry.example.com/dask@sha256:0123 took up to 41 s on a node]
info:
  description: What M(daskops.kubernetes.dask_info) returns.
  returned: success, with O(gather_info=true)
  type: dict
diagnosis:
  description: The object that keeps the deployment from being ready, the cause and a remedy.
  returned: failure
  type: dict
  sample:
    subject: pod dask-worker-gpu-7d4b9c-x2x7p
    cause: 'no node takes it: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.'
    remedy: add nodes or ask for less; if nodes come by themselves, raise dask_unschedulable_grace
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _info, _kube
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import INSTANCE
from ansible_collections.daskops.kubernetes.plugins.module_utils._diagnosis import Want
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress
from ansible_collections.daskops.kubernetes.plugins.module_utils._scheduler import FromUrl
from ansible_collections.daskops.kubernetes.plugins.module_utils._wait import ClusterObserver, UrlObserver, wait

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# OpenShift's router takes up to RELOAD_INTERVAL, 5 s, until it serves what it has admitted; and as long again to load.
_ROUTER_RELOAD = 10.0


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Wait for what the parameters say."""
    params = module.params
    want = _want(params)
    progress = Progress()
    if params["scheduler_url"]:
        if params["gather_info"]:
            raise DaskopsError("gather_info asks the cluster, and scheduler_url names none: give one of the two.")
        where = f"The scheduler at {params['scheduler_url']}"
        return wait(want, UrlObserver(FromUrl(params["scheduler_url"])), where, params["timeout"], progress)
    cluster = _kube.Cluster(params, params["target"])
    instance = Instance(params["name"], params["namespace"])
    with ClusterObserver(cluster, instance) as observer:
        result = wait(want, observer, f"{instance} on {cluster.name}", params["timeout"], progress)
    if params["gather_info"]:
        start = progress.seconds
        result["info"] = _info.gather(cluster, instance, params["node_address"], patience=_ROUTER_RELOAD)
        result["phases"]["info"] = round(progress.seconds - start, 2)
    return result


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        {
            **INSTANCE,
            "namespace": {"type": "str"},
            "scheduler_url": {"type": "str"},
            "groups": {"type": "dict"},
            "workers": {"type": "int"},
            "fraction": {"type": "float", "default": 1.0},
            "timeout": {"type": "int", "default": 300},
            "unschedulable_grace": {"type": "float", "default": 5.0},
            "allow_version_mismatch": {"type": "bool", "default": False},
            "gather_info": {"type": "bool", "default": False},
            "node_address": {"type": "str", "default": ""},
        },
        work,
        required_one_of=[("namespace", "scheduler_url")],
        mutually_exclusive=[("groups", "workers")],
    )


def _want(params: dict[str, t.Any]) -> Want:
    groups = params["groups"]
    if params["scheduler_url"] and groups is None and params["workers"] is None:
        raise DaskopsError("With scheduler_url the number of workers must be given, as groups or workers.")
    if not 0 < params["fraction"] <= 1:
        raise DaskopsError(f"fraction must be more than 0 and at most 1, and is {params['fraction']}.")
    try:
        groups = groups and {name: int(count) for name, count in groups.items()}
    except (TypeError, ValueError) as error:
        raise DaskopsError(f"groups must be numbers of workers by group, and is {groups}.") from error
    return Want(
        groups, params["workers"], params["fraction"], params["allow_version_mismatch"], params["unschedulable_grace"]
    )


if __name__ == "__main__":
    main()
