# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GKE's clusters."""

from __future__ import annotations

import base64
import typing as t

import pytest

from tests.fakes.google_cloud import FakeCloud, catalog, cluster_update, contract
from tests.fakes.google_cloud.client import Client, Reply
from tests.fakes.google_cloud.errors import JSON
from tests.google_cloud.fake.samples import sample

ROOT = "/container/v1/projects/fake-project/locations"
REGION = f"{ROOT}/europe-west1"
SMALL: JSON = {"name": "c", "nodePools": [{"name": "core", "initialNodeCount": 1}]}
UPDATE = contract.document("container.v1").properties("ClusterUpdate")


def create(api: Client, cluster: JSON, location: str = "europe-west1") -> Reply:
    return api.post(f"{ROOT}/{location}/clusters", {"cluster": cluster})


def created(api: Client, cluster: JSON, location: str = "europe-west1") -> JSON:
    api.wait(f"{ROOT}/{location}/operations", create(api, cluster, location).body)
    return t.cast("JSON", api.get(f"{ROOT}/{location}/clusters/{cluster['name']}").body)


def update(api: Client, **fields: t.Any) -> Reply:
    return api.put(f"{REGION}/clusters/c", {"update": fields})


def updated(api: Client, **fields: t.Any) -> JSON:
    reply = update(api, **fields)
    assert reply.status == 200, reply.error
    api.wait(f"{REGION}/operations", reply.body)
    return t.cast("JSON", api.get(f"{REGION}/clusters/c").body)


def test_a_cluster_comes_and_goes(cloud: FakeCloud, api: Client) -> None:
    operation = create(api, SMALL).body
    assert (operation["status"], operation["operationType"]) == ("RUNNING", "CREATE_CLUSTER")
    assert {"name": "CLUSTER_DEPLOYING", "intValue": "0"} in operation["progress"]["metrics"]
    assert operation["targetLink"].endswith("/projects/123456789012/locations/europe-west1/clusters/c")
    coming = api.get(f"{REGION}/clusters/c").body
    assert coming["status"] == "PROVISIONING"
    assert "endpoint" not in coming
    assert api.get(f"{REGION}/operations/{operation['name']}").body["status"] == "RUNNING"
    done = api.get(f"{REGION}/operations/{operation['name']}").body
    assert done["status"] == "DONE"
    assert {"name": "CLUSTER_DEPLOYING", "intValue": "12"} in done["progress"]["metrics"]
    assert done["endTime"]
    assert "error" not in done
    cluster = api.get(f"{REGION}/clusters/c").body
    assert (cluster["status"], cluster["endpoint"]) == ("RUNNING", cloud.settings.endpoint)
    assert api.get(f"{REGION}/clusters").body["clusters"] == [cluster]
    assert api.get(f"{ROOT}/-/clusters").body["clusters"] == [cluster]
    assert api.get(f"{ROOT}/us-east1/clusters").body == {}
    api.wait(f"{REGION}/operations", api.delete(f"{REGION}/clusters/c").body)
    gone = api.get(f"{REGION}/clusters/c")
    assert gone.error == "404 NOT_FOUND: Not found: projects/fake-project/locations/europe-west1/clusters/c."
    assert api.delete(f"{REGION}/clusters/c").status == 404
    verbs = [(record.verb, record.method.rpartition(".")[2], record.status) for record in cloud.writes]
    assert verbs == [("POST", "create", 200), ("DELETE", "delete", 200), ("DELETE", "delete", 404)]


