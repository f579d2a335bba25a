# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""openshift_hub_cluster as Ansible runs it, against a hub whose controllers are the fake's."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from tests import playbooks
from tests.fakes.hub import FakeHub, handed_out
from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ADMIN, ApiServer
from tests.openshift.runner import Runner
from tests.playbooks import JSON, ROOT
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.modules import openshift_hub_cluster as module  # noqa: E402

CLAIMS = "/apis/hive.openshift.io/v1/namespaces/pools/clusterclaims"
HOSTED = "/apis/hypershift.openshift.io/v1beta1/namespaces/clusters/hostedclusters"
NODE_POOLS = "/apis/hypershift.openshift.io/v1beta1/namespaces/clusters/nodepools"
CLUSTER: JSON = {
    "clusters": [{"name": "kind-c", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "kind-c", "user": {"token": "very-secret"}}],
    "contexts": [{"name": "kind-c", "context": {"cluster": "kind-c", "user": "kind-c"}}],
    "current-context": "kind-c",
}
SPEC: JSON = {"release": {"image": "quay.example/release:4.20.4"}, "platform": {"type": "Agent"}}
WORKERS: JSON = {"name": "workers", "spec": {"replicas": 2}}


class Ansible(Runner):
    """The module with a claim in pools, or a hosted cluster in clusters."""

    def __init__(self, kubeconfig: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.kubeconfig = kubeconfig
        self.path = path
        given = {"kubeconfig": str(kubeconfig), "name": "dask", "kubeconfig_path": str(path), "timeout": 10}
        super().__init__(module, capsys, given, ["very-secret"])

    def __call__(self, check: bool = False, **params: t.Any) -> JSON:
        return super().__call__(check, **{"namespace": "clusters" if "hosted" in params else "pools", **params})


@pytest.fixture
def hub(api_server: ApiServer, tmp_path: Path) -> t.Iterator[FakeHub]:
    """With pools that behave and pools that do not."""
    text = handed_out(yaml.safe_dump(CLUSTER))
    with FakeHub(api_server.kubeconfig(tmp_path / "hub"), text, pause=0.03) as running:
        running.install()
        running.add_pool("pools", "small", 1)
        running.add_pool("pools", "empty", 0)
        for behaviour in ("never", "broken", "stopped", "stuck"):
            running.add_pool("pools", behaviour, 1, behaviour)
        api_server.add_namespace("clusters")
        yield running
        assert running.errors == []


@pytest.fixture
def ansible(hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ansible:
    assert hub
    return Ansible(tmp_path / "hub", tmp_path / "new" / "cluster", capsys)


def until(condition: t.Callable[[], t.Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- a claim ----------------------------------------------------------------------------------------------------------


def test_a_cluster_is_claimed_and_given_back(ansible: Ansible, api_server: ApiServer) -> None:
    claim = {"pool": "small", "lifetime": "90m", "subjects": [{"kind": "Group", "name": "team"}]}
    foretold = ansible.good(check=True, claim=claim)
    assert (foretold["changed"], foretold["steps"]) == (
        True,
        ["create ClusterClaim pools/dask", "write the kubeconfig"],
    )
    assert f"{CLAIMS}/dask" not in api_server.objects
    assert not ansible.path.exists()

    result = ansible.good(claim=claim)
    assert (result["changed"], result["steps"]) == (True, foretold["steps"])
    found = api_server.objects[f"{CLAIMS}/dask"]
    name = found["spec"]["namespace"]
    assert name.startswith("small-")
    assert found["spec"]["lifetime"] == "1h30m0s"  # Hive has written it again
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "daskops"}
    assert result["cluster"] == {
        "name": name,
        "namespace": name,
        "kubeconfig_path": str(ansible.path),
        "context": "admin",
        "server": "https://127.0.0.1:6443",
        "console": f"https://console-openshift-console.apps.{name}.example.test",
        "openshift_version": "4.20.4",
    }
    assert ansible.path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(ansible.path.read_text())["users"][0]["user"] == {"token": "very-secret"}
    spec = result["diff"]["after"]["ClusterClaim pools/dask"]["spec"]
    assert spec["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "team"}]

    for check in (False, True):
        again = ansible.good(check, claim=claim)
        assert (again["changed"], again["steps"], again["cluster"]) == (False, [], result["cluster"])
    assert not ansible.good(claim={})["changed"]  # as it is

    ansible.path.chmod(0o644)
    ansible.path.write_text("of another cluster")
    assert ansible.good(check=True, claim=claim)["steps"] == ["write the kubeconfig"]
    assert ansible.good(claim=claim)["steps"] == ["write the kubeconfig"]
    assert ansible.path.stat().st_mode & 0o777 == 0o600

    released = ["delete ClusterClaim pools/dask", "remove the kubeconfig"]
    assert ansible.good(check=True, state="absent", claim={})["steps"] == released
    assert ansible.good(state="absent", claim={})["steps"] == released
    assert f"{CLAIMS}/dask" not in api_server.objects
    assert not ansible.path.exists()
    assert [path for path in api_server.objects if name in path] in (
        [],
        [f"/api/v1/namespaces/{name}/secrets/{name}-admin-kubeconfig"],  # goes with its namespace where that is real
    )
    assert not ansible.good(state="absent", claim={})["changed"]


def test_a_claim_is_changed_in_place(ansible: Ansible, api_server: ApiServer) -> None:
    ansible.good(claim={"pool": "small", "lifetime": "8h"})
    result = ansible.good(claim={"pool": "small", "lifetime": "10h"})
    assert result["steps"] == ["change ClusterClaim pools/dask"]
    assert api_server.objects[f"{CLAIMS}/dask"]["spec"]["lifetime"] == "10h"
    assert "its pool; release it first" in ansible.bad(claim={"pool": "stuck"})


def test_a_cluster_that_hibernates_is_resumed(ansible: Ansible, api_server: ApiServer) -> None:
    namespace = ansible.good(claim={"pool": "small"})["cluster"]["namespace"]
    deployment = f"/apis/hive.openshift.io/v1/namespaces/{namespace}/clusterdeployments/{namespace}"
    api_server.objects[deployment]["spec"]["powerState"] = "Hibernating"
    until(lambda: api_server.objects[deployment]["status"]["powerState"] == "Hibernating")
    conditions = api_server.objects[f"{CLAIMS}/dask"]["status"]
    until(lambda: any(each["reason"] == "Resuming" for each in conditions["conditions"]))
    steps = [f"change ClusterDeployment {namespace}/{namespace}"]
    assert ansible.good(check=True, claim={"pool": "small"})["steps"] == [*steps, "write the kubeconfig"]
    assert ansible.good(claim={"pool": "small"})["steps"] == steps
    assert api_server.objects[deployment]["status"]["powerState"] == "Running"


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            {"pool": "large"},
            "ClusterPool pools/large does not exist; there are broken, empty, never, small, stopped, stuck",
        ),
        ({"pool": "empty"}, "ClusterPool pools/empty has size 0 and no cluster left; raise its size"),
        ({}, "ClusterClaim pools/dask does not exist; give the pool to claim from"),
    ],
)
def test_what_cannot_be_claimed_is_not(ansible: Ansible, api_server: ApiServer, claim: JSON, message: str) -> None:
    for check in (True, False):
        assert message in ansible.bad(check, claim=claim)
    assert f"{CLAIMS}/dask" not in api_server.objects


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (
            "never",
            "claim is pending: No clusters in pool are ready to be claimed; pool never of size 1 has 0 standby",
        ),
        ("broken", "its machines cannot be started: Failed to start machines: no capacity left; wait longer"),
        (
            "stopped",
            "has failed and is not tried again: The installation has failed: the quota of the account is used up",
        ),
    ],
)
def test_a_claim_that_comes_to_nothing(ansible: Ansible, pool: str, message: str) -> None:
    said = ansible.bad(claim={"pool": pool}, timeout=1)
    assert said.startswith("Hub http://127.0.0.1")
    assert message in said
    assert ("the claim stays until it is released" in said) == (pool != "stopped")


