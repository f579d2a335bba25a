# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gke_cluster and gke_cluster_info against the fake: what they send, and what they say."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.daskops.kubernetes.plugins.modules import gke_cluster, gke_cluster_info, gke_node_pool

from tests.google_cloud.modules.conftest import LOCATION, POOL, Ansible

JSON = dict[str, t.Any]

CLUSTER: JSON = {
    "name": "dask",
    "location": LOCATION,
    "network": "dask",
    "subnetwork": "dask",
    "pods_range": "pods",
    "services_range": "services",
    "private_nodes": True,
    "dns_endpoint": True,
    "authorized_networks": [{"cidr": "203.0.113.0/24", "name": "office"}],
    "release_channel": "regular",
    "maintenance": {"daily": "03:00"},
    "labels": {"team": "science"},
    "logging": ["SYSTEM_COMPONENTS"],
    "cost_allocation": True,
    "initial_node_pools": [POOL],
}
BARE: JSON = {"name": "dask", "location": LOCATION}


def test_from_nothing_to_nothing(ansible: Ansible) -> None:
    looked = ansible.good(gke_cluster, check=True, **CLUSTER)
    assert looked["changed"]
    assert ansible.cloud.writes == []
    assert looked["endpoint"] == ""

    created = ansible.good(gke_cluster, **CLUSTER)
    assert created["changed"]
    assert created["calls"] == looked["calls"]
    assert ansible.sent == ["clusters.create cluster"]
    body = ansible.cloud.writes[0].body["cluster"]
    assert body == {
        "name": "dask",
        "resourceLabels": {"managed-by": "daskops", "daskops-deletion-protection": "true", "team": "science"},
        "workloadIdentityConfig": {"workloadPool": "fake-project.svc.id.goog"},
        "network": "dask",
        "subnetwork": "dask",
        "ipAllocationPolicy": {
            "useIpAliases": True,
            "clusterSecondaryRangeName": "pods",
            "servicesSecondaryRangeName": "services",
        },
        "networkConfig": {"defaultEnablePrivateNodes": True},
        "controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {"allowExternalTraffic": True},
            "ipEndpointsConfig": {
                "authorizedNetworksConfig": {
                    "enabled": True,
                    "cidrBlocks": [{"cidrBlock": "203.0.113.0/24", "displayName": "office"}],
                }
            },
        },
        "releaseChannel": {"channel": "REGULAR"},
        "maintenancePolicy": {"window": {"dailyMaintenanceWindow": {"startTime": "03:00"}}},
        "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]}},
        "costManagementConfig": {"enabled": True},
        "nodePools": [
            {
                "name": "core",
                "initialNodeCount": 1,
                "autoscaling": {"enabled": True, "totalMinNodeCount": 1, "totalMaxNodeCount": 3},
                "config": {
                    "machineType": "e2-standard-4",
                    "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
                    "resourceLabels": {"managed-by": "daskops"},
                    "shieldedInstanceConfig": {"enableIntegrityMonitoring": True, "enableSecureBoot": True},
                    "workloadMetadataConfig": {"mode": "GKE_METADATA"},
                },
                "management": {"autoRepair": True, "autoUpgrade": True},
            }
        ],
    }
    assert created["cluster"]["status"] == "RUNNING"
    assert created["endpoint"] == "192.0.2.10"
    assert created["ca_certificate"]

    again = ansible.good(gke_cluster, **CLUSTER)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert len(ansible.cloud.requests) == 1, "an unchanged run asks once"

    assert "is protected against that" in ansible.bad(gke_cluster, **BARE, state="absent")
    assert ansible.cloud.writes == []
    gone = ansible.good(gke_cluster, **BARE, state="absent", deletion_protection=False)
    assert gone["changed"]
    assert ansible.sent == ["clusters.delete"]
    assert not ansible.good(gke_cluster, **BARE, state="absent")["changed"]


