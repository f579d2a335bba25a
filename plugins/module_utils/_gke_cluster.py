# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""GKE clusters: from options to a resource, from differences to calls."""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_node_pool
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke import (
    MANAGED,
    Call,
    Deadline,
    Path,
    check_cidr,
    check_labels,
    check_location,
    check_name,
    check_spec,
    check_zones,
    clean,
    cluster_path,
    converge,
    described,
    differences,
    is_managed,
    is_zone,
    location_path,
    lookup,
    merge,
    nest,
    perform,
    picture,
    same,
    settle,
    strip,
    texts,
    without,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_input import workload_pool
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import CLOUD_PLATFORM, JSON, Google

# GKE has no field for it, and what another run or machine has to see must be on the cluster.
PROTECTION = "daskops-deletion-protection"


@dataclass(frozen=True)
class Field:
    """A field of Cluster that can be changed, and how.

    C(update) is the field of ClusterUpdate, of which a request takes one; C(action) is a method of its own instead.
    C(inner) is what the value is wrapped in.  Of a field with C(parts), so many levels deep, each part stands alone
    and only those that change are sent, as gcloud does it; any other is sent whole, as it is with what is asked for.
    """

    path: str
    update: str = ""
    action: str = ""
    inner: str = ""
    parts: int = 0


# In the order in which they are sent: the channel decides which versions there are, and some features need the version.
# A field within another one stands before it.
FIELDS: tuple[Field, ...] = (
    Field("releaseChannel", "desiredReleaseChannel"),
    Field("gkeAutoUpgradeConfig", "gkeAutoUpgradeConfig"),
    Field("rollbackSafeUpgrade", "desiredRollbackSafeUpgrade"),
    Field("initialClusterVersion", "desiredMasterVersion"),
    Field("locations", "desiredLocations"),
    Field("workloadIdentityConfig", "desiredWorkloadIdentityConfig"),
    Field("networkConfig.defaultEnablePrivateNodes", "desiredDefaultEnablePrivateNodes"),
    Field("networkConfig.datapathProvider", "desiredDatapathProvider"),
    Field("networkConfig.ambientNetworkingConfig", "desiredAmbientNetworkingConfig"),
    Field("networkConfig.defaultSnatStatus", "desiredDefaultSnatStatus"),
    Field("networkConfig.disableL4LbFirewallReconciliation", "desiredDisableL4LbFirewallReconciliation"),
    Field("networkConfig.dnsConfig", "desiredDnsConfig"),
    Field("networkConfig.enableCiliumClusterwideNetworkPolicy", "desiredEnableCiliumClusterwideNetworkPolicy"),
    Field("networkConfig.enableFqdnNetworkPolicy", "desiredEnableFqdnNetworkPolicy"),
    Field("networkConfig.enableIntraNodeVisibility", "desiredIntraNodeVisibilityConfig", inner="enabled"),
    Field("networkConfig.enableL4ilbSubsetting", "desiredL4ilbSubsettingConfig", inner="enabled"),
    Field("networkConfig.enableMultiNetworking", "desiredEnableMultiNetworking"),
    Field("networkConfig.gatewayApiConfig", "desiredGatewayApiConfig"),
    Field("networkConfig.inTransitEncryptionConfig", "desiredInTransitEncryptionConfig"),
    Field("networkConfig.networkPerformanceConfig", "desiredNetworkPerformanceConfig"),
    Field("networkConfig.privateIpv6GoogleAccess", "desiredPrivateIpv6GoogleAccess"),
    Field("networkConfig.serviceExternalIpsConfig", "desiredServiceExternalIpsConfig"),
    Field(
        "ipAllocationPolicy.additionalIpRangesConfigs",
        "desiredAdditionalIpRangesConfig",
        inner="additionalIpRangesConfigs",
    ),
    Field("ipAllocationPolicy.additionalPodRangesConfig.podRangeNames", "additionalPodRangesConfig"),
    Field("ipAllocationPolicy.autoIpamConfig", "desiredAutoIpamConfig"),
    Field("ipAllocationPolicy.networkTierConfig", "desiredNetworkTierConfig"),
    Field("ipAllocationPolicy.stackType", "desiredStackType"),
    Field("controlPlaneEndpointsConfig", "desiredControlPlaneEndpointsConfig", parts=2),
    Field("masterAuthorizedNetworksConfig", "desiredMasterAuthorizedNetworksConfig"),
    Field("privateClusterConfig.enablePrivateEndpoint", "desiredEnablePrivateEndpoint"),
    Field("privateClusterConfig", "desiredPrivateClusterConfig"),
    Field("controlPlaneEgress", "desiredControlPlaneEgress"),
    Field("anonymousAuthenticationConfig", "desiredAnonymousAuthenticationConfig"),
    Field("authenticatorGroupsConfig", "desiredAuthenticatorGroupsConfig"),
    Field("identityServiceConfig", "desiredIdentityServiceConfig"),
    Field("rbacBindingConfig", "desiredRbacBindingConfig"),
    Field("legacyAbac.enabled", action="setLegacyAbac", inner="enabled"),
    Field("networkPolicy", action="setNetworkPolicy", inner="networkPolicy"),
    Field("autopilot.clusterPolicyConfig", "desiredAutopilotClusterPolicyConfig"),
    Field("autopilot.privilegedAdmissionConfig", "desiredPrivilegedAdmissionConfig"),
    Field("autopilot.workloadPolicyConfig", "desiredAutopilotWorkloadPolicyConfig"),
    Field("autoscaling", "desiredClusterAutoscaling"),
    Field("verticalPodAutoscaling", "desiredVerticalPodAutoscaling"),
    Field("podAutoscaling", "desiredPodAutoscaling"),
    Field("shieldedNodes", "desiredShieldedNodes"),
    Field("nodeCreationConfig", "desiredNodeCreationConfig"),
    Field("nodePoolDefaults.nodeConfigDefaults.containerdConfig", "desiredContainerdConfig"),
    Field("nodePoolDefaults.nodeConfigDefaults.gcfsConfig", "desiredGcfsConfig"),
    Field("nodePoolDefaults.nodeConfigDefaults.loggingConfig", "desiredNodePoolLoggingConfig"),
    Field("nodePoolDefaults.nodeConfigDefaults.nodeKubeletConfig", "desiredNodeKubeletConfig"),
    Field("nodePoolAutoConfig.linuxNodeConfig", "desiredNodePoolAutoConfigLinuxNodeConfig"),
    Field("nodePoolAutoConfig.networkTags", "desiredNodePoolAutoConfigNetworkTags"),
    Field("nodePoolAutoConfig.nodeKubeletConfig", "desiredNodePoolAutoConfigKubeletConfig"),
    Field("nodePoolAutoConfig.resourceManagerTags", "desiredNodePoolAutoConfigResourceManagerTags"),
    Field("addonsConfig", "desiredAddonsConfig", parts=1),
    Field("binaryAuthorization", "desiredBinaryAuthorization"),
    Field("compliancePostureConfig", "desiredCompliancePostureConfig"),
    Field("databaseEncryption", "desiredDatabaseEncryption"),
    Field("enableK8sBetaApis", "desiredK8sBetaApis"),
    Field("enterpriseConfig.desiredTier", "desiredEnterpriseConfig", inner="desiredTier"),
    Field("fleet", "desiredFleet"),
    Field("meshCertificates", "desiredMeshCertificates"),
    Field("parentProductConfig", "desiredParentProductConfig"),
    Field("secretManagerConfig", "desiredSecretManagerConfig"),
    Field("secretSyncConfig", "desiredSecretSyncConfig"),
    Field("securityPostureConfig", "desiredSecurityPostureConfig"),
    Field("userManagedKeysConfig", "desiredUserManagedKeysConfig"),
    Field("costManagementConfig", "desiredCostManagementConfig"),
    Field("resourceUsageExportConfig", "desiredResourceUsageExportConfig"),
    Field("notificationConfig", "desiredNotificationConfig"),
    Field("loggingConfig", "desiredLoggingConfig"),
    Field("loggingService", "desiredLoggingService"),
    Field("monitoringConfig", "desiredMonitoringConfig", parts=1),
    Field("monitoringService", "desiredMonitoringService"),
    Field("managedMachineLearningDiagnosticsConfig", "desiredManagedMachineLearningDiagnosticsConfig"),
    Field("managedOpentelemetryConfig", "desiredManagedOpentelemetryConfig"),
    Field("maintenancePolicy", action="setMaintenancePolicy", inner="maintenancePolicy"),
    Field("resourceLabels", action="setResourceLabels", inner="resourceLabels"),
)
# Of ClusterUpdate, what no field above is for, and why.
UNUSED = {
    "desiredEmulatedVersion": "a step of an upgrade, and not what a cluster is",
    "desiredImage": "of a node pool, which gke_node_pool changes",
    "desiredImageProject": "of a node pool, which gke_node_pool changes",
    "desiredImageType": "of a node pool, which gke_node_pool changes",
    "desiredNodePoolAutoscaling": "of a node pool, which gke_node_pool changes",
    "desiredNodePoolId": "of a node pool, which gke_node_pool changes",
    "desiredNodeVersion": "of a node pool, which gke_node_pool changes",
    "enableK8sBetaApis": "desiredK8sBetaApis does that",
    "etag": "operations exclude each other anyway",
    "removedAdditionalPodRangesConfig": "goes with additionalPodRangesConfig",
    "userManagedKeysConfig": "deprecated for desiredUserManagedKeysConfig",
}
# What matters at creation only.
CREATION_ONLY = {"name", "nodePools", "nodeConfig", "initialNodeCount", "etag", "labelFingerprint"}


@dataclass(frozen=True)
class Want:
    """A cluster, as it is to be."""

    project: str
    name: str
    location: str
    resource: JSON  # the API's form, with what the options say
    defaults: JSON  # what this module's own clusters have beside that, and others are left without
    protected: bool
    recreate: bool
    adopt: bool  # it may be one that this module has not made

    @property
    def path(self) -> str:
        """Its path."""
        return cluster_path(self.project, self.location, self.name)

    @property
    def called(self) -> str:
        """What it is called at the beginning of a sentence."""
        return f"Cluster {self.name} in {self.location} of project {self.project}"


@dataclass(frozen=True)
class ClusterPlan:
    """What has to be done with a cluster."""

    calls: tuple[Call, ...]
    before: JSON | None
    after: JSON | None


# --- from options to a resource ---------------------------------------------------------------------------------------


def want(params: JSON, project: str) -> Want:
    """The cluster that the options ask for; raises where it cannot be."""
    name, location = params["name"], params["location"]
    check_name(name, "cluster")
    check_location(location)
    where = f"Cluster {name}"
    spec = params.get("spec") or {}
    check_spec(spec, where)
    autopilot = bool(params.get("autopilot") or lookup(spec, ("autopilot", "enabled")))
    pools = params.get("initial_node_pools")
    if autopilot:
        if is_zone(location):
            raise DaskopsError(
                f"{where}: an Autopilot cluster is regional, and {location} is a zone; "
                f"give the region {location.rpartition('-')[0]}."
            )
        given = [option for option in ("initial_node_pools", "node_locations") if params.get(option)]
        given += ["spec.nodePools"] if spec.get("nodePools") else []
        given += [o for o in ("shielded_nodes", "workload_identity", "dataplane_v2") if params.get(o) is False]
        if given:
            raise DaskopsError(
                f"{where}: with Autopilot Google decides about the nodes; leave out {' and '.join(given)}."
            )
    check_zones(params.get("node_locations") or [], location, f"{where}: node_locations")
    labels = params.get("labels") or {}
    check_labels(labels, f"{where}: labels")
    for key in [*MANAGED, PROTECTION]:
        if key in {**labels, **(spec.get("resourceLabels") or {})}:
            raise DaskopsError(f"{where}: the label {key} is this module's own; take another key.")
    if params.get("version") and not re.fullmatch(r"latest|-|\d+\.\d+(\.\d+(-gke\.\d+)?)?", params["version"]):
        raise DaskopsError(
            f"{where}: version is {params['version']!r}; give one such as 1.34, 1.34.1 or 1.34.1-gke.100, or latest."
        )
    resource: JSON = {"name": name}
    for place, value in _mapped(params, project, autopilot):
        resource = merge(resource, nest(tuple(place.split(".")), value), keep=True)
    if pools:
        account = params.get("node_service_account")
        wanted = [_gke_node_pool.want(pool, name, location, account) for pool in pools]
        _refuse_twice([pool.name for pool in wanted], where)
        zones = len(params.get("node_locations") or []) or (1 if is_zone(location) else 3)
        created = [_gke_node_pool.create_body(pool, zones) for pool in wanted if pool.present]
        resource |= {"nodePools": created} if created else {}
    resource = texts(merge(resource, spec, keep=True))
    _check_ranges(resource, where)
    protected = params.get("deletion_protection") is not False
    defaults: JSON = {"resourceLabels": {**MANAGED, PROTECTION: "true" if protected else "false"}}
    if not autopilot and params.get("workload_identity") is None:
        defaults["workloadIdentityConfig"] = {"workloadPool": workload_pool(project)}
    recreate, adopt = bool(params.get("recreate")), bool(params.get("adopt"))
    return Want(project, name, location, resource, defaults, protected, recreate, adopt)


def _mapped(params: JSON, project: str, autopilot: bool) -> t.Iterator[tuple[str, t.Any]]:
    """What each option that is given says, as a path of the resource and a value."""
    direct = {
        "autopilot": "autopilot.enabled",
        "version": "initialClusterVersion",
        "network": "network",
        "subnetwork": "subnetwork",
        "node_locations": "locations",
        "private_nodes": "networkConfig.defaultEnablePrivateNodes",
        "dns_endpoint": "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic",
        "shielded_nodes": "shieldedNodes.enabled",
        "labels": "resourceLabels",
        "logging": "loggingConfig.componentConfig.enableComponents",
        "monitoring": "monitoringConfig.componentConfig.enableComponents",
        "managed_prometheus": "monitoringConfig.managedPrometheusConfig.enabled",
        "cost_allocation": "costManagementConfig.enabled",
    }
    for option, place in direct.items():
        if params.get(option) is not None:
            yield place, params[option]
    if params.get("release_channel"):
        channel = params["release_channel"].upper()
        yield "releaseChannel.channel", "UNSPECIFIED" if channel == "NONE" else channel
    for option, by_name, by_size in (
        ("pods_range", "clusterSecondaryRangeName", "clusterIpv4CidrBlock"),
        ("services_range", "servicesSecondaryRangeName", "servicesIpv4CidrBlock"),
    ):
        if params.get(option):
            yield f"ipAllocationPolicy.{by_size if '/' in params[option] else by_name}", params[option]
    endpoints = "controlPlaneEndpointsConfig.ipEndpointsConfig"
    if params.get("private_endpoint") is not None:
        yield f"{endpoints}.enablePublicEndpoint", not params["private_endpoint"]
    if params.get("authorized_networks") is not None:
        where = f"Cluster {params['name']}: authorized_networks"
        blocks = [
            clean({"cidrBlock": str(check_cidr(each["cidr"], where)), "displayName": each.get("name")})
            for each in params["authorized_networks"]
        ]
        yield f"{endpoints}.authorizedNetworksConfig", {"enabled": True, "cidrBlocks": blocks}
    if params.get("workload_identity") is not None and not autopilot:
        yield "workloadIdentityConfig.workloadPool", workload_pool(project) if params["workload_identity"] else ""
    if params.get("dataplane_v2") is not None and not autopilot:
        yield "networkConfig.datapathProvider", "ADVANCED_DATAPATH" if params["dataplane_v2"] else "LEGACY_DATAPATH"
    if params.get("node_service_account") and autopilot:
        yield (
            "autoscaling.autoprovisioningNodePoolDefaults",
            {"serviceAccount": params["node_service_account"], "oauthScopes": [CLOUD_PLATFORM]},
        )
    if params.get("maintenance") is not None:
        yield "maintenancePolicy.window", _window(params["maintenance"], f"Cluster {params['name']}: maintenance")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def _window(maintenance: JSON, where: str) -> JSON:
    window: JSON = {}
    daily, recurring = maintenance.get("daily"), maintenance.get("recurring")
    if daily and recurring:
        raise DaskopsError(f"{where} has both daily and recurring; give one of them.")
    if daily:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", daily):
            raise DaskopsError(f"{where}: daily is {daily!r}; give a time of day in UTC, such as 03:00.")
        window["dailyMaintenanceWindow"] = {"startTime": daily}
    if recurring:
        _check_times(recurring, f"{where}: recurring")
        if not re.match(r"FREQ=", recurring["recurrence"]):
            raise DaskopsError(f"{where}: recurrence is {recurring['recurrence']!r}; give one such as FREQ=DAILY.")
        window["recurringWindow"] = {
            "window": {"startTime": recurring["start"], "endTime": recurring["end"]},
            "recurrence": recurring["recurrence"],
        }
    if maintenance.get("exclusions") is not None:
        window["maintenanceExclusions"] = {}
        for exclusion in maintenance["exclusions"]:
            _check_times(exclusion, f"{where}: exclusion {exclusion['name']}")
            window["maintenanceExclusions"][exclusion["name"]] = {
                "startTime": exclusion["start"],
                "endTime": exclusion["end"],
                "maintenanceExclusionOptions": {"scope": (exclusion.get("scope") or "no_upgrades").upper()},
            }
    return window


def _check_times(given: JSON, where: str) -> None:
    for key in ("start", "end"):
        if not _TIME.fullmatch(given[key]):
            raise DaskopsError(f"{where}: {key} is {given[key]!r}; give a time such as 2026-01-31T03:00:00Z.")


def _refuse_twice(names: list[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DaskopsError(f"{where}: the node pool {name} is given twice; give it once.")


def _check_ranges(resource: JSON, where: str) -> None:
    """Ranges that are given as addresses must be some, and apart from each other."""
    places = {
        "pods_range": ("ipAllocationPolicy", "clusterIpv4CidrBlock"),
        "services_range": ("ipAllocationPolicy", "servicesIpv4CidrBlock"),
        "spec.privateClusterConfig.masterIpv4CidrBlock": ("privateClusterConfig", "masterIpv4CidrBlock"),
    }
    seen: dict[str, t.Any] = {}
    for option, place in places.items():
        text = lookup(resource, place)
        if not text:
            continue
        if re.fullmatch(r"/([89]|1\d|2[0-9])", text):
            continue  # a size, for which GKE finds a range
        network = check_cidr(text, f"{where}: {option}")
        for other, taken in seen.items():
            if network.version == taken.version and network.overlaps(taken):
                raise DaskopsError(f"{where}: {option} {network} overlaps with {other} {taken}; give ranges apart.")
        seen[option] = network


# --- from differences to calls ----------------------------------------------------------------------------------------


def updates(wanted: JSON, found: JSON, path: str, what: str) -> tuple[list[Call], list[tuple[Path, t.Any, t.Any]]]:
    """The calls that make C(found) what is wanted, and the differences that no call can change."""
    calls: list[Call] = []
    rest = {key: value for key, value in wanted.items() if key not in CREATION_ONLY}
    found = {**found, "initialClusterVersion": found.get("currentMasterVersion") or found.get("initialClusterVersion")}
    for row in FIELDS:
        place = tuple(row.path.split("."))
        value = lookup(rest, place)
        if value is None:
            continue
        rest = without(rest, place)
        current = lookup(found, place)
        if same(value, current, place[-1]):
            continue
        calls += _calls(row, value, current, found, path, what)
    return calls, differences(rest, found)


def _calls(row: Field, value: t.Any, current: t.Any, found: JSON, path: str, what: str) -> list[Call]:
    if row.update == "additionalPodRangesConfig":
        return _pod_ranges(value, current or [], path, what)
    sent = _sent(value, current, row.parts, row.path.rpartition(".")[2])
    if row.inner:
        sent = {row.inner: sent}
    if row.action:
        if row.action == "setResourceLabels":
            sent["labelFingerprint"] = found.get("labelFingerprint") or ""
        name = row.path.partition(".")[0]
        return [Call("POST", f"{path}:{row.action}", row.action, f"set {name} of {what}", (name,), sent)]
    return [_update(row.update, sent, path, what)]


def _sent(value: t.Any, current: t.Any, parts: int, name: str) -> t.Any:
    if not isinstance(value, dict):
        return value
    if not parts:
        return strip(merge(current or {}, value), name)
    current = current or {}
    changed = {key: part for key, part in value.items() if not same(part, current.get(key), key)}
    return {key: _sent(part, current.get(key), parts - 1, key) for key, part in changed.items()}


def _update(name: str, value: t.Any, path: str, what: str) -> Call:
    return Call("PUT", path, "update", f"update {name} of {what}", (name,), {"update": {name: value}})


def _pod_ranges(wanted: list[str], current: list[str], path: str, what: str) -> list[Call]:
    changes = {
        "additionalPodRangesConfig": [name for name in wanted if name not in current],
        "removedAdditionalPodRangesConfig": [name for name in current if name not in wanted],
    }
    return [_update(name, {"podRangeNames": ranges}, path, what) for name, ranges in changes.items() if ranges]


def plan_present(wanted: Want, found: JSON | None) -> ClusterPlan:
    """What has to be done for the cluster to be as it is to be."""
    what = f"cluster {wanted.name}"
    if found is not None and found.get("status") == "STOPPING":
        found = None  # whoever deletes it, it is gone when that has ended
    desired = t.cast("JSON", merge(wanted.defaults, wanted.resource, keep=True))
    if found is None:
        create = _create(wanted, desired)
        return ClusterPlan((create,), None, (create.body or {})["cluster"])
    ours = is_managed(found.get("resourceLabels"))
    if not ours and not wanted.adopt:
        raise DaskopsError(
            f"{wanted.called} is there and was not made by this module (label managed-by=daskops), and nothing was "
            "touched; give state existing to use it as it is, adopt to change it, or another name."
        )
    if not ours:
        desired = wanted.resource
    calls, fixed = updates(desired, found, wanted.path, what)
    failed = found.get("status") == "ERROR"
    if fixed or failed:
        reasons = described(fixed)
        if failed:
            reasons.insert(0, f"its creation failed ({status_text(found)})")
        listed = "; ".join(reasons)
        if not wanted.recreate:
            raise DaskopsError(
                f"{wanted.called} cannot be changed in place, and nothing was touched: {listed}; give what it has, or "
                "recreate, which deletes it with all that runs on it and creates it again.",
                differences=reasons,
            )
        refuse_deletion(wanted, found, f"would have to be recreated ({listed})")
        create = _create(wanted, desired)
        after = (create.body or {})["cluster"]
        return ClusterPlan((replace(_delete(wanted), stop=True), create), picture(found, after), after)
    shown = {key: value for key, value in desired.items() if key not in CREATION_ONLY}
    if "initialClusterVersion" in shown:
        found = {**found, "initialClusterVersion": found.get("currentMasterVersion")}
    before = picture(found, shown)
    return ClusterPlan(tuple(calls), before, picture(merge(found, shown), shown) if calls else before)


def plan_absent(wanted: Want, found: JSON | None) -> ClusterPlan:
    """What has to be done for the cluster to be gone."""
    if found is None or found.get("status") == "STOPPING":
        return ClusterPlan((), None, None)
    refuse_deletion(wanted, found, "is to be deleted")
    return ClusterPlan((_delete(wanted),), {"name": wanted.name, "status": found.get("status")}, None)


def refuse_deletion(wanted: Want, found: JSON, why: str) -> None:
    """Raise for a cluster that is not ours or is protected."""
    labels = found.get("resourceLabels") or {}
    if not is_managed(labels):
        raise DaskopsError(
            f"{wanted.called} {why}, and was not made by this module, which deletes only its own (label "
            "managed-by=daskops); nothing was touched; delete it with gcloud container clusters delete."
        )
    if wanted.protected and labels.get(PROTECTION) == "true":
        raise DaskopsError(
            f"{wanted.called} {why}, and is protected against that (label {PROTECTION}); nothing was touched; "
            "give deletion_protection false if that is really meant."
        )


def _create(wanted: Want, desired: JSON) -> Call:
    body = t.cast("JSON", clean(desired))
    if not any(key in body for key in ("nodePools", "initialNodeCount")) and not lookup(body, ("autopilot", "enabled")):
        raise DaskopsError(
            f"{wanted.called} does not exist, and cannot be created without a node pool; give initial_node_pools, "
            "or autopilot."
        )
    policy = body.setdefault("ipAllocationPolicy", {})
    if not policy.get("useRoutes"):
        policy.setdefault("useIpAliases", True)
    return Call(
        "POST",
        f"{location_path(wanted.project, wanted.location)}/clusters",
        "create",
        f"create cluster {wanted.name}",
        tuple(sorted(body)),
        {"cluster": body},
    )


def _delete(wanted: Want) -> Call:
    return Call("DELETE", wanted.path, "delete", f"delete cluster {wanted.name}")


def status_text(resource: JSON) -> str:
    """What a cluster says about its state."""
    conditions = [str(each.get("message") or each.get("code")) for each in resource.get("conditions") or []]
    return "; ".join(conditions) or str(resource.get("statusMessage") or resource.get("status"))


# --- what the module does ---------------------------------------------------------------------------------------------


def apply(google: Google, params: JSON, check: bool, say: t.Callable[[str], None]) -> JSON:
    """Make the cluster what the options say; only look in check mode and with C(state: existing)."""
    wanted = want(params, google.project)
    deadline = Deadline(params["timeout"])
    google.until = deadline.end
    wait = params.get("wait", True)

    def read() -> JSON | None:
        return google.find("container", wanted.path)

    found = read()
    if params["state"] == "existing":
        return {"changed": False, "calls": [], "cluster": check_existing(google, wanted, found)}
    make = plan_present if params["state"] == "present" else plan_absent
    if wait and not check and found is not None and found.get("status") in ("PROVISIONING", "STOPPING"):
        found = _settled(google, wanted, found, deadline, say)
    first = make(wanted, found)
    made: list[Call] = list(first.calls)
    warnings: list[str] = []
    if not check:
        plans = [first]
        made = converge(
            lambda: (plans.pop() if plans else make(wanted, read())).calls,
            lambda call, last: perform(google, call, deadline, say, wait or not last),
            lambda: settle(google, wanted.location, wanted.path, deadline, say),
            deadline,
        )
        if made:
            found = read()
        if wait and params["state"] == "present":
            warnings = _check_result(wanted, found, bool(made))
    elif first.after is not None:
        found = merge(found or {}, first.after)
    result: JSON = {
        "changed": bool(made),
        "calls": [call.as_dict() for call in made],
        "diff": {"before": first.before or {}, "after": first.after or {}},
    }
    if params["state"] == "present":
        result["cluster"] = found or {}
    return result | ({"warnings": warnings} if warnings else {})


def _settled(
    google: Google, wanted: Want, found: JSON | None, deadline: Deadline, say: t.Callable[[str], None]
) -> JSON | None:
    """The cluster when whoever creates or deletes it has ended."""
    settle(google, wanted.location, wanted.path, deadline, say)
    while (found := google.find("container", wanted.path)) and found.get("status") in ("PROVISIONING", "STOPPING"):
        say(f"cluster {wanted.name}: {str(found['status']).lower()}")
        if deadline.left < 1:
            raise DaskopsError(
                f"{wanted.called} is still {found['status']} after {deadline.seconds:.0f} s, by an operation that this "
                "run did not start; run again to wait on, with a longer timeout if need be."
            )
        time.sleep(min(2.0, deadline.left))
    return found


def _check_result(wanted: Want, found: JSON | None, changed: bool) -> list[str]:
    """Warnings about what came of it; raises where the cluster cannot be used."""
    if found is None:
        raise DaskopsError(f"{wanted.called} is gone: it was deleted by somebody else meanwhile; run again.")
    if found.get("status") == "ERROR":
        raise DaskopsError(
            f"{wanted.called} is in the state ERROR: {status_text(found)}; mend the cause, or give recreate."
        )
    warnings = []
    if found.get("status") == "DEGRADED":
        warnings.append(f"{wanted.called} is DEGRADED: {status_text(found)}.")
    left = plan_present(wanted, found).calls if changed else ()
    if left:
        names = ", ".join(name for call in left for name in call.fields)
        warnings.append(f"{wanted.called} was changed, and is not yet what was asked for: {names}.")
    return warnings


def check_existing(google: Google, wanted: Want, found: JSON | None) -> JSON:
    """The cluster, which has to be there and what the options say, as far as they say anything."""
    if found is None:
        others = google.items("container", f"{location_path(google.project, '-')}/clusters", "clusters")
        places = sorted(str(each.get("location")) for each in others if each.get("name") == wanted.name)
        names = sorted(f"{each.get('name')} in {each.get('location')}" for each in others)
        there = f"there are {', '.join(names)}" if names else "the project has no clusters"
        if places:
            there = f"there is one by that name in {' and '.join(places)}"
        raise DaskopsError(
            f"{wanted.called} does not exist, and {there}; give one that does, or state present.", exists=False
        )
    if found.get("status") not in ("RUNNING", "RECONCILING", "DEGRADED"):
        raise DaskopsError(
            f"{wanted.called} is in the state {found.get('status')}: {status_text(found)}; wait until it runs."
        )
    calls, fixed = updates(wanted.resource, found, wanted.path, f"cluster {wanted.name}")
    reasons = described(fixed) + [f"{', '.join(call.fields)} is not as asked for" for call in calls]
    if reasons:
        raise DaskopsError(
            f"{wanted.called} is not what was asked for, and with state existing nothing is changed: "
            f"{'; '.join(reasons)}; leave these options out, or give state present.",
            differences=reasons,
        )
    return found
