# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GKE: clusters, their operations, and the rules that hold between them."""

from __future__ import annotations

import re
import typing as t

from tests.fakes.google_cloud import catalog, cluster_update, defaults
from tests.fakes.google_cloud.errors import JSON, ApiError, error_info, exists, invalid, not_found, not_modelled, stale
from tests.fakes.google_cloud.failures import OPERATION, Failure
from tests.fakes.google_cloud.node_pools import NodePools, PoolHook
from tests.fakes.google_cloud.operations import Operation, now
from tests.fakes.google_cloud.state import Call, State

_ROOT = "https://container.googleapis.com/v1/"
# Discovery, Cluster.name: up to 40 lowercase letters, numbers and hyphens, begins with a letter, ends without a hyphen.
NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
# gcloud's source, api_adapter.CreateClusterCommon: with Autopilot it asks for this pool, too, with the nodes' account.
_GCLOUD_POOL = "default-pool"
_NODE_IDENTITY = ("serviceAccount", "oauthScopes")
_OUTPUT_ONLY = {
    "conditions",
    "createTime",
    "currentMasterVersion",
    "currentNodeCount",
    "currentNodeVersion",
    "endpoint",
    "etag",
    "expireTime",
    "id",
    "instanceGroupUrls",
    "labelFingerprint",
    "location",
    "selfLink",
    "servicesIpv4Cidr",
    "status",
    "statusMessage",
    "zone",
}