def test_pools_that_are_to_be_absent_are_not_created(ansible: Ansible) -> None:
    old = {"name": "old", "state": "absent"}
    assert "cannot be created without a node pool" in ansible.bad(
        gke_cluster, **{**CLUSTER, "initial_node_pools": [old]}
    )
    made = ansible.good(gke_cluster, **{**CLUSTER, "initial_node_pools": [old, POOL]})
    assert [pool["name"] for pool in made["cluster"]["nodePools"]] == ["core"]


def test_labels_may_be_called_what_they_will(ansible: Ansible) -> None:
    labels = {"description": "dask", "endpoint": "public", "duration": "1", "network": "x", "version": "2"}
    ansible.good(gke_cluster, **{**CLUSTER, "labels": labels})
    changed = {**labels, "network": "a-network", "version": "1", "cost": "0", "blank": ""}
    done = ansible.good(gke_cluster, **{**CLUSTER, "labels": changed})
    assert done["cluster"]["resourceLabels"] == {
        "managed-by": "daskops",
        "daskops-deletion-protection": "true",
        **changed,
    }
    assert done["diff"]["after"]["resourceLabels"] == done["cluster"]["resourceLabels"]
    assert not ansible.good(gke_cluster, **{**CLUSTER, "labels": changed})["changed"]


def test_labels_are_text(ansible: Ansible) -> None:
    pool = {**POOL, "labels": {"gpu": True, "tier": 2}, "resource_labels": {"cost": 4711}}
    spec = {"resourceLabels": {"unit": 1}}
    task = {**CLUSTER, "labels": {"cost": 4711, "trial": False}, "spec": spec, "initial_node_pools": [pool]}
    made = ansible.good(gke_cluster, **task)["cluster"]
    assert made["resourceLabels"].items() >= {"cost": "4711", "trial": "false", "unit": "1"}.items()
    config = made["nodePools"][0]["config"]
    assert config["labels"] == {"gpu": "true", "tier": "2"}
    assert config["resourceLabels"]["cost"] == "4711"
    assert not ansible.good(gke_cluster, **task)["changed"]
    pools: JSON = {"cluster": "dask", "location": LOCATION, "pools": [pool]}
    assert not ansible.good(gke_node_pool, **pools)["changed"]
    pool["labels"]["gpu"] = False
    assert ansible.good(gke_node_pool, **pools)["pools"][0]["config"]["labels"]["gpu"] == "false"


def test_exclusions_are_compared_as_the_api_shows_them(ansible: Ansible) -> None:
    feast = {"name": "duration", "start": "2026-12-20T00:00:00+01:00", "end": "2026-12-27T00:00:00Z"}
    task = {**CLUSTER, "maintenance": {"exclusions": [feast]}}
    made = ansible.good(gke_cluster, **task)
    [shown] = made["cluster"]["maintenancePolicy"]["window"]["maintenanceExclusions"].values()
    assert shown["maintenanceExclusionOptions"] == {}, "the API leaves out values of enums that are zero"
    assert not ansible.good(gke_cluster, **task)["changed"]
    task["maintenance"] = {"exclusions": [{**feast, "start": "2026-12-19T23:00:00Z"}]}
    assert not ansible.good(gke_cluster, **task)["changed"]
    task["maintenance"] = {"daily": "04:00", "exclusions": [feast]}
    assert ansible.good(gke_cluster, **task)["changed"]
    assert not ansible.good(gke_cluster, **task)["changed"]
    task["maintenance"] = {"exclusions": [{**feast, "scope": "no_minor_upgrades"}]}
    assert ansible.good(gke_cluster, **task)["changed"]
    task["maintenance"] = {"exclusions": [feast]}
    assert ansible.good(gke_cluster, **task)["changed"]
    assert not ansible.good(gke_cluster, **task)["changed"]


