# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the options in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """What the modules about GKE clusters and pools share."""

    KUBECONFIG = r"""
options:
  kubeconfig:
    description: Where a kubeconfig for this cluster alone is written, readable by its owner only.
    type: dict
    suboptions:
      path:
        description: Path of the file, which must not be the one that all tools share.
        type: path
        required: true
      auth:
        description:
          - How the API server is spoken to.
          - V(exec) is by gcloud's plugin C(gke-gcloud-auth-plugin), which has to be where the kubeconfig is used.
          - V(token) is by a token, which is good for an hour at most. A new one does not count as a change.
          - V(auto) is V(exec) if the plugin is here and can use the same credentials as this module, else V(token).
        type: str
        choices: [auto, exec, token]
        default: auto
      endpoint:
        description:
          - Which of the cluster's endpoints is used.
          - V(auto) is V(dns) where the DNS-based one takes traffic from outside, else V(ip).
        type: str
        choices: [auto, dns, ip, private]
        default: auto
"""

    PRICES = r"""
options:
  prices:
    description:
      - Prices in USD per hour, over those of this collection, which are a rough estimate of list prices.
      - C(cluster) is the fee for a cluster; C(machine_types) has a price or C(on_demand) and C(spot) by machine type;
        C(regions) has a factor by region.
    type: dict
    default: {}
"""
