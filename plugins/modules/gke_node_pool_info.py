#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_node_pool_info
short_description: What the node pools of a GKE cluster are
version_added: 1.0.0
description:
  - Returns one node pool of a cluster or all of them, and what they cost.
  - Only reads.
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
  name:
    description: Name of the pool. By default all of them are returned.
    type: str
extends_documentation_fragment:
  - daskops.kubernetes._gcp
  - daskops.kubernetes._gke.PRICES
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP_GKE
seealso:
  - module: daskops.kubernetes.gke_node_pool
"""

EXAMPLES = r"""
- name: All pools of a cluster
  daskops.kubernetes.gke_node_pool_info:
    project: my-project
    cluster: dask
    location: us-central1
"""

RETURN = r"""
pools:
  description: The pools, as the API has them. Empty if there is none, or no such cluster.
  returned: success
  type: list
  elements: dict
  sample: [{name: core, status: RUNNING}]
managed:
  description: Names of those that M(daskops.kubernetes.gke_node_pool) has made.
  returned: success
  type: list
  elements: str
  sample: [core]
cost_per_hour:
  description:
    - An estimate in USD for the cluster with these pools, with the fewest and the most nodes, from a table that
      O(prices) corrects.
    - Disks, traffic and discounts are not in it, nor is what C(unknown) names.
  returned: success
  type: dict
  sample: {min: 0.23, max: 6.4, currency: USD, unknown: []}
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke, _gke_cost
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import Google
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import run as run_module

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "cluster": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "name": {"type": "str"},
    "prices": {"type": "dict", "default": {}},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What the parameters ask for."""
    params = module.params
    prices = _gke_cost.prices(params["prices"])
    _gke.check_name(params["cluster"], "cluster")
    _gke.check_location(params["location"])
    google = Google(params)
    path = _gke.cluster_path(google.project, params["location"], params["cluster"])
    cluster = google.find("container", path) or {}
    pools = [pool for pool in cluster.get("nodePools") or [] if params["name"] in (None, "", pool["name"])]
    return {
        "pools": pools,
        "managed": [
            pool["name"] for pool in pools if _gke.is_managed((pool.get("config") or {}).get("resourceLabels"))
        ],
        "cost_per_hour": _gke_cost.cost_per_hour(cluster, prices, pools),
    }


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