class Container:
    """container.googleapis.com."""

    def __init__(self, state: State, hook: PoolHook | None = None) -> None:
        self._state = state
        self._pools = NodePools(state, self, hook)

    def handle(self, call: Call) -> JSON:
        """Answer a call."""
        location = call.param("locationsId", "zonesId", "zone")
        everywhere = location == "-" and call.method.action == "list"
        if not everywhere and location not in catalog.REGIONS and location not in catalog.ZONES:
            raise invalid(f'Location "{location}" does not exist.')
        collection, action = call.method.collection, call.method.action
        if action.lower() == "getserverconfig":
            return catalog.server_config()
        if collection == "operations":
            return self._operation(call, location)
        if collection == "clusters" and action == "create":
            return self._create(call, location)
        if collection == "clusters" and action == "list":
            return self._list(location)
        key = self.key(location, call.param("clustersId", "clusterId"))
        cluster = self.found(key)
        if collection == "nodePools":
            return self._pools.handle(call, key, cluster)
        if collection == "clusters":
            return self._cluster(call, key, cluster)
        raise not_modelled(call.method.id)

    # What tests use to set the scene, too.

    def key(self, location: str, name: str) -> str:
        return f"container/projects/{self._state.settings.project}/locations/{location}/clusters/{name}"

    def add(self, given: JSON, location: str) -> str:
        """Check a cluster and put it there as it is while it is being created; returns its key."""
        given = {name: value for name, value in given.items() if name not in _OUTPUT_ONLY}
        key = self.key(location, given.get("name", ""))
        self._check(given, location, key)
        pools = given.pop("nodePools", [])
        if defaults.autopilot(given):
            given, pools = _without_gclouds_pool(given, pools), []
        elif not pools:
            config, count = given.pop("nodeConfig", {}), given.pop("initialNodeCount")
            pools = [{"name": "default-pool", "initialNodeCount": count, "config": config}]
        cluster = defaults.cluster(given, location, self._state.settings)
        cluster |= {
            "createTime": now(),
            "labelFingerprint": self._state.etag(),
            "status": "PROVISIONING",
            "nodePools": [],
        }
        cluster.setdefault("maintenancePolicy", {})["resourceVersion"] = self._state.etag()
        for pool in pools:
            cluster["nodePools"].append(self._pools.new(pool, cluster))
        self._state.resources[key] = cluster
        return key

    def ready(self, key: str) -> None:
        """A cluster has come up."""
        cluster = self._state.resources[key]
        for pool in cluster["nodePools"]:
            pool["status"] = "RUNNING"
        self.touch(cluster, "RUNNING")
        self._pools.changed(cluster)

    def touch(self, cluster: JSON, status: str | None = None) -> None:
        """Bring what follows from other fields up to date."""
        if status:
            cluster["status"] = status
        cluster["etag"] = self._state.etag()
        cluster["currentNodeCount"] = sum(NodePools.count(pool) for pool in cluster["nodePools"])
        cluster["instanceGroupUrls"] = [url for pool in cluster["nodePools"] for url in pool["instanceGroupUrls"]]
        versions = {pool["version"] for pool in cluster["nodePools"]} or {cluster["currentMasterVersion"]}
        cluster["currentNodeVersion"] = min(versions, key=catalog.order)
        if cluster.get("workloadIdentityConfig", {}).get("workloadPool"):
            self._state.identity_pool = True
        # The first pool's configuration is the cluster's, for old clients (discovery: Cluster.nodeConfig).
        cluster.pop("nodeConfig", None)
        if cluster["nodePools"]:
            cluster["nodeConfig"] = cluster["nodePools"][0]["config"]

    def found(self, key: str) -> JSON:
        if key not in self._state.resources:
            raise not_found(f"Not found: {key.partition('/')[2]}.")
        return self._state.resources[key]

    def start(
        self,
        kind: str,
        key: str,
        finish: t.Callable[[Failure | None], None],
        *,
        pool: str | None = None,
        method: str = "",
    ) -> Operation:
        """Start an operation on a cluster or on one of its pools, if others permit it."""
        self._check_others(key, pool)
        failure = self._state.failures.take(OPERATION, kind, *([method] if method else []))
        operation = self._state.operations.start(kind, key, finish, part=pool, failure=failure)
        location = key.split("/")[4]
        segment = "zones" if catalog.is_zone(location) else "locations"
        # Links have the project's number; those of zonal clusters are in the form of the old methods.
        root = f"{_ROOT}projects/{self._state.settings.project_number}/{segment}/{location}"
        target = f"{root}/clusters/{key.rpartition('/')[2]}" + (f"/nodePools/{pool}" if pool else "")
        operation.shown = {
            "name": operation.name,
            "operationType": kind,
            "zone": location,
            "location": location,
            "startTime": operation.started,
            "selfLink": f"{root}/operations/{operation.name}",
            "targetLink": target,
        }
        return operation

    def show(self, operation: Operation) -> JSON:
        """An operation, as the API shows it."""
        if not operation.done:
            progress = {"progress": _progress(0)} if operation.kind == "CREATE_CLUSTER" else {}
            return {**operation.shown, "status": "RUNNING", **progress}
        shown = {**operation.shown, "status": "DONE", "endTime": operation.ended}
        if operation.kind == "CREATE_CLUSTER":
            shown["progress"] = _progress(1)
        if failure := operation.failed:
            conditions = "nodepoolConditions" if operation.part else "clusterConditions"
            shown |= {"error": failure.status, "statusMessage": failure.text, conditions: [failure.condition]}
        return shown

    # Methods.

    def _list(self, location: str) -> JSON:
        place = "[^/]+" if location == "-" else re.escape(location)
        pattern = re.compile(rf"container/projects/[^/]+/locations/{place}/clusters/[^/]+")
        found = [value for key, value in sorted(self._state.resources.items()) if pattern.fullmatch(key)]
        return {"clusters": [defaults.shown(cluster) for cluster in found]} if found else {}

    def _create(self, call: Call, location: str) -> JSON:
        key = self.add(call.body.get("cluster", {}), location)
        cluster = self._state.resources[key]
        self.touch(cluster)
        cluster.pop("endpoint", None)  # it has none until it is up

        def finish(failure: Failure | None) -> None:
            if failure is None:
                defaults.fill_endpoints(cluster, self._state.settings)
                self.ready(key)
                return
            # Discovery, Operation.operationType: a cluster whose creation has failed is in the state ERROR.
            cluster.update(status="ERROR", statusMessage=failure.text, conditions=[failure.condition])
            cluster["currentNodeCount"] = 0
            for pool in cluster["nodePools"]:
                pool["status"] = "ERROR"

        return self.show(self.start("CREATE_CLUSTER", key, finish, method=call.method.id))

    def _cluster(self, call: Call, key: str, cluster: JSON) -> JSON:
        match call.method.action:
            case "get":
                return t.cast("JSON", defaults.shown(cluster))
            case "delete":
                return self._delete(call, key, cluster)
            case "update":
                return self._update(call, key, cluster)
            case "updateMaster":
                return self._apply(call, key, "desiredMasterVersion", call.body.get("masterVersion", ""))
            case "setResourceLabels" | "resourceLabels":
                return self._set_labels(call, key, cluster)
            case "setMaintenancePolicy":
                return self._set_maintenance(call, key, cluster)
        raise not_modelled(call.method.id)

    def _delete(self, call: Call, key: str, cluster: JSON) -> JSON:
        def finish(failure: Failure | None) -> None:
            if failure is None:
                cluster["nodePools"] = []
                self._pools.changed(cluster)
                del self._state.resources[key]
            else:
                cluster.update(status="ERROR", statusMessage=failure.text)

        operation = self.start("DELETE_CLUSTER", key, finish, method=call.method.id)
        cluster["status"] = "STOPPING"
        return self.show(operation)

    def _update(self, call: Call, key: str, cluster: JSON) -> JSON:
        update: JSON = dict(call.body.get("update", {}))
        etag = update.pop("etag", None)
        # Discovery, ClusterUpdate.etag: an error ABORTED if it is not the current one.
        if etag not in (None, cluster["etag"]):
            raise ApiError("ABORTED", "The etag does not match the current etag of the cluster.")
        pool = update.pop("desiredNodePoolId", None)
        # Discovery, ClusterUpdate: "Exactly one update can be applied to a cluster with each request".
        if len(update) != 1:
            raise invalid("Must specify exactly one field to update.")
        [(field, value)] = update.items()
        if place := cluster_update.cluster_pool_place(field):
            return self._pools.update_one(call, key, cluster, pool, place, value)
        return self._apply(call, key, field, value)

    def _apply(self, call: Call, key: str, field: str, value: t.Any) -> JSON:
        place = cluster_update.cluster_place(field)
        if place is None:
            raise not_modelled(f"ClusterUpdate.{field}")
        cluster = self._state.resources[key]
        kind = "UPDATE_CLUSTER"
        if field == "desiredMasterVersion":
            kind = "UPGRADE_MASTER"
            value = catalog.resolve_version(value, catalog.DEFAULT_VERSION)
            if value is None:
                raise invalid("Master version is not supported.")
        if field == "desiredLocations":
            self._check_zones(value, cluster["location"])
        if field == "desiredWorkloadIdentityConfig":
            self._check_workload_pool(value)
        if field == "desiredReleaseChannel" and defaults.autopilot(cluster) and value.get("channel") == "UNSPECIFIED":
            raise invalid("Autopilot clusters must be enrolled in a release channel.")

        def change() -> None:
            cluster_update.apply(cluster, place, value)
            self._keep_in_step(cluster, field)

        return self.show(self._change(kind, key, cluster, change, call.method.id))

    def _keep_in_step(self, cluster: JSON, field: str) -> None:
        """Fields that say the same in two places."""
        ip = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
        if field == "desiredMasterAuthorizedNetworksConfig":
            ip["authorizedNetworksConfig"] = cluster["masterAuthorizedNetworksConfig"]
        if field in ("desiredEnablePrivateEndpoint", "desiredPrivateClusterConfig"):
            ip["enablePublicEndpoint"] = not cluster["privateClusterConfig"].get("enablePrivateEndpoint", False)
        if field == "desiredEnterpriseConfig":
            cluster["enterpriseConfig"]["clusterTier"] = cluster["enterpriseConfig"]["desiredTier"]
        if field == "desiredLocations":
            self._pools.follow_locations(cluster)
        defaults.fill_endpoints(cluster, self._state.settings)

    def _set_labels(self, call: Call, key: str, cluster: JSON) -> JSON:
        # Discovery, SetLabelsRequest.labelFingerprint: an up-to-date fingerprint has to be given always.
        if call.body.get("labelFingerprint") != cluster["labelFingerprint"]:
            raise stale("Labels could not be set due to fingerprint mismatch.")

        def change() -> None:
            cluster["resourceLabels"] = call.body.get("resourceLabels", {})
            cluster["labelFingerprint"] = self._state.etag()

        return self.show(self._change("UPDATE_CLUSTER", key, cluster, change, call.method.id))

    def _set_maintenance(self, call: Call, key: str, cluster: JSON) -> JSON:
        policy = call.body.get("maintenancePolicy", {})
        # Discovery, MaintenancePolicy.resourceVersion. That 412 is the answer is assumed, from the labels' fingerprint.
        if policy.get("resourceVersion") not in (None, cluster["maintenancePolicy"]["resourceVersion"]):
            raise stale("The maintenance policy has been changed in the meantime: resourceVersion does not match.")
        window = policy.get("window", {})
        if {"dailyMaintenanceWindow", "recurringWindow"} <= set(window):
            raise invalid("Only one of dailyMaintenanceWindow and recurringWindow can be set.")
        if "dailyMaintenanceWindow" in window:  # recorded answers: its length is not for the user to say
            window["dailyMaintenanceWindow"]["duration"] = "PT4H0M0S"

        def change() -> None:
            cluster["maintenancePolicy"] = {**policy, "resourceVersion": self._state.etag()}

        return self.show(self._change("UPDATE_CLUSTER", key, cluster, change, call.method.id))

    def _change(self, kind: str, key: str, cluster: JSON, change: t.Callable[[], None], method: str) -> Operation:
        """An operation that changes a cluster, unless it fails."""

        def finish(failure: Failure | None) -> None:
            if failure is None:
                change()
            self.touch(cluster, "RUNNING")

        operation = self.start(kind, key, finish, method=method)
        cluster["status"] = "RECONCILING"
        return operation

    def _operation(self, call: Call, location: str) -> JSON:
        here = [
            operation
            for operation in list(self._state.operations.all.values())
            if operation.target.startswith("container/") and location in ("-", operation.target.split("/")[4])
        ]
        if call.method.action == "list":
            for operation in here:
                self._state.operations.poll(operation.name)
            return {"operations": [self.show(operation) for operation in here]} if here else {}
        name = call.param("operationsId", "operationId")
        operation = next((operation for operation in here if operation.name == name), None)
        if operation is None:
            raise not_found(
                f"Not found: projects/{self._state.settings.project}/locations/{location}/operations/{name}."
            )
        if call.method.action == "get":
            self._state.operations.poll(name)
            return self.show(operation)
        if call.method.action == "cancel":
            if operation.kind != "UPGRADE_NODES":  # discovery, Operation.operationType: which ones may be cancelled
                raise ApiError("FAILED_PRECONDITION", f"Operation {name} cannot be cancelled.")
            operation.failure = None
            operation.end()
            return {}
        raise not_modelled(call.method.id)

    # Rules.

    def _check_others(self, key: str, pool: str | None) -> None:
        """Who may run at the same time: operations on different pools, but nothing beside one on the cluster.

        Code and reason are those of GKE's answers in reports of users of other tools (cluster-api-provider-gcp,
        terraform-provider-google), as is the number of operations that may run at once.
        """
        running = self._state.operations.running(key)
        for other in running:
            if pool is None or other.part is None or other.part == pool:
                text = f"Cluster is running incompatible operation {other.name}."
                info = error_info("CLUSTER_ALREADY_HAS_OPERATION", "container.googleapis.com")
                raise ApiError("FAILED_PRECONDITION", text, [info])
        limit = self._state.settings.concurrent_operations
        if len(running) >= limit:
            name = key.rpartition("/")[2]
            text = (
                f'Too many operations: cluster "{name}" hits the concurrent operations quota {limit}, try again later.'
            )
            raise ApiError("RESOURCE_EXHAUSTED", text)

    def _check(self, given: JSON, location: str, key: str) -> None:
        if not NAME.fullmatch(given.get("name", "")):
            raise invalid(
                "Cluster.name must start with a lowercase letter followed by up to 39 lowercase letters, numbers, or"
                " hyphens, and cannot end with a hyphen."
            )
        if key in self._state.resources:
            raise exists(f"Already exists: {key.partition('/')[2]}.")
        pools = given.get("nodePools", [])
        if defaults.autopilot(given):
            # The guide to Autopilot: always regional, and its nodes are not the user's.
            if catalog.is_zone(location):
                raise invalid("Autopilot clusters must be regional clusters.")
            if [pool.get("name") for pool in pools] not in ([], [_GCLOUD_POOL]):
                raise invalid("Node pools cannot be specified for Autopilot clusters.")
        elif not pools and not given.get("initialNodeCount"):
            raise invalid("Cluster.initial_node_count must be greater than zero.")
        elif pools and given.get("initialNodeCount"):  # discovery, Cluster.initialNodeCount
            raise invalid("Cannot specify both initial_node_count and node_pools.")
        if given.get("masterAuth", {}).get("username"):
            raise invalid("Basic authentication was removed for GKE cluster versions >= 1.19.")
        if catalog.resolve_version(given.get("initialClusterVersion", ""), "-") is None:
            raise invalid(f'No valid versions with the prefix "{given["initialClusterVersion"]}" found.')
        self._check_zones(given.get("locations", []), location)
        self._check_workload_pool(given.get("workloadIdentityConfig", {}))
        if self._state.settings.check_networks:
            self._check_network(given, location)

    def _check_zones(self, zones: list[str], location: str) -> None:
        region = catalog.region_of(location)
        for zone in zones:
            if catalog.ZONES.get(zone) != region:
                raise invalid(f'Zone "{zone}" is not a zone of {region}.')
        if zones and catalog.is_zone(location) and location not in zones:
            raise invalid(f'The locations have to contain the cluster\'s own, "{location}".')

    def _check_workload_pool(self, config: JSON) -> None:
        # The guide to Workload Identity: the pool's name is PROJECT_ID.svc.id.goog.
        if config.get("workloadPool", "") not in ("", self._state.pool):
            raise invalid(f"Currently, the only supported value of workload_pool is {self._state.pool}.")

    def _check_network(self, given: JSON, location: str) -> None:
        cluster = defaults.cluster(given, location, self._state.settings)
        network, subnetwork = (cluster["networkConfig"][name] for name in ("network", "subnetwork"))
        if f"compute/{network}" not in self._state.resources:
            raise invalid(f'Network "{network}" does not exist.')
        found = self._state.resources.get(f"compute/{subnetwork}")
        if found is None:
            raise invalid(f'Subnetwork "{subnetwork}" does not exist.')
        ranges = {each["rangeName"] for each in found.get("secondaryIpRanges", [])}
        for field in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
            wanted = given.get("ipAllocationPolicy", {}).get(field)
            if wanted and wanted not in ranges:
                raise invalid(f'Secondary range "{wanted}" does not exist in subnetwork "{subnetwork}".')


def _without_gclouds_pool(given: JSON, pools: list[JSON]) -> JSON:
    """An Autopilot cluster has no pools of the user's: of gcloud's only the nodes' account and scopes are kept."""
    named = {name: pool["config"][name] for pool in pools for name in _NODE_IDENTITY if name in pool.get("config", {})}
    if "serviceAccount" not in named:
        return given
    return defaults.merged({"autoscaling": {"autoprovisioningNodePoolDefaults": named}}, given)


def _progress(share: int) -> JSON:
    """How far a creation is, in the words of recorded answers; the service knows more than none and all."""
    stages = {"CLUSTER_CONFIGURING": 8, "CLUSTER_DEPLOYING": 12, "CLUSTER_HEALTHCHECKING": 2}
    metrics = []
    for name, total in stages.items():
        metrics.append({"name": name, "intValue": str(total * share)})
        metrics.append({"name": f"{name}_TOTAL", "intValue": str(total)})
    return {"metrics": metrics}
