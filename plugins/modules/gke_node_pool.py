#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_node_pool
short_description: Node pools of a GKE cluster
version_added: 1.0.0
description:
  - Creates, changes and deletes pools of a cluster, several of them side by side.
  - Only what is given is compared with a pool, field by field, and what differs is changed in place. What cannot be
    is listed, and then nothing is touched in any of the pools, unless the pool's C(recreate) is given.
  - A pool that this module creates bears the resource label C(managed-by=daskops), and only such a one is ever deleted.
  - Some changes, such as that of the machine type, replace a pool's nodes one after the other, as its C(upgrade) says.
author: daskops.kubernetes contributors (@daskops)
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  location:
    description: Region or zone of the cluster.
    type: str
    required: true
  pools:
    description: The pools. Others are left alone unless O(purge=true).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the pool.
        type: str
        required: true
      state:
        description: Whether the pool is to be there.
        type: str
        choices: [present, absent]
        default: present
      machine_type:
        description: Machine type of the nodes. By default Google chooses, which is V(e2-medium).
        type: str
      disk_size_gb:
        description: Size of each node's disk.
        type: int
      disk_type:
        description: Type of each node's disk, such as V(pd-balanced).
        type: str
      image_type:
        description: Image of the nodes, such as V(COS_CONTAINERD).
        type: str
      spot:
        description: Whether nodes are spot VMs, which cost less and may end at any time. It cannot be changed later.
        type: bool
      labels:
        description:
          - Labels of the nodes. A label whose value is null is removed, and those that are not given stay.
        type: dict
      taints:
        description: Taints of the nodes, beside those that GKE sets itself.
        type: list
        elements: dict
        suboptions:
          key:
            description: Key of the taint.
            type: str
            required: true
          value:
            description: Its value.
            type: str
            default: ""
          effect:
            description: What it does to pods that do not tolerate it.
            type: str
            choices: [NoSchedule, PreferNoSchedule, NoExecute]
            default: NoSchedule
      node_count:
        description: Number of nodes in each zone, of a pool that is not scaled. Without C(autoscaling) it ends that.
        type: int
      autoscaling:
        description: How many nodes there may be.
        type: dict
        suboptions:
          enabled:
            description: Whether the pool is scaled.
            type: bool
            default: true
          min:
            description: Fewest nodes in each zone. By default 0.
            type: int
          max:
            description: Most nodes in each zone.
            type: int
          total_min:
            description: Fewest nodes in all zones. By default 0.
            type: int
          total_max:
            description: Most nodes in all zones.
            type: int
          location_policy:
            description: Whether zones get equally many nodes, or those that have capacity. V(any) suits spot VMs.
            type: str
            choices: [balanced, any]
      locations:
        description: Zones of the nodes. By default those of the cluster.
        type: list
        elements: str
      service_account:
        description: Email of the nodes' service account. It cannot be changed later.
        type: str
      oauth_scopes:
        description:
          - Scopes of the nodes' service account. By default the one for all of Google Cloud, as its roles limit it.
        type: list
        elements: str
      tags:
        description: Network tags of the nodes.
        type: list
        elements: str
      resource_labels:
        description:
          - Labels of the nodes' machines and disks, such as for billing. A label whose value is null is removed, and
            those that are not given stay.
        type: dict
      secure_boot:
        description: Whether only signed software boots. By default it is so in pools of this module.
        type: bool
      integrity_monitoring:
        description: Whether the boot process is monitored. By default it is so in pools of this module.
        type: bool
      workload_metadata:
        description:
          - Whether pods see identities of their own (Workload Identity) or the node's. By default V(gke_metadata) in
            pools of this module.
        type: str
        choices: [gke_metadata, gce_metadata]
      auto_repair:
        description: Whether nodes that fail are repaired. By default they are in pools of this module.
        type: bool
      auto_upgrade:
        description: Whether nodes are upgraded. By default they are in pools of this module.
        type: bool
      upgrade:
        description: How nodes are replaced. Without C(blue_green) it is in place, with surge.
        type: dict
        suboptions:
          max_surge:
            description: How many nodes more than usual there may be meanwhile.
            type: int
          max_unavailable:
            description: How many nodes fewer than usual there may be meanwhile.
            type: int
          blue_green:
            description: Whether the new nodes stand beside the old ones until all is moved.
            type: dict
            suboptions:
              soak_seconds:
                description: How long the old nodes stay after that.
                type: int
              batch_percentage:
                description: Part of the nodes that is drained at a time, of 1.
                type: float
              batch_node_count:
                description: Number of nodes that are drained at a time.
                type: int
              batch_soak_seconds:
                description: How long to wait after each time.
                type: int
      version:
        description: Version of Kubernetes at least. A pool that has a later one is left at it.
        type: str
      max_pods_per_node:
        description: How many pods a node can have. It cannot be changed later.
        type: int
      spec:
        description:
          - Whatever else the pool is to be, as the API's resource C(NodePool) has it. It goes over the other options.
        type: dict
        default: {}
      recreate:
        description: Whether the pool may be deleted and created again where it cannot be changed in place.
        type: bool
        default: false
  purge:
    description: Whether pools of this module that are not listed are deleted. Those of others stay.
    type: bool
    default: false
  timeout:
    description: Seconds after which all of it is given up. Operations of Google's that run then go on.
    type: int
    default: 3600
  wait:
    description:
      - Whether each pool's last operation is waited for, and before that the creation or deletion of a given pool by
        whomever.
    type: bool
    default: true
