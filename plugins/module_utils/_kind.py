# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a kind cluster shall be, what is there, and what lies between the two: pure, without effects."""

from __future__ import annotations

import enum
import hashlib
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

JSON = dict[str, t.Any]

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
CONTROL_PLANE = "control-plane"
REGISTRY_LABEL = "daskops.kubernetes.registry"
REGISTRY_INNER_PORT = 5000
API_INNER_PORT = 6443

# kind lets nobody label its node containers.  A mount is the one thing that is there from a node's first moment on
# and can be read from outside: /dev/null, at a path that says what was asked for and cannot be seen otherwise.
MARK = "/kind/daskops.kubernetes/"
COMPLETE = "/kind/daskops.kubernetes.complete"  # put into the control plane at the end of a creation

# kind appends "-control-plane", and the result has to be a host name.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,47}[a-z0-9])?")
DOCKER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
VERSION = re.compile(r"v?\d+\.\d+(\.\d+)?")


@dataclass(frozen=True)
class Spec:
    """A cluster and its registry, as asked for."""

    name: str
    image: str
    workers: int
    listen: str
    node_ports: tuple[int, ...]
    schedulable_control_plane: bool
    registry: str
    registry_port: int
    registry_image: str
    kubernetes_version: str | None = None
    config: JSON = field(default_factory=dict)  # of kind's own configuration
    mounts: tuple[tuple[str, str, bool], ...] = ()  # path here, path in each node, whether it is read only

    @property
    def node_names(self) -> list[str]:
        """The names that kind gives."""
        numbers = ["", *(str(number) for number in range(2, self.workers + 1))]
        return [f"{self.name}-{CONTROL_PLANE}", *(f"{self.name}-worker{n}" for n in numbers[: self.workers])]

    @property
    def context(self) -> str:
        """The name that kind gives to the kubeconfig's context."""
        return f"kind-{self.name}"

    @property
    def registry_address(self) -> str:
        """The registry as this machine and, by their containerd's configuration, the nodes call it."""
        return f"localhost:{self.registry_port}"

    @property
    def marks(self) -> dict[str, str]:
        """What is recorded on the nodes."""
        more = json.dumps([self.config, self.mounts], sort_keys=True) if self.config or self.mounts else ""
        return {
            "registry": self.registry,
            "registry_port": str(self.registry_port),
            "schedulable_control_plane": str(self.schedulable_control_plane).lower(),
            **({"config": hashlib.sha256(more.encode()).hexdigest()[:12]} if more else {}),
        }


@dataclass(frozen=True)
class Node:
    """A node's container."""

    name: str
    cluster: str
    role: str
    image: str
    state: str
    ports: frozenset[tuple[str, int, int]]  # address and port here, port in the node
    networks: tuple[str, ...]
    marks: dict[str, str] | None  # None: this collection has not made it


@dataclass(frozen=True)
class Registry:
    """A registry's container."""

    name: str
    state: str
    ours: bool
    bindings: frozenset[tuple[str, int, int]]
    networks: tuple[str, ...]


class Kubeconfig(enum.Enum):
    """What the file is to the cluster."""

    MISSING = "missing"
    STALE = "stale"
    CURRENT = "current"
    FOREIGN = "foreign"  # it holds other contexts, too


@dataclass(frozen=True)
class Observed:
    """What is there."""

    nodes: tuple[Node, ...] = ()
    complete: bool = False
    registry: Registry | None = None
    registry_users: tuple[str, ...] = ()  # other clusters of this collection
    kubeconfig: Kubeconfig = Kubeconfig.MISSING
    kubernetes_version: str | None = None  # None: the API server did not say


class Step(enum.Enum):
    """One change."""

    DELETE_REMAINS = "delete what an interrupted run left of the cluster"
    CREATE_REGISTRY = "create the registry"
    START_REGISTRY = "start the registry"
    CREATE_CLUSTER = "create the cluster"
    START_NODES = "start the nodes"
    CONNECT_REGISTRY = "connect the registry to the nodes' network"
    WRITE_KUBECONFIG = "write the kubeconfig"
    DELETE_CLUSTER = "delete the cluster"
    DELETE_REGISTRY = "delete the registry"
    DELETE_KUBECONFIG = "delete the kubeconfig"


@dataclass(frozen=True)
class NodeStatus:
    """A node as the API server knows it."""

    name: str
    ready: bool
    why: str
    version: str


