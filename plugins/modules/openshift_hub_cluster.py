#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openshift_hub_cluster
short_description: An OpenShift cluster from a hub, claimed from a pool or with a hosted control plane
version_added: 1.0.0
description:
  - Gets a cluster from a hub, waits until it can be used, and writes its admin's kubeconfig. Gives it back with
    O(state=absent).
  - A hub is a cluster with Red Hat Advanced Cluster Management, the multicluster engine, Hive or HyperShift.
  - By O(claim) it is a C(ClusterClaim) of Hive, which is served by one of the clusters that a C(ClusterPool) keeps.
  - By O(hosted) it is a C(HostedCluster) of HyperShift with its C(NodePool)s, whose specifications are passed through.
  - What this module makes has the label C(app.kubernetes.io/managed-by=daskops). What somebody else has made can be
    used, and is neither changed nor deleted. Only a claimed cluster that hibernates is resumed in any case.
  - The authentication options are those of the hub.
author: daskops.kubernetes contributors (@daskops)
options:
  name:
    description: Name of the claim or of the hosted cluster.
    type: str
    required: true
  namespace:
    description: Namespace of it on the hub. A claim has to be in that of its pool.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that the cluster is there and can be used, and that its kubeconfig is written.
      - V(absent) deletes the claim, and the cluster with it, or the hosted cluster and its node pools, waits until they
        are gone, and removes the kubeconfig.
    type: str
    choices: [present, absent]
    default: present
  claim:
    description: Claim a cluster from a pool. May be empty for a claim that is there.
    type: dict
    suboptions:
      pool:
        description: Name of the C(ClusterPool). Needed unless the claim is there.
        type: str
      lifetime:
        description:
          - How long the claim lasts from when it has a cluster, such as V(8h) or V(1h30m). Then Hive deletes both.
          - By default the pool tells, and the pool's maximum holds in any case.
        type: str
      subjects:
        description:
          - Who may read the cluster's credentials and manage it on the hub. Whoever runs this module has to be among
            them, unless the hub gives them the right otherwise.
        type: list
        elements: dict
        suboptions:
          kind:
            description: What it is.
            type: str
            choices: [User, Group, ServiceAccount]
            required: true
          name:
            description: Name of it.
            type: str
            required: true
          namespace:
            description: Namespace of a service account.
            type: str
  hosted:
    description: Have a cluster with a hosted control plane.
    type: dict
    suboptions:
      spec:
        description:
          - C(spec) of the C(HostedCluster), as the API C(hypershift.openshift.io/v1beta1) has it. The Secrets that it
            names have to be there.
          - Without it a cluster that is there is used.
        type: dict
      node_pools:
        description: Its node pools.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the C(NodePool).
            type: str
            required: true
          spec:
            description: C(spec) of it. Its C(clusterName) is filled in.
            type: dict
            required: true
      purge:
        description:
          - Whether node pools that this module has made for the cluster and that are no longer listed are deleted.
        type: bool
        default: false
  kubeconfig_path:
    description:
      - Path of the file for the cluster's kubeconfig, which is readable by its owner only.
      - It is neither the O(kubeconfig) of the hub nor C(~/.kube/config).
    type: path
    required: true
  timeout:
    description: Seconds after which it is given up to wait. Installing a cluster may take the better part of an hour.
    type: int
    default: 3600
extends_documentation_fragment:
  - daskops.kubernetes._auth
  - daskops.kubernetes._attributes
  - daskops.kubernetes._attributes.ACTIONGROUP
attributes:
  check_mode:
    support: full
    details: Objects of O(hosted) are sent to the hub as a dry run. Does not wait.
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The kubeconfig is that of the cluster's admin. Whoever has the file owns the cluster.
"""

EXAMPLES = r"""
- name: Claim a cluster for the day
  daskops.kubernetes.openshift_hub_cluster:
    kubeconfig: ~/.kube/hub.yaml
    context: hub
    name: dask
    namespace: pools
    claim:
      pool: small
      lifetime: 8h
      subjects:
        - {kind: Group, name: data-team}
    kubeconfig_path: ~/.kube/daskops-dask.yaml
  register: result

- name: Give it back
  daskops.kubernetes.openshift_hub_cluster:
    kubeconfig: ~/.kube/hub.yaml
    context: hub
    name: dask
    namespace: pools
    state: absent
    claim: {}
    kubeconfig_path: ~/.kube/daskops-dask.yaml

- name: A hosted control plane with three nodes
  daskops.kubernetes.openshift_hub_cluster:
    kubeconfig: ~/.kube/hub.yaml
    context: hub
    name: dask
    namespace: clusters
    hosted:
      spec: "{{ lookup('ansible.builtin.file', 'hosted-cluster.yml') | from_yaml }}"
      node_pools:
        - name: workers
          spec: "{{ lookup('ansible.builtin.file', 'node-pool.yml') | from_yaml | combine({'replicas': 3}) }}"
    kubeconfig_path: ~/.kube/daskops-dask.yaml