def test_several_changes_go_one_by_one_and_in_order(ansible: Ansible) -> None:
    ansible.good(gke_cluster, **CLUSTER)
    change: JSON = {
        "release_channel": "rapid",
        "version": "1.35",
        "logging": ["SYSTEM_COMPONENTS", "WORKLOADS"],
        "private_endpoint": True,
        "authorized_networks": [],
        "dns_endpoint": False,
        "labels": {"team": None, "stage": "trial"},
        "maintenance": {
            "recurring": {
                "start": "2026-01-03T03:00:00Z",
                "end": "2026-01-03T09:00:00Z",
                "recurrence": "FREQ=WEEKLY;BYDAY=SA",
            },
            "exclusions": [{"name": "feast", "start": "2026-12-20T00:00:00Z", "end": "2026-12-27T00:00:00Z"}],
        },
    }
    done = ansible.good(gke_cluster, **{**CLUSTER, **change})
    assert ansible.sent == [
        "clusters.update desiredReleaseChannel",
        "clusters.update desiredMasterVersion",
        "clusters.update desiredControlPlaneEndpointsConfig",
        "clusters.update desiredLoggingConfig",
        "clusters.setMaintenancePolicy maintenancePolicy",
        "clusters.setResourceLabels labelFingerprint resourceLabels",
    ]
    assert done["cluster"]["resourceLabels"] == {
        "managed-by": "daskops",
        "daskops-deletion-protection": "true",
        "stage": "trial",
    }
    assert set(done["cluster"]["maintenancePolicy"]["window"]) == {"recurringWindow", "maintenanceExclusions"}
    assert done["diff"]["before"]["releaseChannel"] == {"channel": "REGULAR"}
    assert done["diff"]["after"]["releaseChannel"] == {"channel": "RAPID"}
    assert not ansible.good(gke_cluster, **{**CLUSTER, **change})["changed"]


def test_what_cannot_be_changed_is_listed_and_refused(ansible: Ansible) -> None:
    ansible.good(gke_cluster, **CLUSTER)
    change = {**CLUSTER, "subnetwork": "other", "pods_range": "more", "logging": []}
    result = ansible(gke_cluster, **change)
    assert result["failed"]
    assert result["differences"] == [
        "subnetwork is dask, not other",
        "ipAllocationPolicy.clusterSecondaryRangeName is pods, not more",
    ]
    assert ansible.cloud.writes == []
    assert "is protected against that" in ansible.bad(gke_cluster, **change, recreate=True)
    assert ansible.cloud.writes == []
    looked = ansible.good(gke_cluster, check=True, **change, recreate=True, deletion_protection=False)
    done = ansible.good(gke_cluster, **change, recreate=True, deletion_protection=False)
    assert ansible.sent == ["clusters.delete", "clusters.create cluster"]
    assert done["calls"] == looked["calls"]


def test_a_cluster_of_others_is_not_taken_for_ours(ansible: Ansible) -> None:
    ansible.cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, LOCATION)
    for task in (BARE, CLUSTER, {**BARE, "recreate": True, "deletion_protection": False}):
        for check in (True, False):
            message = ansible.bad(gke_cluster, check=check, **task)
            assert "Cluster dask in europe-west1 of project fake-project is there and was not made by this" in message
            assert "give state existing to use it as it is" in message
            assert ansible.cloud.writes == []


def test_a_cluster_of_others_is_changed_as_asked_and_never_deleted(ansible: Ansible) -> None:
    given = {"name": "dask", "nodePools": [{"name": "theirs", "initialNodeCount": 1}], "resourceLabels": {"a": "b"}}
    ansible.cloud.add_cluster(given, LOCATION)
    adopted = {**BARE, "adopt": True}
    found = ansible.good(gke_cluster, **adopted, prices={"cluster": 0.2, "machine_types": {"e2-medium": 0.5}})
    assert not found["changed"], "what these modules' own clusters have is not for others"
    assert (found["managed"], found["cost_per_hour"]["min"]) == (False, 0.2 + 3 * 0.5)  # a node in each of three zones
    ansible.good(gke_cluster, **adopted, labels={"c": "d"}, workload_identity=True)
    assert ansible.sent == [
        "clusters.update desiredWorkloadIdentityConfig",
        "clusters.setResourceLabels labelFingerprint resourceLabels",
    ]
    assert ansible.cloud.cluster("dask", LOCATION)["resourceLabels"] == {"a": "b", "c": "d"}
    message = ansible.bad(gke_cluster, **BARE, state="absent", deletion_protection=False)
    assert "was not made by this module, which deletes only its own" in message
    message = ansible.bad(gke_cluster, **adopted, network="other", recreate=True, deletion_protection=False)
    assert "would have to be recreated" in message
    assert "was not made by this module" in message
    assert ansible.cloud.writes == []


