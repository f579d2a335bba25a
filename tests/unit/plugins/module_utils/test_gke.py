# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How GKE's resources are compared, and what is planned for their differences."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import (
    _gke,
    _gke_cluster,
    _gke_cost,
    _gke_kubeconfig,
    _gke_node_pool,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import AnswerLost, GoogleError

JSON = dict[str, t.Any]
PATH = "v1/projects/my-project/locations/us-central1/clusters/dask"


@pytest.mark.parametrize(
    ("wanted", "found", "key"),
    [
        (False, None, "enabled"),
        ({}, None, "x"),
        ([], None, "x"),
        ("", None, "x"),
        (0, None, "x"),
        ("UNSPECIFIED", None, "channel"),
        ("MODE_UNSPECIFIED", None, "mode"),
        (None, {}, "x"),
        ({"enabled": False}, None, "x"),
        ({"a": 1}, {"a": 1, "b": 2}, "x"),
        (64, "64", "maxPodsPerNode"),
        ("64", 64, "maxPodsPerNode"),
        (1.0, 1, "x"),
        (["a", "b"], ["b", "a"], "x"),
        ([{"a": 1}], [{"a": 1, "b": 2}], "x"),
        ("3600s", "3600.000s", "x"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "startTime"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z", "startTime"),
        ("dask", "projects/p/global/networks/dask", "network"),
        (
            "https://www.googleapis.com/compute/v1/projects/p/global/networks/n",
            "projects/p/global/networks/n",
            "network",
        ),
        ("/17", "10.4.0.0/17", "clusterIpv4CidrBlock"),
        ("1.34", "1.34.1-gke.100", "version"),
        ("1.34.1", "1.34.1-gke.100", "version"),
        ("1.33", "1.34.1-gke.100", "version"),
        ("latest", "1.34.1-gke.100", "version"),
        ("-", "1.34.1-gke.100", "version"),
        ([{"key": "a"}], [{"key": "nvidia.com/gpu"}, {"key": "a"}], "taints"),
        ({"a": None}, None, "labels"),
        ({"a": ""}, {"a": "", "b": "c"}, "labels"),
        ("NO_UPGRADES", None, "scope"),
        ("2026-12-20T00:00:00+01:00", "2026-12-19T23:00:00Z", "startTime"),
    ],
)
def test_same(wanted: t.Any, found: t.Any, key: str) -> None:
    assert _gke.same(wanted, found, key)


@pytest.mark.parametrize(
    ("wanted", "found", "key"),
    [
        (True, None, "enabled"),
        (False, True, "enabled"),
        ("a", None, "x"),
        (None, "a", "x"),
        ([], ["a"], "x"),
        (["a"], ["a", "b"], "x"),
        (["a", "a"], ["a", "b"], "x"),
        ({"a": 1}, {"a": 2}, "x"),
        ({}, {"feast": {}, "other": {"a": 1}}, "maintenanceExclusions"),
        ("projects/p/global/networks/n", "projects/q/global/networks/n", "network"),
        ("other", "projects/p/global/networks/n", "network"),
        ("/17", "10.4.0.0/14", "clusterIpv4CidrBlock"),
        ("1.35", "1.34.1-gke.100", "version"),
        ("1.34.2", "1.34.1-gke.100", "version"),
        ("1.34.1-gke.200", "1.34.1-gke.100", "version"),
        ("1.34", "", "version"),
        ([{"key": "a"}], [{"key": "b"}, {"key": "a"}], "taints"),
        ("true", True, "x"),
        ({"a": ""}, None, "labels"),
        ({"a": "0"}, {}, "resourceLabels"),
        ({"config": {"labels": {"a": ""}}}, {}, "x"),
        ({"a": None}, {"a": ""}, "labels"),
        ({"version": "1"}, {"version": "2"}, "labels"),
        ({"net.ipv4.tcp_sack": "0"}, None, "sysctls"),
        ("NO_UPGRADES", "NO_MINOR_UPGRADES", "scope"),
        ("2026-12-20T00:00:00+01:00", "2026-12-20T00:00:00Z", "startTime"),
        ("2026-02-30T00:00:00Z", "2026-03-02T00:00:00Z", "startTime"),
    ],
)
def test_not_same(wanted: t.Any, found: t.Any, key: str) -> None:
    assert not _gke.same(wanted, found, key)


def test_differences_are_as_deep_as_they_can_be() -> None:
    found = {"a": {"b": 1, "c": [1]}, "d": "x"}
    assert _gke.differences({"a": {"b": 2, "c": [1], "e": True}, "d": "x"}, found) == [
        (("a", "b"), 1, 2),
        (("a", "e"), None, True),
    ]


def test_differences_of_labels() -> None:
    found = {"metadata": {"version": "2"}}
    wanted = {"metadata": {"version": "1", "blank": ""}}
    assert _gke.differences(wanted, found) == [
        (("metadata", "version"), "2", "1"),
        (("metadata", "blank"), None, ""),
    ]


def test_strip_leaves_what_is_named_by_others() -> None:
    window = {"dailyMaintenanceWindow": {"duration": "PT4H"}, "maintenanceExclusions": {"duration": {"endTime": "x"}}}
    resource = {"endpoint": "x", "resourceLabels": {"endpoint": "x"}, "maintenancePolicy": {"window": window}}
    assert _gke.strip(resource) == {
        "resourceLabels": {"endpoint": "x"},
        "maintenancePolicy": {
            "window": {"dailyMaintenanceWindow": {}, "maintenanceExclusions": {"duration": {"endTime": "x"}}}
        },
    }


def test_merge() -> None:
    assert _gke.merge({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 3}}) == {"a": {"c": 2, "d": 3}}
    window = {"dailyMaintenanceWindow": {"startTime": "03:00"}, "maintenanceExclusions": {"old": {}}}
    change = {"recurringWindow": {"recurrence": "FREQ=DAILY"}, "maintenanceExclusions": {"new": {}}}
    assert _gke.merge(window, change) == change
    assert _gke.merge({"labels": {"a": "b"}}, {"labels": {"a": None}}) == {"labels": {}}
    assert _gke.merge({"labels": {"a": "b"}}, {"labels": {"a": None}}, keep=True) == {"labels": {"a": None}}


