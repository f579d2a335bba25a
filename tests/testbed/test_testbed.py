# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The test bed, tried for real: a quick second run, interrupted runs, and what a cluster made with it can do.

KUBERNETES_VERSION chooses the version, as it does for `prepare`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
CLUSTER = "testbed-test"
NAMESPACE = "testbed-test"


def run(*command: str, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float = 300) -> str:
    done = subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr[-2000:]}"
    return done.stdout


def prepare(folder: Path = HERE, **env: str) -> tuple[dict[str, str], str, float]:
    """The exports as a new environment, what was said, and the seconds it took."""
    started = time.monotonic()
    done = subprocess.run(
        [str(folder / "prepare")], env={**os.environ, **env}, capture_output=True, text=True, timeout=2400, check=False
    )
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout)
    assert words[0] == "export"
    return {**os.environ, **dict(word.split("=", 1) for word in words[1:])}, done.stderr, seconds


@pytest.fixture(scope="module")
def bed() -> dict[str, str]:
    return prepare()[0]


IMAGES = ("KIND_NODE_IMAGE", "BASE_IMAGE", "REGISTRY_IMAGE")


def identities(bed: dict[str, str]) -> list[str]:
    return run("docker", "image", "inspect", "-f", "{{.Id}}", *(bed[name] for name in IMAGES), env=bed).split()


def test_a_second_run_makes_nothing_and_is_quick(bed: dict[str, str]) -> None:
    before = identities(bed)
    took = []
    for _attempt in range(5):  # the machine may be busy with something else
        again, said, seconds = prepare()
        assert (said, identities(again)) == ("", before)
        took.append(seconds)
    assert min(took) < 2, took


def test_the_exported_programs_work(bed: dict[str, str]) -> None:
    assert run("kind", "version", env=bed).startswith("kind v")
    client = json.loads(run("kubectl", "version", "--client", "-o", "json", env=bed))["clientVersion"]["gitVersion"]
    assert client == bed["KUBERNETES_VERSION"]
    build = ["docker", "build", "-q", "-"]
    dockerfile = f"FROM {bed['BASE_IMAGE']}\nRUN --mount=type=tmpfs,target=/only-buildkit true\n"
    image = run(*build, stdin=dockerfile, env={**bed, "DOCKER_BUILDKIT": "1"}).strip()
    run("docker", "rmi", image, env=bed)


def test_a_wrong_variable_is_refused() -> None:
    for name, value in (("KUBERNETES_VERSION", "1.34"), ("TESTBED_SOURCE", "buy")):
        env = {**os.environ, name: value}
        done = subprocess.run([str(HERE / "prepare")], env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "false\n")
        assert f"{name} is '{value}'" in done.stderr
        assert "Traceback" not in done.stderr