def test_a_pool_elsewhere_is_named(ansible: Ansible) -> None:
    assert "there are pools/broken, pools/empty" in ansible.bad(claim={"pool": "small"}, namespace="clusters")


def test_a_claim_that_is_deleted_meanwhile(ansible: Ansible, hub: FakeHub) -> None:
    timer = threading.Timer(0.6, lambda: hub.kube.ask("DELETE", f"{CLAIMS}/dask"))
    timer.start()
    assert "it was deleted meanwhile" in ansible.bad(claim={"pool": "never"})
    timer.join()


def test_a_release_that_is_stuck(ansible: Ansible) -> None:
    ansible.good(claim={"pool": "stuck"})
    assert "its cluster cannot be removed: Deprovision failed: the cloud account is locked" in ansible.bad(
        state="absent", claim={}
    )
    assert "is being deleted" in ansible.bad(claim={"pool": "stuck"})


def test_somebody_elses_claim_is_used_and_stays(ansible: Ansible, api_server: ApiServer, hub: FakeHub) -> None:
    claim = {"metadata": {"name": "dask"}, "spec": {"clusterPoolName": "small", "lifetime": "1h"}}
    hub.kube.ask("POST", CLAIMS, claim).json()
    assert ansible.good(claim={"pool": "small"})["steps"] == ["write the kubeconfig"]
    assert "was made by somebody else and has another lifetime" in ansible.bad(
        claim={"pool": "small", "lifetime": "2h"}
    )
    result = ansible.good(state="absent", claim={})
    assert (result["steps"], result["kept"]) == (["remove the kubeconfig"], ["ClusterClaim pools/dask"])
    assert f"{CLAIMS}/dask" in api_server.objects