def check(spec: Spec) -> None:
    """Refuse what can be seen to be wrong without looking anywhere."""
    if not NAME.fullmatch(spec.name):
        raise DaskopsError(
            f"{spec.name!r} is no name for a kind cluster: use up to 49 lower-case letters, digits and hyphens, "
            "with a letter or digit at both ends."
        )
    if not DOCKER_NAME.fullmatch(spec.registry):
        raise DaskopsError(
            f"{spec.registry!r} is no name for the registry of kind cluster {spec.name}: use letters, digits, "
            "'_', '.' and '-', with a letter or digit first."
        )
    if spec.workers < 0:
        raise DaskopsError(f"Kind cluster {spec.name} cannot have {spec.workers} workers: give 0 or more.")
    if not spec.workers and not spec.schedulable_control_plane:
        raise DaskopsError(
            f"Kind cluster {spec.name} would have no node that runs pods: give it workers or let its control plane "
            "take pods (schedulable_control_plane)."
        )
    for port in spec.node_ports:
        if not 30000 <= port <= 32767:
            raise DaskopsError(f"Kind cluster {spec.name}: {port} is no node port: those are 30000 to 32767.")
    if len(set(spec.node_ports)) < len(spec.node_ports):
        ports = ", ".join(map(str, spec.node_ports))
        raise DaskopsError(f"Kind cluster {spec.name}: a node port is given twice in {ports}; give different ones.")
    if not 1 <= spec.registry_port <= 65535 or spec.registry_port in spec.node_ports:
        raise DaskopsError(
            f"Kind cluster {spec.name}: its registry cannot listen on port {spec.registry_port}; "
            "give one from 1 to 65535 that is no node port."
        )
    if spec.kubernetes_version and not VERSION.fullmatch(spec.kubernetes_version):
        raise DaskopsError(
            f"Kind cluster {spec.name}: {spec.kubernetes_version!r} is no Kubernetes version; "
            "write it as 1.34 or 1.34.0."
        )
    if own := sorted({"kind", "apiVersion", "name", "nodes"} & set(spec.config)):
        raise DaskopsError(
            f"Kind cluster {spec.name}: {own[0]!r} of kind's configuration is what the other options make; "
            "leave it out of config."
        )


def version_fits(wanted: str, found: str) -> bool:
    """Whether C(found), such as v1.34.0, is C(wanted), such as 1.34."""
    return (found.lstrip("v") + ".").startswith(wanted.lstrip("v") + ".")


def encode_marks(marks: dict[str, str]) -> str:
    """Marks as the path of a mount."""
    return MARK + "/".join(f"{key}={value}" for key, value in sorted(marks.items()))


def decode_marks(binds: t.Iterable[str]) -> dict[str, str] | None:
    """Marks from a container's mounts (source:target:options)."""
    for bind in binds:
        target = bind.partition(":")[2].partition(":")[0]
        if target.startswith(MARK):
            return dict(part.partition("=")[::2] for part in target.removeprefix(MARK).split("/"))
    return None


def kind_config(spec: Spec) -> str:
    """kind's own configuration of the cluster, as JSON, which is YAML."""
    mounts = [
        {"hostPath": here, "containerPath": there, "readOnly": read_only}
        for here, there, read_only in (("/dev/null", encode_marks(spec.marks), True), *spec.mounts)
    ]
    control_plane: JSON = {
        "role": CONTROL_PLANE,
        "extraMounts": mounts,
        "extraPortMappings": [
            {"containerPort": port, "hostPort": port, "listenAddress": spec.listen} for port in spec.node_ports
        ],
    }
    # Of a single node kind removes the taint itself, and fails if there is none.
    if spec.schedulable_control_plane and spec.workers:
        control_plane["kubeadmConfigPatches"] = [
            json.dumps({"kind": "InitConfiguration", "nodeRegistration": {"taints": []}})
        ]
    workers = [{"role": "worker", "extraMounts": mounts}] * spec.workers
    return json.dumps(
        {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": spec.name,
            "nodes": [control_plane, *workers],
            **spec.config,
        }
    )


def registry_hosts_path(spec: Spec) -> str:
    """Where a node's containerd looks up how to reach the registry."""
    return f"/etc/containerd/certs.d/{spec.registry_address}/hosts.toml"


def registry_hosts(spec: Spec) -> str:
    """Send pulls from the registry's address to its container on the nodes' network."""
    url = f"http://{spec.registry}:{REGISTRY_INNER_PORT}"
    return f'server = "{url}"\n\n[host."{url}"]\n'


