# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The life of a kind cluster, from bad input to nothing left, and what target_info says of it. The order counts.

Modules run as Ansible runs them, against the engine and the images that tests/testbed/prepare names.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.playbooks import TREE, play

NAME = "daskops-test"
REGISTRY = "daskops-test-registry"
NODE = f"{NAME}-control-plane"
SHARED_KUBECONFIG = Path.home() / ".kube" / "config"


def docker(*arguments: str, data: str | None = None) -> str:
    """The output of a docker command that has to succeed."""
    done = subprocess.run(["docker", *arguments], input=data, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def containers() -> dict[str, str]:
    """All that this test has made: names and identities."""
    lines = docker("ps", "-a", "--no-trunc", "--filter", f"name={NAME}", "--format", "{{.Names}} {{.ID}} {{.State}}")
    return dict(line.split(" ", 1) for line in lines.splitlines())


@dataclass
class Module:
    """One of the collection's modules with what every call has in common."""

    name: str
    common: dict[str, t.Any]
    environment: dict[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        return [sys.executable, "-m", f"ansible_collections.daskops.kubernetes.plugins.modules.{self.name}"]

    def arguments(self, check: bool = False, **parameters: t.Any) -> str:
        controls = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_remote_tmp": "/tmp"}
        return json.dumps({"ANSIBLE_MODULE_ARGS": {**self.common, **parameters, **controls}})

    def run(self, check: bool = False, **parameters: t.Any) -> dict[str, t.Any]:
        done = subprocess.run(
            self.command(),
            input=self.arguments(check, **parameters),
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return t.cast("dict[str, t.Any]", json.loads(done.stdout))

    def variables(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(TREE), **self.environment}

    def ok(self, check: bool = False, **parameters: t.Any) -> dict[str, t.Any]:
        result = self.run(check, **parameters)
        assert not result.get("failed"), result["msg"]
        return result

    def fails(self, check: bool = False, **parameters: t.Any) -> str:
        """The message, which is one sentence on one line."""
        result = self.run(check, **parameters)
        assert result.get("failed"), result
        assert "\n" not in result["msg"]
        assert "Traceback" not in result["msg"]
        return str(result["msg"])


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kind")


@pytest.fixture(scope="session")
def kind_cluster(directory: Path) -> t.Iterator[Module]:
    """The module, for a cluster of one node on ports that nothing else here uses; nothing of it is left behind."""
    module = Module(
        "kind_cluster",
        {
            "name": NAME,
            "workers": 0,
            "node_image": os.environ["KIND_NODE_IMAGE"],
            "node_ports": [32688, 32686],
            "registry_name": REGISTRY,
            "registry_port": 32650,
            "registry_image": os.environ["REGISTRY_IMAGE"],
            "kubeconfig": str(directory / "kubeconfig"),
        },
    )
    _clean()
    yield module
    _clean()


def _clean() -> None:
    if containers():
        docker("rm", "--force", "--volumes", *containers())


def kubectl(*arguments: str, data: t.Any = None) -> str:
    """The node's own kubectl, so that nothing of the collection checks itself."""
    text = None if data is None else json.dumps(data)
    return docker(
        "exec", "--interactive", NODE, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *arguments, data=text
    )


# Before there is a cluster


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"name": "No_Good"}, "'No_Good' is no name for a kind cluster"),
        ({"workers": -1}, "cannot have -1 workers"),
        ({"node_ports": [80]}, "80 is no node port"),
        ({"kubeconfig": "~/.kube/config"}, "is the one that all tools share"),
        ({"kubernetes_version": "1.1"}, "is to run Kubernetes 1.1, but its node image"),
        ({"node_image": "localhost:1/no/such:image"}, "node image localhost:1/no/such:image is not on this machine"),
        ({"registry_image": "localhost:1/no/such:image"}, "registry image localhost:1/no/such:image is not on this"),
    ],
)
def test_bad_input(kind_cluster: Module, parameters: dict[str, t.Any], message: str) -> None:
    assert message in kind_cluster.fails(**parameters)
    assert containers() == {}


def test_no_docker_engine(kind_cluster: Module, directory: Path) -> None:
    socket_path = f"unix://{directory}/no.sock"
    module = Module("kind_cluster", kind_cluster.common, {"DOCKER_HOST": socket_path})
    message = module.fails()
    assert f"Kind cluster {NAME}: no Docker engine answers" in message
    assert socket_path in message