# --- rights, and hubs that are none -----------------------------------------------------------------------------------

NOBODY: JSON = {"impersonate_user": "nobody", "impersonate_groups": ["nobodies"]}


def test_rights_on_the_hub(ansible: Ansible, api_server: ApiServer) -> None:
    message = ansible.bad(claim={"pool": "small"}, **NOBODY)
    assert 'User "nobody" cannot get' in message
    assert "ask for the right" in message
    # Whoever may claim need not see pools, nor the cluster unless the claim says so.
    api_server.allow("nobody", "get", "clusterclaims.hive.openshift.io", "pools")
    assert "to create ClusterClaim pools/dask was answered 403" in ansible.bad(claim={"pool": "small"}, **NOBODY)
    api_server.allow("nobody", "create", "clusterclaims.hive.openshift.io", "pools")
    message = ansible.bad(claim={"pool": "small"}, **NOBODY)
    assert "is there, but reading ClusterDeployment small-" in message
    assert "among the claim's subjects (claim.subjects)" in message
    api_server.allow("nobody", "get", "clusterdeployments.hive.openshift.io")
    assert "reading Secret small-" in ansible.bad(claim={"pool": "small"}, **NOBODY)
    api_server.allow("nobody", "get", "secrets")
    assert ansible.good(claim={"pool": "small"}, **NOBODY)["cluster"]["context"] == "admin"