class Interrupted:
    """A `prepare` with changed inputs and an empty cache of its own, ended by a signal in the midst of a step."""

    def __init__(self, folder: Path, bed: dict[str, str]) -> None:
        self.bed = bed
        self.here = folder / "testbed"
        self.cache = folder / "cache"
        shutil.copytree(HERE, self.here, ignore=shutil.ignore_patterns("__pycache__"))
        recipe = self.here / "base" / "rootfs"
        recipe.write_text(recipe.read_text(encoding="utf-8") + f"# {time.time_ns()}\n", encoding="utf-8")
        # Whoever runs this may have the programs of the test bed on PATH, and then this one would not make its own.
        path = [each for each in os.environ["PATH"].split(":") if not each.startswith(bed["TESTBED_CACHE"])]
        own = {"PATH": ":".join(path), "TESTBED_CACHE": str(self.cache), "TESTBED_SOURCE": "build"}
        self.env = {**os.environ, **own}

        name = "import testbed; print(testbed.base_image().name)"
        self.base = run("python3", "-c", name, env={**self.env, "PYTHONPATH": str(self.here)}).strip()

    def made(self) -> bool:
        inspect = ["docker", "image", "inspect", self.base]
        return subprocess.run(inspect, env=self.bed, capture_output=True, check=False).returncode == 0

    def end(self, step: str, number: signal.Signals, after: float) -> str:
        """Start it, wait until it says `step`, then for some seconds more, and send the signal to it alone."""
        said = []
        with subprocess.Popen(
            [str(self.here / "prepare")], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr
            for line in process.stderr:
                said.append(line)
                if step in line:
                    time.sleep(after)
                    process.send_signal(number)
                    break
                if "compile Kubernetes" in line:  # which comes after all that is waited for here, and takes minutes
                    process.terminate()
            else:
                raise AssertionError(f"it never came to {step!r}: {''.join(said)}")
            process.wait(60)
            said.append(process.stderr.read() if number != signal.SIGKILL else "")
        return "".join(said)

    def programs(self) -> list[str]:
        folder = self.cache / "programs"
        return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_an_interrupted_run_leaves_no_half_made_thing(bed: dict[str, str], tmp_path: Path) -> None:
    interrupted = Interrupted(tmp_path, bed)
    made_here = [path for path in (Path(bed["TESTBED_CACHE"]) / "programs").iterdir() if path.name.startswith("kind-")]
    if made_here:
        interrupted.end("compile kind", signal.SIGKILL, 3)
        assert interrupted.programs() == []
        (interrupted.cache / "programs").mkdir()
        for path in made_here:  # so that compiling it does not take this test's time
            shutil.copy(path, interrupted.cache / "programs")

    # Killed outright while debootstrap runs: its mounts are gone with it, and no image is there.
    interrupted.end("make the base image", signal.SIGKILL, 4)
    assert not interrupted.made()

    # The next run first waits for what the killed one left running, then starts afresh; this one is asked to end.
    said = interrupted.end("make the base image", signal.SIGTERM, 1)
    assert "interrupted; the next run takes it up from here" in said
    assert not interrupted.made()
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")

    # And the one after gets past the point at which both ended.
    interrupted.end("make the registry image", signal.SIGTERM, 0)
    assert interrupted.made()
    run("docker", "rmi", interrupted.base, env=bed)


# --- A bare machine


class Machine:
    """Debian with Python and kind, no Docker engine, and a registry that answers on its localhost:5000."""

    name = "testbed-test-machine"

    def __init__(self, bed: dict[str, str]) -> None:
        self.bed = bed
        self.remove()
        options = ["--privileged", "--init", "-p", "127.0.0.1::5000", "-v", "/root/.cache", "-v", f"{HERE}:/testbed:ro"]
        self.docker("run", "-d", "--name", self.name, *options, bed["BASE_IMAGE"], "sleep", "infinity")
        self.docker(
            *("run", "-d", "--name", f"{self.name}-registry", "--network", f"container:{self.name}"),
            bed["REGISTRY_IMAGE"],
        )
        self.docker("cp", "-L", shutil.which("kind", path=bed["PATH"]) or "", f"{self.name}:/usr/local/bin/kind")
        self.sh("apt-get update -qq && apt-get install -y -qq --no-install-recommends python3")
        port = self.docker("port", self.name, "5000").split(":")[-1].strip()
        # What is asked of a node image here is that it holds kubectl: of the real one only that part is sent.
        pods = bed["KIND_NODE_IMAGE"].replace("/node:", "/pods:").replace(f"{bed['KUBERNETES_VERSION']}-", "")
        published = {
            bed["BASE_IMAGE"]: "library/debian:bookworm-slim",
            bed["REGISTRY_IMAGE"]: "library/registry:2",
            pods: f"kindest/node:{bed['KUBERNETES_VERSION']}",
        }
        for image, to in published.items():
            self.docker("tag", image, f"localhost:{port}/{to}")
            try:
                self.docker("push", "-q", f"localhost:{port}/{to}")
            finally:
                self.docker("rmi", f"localhost:{port}/{to}")

    def docker(self, *arguments: str) -> str:
        return run("docker", *arguments, env=self.bed)

    def sh(self, command: str) -> str:
        return self.docker(
            "exec", "-e", "TESTBED_REGISTRY=localhost:5000", self.name, "sh", "-ec", f"exec 2>&1\n{command}"
        )

    def remove(self) -> None:
        for name in (f"{self.name}-registry", self.name):
            subprocess.run(["docker", "rm", "-f", "-v", name], env=self.bed, capture_output=True, check=False)


@pytest.fixture
def machine(bed: dict[str, str]) -> Iterator[Machine]:
    if bed["BASE_IMAGE"].startswith("debian:"):
        pytest.skip("the images of this test bed are pulled already")
    made = Machine(bed)
    yield made
    made.remove()


def test_a_bare_machine_gets_what_it_lacks_and_loses_what_was_made(machine: Machine) -> None:
    said = machine.sh("/testbed/prepare")
    assert "started a Docker engine" in said
    for number, image in enumerate(("library/debian:bookworm-slim", "library/registry:2", "kindest/node:v"), 1):
        assert f"testbed: [{number}/3] pull localhost:5000/{image}" in said
    machine.sh('eval "$(/testbed/prepare)" && kubectl version --client && docker image inspect "$KIND_NODE_IMAGE"')
    assert [line for line in machine.sh("/testbed/prepare").splitlines() if not line.startswith("export ")] == []

    machine.sh('eval "$(/testbed/prepare)" && docker run -d --name guest "$BASE_IMAGE" sleep infinity')
    assert "the engine holds containers (guest)" in machine.sh("! /testbed/clean")
    machine.sh("docker rm -f guest && docker info")
    said = machine.sh("/testbed/clean")
    assert "stopped the engine" in said
    assert "apt-get remove docker.io iptables" in said
    assert "dockerd" not in machine.sh("cat /proc/[0-9]*/comm")
    assert machine.sh("ls -A /root/.cache") == ""

    # An engine that somebody else started, with images of their own: these stay, and so does it.
    bounded = "--add-runtime bounded=/testbed/engine/runc-bounded --default-runtime bounded"
    machine.sh(f"nohup dockerd --data-root /root/.cache/theirs {bounded} >/dev/null 2>&1 &")
    until(lambda: "Server Version" in machine.sh("docker info || true"), 30, "the engine answers")
    machine.sh("/testbed/prepare && docker tag localhost:5000/library/registry:2 theirs:1")
    for image, lines in (
        ("daskops-testbed/made:1", "FROM theirs:1\nLABEL io.daskops.testbed=daskops-testbed/made:1"),
        ("theirs:2", "FROM daskops-testbed/made:1\nENV THEIRS=1"),
    ):
        machine.sh(f"printf '{lines}\n' | docker build -t {image} -")
    assert "removed the image daskops-testbed/made:1" in machine.sh("/testbed/clean")
    assert machine.sh("docker images --format '{{.Repository}}:{{.Tag}}'").split() == ["theirs:2", "theirs:1"]


# --- A cluster


@pytest.fixture(scope="module")
def cluster(bed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    kubeconfig = str(tmp_path_factory.mktemp("cluster") / "kubeconfig")
    env = {**bed, "KUBECONFIG": kubeconfig}
    run("kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", kubeconfig, env=env)
    try:
        create = ["kind", "create", "cluster", "--name", CLUSTER, "--image", bed["KIND_NODE_IMAGE"], "--wait", "120s"]
        run(*create, "--config", str(HERE / "cluster.yaml"), "--kubeconfig", kubeconfig, env=env)
        run("kind", "load", "docker-image", "--name", CLUSTER, bed["BASE_IMAGE"], env=env)
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
        apply(env, namespace)
        yield env
    finally:
        run("kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", kubeconfig, env=env)


def apply(env: dict[str, str], *objects: dict[str, Any]) -> None:
    text = "\n---\n".join(json.dumps(each) for each in objects)
    run("kubectl", "apply", "--server-side", "-f", "-", stdin=text, env=env)


def kubectl(env: dict[str, str], *arguments: str, timeout: float = 120) -> str:
    return run("kubectl", "-n", NAMESPACE, *arguments, env=env, timeout=timeout)


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def pod(
    env: dict[str, str], name: str, *command: str, user: int = 1000, claim: str = "", node: str = ""
) -> dict[str, Any]:
    """A pod that Pod Security's restricted profile admits."""
    container: dict[str, Any] = {
        "name": "main",
        "image": env["BASE_IMAGE"],
        "imagePullPolicy": "Never",
        "command": list(command),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec: dict[str, Any] = {
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": spec,
    }


def workers(env: dict[str, str]) -> list[str]:
    found = kubectl(env, "get", "nodes", "-l", "!node-role.kubernetes.io/control-plane", "-o", "name").split()
    return [name.removeprefix("node/") for name in found]


def test_every_node_is_ready_with_the_version_asked_for(cluster: dict[str, str]) -> None:
    # What kind waits for is the control plane alone.
    kubectl(cluster, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
    nodes = json.loads(kubectl(cluster, "get", "nodes", "-o", "json"))["items"]
    ready = [c["status"] for node in nodes for c in node["status"]["conditions"] if c["type"] == "Ready"]
    assert ready == ["True"] * 3
    assert {n["status"]["nodeInfo"]["kubeletVersion"] for n in nodes} == {cluster["KUBERNETES_VERSION"]}


SERVER = (
    "my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1) or die; "
    'while (my $c = $s->accept) { print $c "hello\n"; close $c }'
)


@pytest.fixture(scope="module")
def server(cluster: dict[str, str]) -> str:
    """A server on one worker, a client on the other; returns what the client runs to ask the server by its name."""
    first, second = workers(cluster)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    apply(
        cluster,
        pod(cluster, "server", "perl", "-MIO::Socket::INET", "-e", SERVER, node=first),
        pod(cluster, "client", "sleep", "3600", node=second),
        service,
    )
    kubectl(cluster, "wait", "--for=condition=Ready", "pod/server", "pod/client", "--timeout=60s")
    return f"exec 3<>/dev/tcp/server.{NAMESPACE}.svc.cluster.local/80 && cat <&3"


def hears(env: dict[str, str], question: str) -> bool:
    ask = ["kubectl", "-n", NAMESPACE, "exec", "client", "--", "timeout", "2", "bash", "-c", question]
    done = subprocess.run(ask, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout == "hello\n"


def test_names_and_services_reach_a_pod_on_another_node(cluster: dict[str, str], server: str) -> None:
    until(lambda: hears(cluster, server), 20, "the client hears the server")


def test_network_policies_deny_and_allow(cluster: dict[str, str], server: str) -> None:
    until(lambda: hears(cluster, server), 20, "the client hears the server before there is a policy")
    policy: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {
            "podSelector": {"matchLabels": {"app": "server"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"friend": "yes"}}}]}],
        },
    }
    apply(cluster, policy)
    until(lambda: not hears(cluster, server), 30, "a stranger is denied")
    kubectl(cluster, "label", "pod", "client", "friend=yes")
    until(lambda: hears(cluster, server), 30, "a friend is allowed")


