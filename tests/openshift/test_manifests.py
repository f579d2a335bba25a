# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is put into the cluster, and the comparison with OpenShift's own admission plugin."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from tests.fakes.openshift import FakeOpenShift, manifests, scc
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.projects import GROUPS_RANGE, MCS, SCC_LABEL, UID_RANGE
from tests.openshift.api_server import ApiServer


@pytest.fixture
def kube(api_server: ApiServer, tmp_path: Path) -> Kube:
    return Kube(api_server.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def like_openshift(api_server: ApiServer) -> ApiServer:
    """One that makes of the pods what OpenShift does."""
    recorded = scc.recorded()
    api_server.oracle = {json.dumps(pod["spec"], sort_keys=True): recorded[name] for name, pod in scc.pods().items()}
    return api_server


def find(kind: str, name: str) -> dict[str, t.Any]:
    [found] = [each for each in manifests.read() if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def test_they_are_applied(openshift: FakeOpenShift, api_server: ApiServer) -> None:
    openshift.install()
    names = {path.rpartition("/")[2] for path in api_server.objects}
    assert names == {each["metadata"]["name"].replace(":", "%3A") for each in manifests.read()}


def test_a_cluster_without_mutating_policies(openshift: FakeOpenShift, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.openshift.api_server.MISSING", {"mutatingadmissionpolicies"})
    with pytest.raises(RuntimeError, match=r"needs the feature gate MutatingAdmissionPolicy .*v1beta1=true"):
        openshift.install()


def test_the_domain_and_the_version(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    def versions() -> set[str]:
        objects = manifests.rendered(kube, "apps.mine.test")
        assert "apps.mine.test" in json.dumps(objects)
        assert manifests.DOMAIN not in json.dumps(objects)
        return {each["apiVersion"] for each in objects if each["kind"].startswith("Mutating")}

    assert versions() == {"admissionregistration.k8s.io/v1beta1"}
    monkeypatch.setattr("tests.openshift.api_server.RESOURCES", [{"name": "mutatingadmissionpolicies"}])
    assert versions() == {"admissionregistration.k8s.io/v1"}


def test_policies_have_bindings_and_look_at_what_projects_get() -> None:
    policies = [each for each in manifests.read() if each["kind"].endswith("AdmissionPolicy")]
    for policy in policies:
        find(f"{policy['kind']}Binding", policy["metadata"]["name"])
    of_the_scc = [policy for policy in policies if policy["metadata"]["name"].startswith("scc-")]
    assert len(of_the_scc) == 2
    for policy in of_the_scc:
        selector = policy["spec"]["matchConstraints"]["namespaceSelector"]
        assert selector == {"matchLabels": {SCC_LABEL: "restricted-v2"}}
        assert set(re.findall(r"annotations\['([^']+)'\]", json.dumps(policy))) == {UID_RANGE, GROUPS_RANGE, MCS}


def test_the_crd_knows_the_fields_of_a_route() -> None:
    schema = find("CustomResourceDefinition", "routes.route.openshift.io")["spec"]["versions"][0]["schema"]
    spec = schema["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert {"host", "path", "to", "port", "tls", "wildcardPolicy"} <= set(spec)
    assert spec["tls"]["properties"]["termination"]["enum"] == ["edge", "passthrough", "reencrypt"]
    assert spec["wildcardPolicy"]["enum"] == ["None", "Subdomain", ""]


def test_the_pods_are_those_that_were_recorded() -> None:
    assert set(scc.pods()) == set(scc.recorded())
    assert len(scc.pods()) == 33
    assert sum("denied" in answer for answer in scc.recorded().values()) == 18


@pytest.mark.usefixtures("like_openshift")
def test_no_difference(kube: Kube) -> None:
    assert scc.differences(kube, "lab") == {}


def test_differences_are_found(kube: Kube, like_openshift: ApiServer) -> None:
    pods, recorded = scc.pods(), scc.recorded()
    oracle = like_openshift.oracle
    oracle[json.dumps(pods["uid0"]["spec"], sort_keys=True)] = recorded["minimal"]
    oracle[json.dumps(pods["minimal"]["spec"], sort_keys=True)] = {"denied": True}
    oracle[json.dumps(pods["shm"]["spec"], sort_keys=True)] = {**recorded["shm"], "scc": "anyuid"}
    assert set(scc.differences(kube, "lab")) == {"uid0", "minimal", "shm"}


def test_policies_that_are_not_in_force(kube: Kube, like_openshift: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scc, "_SECONDS", 0.5)
    minimal = json.dumps(scc.pods()["minimal"]["spec"], sort_keys=True)
    like_openshift.oracle[minimal] = {**scc.recorded()["minimal"], "scc": None}
    with pytest.raises(RuntimeError, match="Are they installed"):
        scc.prepare(kube, "lab")


def test_the_command(
    like_openshift: ApiServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kubeconfig = like_openshift.kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setattr("sys.argv", ["scc", "--kubeconfig", str(kubeconfig), "--install"])
    assert scc.main() == 0
    assert capsys.readouterr().out == "33 pods as in OpenShift, 0 not\n"
    assert "/api/v1/namespaces/scc-test" not in like_openshift.objects
    users = {user for user, verb, path in like_openshift.seen if path.endswith("/pods?dryRun=All")}
    assert users == {"scc-test"}
