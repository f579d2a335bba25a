#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openshift_target_info
short_description: What an OpenShift cluster offers to a Dask deployment
version_added: 1.0.0
description:
  - Checks, as M(daskops.kubernetes.target_info) does, what a cluster offers and what the user may do, and what only
    OpenShift has, which is projects and who may request them, Routes and their domain, builds and the image registry.
  - Fails if a deployment cannot go there, names all reasons at once, and has what to ask an admin for ready to apply.
  - MicroShift and any Kubernetes with Routes serve as well, with what they have.
  - Only reads.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._target
  - daskops.kubernetes._auth
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP
options:
  namespace:
    description: The project that Dask is to go to.
    type: str
    required: true
  namespace_create:
    description: Whether the project may be made if it is not there.
    type: bool
    default: true
  route:
    description: Whether a Route is wanted, and so the rights to it.
    type: bool
    default: true
  route_host:
    description: Whether the Route's host or certificate is to be chosen, which takes a right of its own.
    type: bool
    default: false
  builds:
    description: Whether the image is built in the cluster, which takes its rights.
    type: bool
    default: false
  exposed_registry:
    description: Whether the image is pushed to the cluster's own registry, which has to be exposed for that.
    type: bool
    default: false
  require:
    description: Whether to fail if a deployment cannot go there.
    type: bool
    default: true
  tenant:
    description:
      - For whom C(grant) is, the name of a user or C(system:serviceaccount:<namespace>:<name>).
      - By default the one who asks.
    type: str
"""

EXAMPLES = r"""
- name: See whether Dask can go to a team's project, and be built there
  daskops.kubernetes.openshift_target_info:
    host: https://api.cluster.example.com:6443
    api_key: "{{ token }}"
    namespace: dask
    builds: true
"""

RETURN = r"""
name:
  description: What the cluster is called in messages.
  returned: success
  type: str
  sample: api.cluster.example.com:6443
context:
  description: The context that was used. Empty if O(host) was given.
  returned: success
  type: str
  sample: team
server:
  description: URL of the API server.
  returned: success
  type: str
  sample: https://api.cluster.example.com:6443
user:
  description: The user's name.
  returned: success or problems
  type: str
  sample: system:serviceaccount:team:deployer
version:
  description: Version of Kubernetes.
  returned: success or problems
  type: str
  sample: v1.34.0
api_groups:
  description: Which of OpenShift's API groups that matter here it has.
  returned: success or problems
  type: list
  elements: str
  sample: [build.openshift.io, image.openshift.io, project.openshift.io, route.openshift.io]
namespace_exists:
  description:
    - Whether the project is there and the user may see it. OpenShift does not tell one of somebody else from none.
  returned: success or problems
  type: bool
project_request:
  description: Whether the user gets a project by requesting it, rather than by making a namespace.
  returned: success or problems
  type: bool
arbitrary_uid:
  description: Whether pods run under user IDs of the project.
  returned: success or problems
  type: bool
domains:
  description: Domains of hosts that the cluster's router serves, as far as that is known.
  returned: success or problems
  type: list
  elements: str
  sample: [apps.cluster.example.com]
registry:
  description: Hosts of the cluster's own image registry.
  returned: success or problems
  type: dict
  contains:
    public:
      description: From outside. Empty if it is not exposed.
      type: str
      sample: ""
    internal:
      description: From inside. Empty if there is none.
      type: str
      sample: image-registry.openshift-image-registry.svc:5000
pod_security:
  description: The Pod Security level that the project enforces. Empty if it names none.
  returned: success or problems
  type: str
storage_classes:
  description: Names of the storage classes. Null if the user may not see them.
  returned: success or problems
  type: list
  elements: str
default_storage_class:
  description: Name of the default storage class. Empty if there is none, null if the user may not see them.
  returned: success or problems
  type: str
ingress_classes:
  description: Names of the ingress classes. Null if the user may not see them.
  returned: success or problems
  type: list
  elements: str
network_policy:
  description: Whether NetworkPolicies are enforced.
  returned: success or problems
  type: dict
  contains:
    enforced:
      description: V(yes), V(no) or V(unknown).
      type: str
      sample: "yes"
    by:
      description: By what.
      type: str
      sample: OVN-Kubernetes
missing_rights:
  description: What a deployment does and the user may not.
  returned: success or problems
  type: list
  elements: str
  sample: []
grant:
  description: A Role that has exactly the rights that are needed in the project, and its RoleBinding, as YAML.
  returned: success or problems
  type: str
problems:
  description: What keeps a deployment from this cluster, a sentence each.
  returned: problems
  type: list
  elements: str
reached:
  description: V(false) if the API server gave no answer, or the kubeconfig is not there.
  returned: when it fails for that reason
  type: bool
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _openshift, _target_info
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module

JSON = dict[str, t.Any]

ARGUMENTS: dict[str, JSON] = {
    "target": {"type": "str"},
    "namespace": {"type": "str", "required": True},
    "namespace_create": {"type": "bool", "default": True},
    "route": {"type": "bool", "default": True},
    "route_host": {"type": "bool", "default": False},
    "builds": {"type": "bool", "default": False},
    "exposed_registry": {"type": "bool", "default": False},
    "require": {"type": "bool", "default": True},
    "tenant": {"type": "str"},
}


def check(params: JSON) -> JSON:
    """Everything that the module returns; raises with all problems at once."""
    context = _target_info.checked_context(params)
    cluster = _kube.Cluster({**params, "context": context}, params["target"])
    ask = _openshift.Ask(
        namespace=params["namespace"],
        create=params["namespace_create"],
        route=params["route"],
        route_host=params["route_host"],
        builds=params["builds"],
        exposed_registry=params["exposed_registry"],
    )
    facts = _openshift.gather(cluster, ask)
    needed = _target_info.needed_rights(create_namespace=False, route=ask.route, route_host=ask.route_host)
    result = _openshift.summary(facts)
    result["grant"] = _openshift.grant(
        (*needed, *ask.rights(facts.groups), *_target_info.LIMITS_READ),
        ask.namespace,
        params["tenant"] or facts.user,
        make_namespace=facts.namespace is None,
    )
    problems = _openshift.problems(facts, ask)
    if problems and params["require"]:
        raise DaskopsError(
            f"Cluster {cluster.name} cannot take a Dask deployment, and nothing was touched: {'; '.join(problems)}.",
            problems=problems,
            **result,
        )
    return {"name": cluster.name, "context": context or "", "server": cluster.url, **result}


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, lambda module: check(module.params))


if __name__ == "__main__":
    main()