def volume(env: dict[str, str], claim: str) -> dict[str, Any]:
    name = kubectl(env, "get", "pvc", claim, "-o", "jsonpath={.spec.volumeName}")
    found: dict[str, Any] = json.loads(kubectl(env, "get", "pv", name, "-o", "json"))
    return found


def test_a_volume_outlives_its_pod_and_takes_any_user(cluster: dict[str, str]) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }
    apply(cluster, claim)
    homes = []
    for user in (1000, 1000650000):
        write = "umask 002; id -u >>/data/users && cat /data/users && sleep 3600"
        apply(cluster, pod(cluster, "writer", "sh", "-c", write, user=user, claim="data"))
        kubectl(cluster, "wait", "--for=condition=Ready", "pod/writer", "--timeout=60s")
        homes.append(kubectl(cluster, "get", "pod", "writer", "-o", "jsonpath={.spec.nodeName}"))
        seen = ""
        until(lambda: bool(kubectl(cluster, "logs", "writer")), 10, "the pod has written")
        seen = kubectl(cluster, "logs", "writer")
        kubectl(cluster, "delete", "pod", "writer")
    assert seen == "1000\n1000650000\n"
    assert homes[0] == homes[1]

    kept = volume(cluster, "data")
    pinned = kept["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"]
    assert pinned == [homes[0]]
    kubectl(cluster, "delete", "pvc", "data")
    gone = ["get", "pv", kept["metadata"]["name"], "--ignore-not-found", "-o", "name"]
    until(lambda: kubectl(cluster, *gone) == "", 60, "the volume is deleted with its claim")


def test_nodes_that_are_started_again_with_other_addresses_come_back(cluster: dict[str, str]) -> None:
    nodes = run("kind", "get", "nodes", "--name", CLUSTER, env=cluster).split()
    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"

    def addresses() -> list[str]:
        return run("docker", "inspect", "-f", address, *nodes, env=cluster).split()

    before = addresses()
    run("docker", "stop", *nodes, env=cluster)
    # Docker gives addresses away in the order in which containers start: the other order gives each another one.
    for node in sorted(nodes, key=lambda name: before[nodes.index(name)], reverse=True):
        run("docker", "start", node, env=cluster)
    assert addresses() != before

    def ready() -> bool:
        get = ["kubectl", "get", "nodes", "-o", "json", "--request-timeout=3s"]
        done = subprocess.run(get, env=cluster, capture_output=True, text=True, check=False)
        if done.returncode:
            return False
        nodes = json.loads(done.stdout)["items"]
        conditions = [c for node in nodes for c in node["status"]["conditions"] if c["type"] == "Ready"]
        known = [a["address"] for node in nodes for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
        return [c["status"] for c in conditions] == ["True"] * 3 and sorted(known) == sorted(addresses())

    until(ready, 120, "all nodes are Ready under their new addresses")
