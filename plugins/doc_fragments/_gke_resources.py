# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of GKE_RESOURCES in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """What a GKE cluster for Dask stands on."""

    DOCUMENTATION = r"""
options:
  network:
    description: The VPC network. It is not managed if this is left out.
    type: dict
    suboptions:
      name:
        description: Name of the network.
        type: str
        required: true
      create:
        description: Whether it is made if it is not there. If not, it has to be there, and is never changed.
        type: bool
        default: true
      project:
        description: ID of a shared VPC's host project, which then has the subnetwork and the NAT, too.
        type: str
  subnetwork:
    description: The subnetwork for the nodes, which needs O(network).
    type: dict
    suboptions:
      name:
        description: Name of the subnetwork.
        type: str
        required: true
      region:
        description: Its region.
        type: str
        required: true
      create:
        description: Whether it is made if it is not there. If not, it has to be there, and is never changed.
        type: bool
        default: true
      ip_range:
        description:
          - The range for nodes, such as V(10.0.0.0/22). It has to be given for one that is made.
          - A range that is there can be widened, and not changed in any other way.
        type: str
      pods_range:
        description: The secondary range for pods.
        type: dict
        suboptions:
          name:
            description: Name of the range.
            type: str
            required: true
          cidr:
            description: The range, such as V(10.4.0.0/14). It may be left out for a range that is there.
            type: str
      services_range:
        description: The secondary range for services.
        type: dict
        suboptions:
          name:
            description: Name of the range.
            type: str
            required: true
          cidr:
            description: The range, such as V(10.8.0.0/20). It may be left out for a range that is there.
            type: str
      private_google_access:
        description:
          - Whether machines without external addresses reach Google's APIs, and so Artifact Registry.
          - By default yes for one that is made by this or may be changed, and whatever it is for one that may not.
        type: bool
  nat:
    description: A Cloud Router with a NAT for the subnetwork, which private nodes need to reach anything else.
    type: dict
    suboptions:
      router:
        description: Name of the router.
        type: str
        required: true
      name:
        description: Name of the NAT on it.
        type: str
        required: true
      create:
        description:
          - Whether both are made and changed. If not, there has to be a NAT for the subnetwork on that router.
          - A router that others have made is never changed.
        type: bool
        default: true
      min_ports_per_vm:
        description: Ports that each node has to itself. By default whatever Google gives or it is set to.
        type: int
  node_service_account:
    description: The account that nodes run as, in place of Compute Engine's default one, which may do far too much.
    type: dict
    suboptions:
      account_id:
        description: What its email begins with.
        type: str
      email:
        description: Its email, instead of O(node_service_account.account_id).
        type: str
      create:
        description: Whether it is made if it is not there. If not, it has to be there.
        type: bool
        default: true
      roles:
        description:
          - Roles in the project that are given to it where it lacks them. The default is the least that GKE needs.
          - On the O(artifact_registry) it is given C(roles/artifactregistry.reader) as well.
        type: list
        elements: str
        default: [roles/container.defaultNodeServiceAccount]
  artifact_registry:
    description: The repository of Artifact Registry for images.
    type: dict
    suboptions:
      repository:
        description: Name of the repository.
        type: str
        required: true
      location:
        description: Its region, or V(us), V(europe) or V(asia).
        type: str
        required: true
      create:
        description: Whether it is made if it is not there. If not, it has to be there.
        type: bool
        default: true
      readers:
        description: Who may pull, such as V(group:team@example.com), beside the O(node_service_account).
        type: list
        elements: str
        default: []
      writers:
        description: Who may push.
        type: list
        elements: str
        default: []
  workload_identity:
    description:
      - What pods may do without a key.
      - The project's pool of identities is there when its first cluster with Workload Identity is, so bindings can be
        made only after that.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: The pods' namespace.
        type: str
        required: true
      service_account:
        description: The pods' service account, one of Kubernetes.
        type: str
        required: true
      bucket:
        description: Name of a bucket that they use, which has to be there.
        type: str
      role:
        description: Their role on the bucket.
        type: str
        default: roles/storage.objectUser
      google_service_account:
        description:
          - Email of an account of Google's that they act as, which has to be there and then has the role on the bucket.
          - By default they have it themselves.
        type: str
  labels:
    description: Labels for what can have any.
    type: dict
    default: {}
"""
