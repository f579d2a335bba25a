#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_resources
short_description: What a GKE cluster for Dask stands on
version_added: 1.0.0
description:
  - Network, subnetwork, NAT, the nodes' service account, the image repository, and the roles that go with them.
  - Each part may be left out, and each may be one that is there already. Parts that do not depend on each other are
    made side by side.
  - What can be changed is changed, and what cannot is listed, all at once, before anything is touched.
  - Roles are added to policies, and nothing that others have put there is dropped.
  - Only what this module has made is deleted. It marks that by the label C(managed-by=daskops) or, where there are no
    labels, in the description, and by the name of the O(cluster) if it is given.
author: daskops.kubernetes contributors (@daskops)
options:
  state:
    description:
      - V(present) makes sure that everything is there.
      - V(absent) deletes, in the reverse order, what this module has made for the O(cluster) or for none, and takes
        away the roles of O(workload_identity) unless another cluster of the project has the same workload pool, and so
        its pods may use them.
      - A repository goes with the images in it.
    type: str
    choices: [present, absent]
    default: present
  cluster:
    description:
      - The cluster that all this is for. What is made is then marked with its name, and goes with that cluster only.
      - With O(state=absent) it must not be there any more, but for check mode, which tells what would go after it.
    type: dict
    suboptions:
      name:
        description: Name of the cluster.
        type: str
        required: true
      location:
        description: Its region or zone.
        type: str
        required: true
      namespaces:
        description:
          - Namespaces whose volumes are the cluster's. Not all disks of volumes name their cluster; those that do not
            are left alone if there is another cluster in the region, as they could be its.
        type: list
        elements: str
        default: []
  leftovers:
    description:
      - Whether, with O(state=absent), what Kubernetes left behind goes, too, which needs O(cluster) and O(network).
      - That is what is behind services and ingresses in the network (forwarding rules, target pools, proxies, URL maps,
        backend services, health checks, groups of endpoints, addresses), firewall rules, and disks of volumes, with
        what is on them.
      - Firewall rules and target pools are known by the cluster's name. They are left alone, too, while another cluster
        of the project has that name, and so are the firewall rules of a shared VPC, which other projects use.
      - What names no cluster and could be another one's is left alone, and listed in RV(kept).
    type: bool
    default: false
  timeout:
    description: Seconds after which it is given up to wait.
    type: int
    default: 600
extends_documentation_fragment:
  - daskops.kubernetes._gcp
  - daskops.kubernetes._gke_resources
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
  - module: daskops.kubernetes.gke_preflight
  - module: daskops.kubernetes.gke_cluster
"""

EXAMPLES = r"""
- name: All that a cluster with private nodes needs
  daskops.kubernetes.gke_resources: &resources
    project: my-project
    cluster: {name: dask, location: europe-west4}
    network:
      name: dask
    subnetwork:
      name: dask
      region: europe-west4
      ip_range: 10.0.0.0/22
      pods_range: {name: pods, cidr: 10.4.0.0/14}
      services_range: {name: services, cidr: 10.8.0.0/20}
    nat:
      router: dask
      name: dask
    node_service_account:
      account_id: dask-nodes
    artifact_registry:
      repository: dask
      location: europe-west4
      writers: ["group:builders@example.com"]

- name: A shared VPC, and a repository that there is
  daskops.kubernetes.gke_resources:
    project: my-project
    network:
      name: shared
      project: host-project
      create: false
    subnetwork:
      name: gke
      region: europe-west4
      create: false
      pods_range: {name: pods}
      services_range: {name: services}
    node_service_account:
      account_id: dask-nodes
    artifact_registry:
      repository: images
      location: europe
      create: false

- name: Let the workers use a bucket, once the cluster is there
  daskops.kubernetes.gke_resources:
    project: my-project
    workload_identity:
      - namespace: dask
        service_account: dask-worker
        bucket: my-data

- name: See what would be deleted with what Kubernetes left behind
  daskops.kubernetes.gke_resources:
    <<: *resources
    state: absent
    leftovers: true
  check_mode: true
"""

RETURN = r"""
actions:
  description: What was done or, in check mode, would be done. Also of a failure, what was done before.
  returned: always
  type: list
  elements: str
  sample: [create network dask, create subnetwork dask]
resources:
  description: Where the parts are or, in check mode, will be, by their options.
  returned: when O(state=present)
  type: dict
  sample: {network: "https://www.googleapis.com/compute/v1/projects/my-project/global/networks/dask"}
node_service_account:
  description: Email of the nodes' service account. Empty if none was asked for.
  returned: when O(state=present)
  type: str
  sample: dask-nodes@my-project.iam.gserviceaccount.com
image_repository:
  description: What the names of images in the repository begin with. Empty if none was asked for.
  returned: when O(state=present)
  type: str
  sample: europe-west4-docker.pkg.dev/my-project/dask
would_delete:
  description: All that would be deleted.
  returned: when O(state=absent), in check mode
  type: list
  elements: str
  sample: [subnetwork dask, network dask]
deleted:
  description: All that was deleted.
  returned: when O(state=absent), not in check mode
  type: list
  elements: str
  sample: [subnetwork dask, network dask]
kept:
  description: What is there and was not deleted, and why.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: ["network shared: it was not made by this"]
not_done:
  description: What was not done.
  returned: when the module fails on the way
  type: list
  elements: str
  sample: [create subnetwork dask]
problems:
  description: What keeps this from being done, a sentence each.
  returned: when the module fails before it has touched anything
  type: list
  elements: str
  sample: ["subnetwork dask is in network default, not in dask: give another name"]
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 41.7
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_engine, _gke_input, _gke_resources
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import GKE_RESOURCES
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import Google, check_project
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **GKE_RESOURCES,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "cluster": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "location": {"type": "str", "required": True},
            "namespaces": {"type": "list", "elements": "str", "default": []},
        },
    },
    "leftovers": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 600},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Make it so, or take it down."""
    params = module.params
    project = check_project(params["project"])
    problems = _gke_input.check_resources(params)
    if params["cluster"]:
        _gke_input.check_name(params["cluster"]["name"], "gke", "cluster.name", problems)
        _gke_input.check_name(params["cluster"]["location"], "place", "cluster.location", problems)
    if problems:
        raise DaskopsError(
            f"Project {project}: the options cannot be, and nothing was touched: {'; '.join(problems)}.",
            problems=problems,
        )
    progress = Progress()
    spec = _gke_resources.specification(params, project)
    absent = params["state"] == "absent"
    result = _gke_engine.converge(
        Google(params), spec, absent, module.check_mode, float(params["timeout"]), progress.say
    )
    return {**result, "seconds": round(progress.seconds, 2)}


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, work, required_if=[("leftovers", True, ("cluster", "network"))])


if __name__ == "__main__":
    main()