def test_existing(ansible: Ansible) -> None:
    result = ansible(gke_cluster, **BARE, state="existing")
    assert "the project has no clusters" in result["msg"]
    assert result["exists"] is False
    ansible.cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, "us-central1-a")
    assert "there is one by that name in us-central1-a" in ansible.bad(gke_cluster, **BARE, state="existing")
    ansible.cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, LOCATION)
    found = ansible.good(gke_cluster, **BARE, state="existing", release_channel="regular")
    assert found["cluster"]["name"] == "dask"
    assert not found["changed"]
    result = ansible(gke_cluster, **BARE, state="existing", workload_identity=True, network="other")
    assert "with state existing nothing is changed" in result["msg"]
    assert result["differences"] == [
        "network is default, not other",
        "desiredWorkloadIdentityConfig is not as asked for",
    ]
    assert ansible.cloud.writes == []


def test_autopilot(ansible: Ansible) -> None:
    task = {**BARE, "autopilot": True, "node_service_account": "nodes@fake-project.iam.gserviceaccount.com"}
    ansible.good(gke_cluster, **task)
    body = ansible.cloud.writes[0].body["cluster"]
    assert body["autopilot"] == {"enabled": True}
    assert "nodePools" not in body
    assert "workloadIdentityConfig" not in body
    assert body["autoscaling"]["autoprovisioningNodePoolDefaults"]["serviceAccount"] == task["node_service_account"]
    assert not ansible.good(gke_cluster, **task)["changed"]
    assert "autopilot.enabled is True, not False" in ansible.bad(gke_cluster, **{**BARE, "autopilot": False})


def test_a_run_that_was_interrupted_is_waited_for(ansible: Ansible) -> None:
    kubeconfig = {"path": "/nowhere/dask.yaml"}
    started = ansible.good(gke_cluster, **CLUSTER, wait=False, kubeconfig=kubeconfig)
    assert "has no kubeconfig yet" in str(started["warnings"])
    assert started["cluster"]["status"] == "PROVISIONING"
    done = ansible.good(gke_cluster, **CLUSTER)
    assert not done["changed"]
    assert done["cluster"]["status"] == "RUNNING"
    ansible.good(gke_cluster, **BARE, state="absent", deletion_protection=False, wait=False)
    done = ansible.good(gke_cluster, **CLUSTER)
    assert ansible.sent == ["clusters.create cluster"]


def test_protection_is_kept_on_the_cluster(ansible: Ansible) -> None:
    ansible.good(gke_cluster, **{**CLUSTER, "deletion_protection": False})
    assert ansible.cloud.cluster("dask", LOCATION)["resourceLabels"]["daskops-deletion-protection"] == "false"
    ansible.good(gke_cluster, **BARE)
    assert ansible.sent == ["clusters.setResourceLabels labelFingerprint resourceLabels"]
    assert "is protected" in ansible.bad(gke_cluster, **BARE, state="absent")


def test_a_spec_that_the_api_does_not_know(ansible: Ansible) -> None:
    message = ansible.bad(gke_cluster, **CLUSTER, spec={"verticalPodAutoscalin": {"enabled": True}})
    assert 'Unknown name "verticalPodAutoscalin"' in message
    assert "check the spelling of what is in spec" in message