def test_no_kind(kind_cluster: Module, directory: Path) -> None:
    programs = directory / "bin"
    programs.mkdir()
    (programs / "docker").symlink_to(str(shutil.which("docker")))
    module = Module("kind_cluster", kind_cluster.common, {"PATH": str(programs)})
    assert "needs the program kind, which is not on the PATH" in module.fails()


def test_port_in_use(kind_cluster: Module) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 32688))
        server.listen()
        for check in (True, False):
            message = kind_cluster.fails(check)
            assert f"cannot listen on port 32688 (process {os.getpid()}, " in message
    assert containers() == {}


def test_check_mode_before_creation(kind_cluster: Module, directory: Path) -> None:
    result = kind_cluster.ok(check=True)
    assert result["changed"]
    assert result["steps"][:2] == ["create the registry", "create the cluster"]
    assert result["diff"]["before"] == {"nodes": {}, "registry": "absent", "kubeconfig": "missing"}
    assert result["diff"]["after"] == {"nodes": {NODE: "running"}, "registry": "running", "kubeconfig": "current"}
    assert containers() == {}
    assert not (directory / "kubeconfig").exists()


def test_absent_before_creation(kind_cluster: Module) -> None:
    assert not kind_cluster.ok(state="absent")["changed"]


# Creation


