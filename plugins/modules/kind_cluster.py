#!/usr/bin/python
# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: A local Kubernetes cluster in containers, with an image registry
version_added: 1.0.0
description:
  - Creates, starts and deletes a cluster of L(kind,https://kind.sigs.k8s.io/), a registry that its nodes pull from,
    and a kubeconfig file of its own.
  - A cluster that is there and differs from what is asked for is never changed or replaced. The module fails and lists
    the differences.
  - Only what this module has made is deleted. It marks its clusters by a mount in their nodes and its registries by
    a label.
  - A cluster whose creation was interrupted is deleted and created again.
  - Nodes that are stopped, as after a reboot, are started.
author: daskops.kubernetes contributors (@daskops)
options:
  name:
    description:
      - Name of the cluster.
      - Its nodes are called C(<name>-control-plane), C(<name>-worker), C(<name>-worker2) and so on.
    type: str
    default: dask
  state:
    description:
      - V(present) makes sure that the cluster is there, that its nodes are Ready, and that its registry runs.
      - V(absent) deletes the cluster, its kubeconfig and, unless another cluster of this module uses it, its registry.
        The Docker network C(kind) stays, as all kind clusters share it.
    type: str
    choices: [present, absent]
    default: present
  node_image:
    description: Image of the nodes. It is pulled if it is not on the machine.
    type: str
    default: kindest/node:v1.34.0
  kubernetes_version:
    description:
      - Kubernetes version that the cluster has to have, such as V(1.34) or V(1.34.0). It comes with the O(node_image).
      - By default whichever the image holds.
    type: str
  workers:
    description: Number of nodes beside the one control plane.
    type: int
    default: 2
  schedulable_control_plane:
    description: Whether the control plane runs pods, too.
    type: bool
    default: true
  listen_address:
    description: Address of this machine on which the O(node_ports) listen.
    type: str
    default: 127.0.0.1
  node_ports:
    description: Node ports of the cluster that can be reached on this machine, by the same number.
    type: list
    elements: int
    default: [30888, 30786]
  config:
    description:
      - Further fields of kind's configuration of a cluster, as kind takes them, such as C(featureGates),
        C(runtimeConfig), C(networking) and C(kubeadmConfigPatches).
      - Nodes and names are what the other options make.
    type: dict
    default: {}
  extra_mounts:
    description: Folders or files of this machine that each node gets.
    type: list
    elements: dict
    default: []
    suboptions:
      host_path:
        description: Absolute path on this machine.
        type: path
        required: true
      container_path:
        description: Absolute path in the nodes.
        type: str
        required: true
      read_only:
        description: Whether the nodes may only read it.
        type: bool
        default: true
  registry_name:
    description:
      - Name of the registry's container. Several clusters may share one.
      - A registry of that name that this module has not made is used, and never deleted.
    type: str
    default: daskops-registry
  registry_port:
    description: Port of the registry on 127.0.0.1. Images are called C(localhost:<port>/...), here and on the nodes.
    type: int
    default: 5001
  registry_image:
    description: Image of the registry. It is pulled if it is not on the machine.
    type: str
    default: registry:2
  registry_keep:
    description: Whether the registry and its images stay when the cluster is deleted.
    type: bool
    default: false
  kubeconfig:
    description:
      - Path of the kubeconfig file, which is for this cluster alone and readable by its owner only.
      - By default C(~/.kube/daskops-<name>.yaml).
    type: path
  timeout:
    description: Seconds after which a step that has not come to its end is given up.
    type: int
    default: 300
requirements:
  - kind >= 0.20
  - docker (client and a running engine)
  - kubernetes >= 24.2 (Python library)
extends_documentation_fragment:
  - daskops.kubernetes._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: A cluster with two workers
  daskops.kubernetes.kind_cluster:
    name: dask

- name: A second cluster beside it, of one node and on other ports
  daskops.kubernetes.kind_cluster:
    name: trial
    workers: 0
    node_ports: [31888, 31786]

- name: Delete both, and the registry that they share with the second one
  daskops.kubernetes.kind_cluster:
    name: "{{ item }}"
    state: absent
  loop: [dask, trial]
"""

RETURN = r"""
cluster:
  description: The cluster, as it is or, in check mode, as it will be.
  returned: when O(state=present)
  type: dict
  contains:
    name:
      description: Name of the cluster.
      type: str
      sample: dask
    kubeconfig:
      description: Path of its kubeconfig file.
      type: str
      sample: /home/user/.kube/daskops-dask.yaml
    context:
      description: The only context of that file.
      type: str
      sample: kind-dask
    server:
      description: URL of the API server. Empty in check mode if the cluster is not there yet.
      type: str
      sample: https://127.0.0.1:38123
    kubernetes_version:
      description: Version of Kubernetes on the nodes. Empty in check mode if it cannot be known yet.
      type: str
      sample: v1.34.0
    nodes:
      description: Names of the nodes, the control plane first.
      type: list
      elements: str
      sample: [dask-control-plane, dask-worker, dask-worker2]
registry:
  description: The registry.
  returned: when O(state=present)
  type: dict
  contains:
    name:
      description: Name of its container.
      type: str
      sample: daskops-registry
    address:
      description: What images in it begin with.
      type: str
      sample: localhost:5001
steps:
  description: What was done or, in check mode, will be done.
  returned: success
  type: list
  elements: str
  sample: [create the registry, create the cluster, connect the registry to the nodes' network, write the kubeconfig]
seconds:
  description: How long that took.
  returned: success
  type: float
  sample: 41.7
differences:
  description: Where the cluster that is there is not what was asked for.
  returned: when the module fails for that reason
  type: list
  elements: str
  sample: [it has 1 worker, not 2]
"""

import os
import typing as t
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kind
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kind_engine import Engine
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import KUBERNETES_IMPORT_ERROR
from ansible_collections.daskops.kubernetes.plugins.module_utils._module import run as run_module
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "default": "dask"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "node_image": {"type": "str", "default": "kindest/node:v1.34.0"},
    "kubernetes_version": {"type": "str"},
    "workers": {"type": "int", "default": 2},
    "schedulable_control_plane": {"type": "bool", "default": True},
    "listen_address": {"type": "str", "default": "127.0.0.1"},
    "node_ports": {"type": "list", "elements": "int", "default": [30888, 30786]},
    "config": {"type": "dict", "default": {}},
    "extra_mounts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "host_path": {"type": "path", "required": True},
            "container_path": {"type": "str", "required": True},
            "read_only": {"type": "bool", "default": True},
        },
    },
    "registry_name": {"type": "str", "default": "daskops-registry"},
    "registry_port": {"type": "int", "default": 5001},
    "registry_image": {"type": "str", "default": "registry:2"},
    "registry_keep": {"type": "bool", "default": False},
    "kubeconfig": {"type": "path"},
    "timeout": {"type": "int", "default": 300},
}


def specification(params: dict[str, t.Any]) -> _kind.Spec:
    """The cluster that the parameters ask for."""
    return _kind.Spec(
        name=params["name"],
        image=params["node_image"],
        workers=params["workers"],
        listen=params["listen_address"],
        node_ports=tuple(params["node_ports"]),
        schedulable_control_plane=params["schedulable_control_plane"],
        registry=params["registry_name"],
        registry_port=params["registry_port"],
        registry_image=params["registry_image"],
        kubernetes_version=params["kubernetes_version"] or None,
        config=params["config"],
        mounts=tuple((m["host_path"], m["container_path"], m["read_only"]) for m in params["extra_mounts"]),
    )


def kubeconfig_path(params: dict[str, t.Any]) -> Path:
    """Where the kubeconfig goes; never to the one that all tools share."""
    path = Path(params["kubeconfig"] or Path.home() / ".kube" / f"daskops-{params['name']}.yaml")
    if path.resolve() == (Path.home() / ".kube" / "config").resolve():
        raise DaskopsError(
            f"Kind cluster {params['name']} wants a kubeconfig of its own, and {path} is the one that all tools share; "
            "give another path (kubeconfig)."
        )
    return path


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Look, plan, and take the plan's steps unless in check mode."""
    params = module.params
    spec = specification(params)
    _kind.check(spec)
    for program in ("docker", "kind"):
        if not module.get_bin_path(program):
            raise DaskopsError(
                f"Kind cluster {spec.name} needs the program {program}, which is not on the PATH "
                f"{os.environ.get('PATH', '')}; install it."
            )
    progress = Progress()
    engine = Engine(spec, kubeconfig_path(params), params["timeout"], module.run_command, progress)
    present = params["state"] == "present"

    def plan() -> tuple[_kind.Observed, tuple[_kind.Step, ...]]:
        observed = engine.observe()
        if not present:
            return observed, _kind.plan_absent(spec.name, observed, params["registry_keep"])
        steps = _kind.plan_present(spec, observed)
        busy = engine.busy_ports(steps)
        if busy:
            raise DaskopsError(
                f"Kind cluster {spec.name} cannot listen on port {' and '.join(busy)}: something else does; "
                "nothing was touched: end that, or give other ports (node_ports, registry_port)."
            )
        return observed, steps

    observed, steps = plan()
    if steps and not module.check_mode:
        with engine.alone():
            observed, steps = plan()  # another run may have ended meanwhile
            engine.prepare(steps)
            if _kind.Step.CREATE_CLUSTER in steps:
                _check_version(spec, engine.version_of_image())
            for step in steps:
                engine.do(step)
    result: dict[str, t.Any] = {
        "changed": bool(steps),
        "steps": [step.value for step in steps],
        "diff": {
            "before": _kind.picture(observed).as_dict(),
            "after": _kind.picture_after(observed, steps, spec).as_dict(),
        },
    }
    if present:
        server, version = "", observed.kubernetes_version or ""
        if not module.check_mode:
            server, version = engine.server(), engine.wait_until_ready()[0].version
        elif _kind.Step.CREATE_CLUSTER in steps:
            version = engine.version_of_image()
        elif _kind.Step.WRITE_KUBECONFIG not in steps:
            server = engine.server()
        _check_version(spec, version)
        result["cluster"] = {
            "name": spec.name,
            "kubeconfig": str(kubeconfig_path(params)),
            "context": spec.context,
            "server": server,
            "kubernetes_version": version,
            "nodes": spec.node_names,
        }
        result["registry"] = {"name": spec.registry, "address": spec.registry_address}
    result["seconds"] = round(progress.seconds, 2)
    return result


def _check_version(spec: _kind.Spec, found: str) -> None:
    if spec.kubernetes_version and found and not _kind.version_fits(spec.kubernetes_version, found):
        raise DaskopsError(
            f"Kind cluster {spec.name} is to run Kubernetes {spec.kubernetes_version}, but its node image {spec.image} "
            f"holds {found}; give an image of that version (node_image)."
        )


def main() -> t.NoReturn:
    """Entry point."""
    run_module(ARGUMENTS, run, {"kubernetes": KUBERNETES_IMPORT_ERROR})


if __name__ == "__main__":
    main()