def test_what_is_filled_in(api: Client) -> None:
    cluster = created(api, SMALL)
    assert cluster["locations"] == ["europe-west1-b", "europe-west1-c", "europe-west1-d"]
    assert cluster["releaseChannel"] == {"channel": "REGULAR"}
    assert cluster["currentMasterVersion"] == catalog.DEFAULT_VERSION
    assert cluster["currentNodeCount"] == 3  # one in each zone
    assert len(cluster["instanceGroupUrls"]) == 3
    assert cluster["shieldedNodes"] == {"enabled": True}
    assert cluster["zone"] == cluster["location"] == "europe-west1"
    assert cluster["selfLink"].endswith("/projects/fake-project/locations/europe-west1/clusters/c")
    assert cluster["defaultMaxPodsConstraint"] == {"maxPodsPerNode": "110"}  # 64 bits: a string
    ip = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    assert ip["publicEndpoint"] == cluster["privateClusterConfig"]["publicEndpoint"] == cluster["endpoint"]
    dns = cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert dns["allowExternalTraffic"] is False  # a field that is shown although it is false
    assert dns["endpoint"].endswith("-123456789012.europe-west1.gke.goog")
    assert cluster["legacyAbac"] == {}  # and one that is not: enabled
    assert base64.b64decode(cluster["masterAuth"]["clusterCaCertificate"])
    assert cluster["networkConfig"]["subnetwork"] == "projects/fake-project/regions/europe-west1/subnetworks/default"


def test_what_is_given_is_kept(api: Client) -> None:
    given = {
        **SMALL,
        "addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": True}},
        "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
        "network": "projects/host/global/networks/shared",
        "privateClusterConfig": {"enablePrivateNodes": True},
        "resourceLabels": {"team": "data"},
        "releaseChannel": {"channel": "STABLE"},
        "verticalPodAutoscaling": {"enabled": False},
        "endpoint": "1.2.3.4",  # not for the client to say
        "status": "ERROR",
    }
    cluster = created(api, given)
    assert cluster["addonsConfig"]["gcsFuseCsiDriverConfig"] == {"enabled": True}
    assert cluster["addonsConfig"]["gcePersistentDiskCsiDriverConfig"] == {"enabled": True}
    assert cluster["ipAllocationPolicy"]["clusterSecondaryRangeName"] == "pods"
    assert cluster["network"] == "shared"
    assert cluster["networkConfig"]["network"] == "projects/host/global/networks/shared"
    assert cluster["networkConfig"]["defaultEnablePrivateNodes"] is True
    assert cluster["nodePools"][0]["networkConfig"]["enablePrivateNodes"] is True
    assert cluster["resourceLabels"] == {"team": "data"}
    assert cluster["currentMasterVersion"] == catalog.VERSIONS["STABLE"][0]
    assert cluster["verticalPodAutoscaling"] == {}  # false is not set
    assert (cluster["endpoint"], cluster["status"]) == ("192.0.2.10", "RUNNING")


def test_a_boolean_that_is_not_given_is_false(api: Client) -> None:
    """Where a message is given at all: the service cannot tell the two apart."""
    pool = {"name": "p", "initialNodeCount": 1, "config": {"shieldedInstanceConfig": {"enableSecureBoot": True}}}
    given: JSON = {"monitoringConfig": {"managedPrometheusConfig": {}}, "addonsConfig": {"kubernetesDashboard": {}}}
    cluster = created(api, {"name": "c", "nodePools": [pool], "shieldedNodes": {}, **given})
    assert cluster["shieldedNodes"] == {}
    assert cluster["monitoringConfig"]["managedPrometheusConfig"] == {}
    assert cluster["monitoringConfig"]["componentConfig"]["enableComponents"]
    assert cluster["addonsConfig"]["kubernetesDashboard"] == {}
    assert cluster["addonsConfig"]["networkPolicyConfig"] == {"disabled": True}
    assert cluster["nodePools"][0]["config"]["shieldedInstanceConfig"] == {"enableSecureBoot": True}


def test_a_zonal_cluster(api: Client) -> None:
    cluster = created(api, SMALL, "us-central1-f")
    assert cluster["locations"] == ["us-central1-f"]
    assert "/zones/us-central1-f/" in cluster["selfLink"]
    # The old methods find it, also by the project's number, as links have it.
    assert api.get("/container/v1/projects/123456789012/zones/us-central1-f/clusters/c").body == cluster


def test_the_old_way_to_ask_for_nodes(api: Client) -> None:
    cluster = created(api, {"name": "c", "initialNodeCount": 2, "nodeConfig": {"machineType": "e2-standard-4"}})
    [pool] = cluster["nodePools"]
    assert (pool["name"], pool["initialNodeCount"]) == ("default-pool", 2)
    assert cluster["nodeConfig"]["machineType"] == pool["config"]["machineType"] == "e2-standard-4"