def test_what_is_no_hub(api_server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ansible = Ansible(api_server.kubeconfig(tmp_path / "hub"), tmp_path / "cluster", capsys)
    for source, what in (({"claim": {"pool": "a"}}, "Hive"), ({"hosted": {"spec": SPEC}}, "HyperShift")):
        assert f"is not served there; check kubeconfig and context, or have {what} installed" in ansible.bad(**source)
    assert not ansible.good(state="absent", claim={})["changed"]


def test_a_secret_that_holds_no_kubeconfig(ansible: Ansible, hub: FakeHub) -> None:
    hub.hand_out = "very-secret: {"
    assert "holds no kubeconfig that can be read" in ansible.bad(claim={"pool": "small"})


@pytest.mark.parametrize("path", ["hub", "link"])
def test_the_hubs_kubeconfig_is_not_overwritten(ansible: Ansible, tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "hub")
    assert "is the hub's own" in ansible.bad(claim={"pool": "small"}, kubeconfig_path=str(tmp_path / path))


# --- a hosted control plane -------------------------------------------------------------------------------------------


def test_a_hosted_cluster_comes_and_goes(ansible: Ansible, api_server: ApiServer) -> None:
    hosted = {"spec": SPEC, "node_pools": [WORKERS]}
    steps = ["create HostedCluster clusters/dask", "create NodePool clusters/workers", "write the kubeconfig"]
    assert ansible.good(check=True, hosted=hosted)["steps"] == steps
    assert f"{HOSTED}/dask" not in api_server.objects
    result = ansible.good(hosted=hosted)
    assert result["steps"] == steps
    assert result["cluster"] == {
        "name": "dask",
        "namespace": "clusters",
        "kubeconfig_path": str(ansible.path),
        "context": "admin",
        "server": "https://127.0.0.1:6443",
        "console": "",
        "openshift_version": "4.20.4",
    }
    assert api_server.objects[f"{NODE_POOLS}/workers"]["spec"] == {"replicas": 2, "clusterName": "dask"}
    assert api_server.objects[f"{NODE_POOLS}/workers"]["status"]["replicas"] == 2
    for check in (False, True):
        again = ansible.good(check, hosted=hosted)
        assert (again["changed"], again["steps"]) == (False, [])
    assert not ansible.good(hosted={})["changed"]

    more = {"spec": SPEC, "node_pools": [{"name": "more", "spec": {"replicas": 1}}]}
    assert ansible.good(hosted=more)["steps"] == ["create NodePool clusters/more"]
    result = ansible.good(hosted={**more, "purge": True})
    assert result["steps"] == ["delete NodePool clusters/workers"]
    assert f"{NODE_POOLS}/workers" not in api_server.objects

    released = ansible.good(state="absent", hosted={})
    assert released["steps"] == [
        "delete NodePool clusters/more",
        "delete HostedCluster clusters/dask",
        "remove the kubeconfig",
    ]
    assert not [path for path in api_server.objects if path.startswith((HOSTED, NODE_POOLS))]


def test_a_hosted_cluster_that_is_not_well(ansible: Ansible, monkeypatch: pytest.MonkeyPatch) -> None:
    message = ansible.bad(hosted={"spec": {**SPEC, "platform": {"type": "Broken"}}}, timeout=1)
    assert "control plane is not available: Waiting for hosted control plane to be healthy" in message
    assert "Degraded: capi-provider deployment has 1 unavailable replicas" in message
    assert "EtcdAvailable: etcd has no quorum" in message
    ansible.good(state="absent", hosted={})
    message = ansible.bad(hosted={"spec": {**SPEC, "release": {"image": "invalid"}}}, timeout=1)
    assert "ValidReleaseImage is False: failed to look up the release image" in message
    monkeypatch.setattr("ansible_collections.daskops.kubernetes.plugins.module_utils._openshift_hub._GRACE", 0.1)
    message = ansible.bad(hosted={"spec": {**SPEC, "release": {"image": "invalid"}}})
    assert message.endswith("ValidReleaseImage is False: failed to look up the release image; change hosted.spec.")


def test_somebody_elses_hosted_cluster_is_used_and_stays(ansible: Ansible, api_server: ApiServer, hub: FakeHub) -> None:
    hub.kube.ask("POST", HOSTED, {"metadata": {"name": "dask"}, "spec": SPEC}).json()
    assert "was made by somebody else and was not touched" in ansible.bad(hosted={"spec": SPEC})
    assert ansible.good(hosted={"node_pools": [WORKERS]})["steps"][0] == "create NodePool clusters/workers"
    result = ansible.good(state="absent", hosted={})
    assert result["steps"] == ["delete NodePool clusters/workers", "remove the kubeconfig"]
    assert f"{HOSTED}/dask" in api_server.objects


# --- the role's ways in, and the fake as a program --------------------------------------------------------------------


def play(tmp_path: Path, entry: str, variables: JSON, fails: bool = False) -> str:
    """Run an entry point of the role; returns what was printed."""
    tasks = [
        {"ansible.builtin.include_role": {"name": "daskops.kubernetes.openshift", "tasks_from": entry}},
        {"ansible.builtin.debug": {"msg": "{{ __openshift_provisioned | default('none') }}"}},
    ]
    return playbooks.play({"vars": variables, "tasks": tasks}, tmp_path, fails=fails)


def test_the_role_gets_a_cluster_and_gives_it_back(ansible: Ansible, api_server: ApiServer, tmp_path: Path) -> None:
    variables = {
        "openshift_hub": {"kubeconfig": str(ansible.kubeconfig), "context": "c"},
        "openshift_hub_namespace": "pools",
        "openshift_claim": {"pool": "small", "lifetime": "8h"},
        "openshift_hub_kubeconfig": str(ansible.path),
    }
    said = play(tmp_path, "provision", variables)
    assert "context: admin" in said.replace('"', "")
    assert str(ansible.path) in said
    assert "cluster small-" in said  # the progress
    assert f"{CLAIMS}/dask" in api_server.objects
    play(tmp_path, "release", variables)
    assert f"{CLAIMS}/dask" not in api_server.objects
    assert not ansible.path.exists()
    both = {**variables, "openshift_hosted": {"spec": SPEC}}
    assert "give one of openshift_claim and openshift_hosted" in play(tmp_path, "provision", both, fails=True)


def teardown(ansible: Ansible, tmp_path: Path, fails: bool = False, **variables: t.Any) -> str:
    """Run the playbook; returns what was printed, on one line."""
    given = {
        "provider": "openshift",
        "teardown_confirm": True,
        "openshift_hub": {"kubeconfig": str(ansible.kubeconfig), "context": "c"},
        "openshift_hub_namespace": "pools",
        "openshift_hub_kubeconfig": str(ansible.path),
        "openshift_hub_timeout": 10,
        **variables,
    }
    printed = playbooks.play("playbooks/teardown.yml", tmp_path, "-e", json.dumps(given), fails=fails)
    return " ".join(printed.split())


def test_a_claim_without_a_cluster_is_given_back(ansible: Ansible, api_server: ApiServer, tmp_path: Path) -> None:
    claim = {"pool": "never"}
    ansible.bad(claim=claim, timeout=1)
    assert f"{CLAIMS}/dask" in api_server.objects
    assert not ansible.path.exists()
    said = teardown(ansible, tmp_path, openshift_claim=claim)
    assert f"The kubeconfig {ansible.path} does not exist" in said
    assert "Its ClusterClaim pools/dask is given back to the hub all the same" in said
    assert f"{CLAIMS}/dask" not in api_server.objects
    teardown(ansible, tmp_path, openshift_claim=claim)  # as is one that has expired


def test_a_cluster_that_does_not_answer_is_given_back(
    ansible: Ansible, hub: FakeHub, api_server: ApiServer, tmp_path: Path
) -> None:
    hub.hand_out = handed_out(yaml.safe_dump(CLUSTER).replace("6443", "9"))
    hosted = {"spec": SPEC, "node_pools": [WORKERS]}
    ansible.good(hosted=hosted)
    where: JSON = {"openshift_hosted": hosted, "openshift_hub_namespace": "clusters"}
    role = {**where, "openshift_hub": {"kubeconfig": str(ansible.kubeconfig)}}
    role["openshift_hub_kubeconfig"] = str(ansible.path)
    assert "does not answer" in play(tmp_path, "target", role, fails=True)  # as whoever asks for its status is told
    said = teardown(ansible, tmp_path, **where)
    assert "the API server https://127.0.0.1:9 does not answer" in said
    assert "Its HostedCluster clusters/dask is given back to the hub all the same" in said
    assert not [path for path in api_server.objects if path.startswith((HOSTED, NODE_POOLS))]
    assert not ansible.path.exists()


def test_what_is_not_ours_is_not_given_back(
    ansible: Ansible, hub: FakeHub, api_server: ApiServer, tmp_path: Path
) -> None:
    claim = {"metadata": {"name": "dask"}, "spec": {"clusterPoolName": "small"}}
    hub.kube.ask("POST", CLAIMS, claim).json()
    said = teardown(ansible, tmp_path, fails=True, openshift_claim={"pool": "small"})
    assert "ClusterClaim pools/dask was made by somebody else and would stay" in said
    assert f"{CLAIMS}/dask" in api_server.objects


def test_a_hub_that_does_not_answer(ansible: Ansible, tmp_path: Path) -> None:
    nowhere = {"host": "http://127.0.0.1:9", "api_key": "none"}
    said = teardown(ansible, tmp_path, fails=True, openshift_hub=nowhere, openshift_claim={"pool": "small"})
    assert "the API server http://127.0.0.1:9 does not answer" in said


def test_the_environments_hub_is_not_the_cluster(
    ansible: Ansible, hub: FakeHub, api_server: ApiServer, openshift: FakeOpenShift, tmp_path: Path
) -> None:
    openshift.install()
    hub.hand_out = handed_out(openshift.kubeconfig(tmp_path / "c", openshift.login("developer")).read_text())
    variables = {
        "openshift_hub_namespace": "pools",
        "openshift_claim": {"pool": "small"},
        "openshift_hub_kubeconfig": str(ansible.path),
        "openshift_namespace": "lab",
        "openshift_releasing": True,
    }
    role = {"name": "daskops.kubernetes.openshift"}
    seen = "openshift_target.context, __openshift_info.server, __openshift_info.user"
    tasks: list[JSON] = [
        {"ansible.builtin.include_role": role},
        {"ansible.builtin.include_role": {**role, "tasks_from": "target"}},
        {"ansible.builtin.debug": {"msg": f"{{{{ [{seen}, openshift_target.disposable is defined] }}}}"}},
        {"ansible.builtin.include_role": {**role, "tasks_from": "release"}},
    ]
    # As Ansible Automation Platform's credential sets them.
    environment = {
        "K8S_AUTH_HOST": f"http://127.0.0.1:{api_server.server_port}",
        "K8S_AUTH_API_KEY": ADMIN,
        "K8S_AUTH_VERIFY_SSL": "False",
        **playbooks.JSONL,
    }
    printed = playbooks.play({"vars": variables, "tasks": tasks}, tmp_path, environment=environment)
    said = [each["msg"] for each in playbooks.results(printed) if isinstance(each.get("msg"), list)]
    assert said == [["admin", openshift.url, "developer", False]]
    assert f"{CLAIMS}/dask" not in api_server.objects


def test_the_fake_as_a_program(api_server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig, given = api_server.kubeconfig(tmp_path / "hub"), tmp_path / "given"
    given.write_text(yaml.safe_dump(CLUSTER))
    command = [sys.executable, "-m", "tests.fakes.hub", "--kubeconfig", str(kubeconfig), "--hand-out", str(given)]
    command += ["--pool", "pools/small:1", "--pause", "0.05"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert json.loads(process.stdout.readline())["pools"] == ["pools/small"]
            result = Ansible(kubeconfig, tmp_path / "cluster", capsys).good(claim={"pool": "small"})
            assert result["cluster"]["context"] == "admin"
        finally:
            process.terminate()
            assert process.wait(10) == 0
    done = subprocess.run([*command, "--pool", "small"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "small is not NAMESPACE/NAME:SIZE" in done.stderr
