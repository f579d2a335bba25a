#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_preflight
short_description: Check a GKE cluster for Dask, and all it stands on, before anything is made
version_added: 1.0.0
description:
  - Checks names, ranges, places and pools against each other, and then against the project, that is whether the
    credentials work, the APIs are enabled, region, zones and machine types are there, the quotas of the region and the
    project have room for the pools' maximum, the ranges are large enough and overlap with no others, and this account
    may do all that has to be done.
  - Asks for exactly those permissions that the missing parts take, so a project in which all is there needs none.
  - Reports all problems at once. What cannot be, wherever it were, is reported even if Google cannot be reached.
  - Only reads.
author: daskops.kubernetes contributors (@daskops)
options:
  cluster:
    description:
      - The cluster, with the options of M(daskops.kubernetes.gke_cluster).
      - Of these C(name), C(location), C(state), C(adopt), C(autopilot), C(node_locations), C(private_nodes) and, in
        C(spec), C(privateClusterConfig.masterIpv4CidrBlock) are looked at. C(control_plane_range) and
        C(max_pods_per_node) are taken, too.
      - C(version), C(labels), C(maintenance), C(authorized_networks) and the names in C(spec) are checked as
        M(daskops.kubernetes.gke_cluster) checks them.
    type: dict
  pools:
    description:
      - The pools, with the options of M(daskops.kubernetes.gke_node_pool).
      - Of these C(name), C(state), C(machine_type), C(spot), C(node_count), C(autoscaling), C(disk_size_gb),
        C(disk_type), C(max_pods_per_node), C(locations) and C(taints) are looked at. All others are checked as
        M(daskops.kubernetes.gke_node_pool) checks them.
    type: list
    elements: dict
    default: []
extends_documentation_fragment:
  - daskops.kubernetes._gcp
  - daskops.kubernetes._gke.PRICES
  - daskops.kubernetes._gke_resources
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP_GKE
seealso:
  - module: daskops.kubernetes.gke_resources
  - module: daskops.kubernetes.gke_cluster
  - module: daskops.kubernetes.gke_node_pool
"""

EXAMPLES = r"""
- name: See whether a cluster of up to 30 spot machines can come to be
  daskops.kubernetes.gke_preflight:
    project: my-project
    network:
      name: dask
    subnetwork:
      name: dask
      region: europe-west4
      ip_range: 10.0.0.0/22
      pods_range: {name: pods, cidr: 10.4.0.0/14}
      services_range: {name: services, cidr: 10.8.0.0/20}
    cluster:
      name: dask
      location: europe-west4
    pools:
      - name: core
        machine_type: e2-standard-4
        node_count: 1
      - name: workers
        machine_type: n2-standard-8
        spot: true
        autoscaling: {min: 0, max: 10}
"""

RETURN = r"""
project_number:
  description: The project's number.
  returned: success
  type: str
  sample: "123456789012"
zones:
  description: The zones in which nodes will be or, as long as GKE has not chosen three of them, can be.
  returned: success
  type: list
  elements: str
  sample: [europe-west4-a, europe-west4-b, europe-west4-c]
machine_types:
  description: The pools' machine types.
  returned: success
  type: dict
  sample: {e2-standard-4: {cpus: 4, memory_mb: 16384}}
estimates:
  description: How large the cluster can become.
  returned: success
  type: dict
  contains:
    zones:
      description: In how many zones nodes will be.
      type: int
      sample: 3
    pools:
      description: The same numbers for each pool, with its C(name), C(machine_type) and whether it is of C(spot) VMs.
      type: list
      elements: dict
    min_nodes:
      description: The fewest nodes.
      type: int
      sample: 3
    max_nodes:
      description: The most nodes.
      type: int
      sample: 33
    max_cpus:
      description: Their CPUs.
      type: int
      sample: 252
    max_memory_mb:
      description: Their memory.
      type: int
      sample: 1032192
    max_disk_gb:
      description: Their disks.
      type: int
      sample: 3300
cluster_exists:
  description: Whether the cluster is there.
  returned: success
  type: bool
cost_per_hour:
  description:
    - An estimate in USD, with the fewest and the most nodes, from a table that O(prices) corrects.
    - Disks, traffic and discounts are not in it, nor is what C(unknown) names.
  returned: success
  type: dict
  sample: {min: 0.23, max: 6.4, currency: USD, unknown: []}
actions:
  description: What M(daskops.kubernetes.gke_resources) would do with the same options.
  returned: success
  type: list
  elements: str
  sample: [create network dask, create subnetwork dask]
problems:
  description: All that is wrong, a sentence each.
  returned: failure
  type: list
  elements: str
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import (
    _gke_cost,
    _gke_facts,
    _gke_preflight,
    _gke_resources,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import GKE_RESOURCES
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import Google, check_project
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import run as run_module

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **GKE_RESOURCES,
    "cluster": {"type": "dict"},
    "pools": {"type": "list", "elements": "dict", "default": []},
    "prices": {"type": "dict", "default": {}},
}
PARTS = ("network", "subnetwork", "nat", "node_service_account", "artifact_registry", "workload_identity")
PATIENCE = 20.0  # seconds for an API that is overloaded: who checks does not want to wait for long


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """All checks; raises with all problems at once."""
    params = module.params
    prices = _gke_cost.prices(params["prices"])
    problems: list[str] = []
    try:
        check_project(params["project"])
    except DaskopsError as error:
        problems.append(error.message.rstrip("."))
    project = params["project"] or ""
    usable = not problems
    asked = _gke_preflight.ask(params, problems)
    # With what cannot be, there is no plan to look at; all else is looked at all the same.
    wanted = {**params, **dict.fromkeys(PARTS)} if problems else params
    spec = _gke_resources.specification(wanted, project)
    gathered = None
    if usable:
        try:
            apis = _gke_preflight.needed_apis(params)
            gathered = _gke_facts.gather(Google(params, PATIENCE), asked, spec, apis)
        except DaskopsError as error:
            problems.append(error.message.rstrip("."))
    if gathered:
        problems += [
            *gathered.problems,
            *_gke_preflight.check(asked, spec, gathered.facts, wanted),
            *gathered.plan.problems,
        ]
    if problems or gathered is None:
        what = f"GKE cluster {params['cluster'].get('name')}" if params["cluster"] else "What a GKE cluster stands on"
        raise DaskopsError(
            f"{what} cannot be made in project {project}, and nothing was touched: {'; '.join(problems)}.",
            problems=problems,
        )
    facts = gathered.facts
    for warning in _gke_preflight.warnings(asked, facts):
        module.warn(warning)
    estimates = _gke_preflight.estimates(asked, facts)
    nodes = [
        _gke_cost.Nodes(pool["machine_type"], pool["spot"], pool["min_nodes"], pool["max_nodes"])
        for pool in estimates["pools"]
    ]
    return {
        "project_number": facts.number,
        "zones": _gke_preflight.zones_of(asked, facts),
        "machine_types": {
            kind: {"cpus": machine["guestCpus"], "memory_mb": machine["memoryMb"]}
            for (_zone, kind), machine in facts.machines.items()
            if machine
        },
        "cluster_exists": facts.cluster is not None,
        "estimates": estimates,
        "cost_per_hour": _gke_cost.estimate(asked.location, asked.autopilot, nodes, prices),
        "actions": gathered.plan.actions,
    }


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