def read_containers(inspected: list[JSON]) -> tuple[tuple[Node, ...], dict[str, Registry]]:
    """Nodes, and other containers as registries by name, from C(docker container inspect)."""
    nodes: list[Node] = []
    others: dict[str, Registry] = {}
    for container in inspected:
        name = container["Name"].lstrip("/")
        config = container["Config"]
        labels = config.get("Labels") or {}
        host_config = container["HostConfig"]
        bindings = frozenset(
            (binding["HostIp"], int(binding["HostPort"] or 0), int(port.partition("/")[0]))
            for port, found in (host_config.get("PortBindings") or {}).items()
            for binding in found or []
        )
        state = container["State"]["Status"]
        networks = tuple(container["NetworkSettings"]["Networks"])
        if CLUSTER_LABEL in labels:
            nodes.append(
                Node(
                    name=name,
                    cluster=labels[CLUSTER_LABEL],
                    role=labels.get(ROLE_LABEL, ""),
                    image=config["Image"],
                    state=state,
                    ports=frozenset(binding for binding in bindings if binding[2] != API_INNER_PORT),
                    networks=networks,
                    marks=decode_marks(host_config.get("Binds") or []),
                )
            )
        else:
            others[name] = Registry(name, state, REGISTRY_LABEL in labels, bindings, networks)
    return tuple(sorted(nodes, key=lambda node: (node.role, len(node.name), node.name))), others


def read_nodes(items: t.Iterable[JSON], since: str = "") -> tuple[NodeStatus, ...]:
    """What the API server says of its nodes; what it knows from before C(since), as it writes times, does not count."""
    statuses = []
    for item in items:
        ready: JSON = next((c for c in item["status"].get("conditions", []) if c["type"] == "Ready"), {})
        if ready.get("lastHeartbeatTime", "") < since:
            ready = {}
        statuses.append(
            NodeStatus(
                name=item["metadata"]["name"],
                ready=ready.get("status") == "True",
                why=f"{ready.get('reason', 'NoStatus')}: {ready.get('message', 'it has not reported yet')}",
                version=item["status"].get("nodeInfo", {}).get("kubeletVersion", ""),
            )
        )
    return tuple(statuses)


def _differences(spec: Spec, observed: Observed) -> list[str]:
    """Where a complete cluster of ours is not what is asked for; nothing of this can be changed in place."""
    found = []
    workers = [node for node in observed.nodes if node.role != CONTROL_PLANE]
    control = [node for node in observed.nodes if node.role == CONTROL_PLANE]
    if len(control) != 1:
        found.append(f"it has {len(control)} control planes, not 1")
    if len(workers) != spec.workers:
        found.append(f"it has {_count(len(workers), 'worker')}, not {spec.workers}")
    images = sorted({node.image for node in observed.nodes} - {spec.image})
    if images:
        found.append(f"its nodes run image {' and '.join(images)}, not {spec.image}")
    wanted = frozenset((spec.listen, port, port) for port in spec.node_ports)
    ports = frozenset(port for node in control for port in node.ports)
    if ports != wanted:
        found.append(f"it forwards {_ports(ports)}, not {_ports(wanted)}")
    marks = next((node.marks for node in observed.nodes if node.marks is not None), {})
    for key, value in sorted(spec.marks.items()):
        if key != "config" and marks.get(key) != value:
            found.append(f"its {key} is {marks.get(key)}, not {value}")
    if marks.get("config") != spec.marks.get("config"):
        found.append("it was made with another config or other extra_mounts")
    version = observed.kubernetes_version
    if spec.kubernetes_version and version and not version_fits(spec.kubernetes_version, version):
        found.append(f"it runs Kubernetes {version}, not {spec.kubernetes_version}")
    found.extend(
        f"its node {node.name} is {node.state}"
        for node in observed.nodes
        if node.state not in ("running", "exited", "created")
    )
    return found