@pytest.mark.parametrize("auth", ["token", "exec", "auto"])
def test_kubeconfig(ansible: Ansible, tmp_path: Path, auth: str) -> None:
    path = tmp_path / "new" / "dask.yaml"
    task = {**CLUSTER, "kubeconfig": {"path": str(path), "auth": auth}}
    looked = ansible.good(gke_cluster, check=True, **task)
    assert looked["kubeconfig"]["changed"]
    assert not path.exists()
    done = ansible.good(gke_cluster, **task)
    assert path.stat().st_mode & 0o777 == 0o600
    content = yaml.safe_load(path.read_text())
    [cluster] = content["clusters"]
    [user] = content["users"]
    assert cluster["cluster"] == {"server": done["kubeconfig"]["server"]}
    assert cluster["cluster"]["server"].endswith(".gke.goog")
    assert content["current-context"] == f"gke_fake-project_{LOCATION}_dask"
    if auth == "exec":
        assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    else:  # the plugin cannot use the access token that this module has
        assert user["user"] == {"token": ansible.cloud.token}
    assert not ansible.good(gke_cluster, **task)["changed"]

    path.write_text(path.read_text().replace(ansible.cloud.token, "an-older-one"))
    assert not ansible.good(gke_cluster, **task)["changed"], "a new token is no change"
    assert yaml.safe_load(path.read_text()) == content

    by_address = {**task, "kubeconfig": {**task["kubeconfig"], "endpoint": "ip"}}
    assert ansible.good(gke_cluster, **by_address)["changed"]
    cluster = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]
    assert cluster["server"] == "https://192.0.2.10"
    assert cluster["certificate-authority-data"] == done["ca_certificate"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Dask"}, "'Dask' is no name for a cluster"),
        ({"name": "d" * 41}, "is no name for a cluster"),
        ({"location": "europe"}, "is neither a region"),
        ({"location": "-"}, "is neither a region"),
        ({"project": "My Project"}, "'My Project' is no ID of a project"),
        ({"project": None}, "No project is given"),
        ({"api_endpoint": "container.googleapis.com"}, "which is no URL"),
        ({"access_token": None}, "there is no token"),
        ({"pods_range": "10.0.0.0/99"}, "pods_range is '10.0.0.0/99', which is no range of addresses"),
        ({"pods_range": "10.0.0.0/14", "services_range": "10.1.0.0/20"}, "overlaps with pods_range 10.0.0.0/14"),
        ({"authorized_networks": [{"cidr": "203.0.113.7/24"}]}, "has host bits set"),
        ({"autopilot": True}, "with Autopilot Google decides about the nodes; leave out initial_node_pools"),
        ({"autopilot": True, "initial_node_pools": [], "location": "europe-west1-b"}, "give the region europe-west1"),
        ({"initial_node_pools": []}, "cannot be created without a node pool"),
        ({"initial_node_pools": [{"name": "a", "autoscaling": {"min": 3, "max": 1}}]}, "has min 3 and max 1"),
        ({"initial_node_pools": [{"name": "a", "machine": "x"}]}, "machine. Supported parameters include"),
        ({"initial_node_pools": [POOL, POOL]}, "the node pool core is given twice"),
        ({"node_locations": ["us-central1-a"]}, "is no zone of region europe-west1"),
        ({"version": "newest"}, "version is 'newest'"),
        ({"labels": {"Team": "A"}}, "which Google Cloud does not take"),
        ({"labels": {"managed-by": "me"}}, "the label managed-by is this module's own"),
        ({"maintenance": {"daily": "3 am"}}, "give a time of day in UTC"),
        (
            {"maintenance": {"daily": "03:00", "recurring": {"start": "x", "end": "y", "recurrence": "z"}}},
            "give one of",
        ),
        ({"spec": {"network_config": {}}}, "spec has network_config, which the API calls networkConfig"),
        ({"spec": {"ipAllocationPolicy": {"clusterIpv4CidrBlock": "x"}}}, "is no range of addresses"),
    ],
)
def test_bad_input(ansible: Ansible, change: JSON, message: str) -> None:
    assert message in ansible.bad(gke_cluster, **{**CLUSTER, **change})
    assert ansible.cloud.writes == []