def test_interrupted_creation_is_begun_again(kind_cluster: Module, directory: Path) -> None:
    progress = directory / "progress"
    progress.touch()
    module = Module("kind_cluster", kind_cluster.common, {"DASKOPS_PROGRESS": str(progress)})
    with subprocess.Popen(
        module.command(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=module.variables(),
        start_new_session=True,
    ) as process:
        assert process.stdin
        process.stdin.write(module.arguments().encode())
        process.stdin.close()
        deadline = time.monotonic() + 60
        while "starting control-plane" not in progress.read_text():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    before = containers()
    assert set(before) == {NODE, REGISTRY}
    result = kind_cluster.ok(check=True)
    assert result["steps"] == [
        "delete what an interrupted run left of the cluster",
        "create the cluster",
        "connect the registry to the nodes' network",
        "write the kubeconfig",
    ]
    assert containers() == before


def test_creation(kind_cluster: Module, directory: Path) -> None:
    shared = SHARED_KUBECONFIG.read_bytes() if SHARED_KUBECONFIG.exists() else None
    result = kind_cluster.ok()
    assert result["changed"]
    cluster = result["cluster"]
    assert cluster["context"] == f"kind-{NAME}"
    assert cluster["nodes"] == [NODE]
    kubeconfig = Path(cluster["kubeconfig"])
    assert kubeconfig == directory / "kubeconfig"
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert [entry["name"] for entry in yaml.safe_load(kubeconfig.read_text())["contexts"]] == [cluster["context"]]
    assert (SHARED_KUBECONFIG.read_bytes() if SHARED_KUBECONFIG.exists() else None) == shared
    node = json.loads(kubectl("get", "node", NODE, "-o", "json"))
    assert node["status"]["nodeInfo"]["kubeletVersion"] == cluster["kubernetes_version"]
    assert "node-role.kubernetes.io/control-plane" not in [taint["key"] for taint in node["spec"].get("taints", [])]
    assert next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready") == "True"
    assert docker("port", NODE, "32688/tcp") == "127.0.0.1:32688"
    assert docker("port", REGISTRY, "5000/tcp") == "127.0.0.1:32650"


def test_again_changes_nothing(kind_cluster: Module) -> None:
    before = containers()
    for check in (True, False):
        result = kind_cluster.ok(check)
        assert not result["changed"]
        assert result["steps"] == []
        assert result["diff"]["before"] == result["diff"]["after"]
        assert result["seconds"] < 3
    assert containers() == before


def test_the_roles_hand_over_a_target(kind_cluster: Module, directory: Path) -> None:
    """Through ansible-playbook, and so through the action plugin, too; the one cluster by both providers."""
    common = kind_cluster.common
    variables = {
        "kind_name": NAME,
        "kind_workers": 0,
        "kind_node_port_notebook": common["node_ports"][0],
        "kind_node_port_scheduler": common["node_ports"][1],
        "kind_registry_name": REGISTRY,
        "kind_registry_port": common["registry_port"],
        "kind_kubeconfig": common["kubeconfig"],
        "daskops_namespace": "trial",
        "kubernetes_kubeconfig": common["kubeconfig"],
        "kubernetes_registry_repository": "registry.example.com/team/dask",
    }
    targets = directory / "targets.json"
    copy = {"content": "{{ [kind_target, kubernetes_target] | to_json }}", "dest": str(targets), "mode": "0600"}
    content = {
        "vars": variables,
        "roles": ["daskops.kubernetes.kind", "daskops.kubernetes.kubernetes"],
        "post_tasks": [{"ansible.builtin.copy": copy}],
    }
    play(content, directory, timeout=180)
    by_kind, by_kubeconfig = json.loads(targets.read_text())
    assert by_kind == {
        "name": f"kind-{NAME}",
        "kubeconfig": common["kubeconfig"],
        "context": f"kind-{NAME}",
        "namespace": {"name": "trial", "create": True},
        "registry": {"kind": "push", "repository": "localhost:32650/dask", "pull_secret": ""},
        "exposure": ["node_port", "port_forward"],
        "node_ports": {"address": "127.0.0.1", "notebook": 32688, "scheduler": 32686},
        "security": {"pod_security": "restricted", "arbitrary_uid": False},
        "default_storage_class": "standard",
        "disposable": True,
    }
    assert by_kubeconfig == {
        "name": f"kind-{NAME}",
        "kubeconfig": common["kubeconfig"],
        "context": f"kind-{NAME}",
        "namespace": {"name": "trial", "create": True},
        "registry": {"kind": "push", "repository": "registry.example.com/team/dask", "pull_secret": ""},
        "exposure": ["port_forward"],
        "node_ports": {},
        "security": {"pod_security": "restricted", "arbitrary_uid": False},
        "autoscaled": False,
        "default_storage_class": "standard",
    }
    # What the role kind says without looking.
    classes = kubectl("get", "storageclass", "-o", "jsonpath={.items[*].metadata.name}")
    assert classes.split() == ["standard"]


def test_the_nodes_pull_what_this_machine_pushes(kind_cluster: Module, directory: Path) -> None:
    image = f"localhost:{kind_cluster.common['registry_port']}/trial:1"
    with tarfile.open(directory / "image.tar", "w") as archive:
        archive.add(__file__, "nothing-to-run")
    docker("import", str(directory / "image.tar"), image)
    try:
        docker("push", image)
    finally:
        docker("image", "rm", image)
    kubectl("run", "trial", f"--image={image}", "--restart=Never", "--command", "--", "/nothing-to-run")
    container = (
        "{.status.containerStatuses[0].state.terminated.reason}{.status.containerStatuses[0].state.waiting.reason}"
    )
    deadline = time.monotonic() + 60
    while (state := kubectl("get", "pod", "trial", f"--output=jsonpath={container}")) in ("", "ContainerCreating"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    # It was pulled, if it is running it that fails.
    assert state in ("StartError", "ContainerCannotRun", "RunContainerError"), state


def test_a_cluster_that_differs_is_left_alone(kind_cluster: Module) -> None:
    before = containers()
    result = kind_cluster.run(workers=1, schedulable_control_plane=False, node_ports=[32688])
    assert result["failed"]
    assert len(result["differences"]) == 3
    assert "nothing was touched" in result["msg"]
    assert "is no registry on port 32651" in kind_cluster.fails(registry_port=32651)
    assert f"it runs Kubernetes v{'1.'}" in kind_cluster.fails(kubernetes_version="1.2")
    assert containers() == before


def test_kubeconfig_is_mended_or_left_alone(kind_cluster: Module) -> None:
    path = Path(kind_cluster.common["kubeconfig"])
    good = path.read_text()
    path.unlink()
    assert kind_cluster.ok()["steps"] == ["write the kubeconfig"]
    assert path.read_text() == good
    path.write_text(good.replace("https://127.0.0.1:", "https://127.0.0.1:1"))
    assert kind_cluster.ok()["steps"] == ["write the kubeconfig"]
    assert path.read_text() == good
    path.chmod(0o644)
    assert kind_cluster.ok()["steps"] == ["write the kubeconfig"]
    assert path.stat().st_mode & 0o777 == 0o600
    content = yaml.safe_load(good)
    content["contexts"].append({"name": "other", "context": content["contexts"][0]["context"]})
    path.write_text(yaml.safe_dump(content))
    foreign = path.read_text()
    assert "would overwrite a file that holds more than this cluster" in kind_cluster.fails()
    assert path.read_text() == foreign
    path.write_text(good)


# What target_info says


@pytest.fixture
def target_info(kind_cluster: Module) -> Module:
    return Module("target_info", {"kubeconfig": kind_cluster.common["kubeconfig"], "namespace": "team"})


@pytest.fixture(scope="module")
def team(kind_cluster: Module) -> str:
    """A namespace with a user who may only look; gives the user's token."""
    assert kind_cluster
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    account = {"name": "looker", "namespace": "team"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": account,
        "subjects": [{"kind": "ServiceAccount", **account}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": labels}}
    items = [namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}, binding]
    kubectl("apply", "-f", "-", data={"apiVersion": "v1", "kind": "List", "items": items})
    return kubectl("create", "token", "looker", "--namespace=team")


def altered(module: Module, change: t.Callable[[dict[str, t.Any]], None]) -> dict[str, t.Any]:
    """The cluster's kubeconfig with a change."""
    content: dict[str, t.Any] = yaml.safe_load(Path(module.common["kubeconfig"]).read_text())
    change(content)
    return content


def test_offer(target_info: Module, team: str) -> None:
    assert team
    for check in (False, True):
        result = target_info.ok(check)
        assert not result["changed"]
        assert result["name"] == result["context"] == f"kind-{NAME}"
        assert result["namespace_exists"] is True
        assert result["pod_security"] == "restricted"
        assert result["default_storage_class"] == "standard"
        assert result["ingress_classes"] == []
        assert result["network_policy"]["enforced"] == "yes"
        assert result["missing_rights"] == []
    assert target_info.ok(namespace="elsewhere")["namespace_exists"] is False


def test_no_default_storage_class(target_info: Module) -> None:
    annotation = "storageclass.kubernetes.io/is-default-class"
    kubectl("annotate", "--overwrite", "storageclass", "standard", f"{annotation}=false")
    result = target_info.ok()
    kubectl("annotate", "--overwrite", "storageclass", "standard", f"{annotation}=true")
    assert result["default_storage_class"] == ""
    assert result["storage_classes"] == ["standard"]


def test_all_problems_at_once(target_info: Module, team: str) -> None:
    def use_token(content: dict[str, t.Any]) -> None:
        content["users"][0]["user"] = {"token": team}

    kubeconfig = altered(target_info, use_token)
    result = target_info.run(kubeconfig=kubeconfig, ingress=True)
    assert result["failed"]
    change = "create/patch/delete"
    # "view" holds everything that is only looked at, but no secrets and no way into a pod.
    assert result["missing_rights"] == [
        f"{change} serviceaccounts",
        "list/create/patch/delete/get secrets",
        f"{change} configmaps",
        f"{change} persistentvolumeclaims",
        f"{change} services",
        f"{change} networkpolicies.networking.k8s.io",
        f"{change} ingresses.networking.k8s.io",
        f"{change} deployments.apps",
        "create/get pods/portforward",
    ]
    assert len(result["problems"]) == 1
    assert "in namespace team the user may not create/patch/delete serviceaccounts, " in result["msg"]
    # What is cluster-wide is out of this user's sight, which is no problem by itself.
    assert result["storage_classes"] is None
    assert result["default_storage_class"] is None
    assert result["ingress_classes"] is None
    assert result["network_policy"]["enforced"] == "unknown"
    both = target_info.run(ingress=True, namespace="elsewhere", namespace_create=False)
    assert len(both["problems"]) == 2


def test_a_user_who_may_not_create_the_namespace(target_info: Module, team: str) -> None:
    def use_token(content: dict[str, t.Any]) -> None:
        content["users"][0]["user"] = {"token": team}

    kubectl("create", "clusterrolebinding", "looker-looks", "--clusterrole=view", "--serviceaccount=team:looker")
    message = target_info.fails(kubeconfig=altered(target_info, use_token), namespace="elsewhere")
    kubectl("delete", "clusterrolebinding", "looker-looks")
    assert "namespace elsewhere does not exist and the user may not create it" in message


def test_wrong_certificate(target_info: Module) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = Path(target_info.common["kubeconfig"]).with_name("ca.crt")
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def use_other_ca(content: dict[str, t.Any]) -> None:
        cluster = content["clusters"][0]["cluster"]
        del cluster["certificate-authority-data"]
        cluster["certificate-authority"] = str(path)

    message = target_info.fails(kubeconfig=altered(target_info, use_other_ca))
    assert "certificate of https://127.0.0.1" in message
    assert "does not match" in message


def test_nobody_answers(target_info: Module) -> None:
    def use_other_port(content: dict[str, t.Any]) -> None:
        content["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"

    message = target_info.fails(kubeconfig=altered(target_info, use_other_port))
    assert "the API server https://127.0.0.1:1 does not answer" in message


def test_bad_credentials(target_info: Module) -> None:
    def use_nonsense(content: dict[str, t.Any]) -> None:
        content["users"][0]["user"] = {"token": "nonsense"}

    assert "credentials are not valid or have expired" in target_info.fails(
        kubeconfig=altered(target_info, use_nonsense)
    )


def test_contexts(target_info: Module, directory: Path) -> None:
    def add_context(content: dict[str, t.Any]) -> None:
        content["contexts"].append({"name": "prod", "context": content["contexts"][0]["context"]})
        content["current-context"] = "prod"

    kubeconfig = directory / "two"
    kubeconfig.write_text(yaml.safe_dump(altered(target_info, add_context)))
    message = target_info.fails(kubeconfig=str(kubeconfig))
    assert (
        f"{kubeconfig} has several contexts, and none was chosen; give one as the context: kind-{NAME}, prod."
        in message
    )
    assert target_info.ok(kubeconfig=str(kubeconfig), context="prod")["name"] == "prod"
    message = target_info.fails(kubeconfig=str(kubeconfig), context="dev")
    assert f"has no context dev; it has: kind-{NAME}, prod." in message


def test_kubeconfigs_that_are_none(target_info: Module, directory: Path) -> None:
    missing, broken = directory / "missing", directory / "broken"
    broken.write_text("a: b: c")
    assert f"The kubeconfig {missing} does not exist" in target_info.fails(kubeconfig=str(missing))
    assert f"The kubeconfig {broken} cannot be read" in target_info.fails(kubeconfig=str(broken))
    assert "No cluster was chosen" in target_info.fails(kubeconfig="")


# After a reboot, and the end


def test_stopped_nodes_are_started(kind_cluster: Module) -> None:
    docker("stop", "--time=1", NODE, REGISTRY)
    assert kind_cluster.ok(check=True)["steps"][:2] == ["start the nodes", "start the registry"]
    message = kind_cluster.fails(timeout=0)
    assert f"Kind cluster {NAME} is not ready after 0 s: " in message
    assert f"{NODE}" in message
    assert not kind_cluster.ok()["changed"]
    assert not kind_cluster.ok()["changed"]


def test_a_cluster_of_someone_else_is_left_alone(kind_cluster: Module) -> None:
    """A container with kind's labels and without the mark, as kind itself makes it."""
    name = f"{NAME}-foreign"
    docker(
        "create",
        f"--name={name}-control-plane",
        f"--label=io.x-k8s.kind.cluster={name}",
        "--label=io.x-k8s.kind.role=control-plane",
        kind_cluster.common["registry_image"],
    )
    before = containers()
    assert "that this collection has not made, and it was left as it is" in kind_cluster.fails(
        name=name, node_ports=[32680]
    )
    assert "was not made by this collection, so it was not deleted" in kind_cluster.fails(name=name, state="absent")
    assert containers() == before
    docker("rm", f"{name}-control-plane")


def test_absent(kind_cluster: Module) -> None:
    # Another cluster of this collection that has the same registry.
    mark = f"/kind/daskops.kubernetes/registry={REGISTRY}/registry_port=32650/schedulable_control_plane=true"
    other = docker(
        "create",
        f"--name={NAME}-other",
        f"--volume=/dev/null:{mark}:ro",
        f"--label=io.x-k8s.kind.cluster={NAME}-other",
        "--label=io.x-k8s.kind.role=worker",
        kind_cluster.common["registry_image"],
    )
    before = containers()
    result = kind_cluster.ok(check=True, state="absent")
    assert result["steps"] == ["delete the cluster", "delete the kubeconfig"]
    assert result["diff"]["after"] == {"nodes": {}, "registry": "running", "kubeconfig": "missing"}
    assert containers() == before
    assert kind_cluster.ok(state="absent")["changed"]
    assert set(containers()) == {f"{NAME}-other", REGISTRY}
    assert not Path(kind_cluster.common["kubeconfig"]).exists()
    docker("rm", other)
    volumes = docker("inspect", REGISTRY, "--format", "{{range .Mounts}}{{.Name}} {{end}}").split()
    assert not kind_cluster.ok(state="absent", registry_keep=True)["changed"]
    assert kind_cluster.ok(state="absent")["steps"] == ["delete the registry"]
    assert containers() == {}
    assert volumes
    assert not set(volumes) & set(docker("volume", "ls", "--quiet").split())
    assert not kind_cluster.ok(state="absent")["changed"]
