# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A hub whose API server is real: its clusters, which are that cluster again, are claimed, used and given back."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from tests import playbooks
from tests.fakes.hub import BEHAVIOUR, FakeHub, handed_out
from tests.fakes.openshift import FakeOpenShift
from tests.integration.openshift.conftest import CLUSTER, run, until
from tests.openshift.runner import Runner
from tests.playbooks import JSON
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.modules import openshift_hub_cluster  # noqa: E402

HIVE = "/apis/hive.openshift.io/v1/namespaces"
CLAIMS = f"{HIVE}/pools/clusterclaims"
HYPERSHIFT = "/apis/hypershift.openshift.io/v1beta1/namespaces/clusters"
CLAIM: JSON = {"pool": "small", "lifetime": "90m", "subjects": [{"kind": "Group", "name": "team"}]}
SPEC: JSON = {"release": {"image": "quay.example/release:4.20.4"}, "platform": {"type": "Agent"}}
HOSTED: JSON = {"spec": SPEC, "node_pools": [{"name": "workers", "spec": {"replicas": 2}}]}
NODE = f"node/{CLUSTER}-control-plane"


@pytest.fixture(scope="module")
def hub(openshift: FakeOpenShift, kubeconfig: Path) -> t.Iterator[FakeHub]:
    """With a pool that behaves, an empty one, and one whose clusters do not go; each cluster is OpenShift."""
    assert openshift
    running = FakeHub(kubeconfig, handed_out(kubeconfig.read_text()), pause=0.2)
    running.install()
    for name, size, behaviour in (("small", 1, ""), ("empty", 0, ""), ("stuck", 1, "stuck")):
        running.add_pool("pools", name, size, behaviour)
    running.kube.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "clusters"}}).json()
    with running:
        yield running
    assert running.errors == []