"""

RETURN = r"""
cluster:
  description: The cluster. What is not known, as in check mode before it is there, is empty.
  returned: when O(state=present)
  type: dict
  contains:
    name:
      description: The cluster's own name.
      type: str
      sample: small-x7k2p
    namespace:
      description: Namespace on the hub in which its objects are.
      type: str
      sample: small-x7k2p
    kubeconfig_path:
      description: Path of its kubeconfig file.
      type: str
      sample: /home/user/.kube/daskops-dask.yaml
    context:
      description: Current context of that file.
      type: str
      sample: admin
    server:
      description: URL of its API server.
      type: str
      sample: https://api.small-x7k2p.example.com:6443
    console:
      description: URL of its web console. A hosted cluster's is not known on the hub.
      type: str
      sample: https://console-openshift-console.apps.small-x7k2p.example.com
    openshift_version:
      description: Version of OpenShift.
      type: str
      sample: 4.20.4
steps:
  description: What was done or, in check mode, will be done.
  returned: success
  type: list
  elements: str
  sample: [create ClusterClaim pools/dask, write the kubeconfig]
kept:
  description: What is not deleted since somebody else has made it.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [ClusterClaim pools/dask]
seconds:
  description: How long that took.
  returned: success
  type: float
  sample: 214.6
"""

import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _openshift_hub
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._openshift_hub_engine import (
    YAML_IMPORT_ERROR,
    Engine,
    check_path,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "claim": {
        "type": "dict",
        "options": {
            "pool": {"type": "str"},
            "lifetime": {"type": "str"},
            "subjects": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "kind": {"type": "str", "choices": ["User", "Group", "ServiceAccount"], "required": True},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                },
                "required_if": [("kind", "ServiceAccount", ["namespace"])],
            },
        },
    },
    "hosted": {
        "type": "dict",
        "options": {
            "spec": {"type": "dict"},
            "node_pools": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "spec": {"type": "dict", "required": True},
                },
            },
            "purge": {"type": "bool", "default": False},
        },
    },
    "kubeconfig_path": {"type": "path", "required": True},
    "timeout": {"type": "int", "default": 3600},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Look, plan, and take the plan's steps unless in check mode."""
    params, check = module.params, module.check_mode
    want = _openshift_hub.wanted(params)
    path = check_path(params["kubeconfig_path"], params["kubeconfig"])
    progress = Progress()
    engine = Engine(_kube.Cluster(params), want, path, params["timeout"], progress)
    if params["state"] == "present":
        result = _present(module, want, engine, check)
        result["cluster"]["kubeconfig_path"] = str(path)
    else:
        result = _absent(module, want, engine, check)
    return {**result, "changed": bool(result["steps"]), "seconds": round(progress.seconds, 2)}


def _present(module: AnsibleModule, want: _openshift_hub.Want, engine: Engine, check: bool) -> dict[str, t.Any]:
    engine.check_hub()
    seen = engine.observe()
    changes = engine.carry_out(_openshift_hub.plan_present(want, seen), check)
    before: dict[str, t.Any] = {name: old for name, old, _new in changes}
    after: dict[str, t.Any] = {name: new for name, _old, new in changes}
    steps = [f"{_verb(old, new)} {name}" for name, old, new in changes]
    text, context, server = "", "", ""
    if not check:
        seen, last = engine.wait_until_ready()
        for warning in last.warnings:
            module.warn(warning)
        text, context, server = engine.kubeconfig(seen)
    elif seen.cluster and _openshift_hub.assess(want, seen).ready:
        text, context, server = engine.kubeconfig(seen)
    if not text or engine.write_kubeconfig(text, check):
        steps.append("write the kubeconfig")
        before["kubeconfig"], after["kubeconfig"] = "(not that of the cluster)", "(that of the cluster)"
    cluster = _openshift_hub.described(want, seen)
    return {
        "steps": steps,
        "cluster": {**cluster, "context": context, "server": server or cluster["server"]},
        "diff": {"before": before, "after": after},
    }


def _absent(module: AnsibleModule, want: _openshift_hub.Want, engine: Engine, check: bool) -> dict[str, t.Any]:
    plan = _openshift_hub.plan_absent(want, engine.observe())
    for kept in plan.kept:
        module.warn(f"{kept} was made by somebody else and stays.")
    changes = engine.carry_out(plan, check)
    if not check:
        engine.wait_until_gone(plan.delete)
    before: dict[str, t.Any] = {name: old for name, old, _new in changes}
    steps = [f"delete {name}" for name in before]
    if engine.remove_kubeconfig(check):
        steps.append("remove the kubeconfig")
        before["kubeconfig"] = "(there)"
    return {"steps": steps, "kept": list(plan.kept), "diff": {"before": before, "after": {}}}


def _verb(before: dict[str, t.Any], after: dict[str, t.Any]) -> str:
    if not before:
        return "create"
    return "change" if after else "delete"


def main() -> t.NoReturn:
    """Entry point."""
    run_module(
        ARGUMENTS,
        work,
        {"PyYAML": YAML_IMPORT_ERROR},
        mutually_exclusive=[("claim", "hosted")],
        required_one_of=[("claim", "hosted")],
    )


if __name__ == "__main__":
    main()