def test_autopilot(api: Client) -> None:
    cluster = created(api, {"name": "c", "autopilot": {"enabled": True}})
    assert cluster["networkConfig"]["datapathProvider"] == "ADVANCED_DATAPATH"
    assert cluster["workloadIdentityConfig"] == {"workloadPool": "fake-project.svc.id.goog"}
    assert "nodePools" not in cluster
    pool = api.post(f"{REGION}/clusters/c/nodePools", {"nodePool": {"name": "p"}})
    assert pool.error == "400 INVALID_ARGUMENT: Autopilot node pools cannot be accessed or modified."


def test_autopilot_as_gcloud_asks_for_it(api: Client) -> None:
    pool = {"name": "default-pool", "initialNodeCount": 1, "config": {"serviceAccount": "nodes@example.com"}}
    cluster = created(api, {"name": "c", "autopilot": {"enabled": True}, "nodePools": [pool]})
    assert "nodePools" not in cluster
    assert cluster["autoscaling"]["autoprovisioningNodePoolDefaults"] == {"serviceAccount": "nodes@example.com"}


@pytest.mark.parametrize(
    ("change", "location", "message"),
    [
        ({"name": "C"}, "europe-west1", "Cluster.name must start with a lowercase letter"),
        ({"name": "a" * 41}, "europe-west1", "Cluster.name must start"),
        ({"name": "a-"}, "europe-west1", "Cluster.name must start"),
        ({"nodePools": []}, "europe-west1", "initial_node_count must be greater than zero"),
        ({"initialNodeCount": 1}, "europe-west1", "Cannot specify both"),
        ({}, "mars-west1", 'Location "mars-west1" does not exist.'),
        ({}, "europe-west1-a", 'Location "europe-west1-a" does not exist.'),
        ({"autopilot": {"enabled": True}, "nodePools": []}, "europe-west1-b", "Autopilot clusters must be regional"),
        ({"autopilot": {"enabled": True}}, "europe-west1", "Node pools cannot be specified for Autopilot"),
        ({"masterAuth": {"username": "admin"}}, "europe-west1", "Basic authentication was removed"),
        ({"initialClusterVersion": "1.2"}, "europe-west1", 'No valid versions with the prefix "1.2" found.'),
        ({"locations": ["us-east1-b"]}, "europe-west1", 'Zone "us-east1-b" is not a zone of europe-west1.'),
        ({"locations": ["europe-west1-c"]}, "europe-west1-b", "have to contain the cluster's own"),
        ({"workloadIdentityConfig": {"workloadPool": "other.svc.id.goog"}}, "europe-west1", "only supported value"),
        ({"nodePools": [{"name": "P"}]}, "europe-west1", "Node pool name 'P' does not match"),
        ({"nodePools": [{"name": "p"}, {"name": "p"}]}, "europe-west1", "clusters/c/nodePools/p."),
    ],
)
def test_what_cannot_be_is_refused(cloud: FakeCloud, api: Client, change: JSON, location: str, message: str) -> None:
    reply = create(api, SMALL | change, location)
    assert reply.status in (400, 409)
    assert message in reply.error
    assert not any(key.startswith("container/") for key in cloud.state.resources)