extends_documentation_fragment:
  - daskops.kubernetes._gcp
  - daskops.kubernetes._gke.PRICES
  - daskops.kubernetes._attributes
  - daskops.kubernetes._attributes.ACTIONGROUP_GKE
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: daskops.kubernetes.gke_cluster
  - module: daskops.kubernetes.gke_node_pool_info
"""

EXAMPLES = r"""
- name: One pool for what stays, and one of spot VMs for workers
  daskops.kubernetes.gke_node_pool:
    project: my-project
    cluster: dask
    location: us-central1
    pools:
      - name: core
        machine_type: e2-standard-4
        autoscaling: {total_min: 1, total_max: 3}
      - name: workers
        machine_type: e2-standard-8
        spot: true
        labels: {daskops/role: worker}
        taints: [{key: dask, value: worker}]
        autoscaling: {total_min: 0, total_max: 20, location_policy: any}
        upgrade: {max_surge: 0, max_unavailable: 5}

- name: Delete a pool
  daskops.kubernetes.gke_node_pool:
    project: my-project
    cluster: dask
    location: us-central1
    pools: [{name: workers, state: absent}]
"""

RETURN = r"""
pools:
  description: The pools that are to be there, as the API has them or, in check mode, as they will be.
  returned: success
  type: list
  elements: dict
  sample: [{name: core, status: RUNNING}]
kept:
  description: With O(purge=true), the pools that are not listed and stay, as this module has not made them.
  returned: success
  type: list
  elements: str
  sample: [default-pool]
calls:
  description: The requests that were sent or, in check mode, will be sent, apart from those that only read.
  returned: always
  type: list
  elements: dict
  contains:
    method:
      description: What the API calls it.
      type: str
      sample: update
    path:
      description: Path of what it was sent to.
      type: str
      sample: v1/projects/my-project/locations/us-central1/clusters/dask
    fields:
      description: Fields that it sets.
      type: list
      elements: str
      sample: [desiredLoggingConfig]
cost_per_hour:
  description:
    - An estimate in USD, with the fewest and the most nodes, from a table that O(prices) corrects.
    - Disks, traffic and discounts are not in it, nor is what C(unknown) names.
  returned: success
  type: dict
  sample: {min: 0.23, max: 6.4, currency: USD, unknown: []}
failed_pools:
  description: Names of the pools that failed. All others were finished.
  returned: when operations failed
  type: list
  elements: str
seconds:
  description: How long all of it took.
  returned: success
  type: float
  sample: 131.2
differences:
  description: What cannot be changed in place.
  returned: when the module fails for that reason
  type: list
  elements: str
  sample: ['config.spot is unset, not True']
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_cost, _gke_node_pool
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import GKE_NODE_POOL
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import Google
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "pools": {"type": "list", "elements": "dict", "required": True, "options": GKE_NODE_POOL},
    "purge": {"type": "bool", "default": False},
    "prices": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 3600},
    "wait": {"type": "bool", "default": True},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Make the pools what the parameters say."""
    params = module.params
    prices = _gke_cost.prices(params["prices"])
    progress = Progress()
    result = _gke_node_pool.apply(Google(params), params, module.check_mode, progress.say)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    result["cost_per_hour"] = _gke_cost.cost_per_hour(result.pop("cluster"), prices, result["pools"])
    result["seconds"] = round(progress.seconds, 2)
    return result


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