# --- converging ---


def call(name: str, stop: bool = False) -> _gke.Call:
    return _gke.Call("PUT", name, "update", name, stop=stop)


def test_converge_plans_anew_where_others_wrote() -> None:
    plans = [[call("a"), call("b")], [call("b"), call("c")]]
    done: list[tuple[str, bool]] = []
    recovered: list[int] = []

    def do(each: _gke.Call, last: bool) -> None:
        done.append((each.path, last))
        if done == [("a", False), ("b", True)]:
            raise GoogleError("stale", 412, "FAILED_PRECONDITION")

    made = _gke.converge(lambda: plans.pop(0), do, lambda: recovered.append(1), _gke.Deadline(60))
    assert [each.path for each in made] == ["a", "b", "c"]
    assert done[2:] == [("b", False), ("c", True)]
    assert recovered == [1]


def test_what_is_gone_when_it_is_to_be_deleted() -> None:
    plans = [[_gke.Call("DELETE", "a", "delete", "a")], []]

    def gone(_call: _gke.Call, _last: bool) -> t.NoReturn:
        raise GoogleError("gone", 404, "NOT_FOUND")

    assert _gke.converge(lambda: plans.pop(0), gone, lambda: None, _gke.Deadline(60)) == []


def test_converge_ends() -> None:
    def lost(_call: _gke.Call, _last: bool) -> t.NoReturn:
        raise AnswerLost("lost")

    with pytest.raises(AnswerLost):
        _gke.converge(lambda: [call("a")], lost, lambda: None, _gke.Deadline(60))
    with pytest.raises(AnswerLost):
        _gke.converge(lambda: [call("a")], lost, lambda: pytest.fail("no time is left"), _gke.Deadline(0))


def test_converge_says_what_was_done_before_it_failed() -> None:
    def do(each: _gke.Call, _last: bool) -> None:
        if each.path == "b":
            raise GoogleError("no", 403, "PERMISSION_DENIED")

    with pytest.raises(GoogleError) as caught:
        _gke.converge(lambda: [call("a"), call("b")], do, lambda: None, _gke.Deadline(60))
    assert [each["path"] for each in caught.value.details["calls"]] == ["a"]


# --- plans ---


def cluster_calls(wanted: JSON, found: JSON) -> list[tuple[str, str, JSON | None]]:
    calls, fixed = _gke_cluster.updates(wanted, found, PATH, "cluster dask")
    assert fixed == []
    return [(each.verb, each.path.removeprefix(PATH), each.body) for each in calls]


