#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: target_info
short_description: What a Kubernetes cluster offers to a Dask deployment
version_added: 1.0.0
description:
  - Checks that the API server answers, its version, what the user may do in the namespace, storage and ingress classes,
    the namespace's Pod Security level and, as far as that can be told, whether NetworkPolicies are enforced.
  - Fails if a deployment cannot go there, and names all reasons at once.
  - Only reads.
author: daskops.kubernetes contributors (@daskops)
extends_documentation_fragment:
  - daskops.kubernetes._target
  - daskops.kubernetes._auth
  - daskops.kubernetes._attributes.INFO
  - daskops.kubernetes._attributes.ACTIONGROUP
options:
  namespace:
    description: The namespace that Dask is to go to.
    type: str
    required: true
  namespace_create:
    description: Whether the namespace may be created if it is not there.
    type: bool
    default: true
  ingress:
    description: Whether an ingress class is needed.
    type: bool
    default: false
  route:
    description:
      - Whether Routes (C(route.openshift.io)) are needed, as OpenShift and MicroShift have them, and so the rights to
        them.
    type: bool
    default: false
  route_host:
    description:
      - Whether, with O(route=true), a host or certificate is to be chosen for the Route, which takes the right to
        C(routes/custom-host).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See whether Dask can go to a team's namespace
  daskops.kubernetes.target_info:
    kubeconfig: ~/.kube/team.yaml
    context: team
    namespace: dask
    namespace_create: false
"""

RETURN = r"""
name:
  description: What the cluster is called in messages.
  returned: success
  type: str
  sample: team
context:
  description: The context that was used. Empty if O(host) was given.
  returned: success
  type: str
  sample: team
server:
  description: URL of the API server.
  returned: success
  type: str
  sample: https://198.51.100.7:6443
version:
  description: Version of Kubernetes.
  returned: success or problems
  type: str
  sample: v1.34.0
namespace_exists:
  description: Whether the namespace is there. Null if the user may not see that.
  returned: success or problems
  type: bool
pod_security:
  description: The Pod Security level that the namespace enforces. Empty if it names none.
  returned: success or problems
  type: str
  sample: restricted
arbitrary_uid:
  description: Whether the namespace runs its pods under user IDs of its own, as OpenShift does.
  returned: success or problems
  type: bool
storage_classes:
  description: Names of the storage classes. Null if the user may not see them.
  returned: success or problems
  type: list
  elements: str
  sample: [standard]
default_storage_class:
  description: Name of the default storage class. Empty if there is none, null if the user may not see them.
  returned: success or problems
  type: str
  sample: standard
ingress_classes:
  description: Names of the ingress classes. Null if the user may not see them.
  returned: success or problems
  type: list
  elements: str
  sample: [nginx]
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
      sample: Cilium
missing_rights:
  description: What a deployment does and the user may not.
  returned: success or problems
  type: list
  elements: str
  sample: []
problems:
  description: What keeps a deployment from this cluster, a sentence each.
  returned: problems
  type: list
  elements: str
  sample: [namespace dask does not exist and is not to be created; have it created first]
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _target_info
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "target": {"type": "str"},
    "namespace": {"type": "str", "required": True},
    "namespace_create": {"type": "bool", "default": True},
    "ingress": {"type": "bool", "default": False},
    "route": {"type": "bool", "default": False},
    "route_host": {"type": "bool", "default": False},
}


def check(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Everything that the module returns; raises with all problems at once."""
    namespace = params["namespace"]
    context = _target_info.checked_context(params)
    cluster = _kube.Cluster({**params, "context": context}, params["target"])
    facts = _target_info.gather(
        cluster, namespace, params["namespace_create"], *(params[each] for each in ("ingress", "route", "route_host"))
    )
    result = _target_info.summary(facts)
    problems = _target_info.problems(facts, namespace, params["namespace_create"], params["ingress"])
    if problems:
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