def test_the_same_name_twice(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(SMALL)
    assert create(api, SMALL).error.startswith("409 ALREADY_EXISTS: Already exists: projects/fake-project/locations/")
    assert create(api, SMALL, "europe-west4").status == 200


@pytest.mark.parametrize("project", ["fake-project", "host"])
def test_networks_are_checked_if_wanted(project: str) -> None:
    root = f"projects/{project}"
    network, subnetwork = f"{root}/global/networks/n", f"{root}/regions/europe-west1/subnetworks/s"
    with FakeCloud(check_networks=True, other_projects=("host",)) as cloud:
        api = Client(cloud.port, lambda: cloud.token)
        names = {"network": "n", "subnetwork": "s"} if project == "fake-project" else {}
        given: JSON = {"network": network, "subnetwork": subnetwork} | names
        given |= {**SMALL, "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods"}}
        assert f'Network "{network}" does not exist.' in create(api, given).error
        cloud.put(f"compute/{network}", {"name": "n"})
        assert api.get(f"/compute/compute/v1/{network}").status == 200
        assert api.get("/container/v1/projects/host/locations/-/clusters").status == 403
        assert f'Subnetwork "{subnetwork}" does not exist.' in create(api, given).error
        cloud.put(f"compute/{subnetwork}", {"name": "s", "secondaryIpRanges": [{"rangeName": "other"}]})
        assert 'Secondary range "pods" does not exist' in create(api, given).error
        cloud.put(f"compute/{subnetwork}", {"name": "s", "secondaryIpRanges": [{"rangeName": "pods"}]})
        assert create(api, given).status == 200


def test_the_server_configuration(api: Client) -> None:
    config = api.get(f"{REGION}/serverConfig").body
    channels = {channel["channel"]: channel["defaultVersion"] for channel in config["channels"]}
    assert set(channels) == {"RAPID", "REGULAR", "STABLE", "EXTENDED"}
    assert set(channels.values()) <= set(config["validMasterVersions"])
    assert config["validMasterVersions"][0] == catalog.VERSIONS["RAPID"][0]


