# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Look at and change kind clusters by the programs docker and kind."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import re
import socket
import tempfile
import time
import traceback
import typing as t
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils import _kind, _process
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kind import (
    CONTROL_PLANE,
    Kubeconfig,
    Node,
    NodeStatus,
    Observed,
    Spec,
    Step,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster, Unreachable

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

try:
    import yaml

    YAML_IMPORT_ERROR: str | None = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()


class Run(t.Protocol):
    """AnsibleModule.run_command."""

    def __call__(self, args: list[str], *, data: str | None = None) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""


class Engine:
    """The effects of one module run."""

    def __init__(self, spec: Spec, kubeconfig: Path, timeout: float, run: Run, progress: Progress) -> None:
        self._spec = spec
        self._kubeconfig = kubeconfig
        self._deadline = time.monotonic() + timeout
        self._timeout = timeout
        self._run = run
        self._progress = progress
        self._observed = Observed()
        self._started = ""

    # What is there

    def observe(self) -> Observed:
        """Everything that a plan needs, from three quick commands and one request."""
        ids = self._docker("ps", "-aq", "--filter", f"label={_kind.CLUSTER_LABEL}").split()
        inspected = self._inspect(*ids, self._spec.registry)
        everyone, others = _kind.read_containers(inspected)
        nodes = tuple(node for node in everyone if node.cluster == self._spec.name)
        users = {
            node.cluster
            for node in everyone
            if node.marks and node.marks.get("registry") == self._spec.registry and node.cluster != self._spec.name
        }
        complete = self._is_complete(nodes)
        kubeconfig, statuses = self._look_through_kubeconfig(nodes, complete)
        self._observed = Observed(
            nodes=nodes,
            complete=complete,
            registry=others.get(self._spec.registry),
            registry_users=tuple(sorted(users)),
            kubeconfig=kubeconfig,
            kubernetes_version=next((status.version for status in statuses), None),
        )
        return self._observed

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The nodes as the API server knows them."""
        api = Cluster({"kubeconfig": str(self._kubeconfig), "context": self._spec.context})
        return _kind.read_nodes(api.items("/api/v1/nodes"), self._started)

    def server(self) -> str:
        """URL of the API server."""
        return Cluster({"kubeconfig": str(self._kubeconfig), "context": self._spec.context}).url

    def version_of_image(self) -> str:
        """The Kubernetes version that the node image holds; empty if the image is not here yet."""
        if not self._has_image(self._spec.image):
            return ""
        return self._docker("run", "--rm", "--entrypoint", "cat", self._spec.image, "/kind/version").strip()

    def busy_ports(self, steps: t.Collection[Step]) -> list[str]:
        """The ports that the steps want and that something else listens on, with what that is."""
        if not os.environ.get("DOCKER_HOST", "unix://").startswith("unix://"):
            return []  # the ports are another machine's
        wanted = []
        if Step.CREATE_CLUSTER in steps and Step.DELETE_REMAINS not in steps:
            wanted += [(self._spec.listen, port) for port in self._spec.node_ports]
        if Step.CREATE_REGISTRY in steps:
            wanted.append(("127.0.0.1", self._spec.registry_port))
        return [f"{port} ({self._listener(port)})" for address, port in wanted if _is_busy(address, port)]

    # Changes

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Keep other runs of this user from changing kind clusters meanwhile."""
        directory = Path.home() / ".kube"
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    self._progress.say("another run is changing kind clusters: waits for its end")
                    self._pause(0.5, f"{self._called}: another run is still changing kind clusters; run this again.")
            yield
        finally:
            os.close(descriptor)

    def prepare(self, steps: t.Collection[Step]) -> None:
        """Fetch the images that the steps need, before anything is made."""
        if Step.CREATE_CLUSTER in steps:
            self._fetch("node image", self._spec.image, "node_image")
        if Step.CREATE_REGISTRY in steps:
            self._fetch("registry image", self._spec.registry_image, "registry_image")

    def do(self, step: Step) -> None:
        """Take one step."""
        {
            Step.DELETE_REMAINS: self._delete_cluster,
            Step.CREATE_REGISTRY: self._create_registry,
            Step.START_REGISTRY: self._start_registry,
            Step.CREATE_CLUSTER: self._create_cluster,
            Step.START_NODES: self._start_nodes,
            Step.CONNECT_REGISTRY: self._connect_registry,
            Step.WRITE_KUBECONFIG: self._write_kubeconfig,
            Step.DELETE_CLUSTER: self._delete_cluster,
            Step.DELETE_REGISTRY: self._delete_registry,
            Step.DELETE_KUBECONFIG: self._kubeconfig.unlink,
        }[step]()

    def wait_until_ready(self) -> tuple[NodeStatus, ...]:
        """The nodes, once all are Ready."""
        names = set(self._spec.node_names)
        pause = 0.1
        while True:
            why = "the API server does not answer yet"
            try:
                found = {status.name: status for status in self.nodes() if status.name in names}
            except (ApiError, Unreachable) as error:
                why = error.message
            else:
                waiting = sorted(name for name in names if name not in found or not found[name].ready)
                if not waiting:
                    return tuple(found[name] for name in self._spec.node_names)
                first = waiting[0]
                why = found[first].why if first in found else "it is not registered"
                why = f"node {first} is not Ready: {why}"
                self._progress.say(f"{len(names) - len(waiting)} of {len(names)} nodes are Ready")
            self._pause(
                pause,
                f"{self._called} is not ready after {self._timeout:.0f} s: {_one_line(why)}; run this again to wait "
                f"longer, look at the end of 'docker logs {self._spec.node_names[0]}', or delete it (state=absent).",
            )
            pause = min(pause * 1.3, 1.0)

    # The rest is private

    @property
    def _called(self) -> str:
        return f"Kind cluster {self._spec.name}"

    def _docker(self, *args: str, data: str | None = None, missing_ok: bool = False) -> str:
        status, out, err = self._run(["docker", *args], data=data)
        if status and not missing_ok:
            raise DaskopsError(docker_problem(self._called, list(args), err or out))
        return out

    def _inspect(self, *names: str) -> list[dict[str, t.Any]]:
        status, out, err = self._run(["docker", "container", "inspect", *names])
        if status and "no such container" not in err.lower():
            raise DaskopsError(docker_problem(self._called, ["container", "inspect"], err))
        return t.cast("list[dict[str, t.Any]]", json.loads(out))

    def _has_image(self, image: str) -> bool:
        return self._run(["docker", "image", "inspect", "--format", "{{.Id}}", image])[0] == 0

    def _is_complete(self, nodes: t.Iterable[Node]) -> bool:
        """Also tells of nodes that are stopped."""
        first = next((node.name for node in nodes if node.role == CONTROL_PLANE), None)
        return first is not None and self._run(["docker", "cp", f"{first}:{_kind.COMPLETE}", "-"])[0] == 0

    def _look_through_kubeconfig(
        self, nodes: t.Collection[Node], complete: bool
    ) -> tuple[Kubeconfig, tuple[NodeStatus, ...]]:
        try:
            text = self._kubeconfig.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Kubeconfig.MISSING, ()
        except OSError as error:
            raise DaskopsError(f"{self._called}: its kubeconfig {self._kubeconfig} cannot be read: {error}.") from error
        if not _is_only(text, self._spec.context):
            return Kubeconfig.FOREIGN, ()
        if not complete or not any(node.state == "running" for node in nodes):
            return Kubeconfig.CURRENT if complete else Kubeconfig.STALE, ()
        if self._kubeconfig.stat().st_mode & 0o077:
            return Kubeconfig.STALE, ()
        with contextlib.suppress(DaskopsError):
            return Kubeconfig.CURRENT, self.nodes()
        status, fresh, _err = self._run(["kind", "get", "kubeconfig", "--name", self._spec.name])
        return Kubeconfig.CURRENT if status or fresh == text else Kubeconfig.STALE, ()

    def _listener(self, port: int) -> str:
        names = self._run(["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"])[1].split()
        if names:
            return f"container {names[0]}"
        return _process_on(port) or "a process that this user may not see"

    def _fetch(self, what: str, image: str, option: str) -> None:
        if self._has_image(image):
            return
        self._progress.say(f"pulls {what} {image}")
        status, lines = _process.stream(["docker", "pull", image], timeout=self._left())
        if status:
            why = _one_line(lines[-1] if lines else "docker pull ran into the timeout")
            raise DaskopsError(
                f"{self._called}: its {what} {image} is not on this machine and cannot be pulled: {why}; "
                f"load it with 'docker load', or name another one ({option})."
            )

    def _create_registry(self) -> None:
        spec = self._spec
        self._progress.say(f"creates registry {spec.registry} on {spec.registry_address}")
        command = ["docker", "run", "--detach", "--restart=always", f"--name={spec.registry}"]
        command += [f"--label={_kind.REGISTRY_LABEL}={spec.registry}", "--env=REGISTRY_STORAGE_DELETE_ENABLED=true"]
        command += [f"--publish=127.0.0.1:{spec.registry_port}:{_kind.REGISTRY_INNER_PORT}", spec.registry_image]
        status, _out, err = self._run(command)
        if status:
            self._docker("rm", "--force", "--volumes", spec.registry, missing_ok=True)
            raise DaskopsError(docker_problem(self._called, ["run", spec.registry_image], err))

    def _start_registry(self) -> None:
        self._progress.say(f"starts registry {self._spec.registry}")
        self._docker("start", self._spec.registry)

    def _delete_registry(self) -> None:
        self._progress.say(f"deletes registry {self._spec.registry}")
        self._docker("rm", "--force", "--volumes", self._spec.registry)

    def _connect_registry(self) -> None:
        everyone, others = _kind.read_containers(self._inspect(self._spec.node_names[0], self._spec.registry))
        network = everyone[0].networks[0]
        if network not in others[self._spec.registry].networks:
            self._docker("network", "connect", network, self._spec.registry)

    def _create_cluster(self) -> None:
        spec = self._spec
        self._progress.say(f"creates kind cluster {spec.name} with {len(spec.node_names)} nodes")
        with tempfile.TemporaryDirectory() as directory:
            # kind merges a kubeconfig into what it finds: give it a place where it finds nothing.
            command = [
                "kind",
                "create",
                "cluster",
                f"--name={spec.name}",
                f"--image={spec.image}",
                "--config=-",
                "--retain",
            ]
            command.append(f"--kubeconfig={directory}/kubeconfig")
            status, lines = _process.stream(
                command, self._say_kind_step, data=_kind.kind_config(spec), timeout=self._left()
            )
        if status:
            why = self._why_a_node_ended() or kind_problem(lines, self._timeout)
            self._run(["kind", "delete", "cluster", "--name", spec.name, "--kubeconfig", os.devnull])
            raise DaskopsError(
                f"{self._called} could not be created: {why}; what was made of it is deleted again.",
                kind_output=lines[-50:],
            )
        for name in spec.node_names:
            self._write(name, _kind.registry_hosts_path(spec), _kind.registry_hosts(spec))
        self._write(spec.node_names[0], _kind.COMPLETE, "")

    def _why_a_node_ended(self) -> str | None:
        nodes, _others = _kind.read_containers(self._inspect(*self._spec.node_names))
        ended = next((node for node in nodes if node.state == "exited"), None)
        if ended is None:
            return None
        status, out, err = self._run(["docker", "logs", "--tail=3", ended.name])
        return node_problem(ended.name, _plain(out + err) if status == 0 else "")

    def _write(self, node: str, path: str, text: str) -> None:
        script = 'mkdir -p "$(dirname "$0")" && cat >"$0"'
        self._docker("exec", "--interactive", node, "sh", "-c", script, path, data=text)

    def _say_kind_step(self, line: str) -> None:
        if "•" in line:
            text = _plain(line)
            self._progress.say(f"kind: {text[0].lower()}{text[1:]}")

    def _start_nodes(self) -> None:
        stopped = [node.name for node in self._observed.nodes if node.state != "running"]
        self._progress.say(f"starts {', '.join(stopped)}")
        self._started = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._docker("start", *stopped)

    def _delete_cluster(self) -> None:
        self._progress.say(f"deletes kind cluster {self._spec.name}")
        status, _out, err = self._run(
            ["kind", "delete", "cluster", "--name", self._spec.name, "--kubeconfig", os.devnull]
        )
        if status:
            raise DaskopsError(f"{self._called} could not be deleted: {_one_line(err)}.")

    def _write_kubeconfig(self) -> None:
        status, out, err = self._run(["kind", "get", "kubeconfig", "--name", self._spec.name])
        if status:
            raise DaskopsError(f"{self._called} gives no kubeconfig: {_one_line(err)}.")
        self._kubeconfig.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._kubeconfig.parent)  # mode 0600
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(out)
        os.replace(name, self._kubeconfig)

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 1.0)

    def _pause(self, seconds: float, too_late: str) -> None:
        if time.monotonic() > self._deadline:
            raise DaskopsError(too_late)
        time.sleep(seconds)