def plan_present(spec: Spec, observed: Observed) -> tuple[Step, ...]:
    """The steps from what is there to what is asked for; refuses where they would destroy something."""
    steps: list[Step] = []
    if any(node.marks is None for node in observed.nodes):
        raise DaskopsError(
            f"There is a kind cluster {spec.name} that this collection has not made, and it was left as it is; "
            f"give another name, use it as any cluster (provider=kubernetes), or delete it with "
            f"'kind delete cluster --name {spec.name}'."
        )
    if observed.kubeconfig is Kubeconfig.FOREIGN:
        raise DaskopsError(
            f"The kubeconfig of kind cluster {spec.name} would overwrite a file that holds more than this cluster; "
            "give the path of a file of its own (kubeconfig)."
        )
    registry = _plan_registry(spec, observed.registry)
    if not observed.complete:
        if observed.nodes:
            steps.append(Step.DELETE_REMAINS)
        steps += [*registry, Step.CREATE_CLUSTER]
    else:
        differences = _differences(spec, observed)
        if differences:
            raise DaskopsError(
                f"Kind cluster {spec.name} is there and differs from what is asked for, and kind cannot change a "
                f"cluster: {'; '.join(differences)}; nothing was touched: delete it first (state=absent), give "
                "another name, or ask for what is there.",
                differences=differences,
            )
        if any(node.state != "running" for node in observed.nodes):
            steps.append(Step.START_NODES)
        steps += registry
    networks = {network for node in observed.nodes for network in node.networks}
    if steps or not (observed.registry and networks & set(observed.registry.networks)):
        steps.append(Step.CONNECT_REGISTRY)
    if Step.CREATE_CLUSTER in steps or observed.kubeconfig is not Kubeconfig.CURRENT:
        steps.append(Step.WRITE_KUBECONFIG)
    return tuple(steps)


def _plan_registry(spec: Spec, registry: Registry | None) -> list[Step]:
    if registry is None:
        return [Step.CREATE_REGISTRY]
    if not any(
        port == spec.registry_port and inner == REGISTRY_INNER_PORT for _address, port, inner in registry.bindings
    ):
        raise DaskopsError(
            f"The container {registry.name} is there, but is no registry on port {spec.registry_port} of this machine "
            f"(it forwards {_ports(registry.bindings)}); nothing was touched: give the registry of kind cluster "
            f"{spec.name} another name (registry_name) or that port (registry_port)."
        )
    if registry.state in ("exited", "created"):
        return [Step.START_REGISTRY]
    if registry.state != "running":
        raise DaskopsError(
            f"The registry {registry.name} of kind cluster {spec.name} is {registry.state}; "
            f"start it, or delete it with 'docker rm -f {registry.name}', and run this again."
        )
    return []


def plan_absent(name: str, observed: Observed, keep_registry: bool) -> tuple[Step, ...]:
    """The steps that leave nothing of what this collection has made."""
    if any(node.marks is None for node in observed.nodes):
        raise DaskopsError(
            f"Kind cluster {name} was not made by this collection, so it was not deleted; "
            f"if it is to go, run 'kind delete cluster --name {name}'."
        )
    steps = []
    if observed.nodes:
        steps.append(Step.DELETE_CLUSTER)
    if observed.registry and observed.registry.ours and not keep_registry and not observed.registry_users:
        steps.append(Step.DELETE_REGISTRY)
    if observed.kubeconfig in (Kubeconfig.CURRENT, Kubeconfig.STALE):
        steps.append(Step.DELETE_KUBECONFIG)
    return tuple(steps)


@dataclass(frozen=True)
class Picture:
    """What a diff shows."""

    nodes: dict[str, str] = field(default_factory=dict)
    registry: str = "absent"
    kubeconfig: str = "missing"

    def as_dict(self) -> JSON:
        """For a diff."""
        return {"nodes": self.nodes, "registry": self.registry, "kubeconfig": self.kubeconfig}


def picture(observed: Observed) -> Picture:
    """What is there, in short."""
    return Picture(
        {node.name: node.state for node in observed.nodes},
        observed.registry.state if observed.registry else "absent",
        observed.kubeconfig.value,
    )


def picture_after(observed: Observed, steps: t.Iterable[Step], spec: Spec) -> Picture:
    """What will be there after the steps."""
    done = set(steps)
    before = picture(observed)
    nodes = before.nodes
    if done & {Step.CREATE_CLUSTER, Step.START_NODES}:
        nodes = dict.fromkeys(spec.node_names, "running")
    elif Step.DELETE_CLUSTER in done:
        nodes = {}
    registry, kubeconfig = before.registry, before.kubeconfig
    if done & {Step.CREATE_REGISTRY, Step.START_REGISTRY}:
        registry = "running"
    elif Step.DELETE_REGISTRY in done:
        registry = "absent"
    if Step.WRITE_KUBECONFIG in done:
        kubeconfig = "current"
    elif Step.DELETE_KUBECONFIG in done:
        kubeconfig = "missing"
    return Picture(nodes, registry, kubeconfig)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ports(ports: t.Iterable[tuple[str, int, int]]) -> str:
    found = [f"{address or '*'}:{outer}->{inner}" for address, outer, inner in sorted(ports)]
    return ", ".join(found) or "no ports"
