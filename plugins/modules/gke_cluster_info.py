#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gke_cluster_info
short_description: What GKE clusters are
version_added: 1.0.0
description:
  - Returns one cluster or all of a location or project, and what they cost.
  - Only reads, and writes no more than a O(kubeconfig).
author: daskops.kubernetes contributors (@daskops)
options:
  name:
    description: Name of the cluster. By default all of them are returned.
    type: str
  location:
    description: Region or zone. V(-) is all of them.
    type: str
    default: "-"
  server_config:
    description: Whether the versions, channels and images that the O(location) offers are returned, too.
    type: bool
    default: false
extends_documentation_fragment:
  - daskops.kubernetes._gcp
  - daskops.kubernetes._gke.KUBECONFIG
  - daskops.kubernetes._gke.PRICES
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP_GKE
seealso:
  - module: daskops.kubernetes.gke_cluster
"""

EXAMPLES = r"""
- name: All clusters of a project
  daskops.kubernetes.gke_cluster_info:
    project: my-project

- name: One cluster, and the versions that it could have
  daskops.kubernetes.gke_cluster_info:
    project: my-project
    name: dask
    location: us-central1
    server_config: true
"""

RETURN = r"""
clusters:
  description: The clusters, as the API has them. Empty if there is none.
  returned: success
  type: list
  elements: dict
  sample: [{name: dask, location: us-central1, status: RUNNING}]
cost_per_hour:
  description:
    - By location and name, an estimate in USD, with the fewest and the most nodes, from a table that O(prices)
      corrects.
    - Disks, traffic and discounts are not in it, nor is what C(unknown) names.
  returned: success
  type: dict
  sample: {us-central1/dask: {min: 0.33, max: 6.5, currency: USD, unknown: []}}
managed:
  description: The clusters that M(daskops.kubernetes.gke_cluster) has made, by location and name.
  returned: success
  type: list
  elements: str
  sample: [us-central1/dask]
server_config:
  description: What the location offers.
  returned: when O(server_config=true)
  type: dict
  sample: {defaultClusterVersion: 1.34.1-gke.100}
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
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke, _gke_cost, _gke_kubeconfig
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import GKE_KUBECONFIG
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import Google
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import run as run_module

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "location": {"type": "str", "default": "-"},
    "server_config": {"type": "bool", "default": False},
    "kubeconfig": GKE_KUBECONFIG,
    "prices": {"type": "dict", "default": {}},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What the parameters ask for."""
    params = module.params
    prices = _gke_cost.prices(params["prices"])
    name, location, kubeconfig = params["name"], params["location"], params["kubeconfig"]
    if name:
        _gke.check_name(name, "cluster")
    if location != "-":
        _gke.check_location(location)
    elif params["server_config"]:
        raise DaskopsError("server_config is of one location; give a region or a zone (location).")
    if kubeconfig:
        _gke_kubeconfig.check_path(kubeconfig["path"])
        if not name:
            raise DaskopsError("A kubeconfig is of one cluster; give its name.")
    google = Google(params)
    place = _gke.location_path(google.project, location)
    if name and location != "-":
        found = google.find("container", f"{place}/clusters/{name}")
        clusters = [found] if found else []
    else:
        clusters = google.items("container", f"{place}/clusters", "clusters")
        clusters = [cluster for cluster in clusters if name in (None, "", cluster.get("name"))]
    named = {f"{cluster.get('location')}/{cluster.get('name')}": cluster for cluster in clusters}
    result: dict[str, t.Any] = {
        "clusters": [_gke.public(cluster) for cluster in clusters],
        "cost_per_hour": {key: _gke_cost.cost_per_hour(cluster, prices) for key, cluster in named.items()},
        "managed": [key for key, cluster in named.items() if _gke.is_managed(cluster.get("resourceLabels"))],
    }
    if params["server_config"]:
        result["server_config"] = google.get("container", f"{place}/serverConfig")
    if kubeconfig and clusters:
        if len(clusters) > 1:
            raise DaskopsError(f"There are clusters called {name} in {', '.join(sorted(named))}; give the location.")
        plugin = module.get_bin_path(_gke_kubeconfig.PLUGIN) is not None
        result["kubeconfig"] = _gke_kubeconfig.deliver(
            kubeconfig, params, clusters[0], google.project, google.token, plugin, module.check_mode
        )
        result["changed"] = result["kubeconfig"]["changed"]
    return result


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, work)


if __name__ == "__main__":
    main()