def docker_problem(called: str, args: list[str], err: str) -> str:
    """One sentence on a docker command that failed."""
    lower = err.lower()
    if "permission denied" in lower and "daemon socket" in lower:
        return (
            f"{called}: this user may not talk to the Docker engine ({_one_line(err)}); "
            "add the user to the group docker, or run as one who may."
        )
    if "cannot connect to the docker daemon" in lower or "error during connect" in lower:
        return f"{called}: no Docker engine answers ({_one_line(err)}); start it, or set DOCKER_HOST to one that runs."
    return f"{called}: 'docker {' '.join(args[:2])}' failed: {_one_line(err)}."


def node_problem(name: str, log: str) -> str:
    """Why a node's container ended by itself."""
    with contextlib.suppress(OSError):
        limit = Path("/proc/sys/fs/inotify/max_user_instances").read_text(encoding="ascii").strip()
        if "Failed to allocate manager" in log or "Too many open files" in log:
            return (
                f"its node {name} could not start, as the nodes of all kind clusters together want more than "
                f"fs.inotify.max_user_instances = {limit}: raise that with sysctl, or delete a cluster"
            )
    return f"its node {name} ended with: {log}"


def kind_problem(lines: list[str], timeout: float) -> str:
    """What kind said when it gave up."""
    error = next((line for line in lines if line.startswith("ERROR:")), None)
    if error is None:
        step = next((line for line in reversed(lines) if "•" in line), "before its first step")
        return f"kind was not done after {timeout:.0f} s ({_plain(step)})"
    # kind's error line is the command that failed, in full; the cause, if a known one, stands elsewhere.
    cause = next((line for line in lines if re.search("error response from daemon|no space left", line, re.I)), error)
    return _one_line(cause.removeprefix("ERROR:").removeprefix(" failed to create cluster:"))


def _is_only(text: str, context: str) -> bool:
    """Whether a kubeconfig is for this context and no other."""
    try:
        names = {entry["name"] for entry in yaml.safe_load(text)["contexts"]}
    except (yaml.YAMLError, KeyError, TypeError):
        return False
    return names <= {context}


def _is_busy(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


def _process_on(port: int) -> str | None:
    """Who listens on a port, where /proc lets this user see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(descriptor) in inodes:
                process = descriptor.parents[1]
                return f"process {process.name}, {(process / 'comm').read_text(encoding='utf-8').strip()}"
    return None


def _plain(step: str) -> str:
    return _one_line(re.sub(r"[^ -~]|\.\.\.", "", step))


def _one_line(what: object) -> str:
    return " ".join(str(what).split()).rstrip(".")[:500]