class Module(Runner):
    """openshift_hub_cluster, for the cluster called dask."""

    def __init__(self, kubeconfig: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        given = {"kubeconfig": str(kubeconfig), "context": f"kind-{CLUSTER}", "name": "dask", "namespace": "pools"}
        [user] = yaml.safe_load(kubeconfig.read_text())["users"]
        secret = user["user"]["client-key-data"]
        super().__init__(
            openshift_hub_cluster, capsys, {**given, "kubeconfig_path": str(path), "timeout": 90}, [secret]
        )

    def nodes(self) -> str:
        """The nodes of the cluster that was got, by its kubeconfig alone."""
        return run("kubectl", f"--kubeconfig={self.path}", "get", "nodes", "-o", "name").stdout.strip()


@pytest.fixture
def module(hub: FakeHub, kubeconfig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Module:
    assert hub
    return Module(kubeconfig, tmp_path / "new" / "cluster", capsys)


def status_of(hub: FakeHub, path: str) -> int:
    return hub.kube.ask("GET", path).status


def test_a_cluster_is_claimed_used_and_given_back(module: Module, hub: FakeHub) -> None:
    steps = ["create ClusterClaim pools/dask", "write the kubeconfig"]
    foretold = module.good(check=True, claim=CLAIM)
    assert (foretold["changed"], foretold["steps"]) == (True, steps)
    assert status_of(hub, f"{CLAIMS}/dask") == 404
    assert not module.path.exists()

    result = module.good(claim=CLAIM)
    assert (result["changed"], result["steps"], result["cluster"]["context"]) == (True, steps, "admin")
    assert result["cluster"]["server"] == hub.kube.url
    assert module.path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(module.path.read_text())["current-context"] == "admin"
    assert module.nodes() == NODE
    made = hub.kube.ask("GET", f"{CLAIMS}/dask").json()
    name = result["cluster"]["name"]
    assert (made["spec"]["namespace"], made["spec"]["lifetime"]) == (name, "1h30m0s")
    assert made["spec"]["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "team"}]
    assert made["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "daskops"}
    assert made["metadata"]["finalizers"] == ["hive.openshift.io/claim"]

    for check in (False, True):
        again = module.good(check, claim=CLAIM)
        assert (again["changed"], again["steps"], again["cluster"]) == (False, [], result["cluster"])
    now = hub.kube.ask("GET", f"{CLAIMS}/dask").json()
    assert [now["metadata"].get(key) for key in ("uid", "generation")] == [
        made["metadata"].get(key) for key in ("uid", "generation")
    ]

    released = ["delete ClusterClaim pools/dask", "remove the kubeconfig"]
    assert module.good(check=True, state="absent", claim={})["steps"] == released
    assert "deletionTimestamp" not in hub.kube.ask("GET", f"{CLAIMS}/dask").json()["metadata"]
    assert module.path.exists()
    assert module.good(state="absent", claim={})["steps"] == released
    # At once: that the finalizer has gone is waited for.
    assert status_of(hub, f"{CLAIMS}/dask") == 404
    assert status_of(hub, f"{HIVE}/{name}/clusterdeployments/{name}") == 404
    assert not module.path.exists()
    assert module.good(state="absent", claim={})["changed"] is False
    until("the cluster's namespace has gone", lambda: status_of(hub, f"/api/v1/namespaces/{name}") == 404)


def test_a_pool_that_has_none_is_refused(module: Module, hub: FakeHub) -> None:
    message = module.bad(claim={"pool": "empty"}, name="none")
    assert "ClusterPool pools/empty has size 0 and no cluster left; raise its size" in message
    message = module.bad(claim={"pool": "large"}, name="none")
    assert "ClusterPool pools/large does not exist; there are empty, small, stuck" in message
    assert status_of(hub, f"{CLAIMS}/none") == 404
    assert not module.path.exists()


def test_a_claim_whose_cluster_does_not_go_is_not_gone(module: Module, hub: FakeHub) -> None:
    stuck: JSON = {"name": "stuck"}
    name = module.good(claim={"pool": "stuck"}, **stuck)["cluster"]["name"]
    message = module.bad(state="absent", claim={}, **stuck)
    assert "its cluster cannot be removed: Deprovision failed: the cloud account is locked" in message
    assert "deletionTimestamp" in hub.kube.ask("GET", f"{CLAIMS}/stuck").json()["metadata"]
    assert "is being deleted" in module.bad(claim={"pool": "stuck"}, **stuck)
    unlocked = {"metadata": {"annotations": {BEHAVIOUR: ""}}}
    path = f"{HIVE}/{name}/clusterdeployments/{name}"
    hub.kube.ask("PATCH", path, unlocked, "application/merge-patch+json").json()
    until("its cluster goes", lambda: hub.kube.ask("GET", path).status == 404)
    module.good(state="absent", claim={}, **stuck)
    assert (status_of(hub, f"{CLAIMS}/stuck"), module.path.exists()) == (404, False)


def test_a_hosted_cluster_with_a_node_pool(module: Module, hub: FakeHub) -> None:
    where: JSON = {"namespace": "clusters"}
    steps = ["create HostedCluster clusters/dask", "create NodePool clusters/workers", "write the kubeconfig"]
    assert module.good(check=True, hosted=HOSTED, **where)["steps"] == steps
    paths = [f"{HYPERSHIFT}/hostedclusters/dask", f"{HYPERSHIFT}/nodepools/workers"]
    assert [status_of(hub, path) for path in paths] == [404, 404]

    result = module.good(hosted=HOSTED, **where)
    assert (result["steps"], result["cluster"]["context"]) == (steps, "admin")
    assert (module.path.stat().st_mode & 0o777, module.nodes()) == (0o600, NODE)
    cluster, pool = (hub.kube.ask("GET", path).json() for path in paths)
    available = [each for each in cluster["status"]["conditions"] if each["type"] == "Available"]
    assert [each["status"] for each in available] == ["True"]
    assert (pool["spec"], pool["status"]["replicas"]) == ({"replicas": 2, "clusterName": "dask"}, 2)
    for check in (False, True):
        again = module.good(check, hosted=HOSTED, **where)
        assert (again["changed"], again["steps"]) == (False, [])

    released = [
        "delete NodePool clusters/workers",
        "delete HostedCluster clusters/dask",
        "remove the kubeconfig",
    ]
    assert module.good(state="absent", hosted={}, **where)["steps"] == released
    assert [status_of(hub, path) for path in paths] == [404, 404]
    assert not module.path.exists()


def play(folder: Path, variables: JSON, entry: str, *options: str) -> tuple[str, JSON]:
    """Run an entry point of the role; returns what was printed, and the fact openshift_target."""
    fact = folder / "target.json"
    fact.unlink(missing_ok=True)
    target = {"dest": str(fact), "content": "{{ openshift_target | default({}) | to_json }}", "mode": "0600"}
    tasks = [
        {"ansible.builtin.include_role": {"name": "daskops.kubernetes.openshift", "tasks_from": entry}},
        {"ansible.builtin.copy": target},
    ]
    said = playbooks.play({"vars": variables, "tasks": tasks}, folder, *options, timeout=180)
    return said, json.loads(fact.read_text()) if fact.exists() else {}


def test_the_role_hands_over_a_cluster_that_it_has_claimed(hub: FakeHub, kubeconfig: Path, tmp_path: Path) -> None:
    path = tmp_path / "cluster"
    variables = {
        "openshift_hub": {"kubeconfig": str(kubeconfig), "context": f"kind-{CLUSTER}"},
        "openshift_hub_namespace": "pools",
        "openshift_hub_name": "role",
        "openshift_hub_kubeconfig": str(path),
        "openshift_hub_timeout": 90,
        "openshift_claim": {"pool": "small"},
        "openshift_namespace": "on-a-claimed-one",
        "openshift_registry_kind": "none",
        "openshift_exposure": ["port_forward"],
    }
    said, target = play(tmp_path, variables, "main", "--check")
    assert "what would be deployed to it can be checked when it is there" in " ".join(said.split())
    assert (target, status_of(hub, f"{CLAIMS}/role"), path.exists()) == ({}, 404, False)

    _said, target = play(tmp_path, variables, "main")
    assert status_of(hub, f"{CLAIMS}/role") == 200
    assert (target["kubeconfig"], target["context"]) == (str(path), "admin")
    command = ["kubectl", f"--kubeconfig={target['kubeconfig']}", f"--context={target['context']}"]
    assert run(*command, "get", "nodes", "-o", "name").stdout.strip() == NODE
    # Its admin makes namespaces, and needs to request no project.
    assert {key: target["namespace"][key] for key in ("name", "exists", "project_request")} == {
        "name": "on-a-claimed-one",
        "exists": False,
        "project_request": False,
    }
    assert (target["default_storage_class"], target["exposure"]) == ("standard", ["port_forward"])
    assert target["registry"]["kind"] == "none"

    play(tmp_path, variables, "teardown")
    assert (status_of(hub, f"{CLAIMS}/role"), path.exists()) == (404, False)