def test_the_kubeconfig_that_all_tools_share(ansible: Ansible, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    message = ansible.bad(gke_cluster, **CLUSTER, kubeconfig={"path": "~/.kube/config"})
    assert "is the one that all tools share" in message
    assert ansible.cloud.requests == []


def test_an_api_that_is_not_enabled(ansible: Ansible) -> None:
    ansible.cloud.disable_service("container.googleapis.com")
    message = ansible.bad(gke_cluster, **CLUSTER)
    assert "enable it: gcloud services enable container.googleapis.com --project fake-project" in message


def test_a_project_that_is_not_there(ansible: Ansible) -> None:
    message = ansible.bad(gke_cluster, **CLUSTER, project="another-project")
    assert "Project another-project: " in message
    assert "403 PERMISSION_DENIED" in message


def test_no_credentials(ansible: Ansible, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for name in ("GCE_METADATA_IP", "GCE_METADATA_HOST"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    message = ansible.bad(gke_cluster, **CLUSTER, auth_kind="application")
    assert message.startswith("No credentials for Google Cloud were found")
    assert "run gcloud auth application-default login" in message


def test_acting_as_another_account(ansible: Ansible) -> None:
    account = "deploy@fake-project.iam.gserviceaccount.com"
    message = ansible.bad(gke_cluster, **CLUSTER, impersonate_service_account=account)
    assert f"check that {account} is there, and that this account has the role" in message
    ansible.cloud.put(f"iam/projects/fake-project/serviceAccounts/{account}", {"email": account})
    message = ansible.bad(gke_cluster, **CLUSTER, impersonate_service_account=account)
    assert "grant this account a role with the permission container.clusters.get" in message
    [asked, looked] = ansible.cloud.requests
    assert asked.method == "iamcredentials.projects.serviceAccounts.generateAccessToken"
    assert looked.identity == f"serviceAccount:{account}"


def test_info(ansible: Ansible, tmp_path: Path) -> None:
    assert ansible.good(gke_cluster_info)["clusters"] == []
    assert ansible.good(gke_cluster_info, name="dask", location=LOCATION)["clusters"] == []
    ansible.good(gke_cluster, **CLUSTER)
    ansible.cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, "us-central1-a")
    found = ansible.good(gke_cluster_info, prices={"regions": {"europe-west1": 2}})
    assert sorted(found["cost_per_hour"]) == [f"{LOCATION}/dask", "us-central1-a/dask"]
    assert found["cost_per_hour"][f"{LOCATION}/dask"] == {
        "min": round(0.1 + 0.134 * 2, 4),
        "max": round(0.1 + 3 * 0.134 * 2, 4),
        "currency": "USD",
        "unknown": [],
    }
    assert found["managed"] == [f"{LOCATION}/dask"]
    found = ansible.good(gke_cluster_info, name="dask", location=LOCATION, server_config=True)
    assert found["server_config"]["channels"]
    path = {"path": str(tmp_path / "dask.yaml")}
    assert "give the location" in ansible.bad(gke_cluster_info, name="dask", kubeconfig=path)
    assert "give its name" in ansible.bad(gke_cluster_info, kubeconfig=path)
    assert "give a region or a zone" in ansible.bad(gke_cluster_info, server_config=True)
    assert ansible.good(gke_cluster_info, name="dask", location=LOCATION, kubeconfig=path)["changed"]
    assert not ansible.good(gke_cluster_info, name="dask", location=LOCATION, kubeconfig=path)["changed"]
    assert "which is no number" in ansible.bad(gke_cluster_info, prices={"cluster": "much"})