def test_additional_ranges_are_added_and_removed() -> None:
    wanted = {"ipAllocationPolicy": {"additionalPodRangesConfig": {"podRangeNames": ["a", "b"]}}}
    found = {"ipAllocationPolicy": {"additionalPodRangesConfig": {"podRangeNames": ["b", "c"]}}}
    assert cluster_calls(wanted, found) == [
        ("PUT", "", {"update": {"additionalPodRangesConfig": {"podRangeNames": ["a"]}}}),
        ("PUT", "", {"update": {"removedAdditionalPodRangesConfig": {"podRangeNames": ["c"]}}}),
    ]


def test_methods_of_their_own() -> None:
    wanted = {"networkPolicy": {"enabled": True, "provider": "CALICO"}, "legacyAbac": {"enabled": True}}
    assert cluster_calls(wanted, {}) == [
        ("POST", ":setLegacyAbac", {"enabled": True}),
        ("POST", ":setNetworkPolicy", {"networkPolicy": {"enabled": True, "provider": "CALICO"}}),
    ]


def test_what_is_not_spoken_of_goes_along() -> None:
    """The API replaces a field as a whole, or part by part."""
    found: JSON = {
        "databaseEncryption": {"state": "DECRYPTED", "keyName": "key", "currentState": "CURRENT_STATE_DECRYPTED"},
        "addonsConfig": {"httpLoadBalancing": {"disabled": False}, "dnsCacheConfig": {}},
        "maintenancePolicy": {
            "resourceVersion": "v1",
            "window": {"dailyMaintenanceWindow": {"startTime": "03:00", "duration": "PT4H0M0S"}},
        },
        "resourceLabels": {"a": "b"},
        "labelFingerprint": "f1",
    }
    wanted: JSON = {
        "databaseEncryption": {"state": "ENCRYPTED"},
        "addonsConfig": {"dnsCacheConfig": {"enabled": True}},
        "maintenancePolicy": {"window": {"maintenanceExclusions": {"feast": {"startTime": "s", "endTime": "e"}}}},
        "resourceLabels": {"c": "d"},
    }
    assert cluster_calls(wanted, found) == [
        ("PUT", "", {"update": {"desiredAddonsConfig": {"dnsCacheConfig": {"enabled": True}}}}),
        ("PUT", "", {"update": {"desiredDatabaseEncryption": {"state": "ENCRYPTED", "keyName": "key"}}}),
        (
            "POST",
            ":setMaintenancePolicy",
            {
                "maintenancePolicy": {
                    "resourceVersion": "v1",
                    "window": {
                        "dailyMaintenanceWindow": {"startTime": "03:00"},
                        "maintenanceExclusions": {"feast": {"startTime": "s", "endTime": "e"}},
                    },
                }
            },
        ),
        ("POST", ":setResourceLabels", {"resourceLabels": {"a": "b", "c": "d"}, "labelFingerprint": "f1"}),
    ]


@pytest.mark.parametrize(
    ("option", "update"),
    [
        (
            {"authorized_networks": [{"cidr": "198.51.100.0/24"}]},
            {
                "ipEndpointsConfig": {
                    "authorizedNetworksConfig": {
                        "enabled": True,
                        "cidrBlocks": [{"cidrBlock": "198.51.100.0/24"}],
                        "gcpPublicCidrsAccessEnabled": True,
                    }
                }
            },
        ),
        ({"private_endpoint": True}, {"ipEndpointsConfig": {"enablePublicEndpoint": False}}),
        ({"dns_endpoint": False}, {"dnsEndpointConfig": {"allowExternalTraffic": False}}),
        ({"monitoring": ["SYSTEM_COMPONENTS"]}, {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]}}),
        ({"managed_prometheus": False}, {"managedPrometheusConfig": {"enabled": False}}),
    ],
)
def test_parts_are_sent_as_gcloud_does(option: JSON, update: JSON) -> None:
    found: JSON = {
        "controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {"allowExternalTraffic": True, "endpoint": "gke.goog"},
            "ipEndpointsConfig": {
                "enabled": True,
                "enablePublicEndpoint": True,
                "publicEndpoint": "203.0.113.7",
                "authorizedNetworksConfig": {"gcpPublicCidrsAccessEnabled": True},
            },
        },
        "monitoringConfig": {
            "componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "POD"]},
            "managedPrometheusConfig": {"enabled": True},
        },
    }
    wanted = _gke_cluster.want({"name": "dask", "location": "us-central1", **option}, "my-project")
    [(verb, _path, body)] = cluster_calls(wanted.resource, found)
    assert verb == "PUT"
    assert list(body["update"].values()) == [update]