def test_versions_are_in_their_order(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = ["1.34.9-gke.1", "1.34.10-gke.1", "1.9.0-gke.1"]
    monkeypatch.setattr(catalog, "VERSIONS", {"REGULAR": versions})
    found = api.get(f"{REGION}/serverConfig").body["validNodeVersions"]
    assert found == ["1.34.10-gke.1", "1.34.9-gke.1", "1.9.0-gke.1"]


# Updates.


def place(resource: JSON, path: t.Iterable[str]) -> t.Any:
    for name in path:
        resource = resource.get(name, {})
    return resource


def covers(value: t.Any, wanted: t.Any) -> bool:
    """Everything that was wanted is there; what was there before may be, too."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return all(covers(value.get(name), item) for name, item in wanted.items())
    return bool(value == wanted)


# Values that have to be good ones.
SPECIAL: JSON = {
    "desiredLocations": ["europe-west1-b", "europe-west1-c"],
    "desiredMasterVersion": catalog.VERSIONS["RAPID"][0],
    "desiredNodeVersion": catalog.VERSIONS["REGULAR"][1],
    "desiredWorkloadIdentityConfig": {"workloadPool": "fake-project.svc.id.goog"},
    "desiredControlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    "desiredPrivateClusterConfig": {"enablePrivateEndpoint": True},
    "desiredNodePoolAutoscaling": {"enabled": True, "maxNodeCount": 5},
}


@pytest.mark.parametrize("field", sorted(UPDATE))
def test_every_field_of_an_update_has_its_place(cloud: FakeCloud, api: Client, field: str) -> None:
    """Each one goes to a place in the cluster or in a pool, or is named among those that are not modelled."""
    cloud.add_cluster(SMALL)
    value = SPECIAL.get(field, sample(UPDATE[field]))
    if field in cluster_update.COMPANIONS:
        return  # not an update by itself: see below
    if field in cluster_update.NOT_MODELLED:
        assert update(api, **{field: value}).error.startswith(
            f"501 UNIMPLEMENTED: The fake does not model ClusterUpdate.{field}"
        )
        return
    cluster = updated(api, **{field: value})
    if pool_path := cluster_update.cluster_pool_place(field):
        assert covers(place(cluster["nodePools"][0], pool_path), value)
        return
    path, single = cluster_update.cluster_place(field)
    assert covers(place(cluster, path), value[single] if single else value)
    assert cluster["status"] == "RUNNING"


def test_where_some_fields_go() -> None:
    """By hand, so that the table is not only held against itself."""
    expected = {
        "desiredAddonsConfig": "addonsConfig",
        "desiredBinaryAuthorization": "binaryAuthorization",
        "desiredClusterAutoscaling": "autoscaling",
        "desiredControlPlaneEndpointsConfig": "controlPlaneEndpointsConfig",
        "desiredCostManagementConfig": "costManagementConfig",
        "desiredDatabaseEncryption": "databaseEncryption",
        "desiredDatapathProvider": "networkConfig.datapathProvider",
        "desiredDefaultEnablePrivateNodes": "networkConfig.defaultEnablePrivateNodes",
        "desiredDnsConfig": "networkConfig.dnsConfig",
        "desiredEnablePrivateEndpoint": "privateClusterConfig.enablePrivateEndpoint",
        "desiredFleet": "fleet",
        "desiredGatewayApiConfig": "networkConfig.gatewayApiConfig",
        "desiredGcfsConfig": "nodePoolDefaults.nodeConfigDefaults.gcfsConfig",
        "desiredIntraNodeVisibilityConfig": "networkConfig.enableIntraNodeVisibility",
        "desiredL4ilbSubsettingConfig": "networkConfig.enableL4ilbSubsetting",
        "desiredLocations": "locations",
        "desiredLoggingConfig": "loggingConfig",
        "desiredMasterAuthorizedNetworksConfig": "masterAuthorizedNetworksConfig",
        "desiredMasterVersion": "currentMasterVersion",
        "desiredMonitoringConfig": "monitoringConfig",
        "desiredNodePoolAutoConfigNetworkTags": "nodePoolAutoConfig.networkTags",
        "desiredNotificationConfig": "notificationConfig",
        "desiredReleaseChannel": "releaseChannel",
        "desiredSecurityPostureConfig": "securityPostureConfig",
        "desiredShieldedNodes": "shieldedNodes",
        "desiredStackType": "ipAllocationPolicy.stackType",
        "desiredVerticalPodAutoscaling": "verticalPodAutoscaling",
        "desiredWorkloadIdentityConfig": "workloadIdentityConfig",
    }
    found = {field: ".".join(cluster_update.cluster_place(field)[0]) for field in expected}
    assert found == expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"desiredNodePoolId": "core"},
        {"desiredLoggingService": "none", "desiredMonitoringService": "none"},
        {"desiredShieldedNodes": {"enabled": True}, "userManagedKeysConfig": {}},
    ],
)
def test_exactly_one_field_at_a_time(cloud: FakeCloud, api: Client, fields: JSON) -> None:
    cloud.add_cluster(SMALL)
    assert update(api, **fields).error == "400 INVALID_ARGUMENT: Must specify exactly one field to update."


def test_an_update_takes_effect_when_its_operation_is_done(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(SMALL)
    operation = update(api, desiredReleaseChannel={"channel": "STABLE"}).body
    cluster = api.get(f"{REGION}/clusters/c").body
    assert (cluster["status"], cluster["releaseChannel"]["channel"]) == ("RECONCILING", "REGULAR")
    api.wait(f"{REGION}/operations", operation)
    cluster = api.get(f"{REGION}/clusters/c").body
    assert (cluster["status"], cluster["releaseChannel"]["channel"]) == ("RUNNING", "STABLE")


def test_old_and_new_fields_of_the_control_planes_endpoints_agree(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(SMALL)
    blocks = {"enabled": True, "cidrBlocks": [{"cidrBlock": "203.0.113.0/24"}]}
    cluster = updated(api, desiredMasterAuthorizedNetworksConfig=blocks)
    ip = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    assert ip["authorizedNetworksConfig"]["cidrBlocks"] == blocks["cidrBlocks"]
    new = {"ipEndpointsConfig": {"enablePublicEndpoint": False, "authorizedNetworksConfig": {"enabled": True}}}
    cluster = updated(api, desiredControlPlaneEndpointsConfig=new)
    assert cluster["privateClusterConfig"]["enablePrivateEndpoint"] is True
    assert cluster["endpoint"] == cloud.settings.private_endpoint
    assert "publicEndpoint" not in cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    assert cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["allowExternalTraffic"] is False  # untouched
    cluster = updated(api, desiredControlPlaneEndpointsConfig={"ipEndpointsConfig": {"enabled": False}})
    assert "endpoint" not in cluster


def test_an_addon_alone_leaves_the_others(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(SMALL)
    cluster = updated(api, desiredAddonsConfig={"gcsFuseCsiDriverConfig": {"enabled": True}})
    assert cluster["addonsConfig"]["kubernetesDashboard"] == {"disabled": True}
    assert cluster["addonsConfig"]["gcsFuseCsiDriverConfig"] == {"enabled": True}
    cluster = updated(api, desiredMonitoringConfig={"managedPrometheusConfig": {"enabled": False}})
    assert cluster["monitoringConfig"]["managedPrometheusConfig"] == {}
    assert cluster["monitoringConfig"]["componentConfig"]["enableComponents"]


def test_pools_follow_their_clusters_zones(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(SMALL)
    cluster = updated(api, desiredLocations=["europe-west1-d"])
    assert cluster["nodePools"][0]["locations"] == ["europe-west1-d"]
    assert cluster["currentNodeCount"] == 1


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("latest", catalog.VERSIONS["RAPID"][0]),
        ("1.33", catalog.VERSIONS["REGULAR"][1]),
        ("-", catalog.DEFAULT_VERSION),
    ],
)
def test_aliases_of_versions(cloud: FakeCloud, api: Client, wanted: str, version: str) -> None:
    cloud.add_cluster(SMALL)
    assert updated(api, desiredMasterVersion=wanted)["currentMasterVersion"] == version


def test_a_stale_etag(cloud: FakeCloud, api: Client) -> None:
    etag = cloud.add_cluster(SMALL)["etag"]
    updated(api, etag=etag, desiredReleaseChannel={"channel": "RAPID"})
    reply = update(api, etag=etag, desiredReleaseChannel={"channel": "STABLE"})
    assert reply.error.startswith("409 ABORTED")


def test_labels_and_their_fingerprint(cloud: FakeCloud, api: Client) -> None:
    fingerprint = cloud.add_cluster(SMALL)["labelFingerprint"]
    path = f"{REGION}/clusters/c:setResourceLabels"
    good = {"resourceLabels": {"a": "b"}, "labelFingerprint": fingerprint}
    assert api.post(path, {"resourceLabels": {}}).status == 412
    api.wait(f"{REGION}/operations", api.post(path, good).body)
    cluster = api.get(f"{REGION}/clusters/c").body
    assert cluster["resourceLabels"] == {"a": "b"}
    assert cluster["labelFingerprint"] != fingerprint
    assert "412 FAILED_PRECONDITION: Labels could not be set due to fingerprint mismatch" in api.post(path, good).error


def test_the_maintenance_policy_and_its_version(cloud: FakeCloud, api: Client) -> None:
    version = cloud.add_cluster(SMALL)["maintenancePolicy"]["resourceVersion"]
    path = f"{REGION}/clusters/c:setMaintenancePolicy"
    window = {"dailyMaintenanceWindow": {"startTime": "03:00"}}
    given = {"maintenancePolicy": {"window": window, "resourceVersion": version}}
    api.wait(f"{REGION}/operations", api.post(path, given).body)
    policy = api.get(f"{REGION}/clusters/c").body["maintenancePolicy"]
    assert policy["window"]["dailyMaintenanceWindow"] == {"startTime": "03:00", "duration": "PT4H0M0S"}
    assert cloud.writes[-1].body == given  # what was sent is noted as it was sent
    assert api.post(path, given).status == 412
    clear = {"maintenancePolicy": {"resourceVersion": policy["resourceVersion"]}}
    api.wait(f"{REGION}/operations", api.post(path, clear).body)
    assert set(api.get(f"{REGION}/clusters/c").body["maintenancePolicy"]) == {"resourceVersion"}


def test_what_is_not_modelled_says_so(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(SMALL)
    reply = api.post(f"{REGION}/clusters/c:setLegacyAbac", {"enabled": True})
    assert (
        reply.error == "501 UNIMPLEMENTED: The fake does not model container.projects.locations.clusters.setLegacyAbac."
    )
