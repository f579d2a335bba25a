#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_cluster
short_description: A cluster of Google Kubernetes Engine
version_added: 1.0.0
description:
  - Creates, changes, adopts and deletes a GKE cluster, zonal, regional or Autopilot.
  - Only what is given is compared with the cluster, field by field, and what differs is changed in place, one request
    for each field, as the API has it. What cannot be changed in place is listed, all at once, and nothing is touched
    unless O(recreate) is given.
  - A cluster that this module creates bears the label C(managed-by=daskops), and only such a one is ever deleted, or
    changed without O(adopt).
  - An operation that fails fails the task, with what Google says about it.
author: daskops.kubernetes contributors (@daskops)
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  location:
    description: Region or zone of the cluster. In a region its control plane is in several zones.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the cluster is there and is what the options say.
      - V(existing) only reads. It fails if the cluster is not there, does not run, or is not what the options say.
      - V(absent) deletes it. It fails if this module has not made it, and while it is protected.
    type: str
    choices: [present, existing, absent]
    default: present
  autopilot:
    description: Whether Google makes the nodes, for a regional cluster. It cannot be changed later.
    type: bool
  release_channel:
    description: How early the cluster gets new versions. By default Google chooses, which is V(regular).
    type: str
    choices: [rapid, regular, stable, extended, none]
  version:
    description:
      - Version of Kubernetes at least, such as V(1.34), V(1.34.1) or V(1.34.1-gke.100), or V(latest).
      - A cluster that has a later one is left at it, as GKE upgrades on its own and never goes back.
    type: str
  network:
    description: Network of the cluster, by its name, or by its path for one of another project.
    type: str
  subnetwork:
    description: Subnetwork of the nodes, by its name, or by its path for one of another project.
    type: str
  pods_range:
    description:
      - Addresses of the pods, as the name of a secondary range of the subnetwork, a range such as V(10.4.0.0/14), or a
        size such as V(/17), for which GKE finds a range.
    type: str
  services_range:
    description: Addresses of the services, in the same forms.
    type: str
  node_locations:
    description: Zones of the nodes.
    type: list
    elements: str
  private_nodes:
    description: Whether nodes have no public addresses, unless their pool says otherwise.
    type: bool
  private_endpoint:
    description: Whether the API server has no public address.
    type: bool
  dns_endpoint:
    description: Whether the API server can be reached by its DNS-based endpoint from outside of Google Cloud.
    type: bool
  authorized_networks:
    description:
      - Ranges of addresses that may reach the API server by its IP-based endpoints, and no others.
      - An empty list lets none but the cluster's own nodes and Google.
    type: list
    elements: dict
    suboptions:
      cidr:
        description: A range, such as V(203.0.113.0/24).
        type: str
        required: true
      name:
        description: What it is called.
        type: str
  workload_identity:
    description:
      - Whether pods can be given identities of Google Cloud, by the pool C(<project>.svc.id.goog).
      - By default they can in clusters that this module has made, and others stay as they are. Autopilot always has it.
    type: bool
  shielded_nodes:
    description: Whether nodes prove what they are. By default Google chooses, which is that they do.
    type: bool
  dataplane_v2:
    description: Whether the network is Dataplane V2, which enforces NetworkPolicies. Autopilot always has it.
    type: bool
  maintenance:
    description: When Google may do its maintenance. What is not given stays.
    type: dict
    suboptions:
      daily:
        description: Time of day in UTC at which four hours begin, such as V(03:00).
        type: str
      recurring:
        description: A window that recurs.
        type: dict
        suboptions:
          start:
            description: Start of the first window, such as V(2026-01-03T03:00:00Z).
            type: str
            required: true
          end:
            description: Its end.
            type: str
            required: true
          recurrence:
            description: When it recurs, as in RFC 5545, such as V(FREQ=WEEKLY;BYDAY=SA,SU).
            type: str
            required: true
      exclusions:
        description: Times without maintenance. All others that the cluster has are removed.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the exclusion.
            type: str
            required: true
          start:
            description: Its start, such as V(2026-12-20T00:00:00Z).
            type: str
            required: true
          end:
            description: Its end.
            type: str
            required: true
          scope:
            description: What is excluded.
            type: str
            choices: [no_upgrades, no_minor_upgrades, no_minor_or_node_upgrades]
            default: no_upgrades
  labels:
    description:
      - Labels of the cluster's resources, such as for billing. A label whose value is null is removed, and those that
        are not given stay.
    type: dict
  logging:
    description: Components whose logs are collected, such as V(SYSTEM_COMPONENTS) and V(WORKLOADS). Empty for none.
    type: list
    elements: str
  monitoring:
    description: Components whose metrics are collected, such as V(SYSTEM_COMPONENTS). Empty for none.
    type: list
    elements: str
  managed_prometheus:
    description: Whether Managed Service for Prometheus collects metrics.
    type: bool
  cost_allocation:
    description: Whether costs are broken down by namespace and label in billing.
    type: bool
  node_service_account:
    description:
      - Email of the service account of the nodes, for Autopilot and for those O(initial_node_pools) that name none.
    type: str
  initial_node_pools:
    description:
      - The pools that the cluster is created with, each with the options of
        O(daskops.kubernetes.gke_node_pool#module:pools).
      - A cluster without Autopilot has to have one. They are not looked at when the cluster is there;
        M(daskops.kubernetes.gke_node_pool) changes them.
    type: list
    elements: dict
  spec:
    description:
      - Whatever else the cluster is to be, as the API's resource C(Cluster) has it. It goes over the other options.
      - What is null in it is left out.
    type: dict
    default: {}
  deletion_protection:
    description:
      - Whether the cluster must not be deleted or recreated, which the label C(daskops-deletion-protection) keeps on
        the cluster. Other tools do not heed it.
      - A protected cluster is deleted by a task that says V(false) here, and by no other.
    type: bool
    default: true
  adopt:
    description:
      - Whether a cluster that this module has not made is changed to what the options say. Without it O(state=present)
        fails for such a cluster, and O(state=existing) uses it as it is.
    type: bool
    default: false
  recreate:
    description: Whether the cluster may be deleted and created again where it cannot be changed in place.
    type: bool
    default: false
  timeout:
    description: Seconds after which all of it is given up. Operations of Google's that run then go on.
    type: int
    default: 2400
  wait:
    description: Whether the last operation is waited for.
    type: bool
    default: true
extends_documentation_fragment:
  - daskops.kubernetes._gcp
  - daskops.kubernetes._gke.KUBECONFIG
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
  - module: daskops.kubernetes.gke_cluster_info
  - module: daskops.kubernetes.gke_node_pool
"""

EXAMPLES = r"""
- name: A regional cluster with private nodes, and one pool
  daskops.kubernetes.gke_cluster:
    project: my-project
    name: dask
    location: us-central1
    network: dask
    subnetwork: dask
    pods_range: pods
    services_range: services
    private_nodes: true
    dns_endpoint: true
    release_channel: regular
    labels: {team: science}
    initial_node_pools:
      - name: core
        machine_type: e2-standard-4
        autoscaling: {total_min: 1, total_max: 3}
    kubeconfig: {path: ~/.kube/dask.yaml}

- name: Use a cluster that is there
  daskops.kubernetes.gke_cluster:
    project: my-project
    name: shared
    location: us-central1-a
    state: existing
    kubeconfig: {path: ~/.kube/shared.yaml}

- name: Delete the cluster, and mean it
  daskops.kubernetes.gke_cluster:
    project: my-project
    name: dask
    location: us-central1
    state: absent
    deletion_protection: false
"""

RETURN = r"""
cluster:
  description: The cluster, as the API has it or, in check mode, as it will be.
  returned: unless O(state=absent)
  type: dict
  sample: {name: dask, location: us-central1, status: RUNNING}
endpoint:
  description: Address of the API server. Empty in check mode if the cluster is not there yet.
  returned: unless O(state=absent)
  type: str
  sample: 203.0.113.7
ca_certificate:
  description: Certificate of its CA, in base64. Empty in check mode if the cluster is not there yet.
  returned: unless O(state=absent)
  type: str
managed:
  description: Whether this module has made the cluster, and so may delete it.
  returned: unless O(state=absent)
  type: bool
cost_per_hour:
  description:
    - An estimate in USD, with the fewest and the most nodes, from a table that O(prices) corrects.
    - Disks, traffic and discounts are not in it, nor is what C(unknown) names.
  returned: unless O(state=absent)
  type: dict
  sample: {min: 0.23, max: 6.4, currency: USD, unknown: []}
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
kubeconfig:
  description: The kubeconfig.
  returned: when O(kubeconfig) is given and there is a cluster
  type: dict
  contains:
    path:
      description: Path of the file.
      type: str
      sample: /home/user/.kube/dask.yaml
    context:
      description: Its only context. Empty in check mode if the cluster is not there yet.
      type: str
      sample: gke_my-project_us-central1_dask
    server:
      description: URL of the API server.
      type: str
      sample: https://203.0.113.7
    auth:
      description: V(exec) or V(token).
      type: str
      sample: exec
    changed:
      description: Whether anything but a token was changed.
      type: bool
exists:
  description: V(false) if the cluster is not there.
  returned: when O(state=existing) fails for that reason
  type: bool
seconds:
  description: How long all of it took.
  returned: success
  type: float
  sample: 412.7
differences:
  description: What cannot be changed in place or, with O(state=existing), is not as asked for.
  returned: when the module fails for that reason
  type: list
  elements: str
  sample: ['network is default, not dask']
"""

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke, _gke_cluster, _gke_cost, _gke_kubeconfig
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import (
    GKE_CLUSTER,
    GKE_KUBECONFIG,
    GKE_NODE_POOL,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import Google
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **GKE_CLUSTER,
    "kubeconfig": GKE_KUBECONFIG,
    "prices": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 2400},
    "wait": {"type": "bool", "default": True},
}


def with_pools(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The parameters with their pools as gke_node_pool takes them."""
    validator = ArgumentSpecValidator(GKE_NODE_POOL)
    pools = []
    for pool in params["initial_node_pools"] or []:
        result = validator.validate(pool)
        if result.error_messages:
            raise DaskopsError(
                f"Cluster {params['name']}: initial_node_pools has {pool.get('name', 'a pool')} that cannot be: "
                f"{'; '.join(result.error_messages)}."
            )
        pools.append(result.validated_parameters)
    return {**params, "initial_node_pools": pools or None}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Make the cluster what the parameters say."""
    params = with_pools(module.params)
    if params["kubeconfig"]:
        _gke_kubeconfig.check_path(params["kubeconfig"]["path"])
    prices = _gke_cost.prices(params["prices"])
    progress = Progress()
    google = Google(params)
    result = _gke_cluster.apply(google, params, module.check_mode, progress.say)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if params["state"] != "absent":
        cluster = result["cluster"] = _gke.public(result["cluster"])
        result["endpoint"] = cluster.get("endpoint") or ""
        result["managed"] = _gke.is_managed(cluster.get("resourceLabels"))
        result["cost_per_hour"] = _gke_cost.cost_per_hour(cluster, prices)
        result["ca_certificate"] = (cluster.get("masterAuth") or {}).get("clusterCaCertificate") or ""
        if params["kubeconfig"] and not (params["wait"] or cluster.get("endpoint")):
            module.warn(f"Cluster {params['name']} has no kubeconfig yet, as it is not waited for; run again.")
        elif params["kubeconfig"]:
            plugin = module.get_bin_path(_gke_kubeconfig.PLUGIN) is not None
            result["kubeconfig"] = _gke_kubeconfig.deliver(
                params["kubeconfig"], params, cluster, google.project, google.token, plugin, module.check_mode
            )
            result["changed"] = result["changed"] or result["kubeconfig"]["changed"]
    result["seconds"] = round(progress.seconds, 2)
    return result


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