def test_no_field_is_there_twice() -> None:
    for fields in (_gke_cluster.FIELDS, _gke_node_pool.FIELDS):
        paths = [row.path for row in fields]
        assert len(paths) == len(set(paths))
    seen: list[str] = []
    for row in _gke_cluster.FIELDS:
        assert not any(row.path.startswith(f"{other}.") for other in seen), f"{row.path} stands after what it is in"
        seen.append(row.path)


def test_a_taint_that_gke_has_set_stays() -> None:
    gpu = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    mine = {"key": "dask", "value": "worker", "effect": "NO_SCHEDULE"}
    calls, fixed = _gke_node_pool.updates({"config": {"taints": [mine]}}, {"config": {"taints": [gpu]}}, "p", "pool")
    assert fixed == []
    assert [each.body for each in calls] == [{"taints": {"taints": [mine, gpu]}}]


def test_labels_of_gke_are_not_sent_back() -> None:
    found = {"config": {"resourceLabels": {"goog-gke-node-pool-provisioning-model": "spot", "a": "b"}}}
    calls, fixed = _gke_node_pool.updates({"config": {"resourceLabels": {"c": "d"}}}, found, "p", "pool")
    assert fixed == []
    assert [each.body for each in calls] == [{"resourceLabels": {"labels": {"a": "b", "c": "d"}}}]


@pytest.mark.parametrize(
    ("options", "zones", "count"),
    [
        ({}, 3, 1),
        ({"node_count": 0}, 3, 0),
        ({"autoscaling": {"min": 2, "max": 4}}, 3, 2),
        ({"autoscaling": {"total_min": 4, "total_max": 9}}, 3, 2),
        ({"autoscaling": {"total_max": 9}}, 3, 0),
        ({"autoscaling": {"max": 9}, "spec": {"initialNodeCount": 5}}, 3, 5),
    ],
)
def test_how_many_nodes_a_pool_begins_with(options: JSON, zones: int, count: int) -> None:
    wanted = _gke_node_pool.want({"name": "core", **options}, "dask", "us-central1")
    assert _gke_node_pool.create_body(wanted, zones)["initialNodeCount"] == count


def test_the_size_is_that_of_the_groups_where_they_are_known() -> None:
    wanted = _gke_node_pool.want({"name": "core", "node_count": 3}, "dask", "us-central1")
    found = {"name": "core", "status": "RUNNING", "initialNodeCount": 1}
    assert _gke_node_pool.plan(wanted, found, PATH, sizes=[3, 3]).calls == ()
    [each] = _gke_node_pool.plan(wanted, found, PATH, sizes=[3, 2]).calls
    assert (each.action, each.body) == ("setSize", {"nodeCount": 3})
    [each] = _gke_node_pool.plan(wanted, found, PATH).calls
    assert each.action == "setSize"


def test_a_pool_that_somebody_deletes_is_created_after_that() -> None:
    wanted = _gke_node_pool.want({"name": "core"}, "dask", "us-central1")
    [each] = _gke_node_pool.plan(wanted, {"name": "core", "status": "STOPPING"}, PATH).calls
    assert each.action == "create"


# --- kubeconfig ---


CLUSTER: JSON = {
    "name": "dask",
    "location": "us-central1",
    "status": "RUNNING",
    "endpoint": "203.0.113.7",
    "masterAuth": {"clusterCaCertificate": "Y2E="},
    "controlPlaneEndpointsConfig": {
        "dnsEndpointConfig": {"endpoint": "gke-1.us-central1.gke.goog", "allowExternalTraffic": True},
        "ipEndpointsConfig": {"privateEndpoint": "10.0.0.2"},
    },
}


@pytest.mark.parametrize(
    ("endpoint", "url", "ca"),
    [
        ("auto", "https://gke-1.us-central1.gke.goog", None),
        ("dns", "https://gke-1.us-central1.gke.goog", None),
        ("ip", "https://203.0.113.7", "Y2E="),
        ("private", "https://10.0.0.2", "Y2E="),
    ],
)
def test_endpoints(endpoint: str, url: str, ca: str | None) -> None:
    assert _gke_kubeconfig.server(CLUSTER, endpoint) == (url, ca)


