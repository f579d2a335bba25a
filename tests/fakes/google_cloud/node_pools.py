# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GKE's node pools."""

from __future__ import annotations

import re
import typing as t

from tests.fakes.google_cloud import catalog, cluster_update, defaults
from tests.fakes.google_cloud.errors import JSON, ApiError, exists, invalid, not_found, not_modelled
from tests.fakes.google_cloud.failures import Failure
from tests.fakes.google_cloud.state import Call, State

if t.TYPE_CHECKING:
    from tests.fakes.google_cloud.container import Container

PoolHook: t.TypeAlias = t.Callable[[str, list[JSON]], None]  # given a cluster's name and its pools
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")  # GKE's guide, "Add and manage node pools"


class NodePools:
    """The methods of clusters.nodePools."""

    def __init__(self, state: State, container: Container, hook: PoolHook | None) -> None:
        self._state = state
        self._container = container
        self._hook = hook

    def handle(self, call: Call, key: str, cluster: JSON) -> JSON:
        """Answer a call about the pools of a cluster."""
        pools: list[JSON] = cluster["nodePools"]
        match call.method.action:
            case "list":
                return {"nodePools": [defaults.shown(pool) for pool in pools]} if pools else {}
            case "create":
                return self._create(call, key, cluster)
        name = call.param("nodePoolsId", "nodePoolId")
        pool = self._found(key, cluster, name)
        match call.method.action:
            case "get":
                return t.cast("JSON", defaults.shown(pool))
            case "delete":
                return self._delete(call, key, cluster, pool)
            case "update":
                return self._update(call, key, cluster, pool)
            case "setAutoscaling":
                self._check_autoscaling(call.body.get("autoscaling", {}))
                return self._set(call, key, cluster, pool, "UPDATE_CLUSTER", {"autoscaling": call.body["autoscaling"]})
            case "setManagement":
                self._check_management(call.body.get("management", {}), cluster)
                kind = "SET_NODE_POOL_MANAGEMENT"
                return self._set(call, key, cluster, pool, kind, {"management": call.body["management"]})
            case "setSize":
                size = {"initialNodeCount": call.body.get("nodeCount", 0)}
                return self._set(call, key, cluster, pool, "SET_NODE_POOL_SIZE", size)
            case "rollback":
                return self._set(call, key, cluster, pool, "UPGRADE_NODES", {})
        raise not_modelled(call.method.id)

    def new(self, given: JSON, cluster: JSON) -> JSON:
        """Check a pool and fill it in; its cluster may not have it yet."""
        if not _NAME.fullmatch(given.get("name", "")):
            raise invalid(f"Node pool name {given.get('name', '')!r} does not match {_NAME.pattern}.")
        if any(pool["name"] == given["name"] for pool in cluster["nodePools"]):
            raise exists(f"Already exists: {cluster['selfLink'].partition('/v1/')[2]}/nodePools/{given['name']}.")
        config = given.get("config", {})
        if config.get("spot") and config.get("preemptible"):
            raise invalid("A node pool cannot have both spot and preemptible nodes.")
        self._check_machine(config.get("machineType"), cluster)
        self._check_autoscaling(given.get("autoscaling", {}))
        self._check_upgrade(given.get("upgradeSettings", {}))
        if "management" in given:
            self._check_management(given["management"], cluster)
        for zone in given.get("locations", []):
            if catalog.ZONES.get(zone) != catalog.region_of(cluster["location"]):
                raise invalid(f'Zone "{zone}" is not a zone of {cluster["location"]}.')
        if catalog.resolve_version(given.get("version", ""), "-") is None:
            raise invalid(f'No valid versions with the prefix "{given["version"]}" found.')
        pool = defaults.pool(given, cluster, self._state.settings)
        return pool | {"status": "PROVISIONING", "etag": self._state.etag()}

    def changed(self, cluster: JSON) -> None:
        """The pools are others now: groups of instances follow, and whoever wants to know."""
        resources = self._state.resources
        clusters = [value for key, value in resources.items() if re.fullmatch(r"container/.*/clusters/[^/]+", key)]
        urls = {url: pool for each in clusters for pool in each["nodePools"] for url in pool["instanceGroupUrls"]}
        for key in [key for key in resources if "/instanceGroupManagers/gke-" in key]:
            del resources[key]
        for url, pool in urls.items():
            path = url.partition("/compute/v1/")[2]
            resources[f"compute/{path}"] = {
                "kind": "compute#instanceGroupManager",
                "name": path.rpartition("/")[2],
                "zone": url.partition("/instanceGroupManagers/")[0],
                "selfLink": url,
                "targetSize": pool.get("initialNodeCount", 0),
            }
        if self._hook:
            there = _autopilot_pools(cluster) if defaults.autopilot(cluster) else cluster["nodePools"]
            self._hook(cluster["name"], [defaults.shown(pool) for pool in there])

    @staticmethod
    def count(pool: JSON) -> int:
        """How many nodes a pool has: its size is that in each of its zones."""
        return int(pool.get("initialNodeCount", 0)) * len(pool["locations"])

    def follow_locations(self, cluster: JSON) -> None:
        """Pools follow their cluster's zones (discovery: Cluster.locations)."""
        for pool in cluster["nodePools"]:
            pool["locations"] = list(cluster["locations"])
            defaults.fill_groups(pool, cluster, self._state.settings)
        self.changed(cluster)

    def update_one(
        self, call: Call, key: str, cluster: JSON, name: str | None, place: cluster_update.Path, value: t.Any
    ) -> JSON:
        """A field of ClusterUpdate that is about a pool."""
        pools = cluster["nodePools"]
        # Discovery, ClusterUpdate.desiredNodePoolId: needed if there is more than one pool.
        if name is None and len(pools) != 1:
            raise invalid("desired_node_pool_id must be specified if there is more than one node pool.")
        pool = self._found(key, cluster, name or pools[0]["name"])
        if place == ("version",):
            value = self._version(value, cluster)
        return self._change(call, key, cluster, pool, "UPGRADE_NODES", [((place, ""), value)])

    # Methods.

    def _create(self, call: Call, key: str, cluster: JSON) -> JSON:
        if defaults.autopilot(cluster):
            raise invalid("Autopilot node pools cannot be accessed or modified.")
        pool = self.new(call.body.get("nodePool", {}), cluster)
        name = pool["name"]

        def finish(failure: Failure | None) -> None:
            # Discovery, Operation.operationType: after an error, the pool may be there in part.
            if failure is None:
                pool["status"] = "RUNNING"
            else:
                pool.update(status="ERROR", statusMessage=failure.text, conditions=[failure.condition])
            self._container.touch(cluster, "RUNNING" if self._alone(key) else None)
            self.changed(cluster)

        operation = self._container.start("CREATE_NODE_POOL", key, finish, pool=name, method=call.method.id)
        cluster["nodePools"].append(pool)
        cluster["status"] = "RECONCILING"
        return self._container.show(operation)

    def _delete(self, call: Call, key: str, cluster: JSON, pool: JSON) -> JSON:
        def finish(failure: Failure | None) -> None:
            if failure is None:
                cluster["nodePools"].remove(pool)
            else:
                pool.update(status="ERROR", statusMessage=failure.text)
            self._container.touch(cluster, "RUNNING" if self._alone(key) else None)
            self.changed(cluster)

        operation = self._container.start("DELETE_NODE_POOL", key, finish, pool=pool["name"], method=call.method.id)
        pool["status"] = "STOPPING"
        return self._container.show(operation)

    def _set(self, call: Call, key: str, cluster: JSON, pool: JSON, kind: str, values: JSON) -> JSON:
        changes: list[tuple[cluster_update.Place, t.Any]] = [(((name,), ""), value) for name, value in values.items()]
        return self._change(call, key, cluster, pool, kind, changes)

    def _update(self, call: Call, key: str, cluster: JSON, pool: JSON) -> JSON:
        update = {name: value for name, value in call.body.items() if name not in cluster_update.POOL_COMPANIONS}
        if call.body.get("etag") not in (None, pool["etag"]):
            raise ApiError("ABORTED", "The etag does not match the current etag of the node pool.")
        if not update:
            raise invalid("At least one field of the node pool has to be updated.")
        self._check_machine(update.get("machineType"), cluster)
        self._check_upgrade(update.get("upgradeSettings", {}))
        if "nodeVersion" in update:
            update["nodeVersion"] = self._version(update["nodeVersion"], cluster)
        if "diskSizeGb" in update:
            update["diskSizeGb"] = int(update["diskSizeGb"])
        changes = []
        for field, value in update.items():
            place = cluster_update.pool_place(field)
            if place is None:
                raise not_modelled(f"UpdateNodePoolRequest.{field}")
            changes.append((place, value))
        # Discovery, Operation.operationType: UPGRADE_NODES "includes most forms of updates to node pools".
        return self._change(call, key, cluster, pool, "UPGRADE_NODES", changes)

    def _change(
        self,
        call: Call,
        key: str,
        cluster: JSON,
        pool: JSON,
        kind: str,
        changes: list[tuple[cluster_update.Place, t.Any]],
    ) -> JSON:
        def finish(failure: Failure | None) -> None:
            if failure is None:
                for place, value in changes:
                    cluster_update.apply(pool, place, value)
                defaults.fill_disk(
                    pool["config"], by_boot_disk=any(place[0][-1] == "bootDisk" for place, _value in changes)
                )
                defaults.fill_labels(pool["config"])
                defaults.fill_groups(pool, cluster, self._state.settings)
                pool["status"] = "RUNNING"
                pool.pop("statusMessage", None)
            else:
                pool.update(status="RUNNING_WITH_ERROR", statusMessage=failure.text)
            pool["etag"] = self._state.etag()
            self._container.touch(cluster, "RUNNING" if self._alone(key) else None)
            self.changed(cluster)

        operation = self._container.start(kind, key, finish, pool=pool["name"], method=call.method.id)
        pool["status"] = "RECONCILING"
        return self._container.show(operation)

    def _found(self, key: str, cluster: JSON, name: str) -> JSON:
        for pool in cluster["nodePools"]:
            if pool["name"] == name:
                return t.cast("JSON", pool)
        raise not_found(f"Not found: {key.partition('/')[2]}/nodePools/{name}.")

    def _alone(self, key: str) -> bool:
        """Nothing else runs on the cluster; the operation that asks is done already."""
        return all(operation.done for operation in self._state.operations.all.values() if operation.target == key)

    # Rules.

    def _version(self, wanted: str, cluster: JSON) -> str:
        version = catalog.resolve_version(wanted, cluster["currentMasterVersion"])
        if version is None:
            raise invalid(f'No valid versions with the prefix "{wanted}" found.')
        return version

    def _check_machine(self, machine: str | None, cluster: JSON) -> None:
        if machine is not None and machine not in catalog.MACHINE_TYPES:
            zone = cluster["locations"][0]
            raise invalid(f'Machine type with name "{machine}" does not exist in zone "{zone}".')

    @staticmethod
    def _check_management(management: JSON, cluster: JSON) -> None:
        # The guides to auto-upgrade and auto-repair: on a release channel, both are on and cannot be turned off.
        channel = cluster["releaseChannel"].get("channel", "UNSPECIFIED")
        for field, name in (("autoUpgrade", "Auto_upgrade"), ("autoRepair", "Auto_repair")):
            if channel != "UNSPECIFIED" and not management.get(field):
                raise invalid(f"{name} must be true when release_channel {channel} is set.")

    @staticmethod
    def _check_autoscaling(autoscaling: JSON) -> None:
        # Discovery, NodePoolAutoscaling: limits for each zone or in total, but not both.
        zonal = {"minNodeCount", "maxNodeCount"} & {name for name, value in autoscaling.items() if value}
        total = {"totalMinNodeCount", "totalMaxNodeCount"} & {name for name, value in autoscaling.items() if value}
        if zonal and total:
            raise invalid("Limits of the autoscaler are for each zone or in total, not both.")
        if not autoscaling.get("enabled"):
            return
        most = autoscaling.get("maxNodeCount") or autoscaling.get("totalMaxNodeCount") or 0
        least = autoscaling.get("minNodeCount") or autoscaling.get("totalMinNodeCount") or 0
        if most < 1 or least > most:
            raise invalid("The autoscaler's maximum has to be at least 1, and at least its minimum.")

    @staticmethod
    def _check_upgrade(settings: JSON) -> None:
        # Discovery, UpgradeSettings: "(maxSurge + maxUnavailable) determines the level of parallelism", so not both 0.
        surge = settings.get("maxSurge"), settings.get("maxUnavailable")
        if surge != (None, None) and not any(surge) and settings.get("strategy", "SURGE") == "SURGE":
            raise invalid("maxSurge and maxUnavailable cannot both be 0.")


def _autopilot_pools(cluster: JSON) -> list[JSON]:
    """The nodes that Autopilot would bring when they are needed; none once the cluster goes away."""
    if cluster["status"] == "STOPPING":
        return []
    common = {"locations": cluster["locations"], "autoscaling": {"enabled": True, "totalMaxNodeCount": 1000}}
    return [{"name": "autopilot", **common}, {"name": "autopilot-spot", "config": {"spot": True}, **common}]