def test_no_endpoint_yet() -> None:
    with pytest.raises(DaskopsError, match="has no ip endpoint now"):
        _gke_kubeconfig.server({"name": "dask", "status": "PROVISIONING"})


@pytest.mark.parametrize(
    ("params", "arguments"),
    [
        ({}, (["--use_application_default_credentials"], {})),
        ({"auth_kind": "machineaccount"}, (["--use_application_default_credentials"], {})),
        (
            {"auth_kind": "serviceaccount", "service_account_file": "/key.json"},
            (["--use_application_default_credentials"], {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}),
        ),
        ({"auth_kind": "machineaccount", "service_account_email": "a@b"}, None),
        ({"auth_kind": "serviceaccount", "service_account_contents": "{}"}, None),
        ({"auth_kind": "accesstoken"}, None),
        ({"impersonate_service_account": "a@b"}, None),
    ],
)
def test_the_plugin_uses_the_same_credentials_or_none(params: JSON, arguments: t.Any) -> None:
    assert _gke_kubeconfig.plugin_arguments(params) == arguments


def test_kubeconfig_by_the_plugin() -> None:
    arguments = _gke_kubeconfig.plugin_arguments({"auth_kind": "serviceaccount", "service_account_file": "/key.json"})
    made = _gke_kubeconfig.kubeconfig(CLUSTER, "my-project", None, "ip", arguments)
    assert made["contexts"] == [
        {
            "name": "gke_my-project_us-central1_dask",
            "context": {"cluster": "gke_my-project_us-central1_dask", "user": "gke_my-project_us-central1_dask"},
        }
    ]
    plugin = made["users"][0]["user"]["exec"]
    assert plugin["args"] == ["--use_application_default_credentials"]
    assert plugin["env"] == [{"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/key.json"}]


def test_a_kubeconfig_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "dask.yaml"
    content = _gke_kubeconfig.kubeconfig(CLUSTER, "my-project", "secret")
    assert _gke_kubeconfig.write(path, content, check=False)
    path.chmod(0o644)
    assert _gke_kubeconfig.write(path, content, check=True)
    assert _gke_kubeconfig.write(path, content, check=False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not _gke_kubeconfig.write(path, content, check=False)
    assert list(tmp_path.iterdir()) == [path]
    path.write_text("[not: yaml")
    assert _gke_kubeconfig.write(path, content, check=False)
    with pytest.raises(DaskopsError, match="could not be written"):
        _gke_kubeconfig.write(path / "below", content, check=False)


# --- cost ---


def test_cost() -> None:
    table = _gke_cost.prices(
        {
            "cluster": 0.2,
            "machine_types": {"a": 1, "b": {"on_demand": 2, "spot": 0.5}},
            "regions": {"us-central1": 2},
        }
    )
    cluster: JSON = {
        "location": "us-central1-a",
        "locations": ["us-central1-a", "us-central1-b"],
        "nodePools": [
            {"config": {"machineType": "a"}, "initialNodeCount": 1},
            {"config": {"machineType": "a", "spot": True}, "autoscaling": {"enabled": True, "maxNodeCount": 2}},
            {
                "config": {"machineType": "b", "spot": True},
                "autoscaling": {"enabled": True, "totalMinNodeCount": 1, "totalMaxNodeCount": 3},
            },
            {"config": {"machineType": "unknown-1"}, "initialNodeCount": 1},
        ],
    }
    assert _gke_cost.cost_per_hour(cluster, table) == {
        "min": 0.2 + 2 * 2 + 1 * 0.5 * 2,
        "max": 0.2 + 2 * 2 + 4 * 0.4 * 2 + 3 * 0.5 * 2,
        "currency": "USD",
        "unknown": ["unknown-1"],
    }
    autopilot = {"location": "us-central1", "autopilot": {"enabled": True}}
    assert _gke_cost.cost_per_hour(autopilot, table)["unknown"] == ["Autopilot's pods"]
    assert _gke_cost.PRICES["machine_types"].get("a") is None, "the table itself stays as it is"
    with pytest.raises(DaskopsError, match="it takes cluster, machine_types and regions"):
        _gke_cost.prices({"disks": 1})
