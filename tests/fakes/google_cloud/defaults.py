# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What GKE fills in when a cluster or a pool is created.

Taken from recorded answers of the service, published with Google's k8s-config-connector (mockgcp/mockcontainer), and
from the API documentation where that is said.
"""

from __future__ import annotations

import copy
import hashlib
import typing as t

from tests.fakes.google_cloud import catalog
from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.state import Settings

_AUTH = "https://www.googleapis.com/auth/"
SCOPES = [
    f"{_AUTH}devstorage.read_only",
    f"{_AUTH}logging.write",
    f"{_AUTH}monitoring",
    f"{_AUTH}service.management.readonly",
    f"{_AUTH}servicecontrol",
    f"{_AUTH}trace.append",
]
_MONITORED = [
    "CADVISOR",
    "DAEMONSET",
    "DCGM",
    "DEPLOYMENT",
    "HPA",
    "JOBSET",
    "KUBELET",
    "POD",
    "STATEFULSET",
    "STORAGE",
]

_CLUSTER: JSON = {
    "addonsConfig": {
        "gcePersistentDiskCsiDriverConfig": {"enabled": True},
        "kubernetesDashboard": {"disabled": True},
        "networkPolicyConfig": {"disabled": True},
    },
    "anonymousAuthenticationConfig": {"mode": "ENABLED"},
    "autopilot": {},
    "autoscaling": {"autoscalingProfile": "BALANCED"},
    "databaseEncryption": {"currentState": "CURRENT_STATE_DECRYPTED", "state": "DECRYPTED"},
    "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"},
    "enterpriseConfig": {"clusterTier": "STANDARD"},
    "ipAllocationPolicy": {
        "defaultPodIpv4RangeUtilization": 0.1,
        "podCidrOverprovisionConfig": {},
        "stackType": "IPV4",
    },
    "legacyAbac": {},
    "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
    "loggingService": "logging.googleapis.com/kubernetes",
    "masterAuth": {"clientCertificateConfig": {}},
    "monitoringConfig": {
        "advancedDatapathObservabilityConfig": {},
        "componentConfig": {"enableComponents": [*_MONITORED, "SYSTEM_COMPONENTS"]},
        "managedPrometheusConfig": {"enabled": True},
    },
    "monitoringService": "monitoring.googleapis.com/kubernetes",
    "networkConfig": {"serviceExternalIpsConfig": {}},
    "nodePoolAutoConfig": {"nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": False}},
    "nodePoolDefaults": {
        "nodeConfigDefaults": {
            "loggingConfig": {"variantConfig": {"variant": "DEFAULT"}},
            "nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": False},
        }
    },
    "notificationConfig": {"pubsub": {}},
    "podAutoscaling": {"hpaProfile": "PERFORMANCE"},
    "rbacBindingConfig": {
        "enableInsecureBindingSystemAuthenticated": True,
        "enableInsecureBindingSystemUnauthenticated": True,
    },
    "releaseChannel": {"channel": "REGULAR"},
    "securityPostureConfig": {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_MODE_UNSPECIFIED"},
    "shieldedNodes": {"enabled": True},
    "userManagedKeysConfig": {},
}

# The guide to Autopilot, "Compare features": what is always on there.
_AUTOPILOT: JSON = {
    "autoscaling": {"autoscalingProfile": "OPTIMIZE_UTILIZATION", "enableNodeAutoprovisioning": True},
    "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH", "dnsConfig": {"clusterDns": "CLOUD_DNS"}},
    "verticalPodAutoscaling": {"enabled": True},
}

_POOL: JSON = {
    "autoscaling": {},
    "config": {
        "diskSizeGb": 100,
        "diskType": "pd-balanced",
        "effectiveCgroupMode": "EFFECTIVE_CGROUP_MODE_V2",
        "imageType": "COS_CONTAINERD",
        "kubeletConfig": {"insecureKubeletReadonlyPortEnabled": False, "maxParallelImagePulls": 2},
        "machineType": "e2-medium",
        "metadata": {"disable-legacy-endpoints": "true"},
        "oauthScopes": SCOPES,
        "serviceAccount": "default",
        "shieldedInstanceConfig": {"enableIntegrityMonitoring": True},
        "windowsNodeConfig": {},
    },
    "management": {"autoRepair": True, "autoUpgrade": True},
    "maxPodsConstraint": {"maxPodsPerNode": "110"},
    "podIpv4CidrSize": 24,
    "upgradeSettings": {"maxSurge": 1, "strategy": "SURGE"},
}

# proto3's JSON leaves out what is false, 0 or empty, except for fields that are declared optional. These are, as
# the recorded answers show them with such values. All others of a cluster and a pool are left out.
OPTIONAL = {
    "allowExternalTraffic",
    "defaultEnablePrivateNodes",
    "enableCiliumClusterwideNetworkPolicy",
    "enableFqdnNetworkPolicy",
    "enableInsecureBindingSystemAuthenticated",
    "enableInsecureBindingSystemUnauthenticated",
    "enableK8sCertsViaDns",
    "enableK8sTokensViaDns",
    "enablePrivateNodes",
    "enablePublicEndpoint",
    "gcpPublicCidrsAccessEnabled",
    "insecureKubeletReadonlyPortEnabled",
}


def merged(base: JSON, over: JSON) -> JSON:
    """Both, messages within messages; what the second has wins, lists as a whole.

    A message with a plain boolean in it is one as a whole, too: if it is given without, the boolean is false, as the
    service cannot tell that from not given.
    """
    result = copy.deepcopy(base)
    for name, value in over.items():
        inner = result.get(name)
        if isinstance(inner, dict) and name != "ipEndpointsConfig" and _has_plain_boolean(inner):
            inner = None
        result[name] = (
            merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else copy.deepcopy(value)
        )
    return result


def _has_plain_boolean(message: JSON) -> bool:
    return any(item is True and name not in OPTIONAL for name, item in message.items())


# Maps of strings, whose entries are all shown, also those with an empty value.
_MAPS = {"labels", "resourceLabels", "metadata", "sysctls"}
# Enums whose value 0 means something, and is left out as any other 0 (terraform-provider-google,
# flattenMaintenancePolicy).
_ZEROS = {"scope": "NO_UPGRADES"}


def shown(value: t.Any, name: str = "") -> t.Any:
    """A cluster or a pool as the API's JSON has it, without what is not set."""
    if isinstance(value, dict) and name not in _MAPS:
        # In ipEndpointsConfig, 'enabled' is optional, elsewhere it is not.
        optional = OPTIONAL | ({"enabled"} if name == "ipEndpointsConfig" else set())
        inner = {key: shown(item, key) for key, item in value.items()}
        return {key: item for key, item in inner.items() if key in optional or not _unset(key, item)}
    return [shown(item) for item in value] if isinstance(value, list) else copy.deepcopy(value)


def _unset(name: str, value: t.Any) -> bool:
    if isinstance(value, dict):
        return not value and name in _MAPS  # an empty message is shown, a map is not
    return value in (None, False, 0, "", "0", []) or value == _ZEROS.get(name)


def cluster(given: JSON, location: str, settings: Settings) -> JSON:
    """A new cluster, all but its pools."""
    project = settings.project
    result = merged(_CLUSTER, given)
    if autopilot(given):
        result = merged(result, _AUTOPILOT)
    segment = "zones" if catalog.is_zone(location) else "locations"
    version = catalog.resolve_version(given.get("initialClusterVersion", ""), catalog.DEFAULT_VERSION)
    channel = result["releaseChannel"].get("channel")
    if channel in catalog.VERSIONS and "initialClusterVersion" not in given:
        version = catalog.VERSIONS[channel][0]
    digest = hashlib.sha256(f"{project}/{location}/{given['name']}".encode()).hexdigest()
    result |= {
        "id": digest,
        "location": location,
        "zone": location,
        "locations": given.get("locations") or catalog.zones_of(location),
        "selfLink": f"https://container.googleapis.com/v1/projects/{project}/{segment}/{location}/clusters/{given['name']}",
        "initialClusterVersion": version,
        "currentMasterVersion": version,
        "currentNodeVersion": version,
    }
    result["masterAuth"]["clusterCaCertificate"] = settings.ca_certificate
    _fill_network(result, given, location, project)
    if autopilot(given):
        result["workloadIdentityConfig"] = {"workloadPool": f"{project}.svc.id.goog"}
    fill_endpoints(result, settings)
    return result


def _fill_network(result: JSON, given: JSON, location: str, project: str) -> None:
    network = given.get("network") or "default"
    subnetwork = given.get("subnetwork") or "default"
    # What is given as a path is shown by its name, and as a path in networkConfig.
    result["network"], result["subnetwork"] = network.rpartition("/")[2], subnetwork.rpartition("/")[2]
    root = f"projects/{project}"
    result["networkConfig"] |= {
        "network": _path(network) if "/" in network else f"{root}/global/networks/{network}",
        "subnetwork": _path(subnetwork)
        if "/" in subnetwork
        else f"{root}/regions/{catalog.region_of(location)}/subnetworks/{subnetwork}",
    }
    policy = result["ipAllocationPolicy"]
    pods = policy.get("clusterIpv4CidrBlock") or given.get("clusterIpv4Cidr") or "10.48.0.0/14"
    services = policy.get("servicesIpv4CidrBlock") or "34.118.224.0/20"
    policy.setdefault("clusterSecondaryRangeName", f"gke-{given['name']}-pods-{result['id'][:8]}")
    policy |= {"clusterIpv4Cidr": pods, "clusterIpv4CidrBlock": pods}
    policy |= {"servicesIpv4Cidr": services, "servicesIpv4CidrBlock": services}
    # Discovery, IPAllocationPolicy.useIpAliases: the service picks if neither is asked for; it picks aliases.
    policy["useIpAliases"] = not policy.get("useRoutes", False)
    result["clusterIpv4Cidr"], result["servicesIpv4Cidr"] = pods, services
    if result.get("privateClusterConfig", {}).get("enablePrivateNodes"):
        result["networkConfig"].setdefault("defaultEnablePrivateNodes", True)


def fill_endpoints(cluster: JSON, settings: Settings) -> None:
    """How the control plane is reached. Old fields (deprecated in the API) and new ones show the same."""
    old = cluster.setdefault("privateClusterConfig", {})
    config = cluster.setdefault("controlPlaneEndpointsConfig", {})
    ip = config.setdefault("ipEndpointsConfig", {})
    ip.setdefault("enabled", True)
    ip.setdefault("enablePublicEndpoint", not old.get("enablePrivateEndpoint", False))
    for each in (ip, old):
        each.pop("publicEndpoint", None)
        each.pop("privateEndpoint", None)
    cluster.pop("endpoint", None)
    if ip["enabled"]:
        networks = ip.get("authorizedNetworksConfig") or cluster.get("masterAuthorizedNetworksConfig") or {}
        networks.setdefault("gcpPublicCidrsAccessEnabled", True)
        ip["authorizedNetworksConfig"] = networks
        cluster["masterAuthorizedNetworksConfig"] = copy.deepcopy(networks)
        ip["privateEndpoint"] = old["privateEndpoint"] = settings.private_endpoint
        cluster["endpoint"] = settings.private_endpoint
        if ip["enablePublicEndpoint"]:
            ip["publicEndpoint"] = old["publicEndpoint"] = cluster["endpoint"] = settings.endpoint
    old["enablePrivateEndpoint"] = not ip["enablePublicEndpoint"]
    if cluster["networkConfig"].get("defaultEnablePrivateNodes"):
        old["enablePrivateNodes"] = True
    dns = config.setdefault("dnsEndpointConfig", {})
    dns.setdefault("allowExternalTraffic", False)
    host = f"gke-{cluster['id'][:32]}-{settings.project_number}.{cluster['location']}.gke.goog"
    dns["endpoint"] = settings.dns_endpoint or host


def pool(given: JSON, cluster: JSON, settings: Settings) -> JSON:
    """A new pool of a cluster."""
    result = merged(_POOL, given)
    config = result["config"]
    if given.get("upgradeSettings"):
        result["upgradeSettings"] = {"strategy": "SURGE", **given["upgradeSettings"]}
    fill_disk(config, by_boot_disk="bootDisk" in given.get("config", {}))
    fill_labels(config)
    if cluster.get("workloadIdentityConfig", {}).get("workloadPool"):
        # The guide to Workload Identity: new pools of a cluster that has it use GKE's metadata server.
        config.setdefault("workloadMetadataConfig", {"mode": "GKE_METADATA"})
    network = result.setdefault("networkConfig", {})
    private = cluster["networkConfig"].get("defaultEnablePrivateNodes")
    if private is not None:
        network.setdefault("enablePrivateNodes", private)
    network.setdefault("subnetwork", cluster["networkConfig"]["subnetwork"])
    network.setdefault("podRange", cluster["ipAllocationPolicy"]["clusterSecondaryRangeName"])
    network.setdefault("podIpv4CidrBlock", cluster["clusterIpv4Cidr"])
    network.setdefault("podIpv4RangeUtilization", 0.1)
    result["version"] = catalog.resolve_version(given.get("version", ""), cluster["currentMasterVersion"])
    result["locations"] = given.get("locations") or list(cluster["locations"])
    result["selfLink"] = f"{cluster['selfLink']}/nodePools/{given['name']}"
    fill_groups(result, cluster, settings)
    return result


def fill_labels(config: JSON) -> None:
    """GKE's own label. Whoever sets labels leaves it out, as gcloud and Terraform's provider do, and it is not lost."""
    model = "spot" if config.get("spot") else "preemptible" if config.get("preemptible") else "on-demand"
    config.setdefault("resourceLabels", {})["goog-gke-node-pool-provisioning-model"] = model


def fill_disk(config: JSON, by_boot_disk: bool) -> None:
    """Type and size of the disk are shown in two places, whichever was given."""
    boot = config.setdefault("bootDisk", {})
    if by_boot_disk:
        config["diskType"] = boot.get("diskType", config["diskType"])
        config["diskSizeGb"] = int(boot.get("sizeGb", config["diskSizeGb"]))
    boot |= {"diskType": config["diskType"], "sizeGb": str(config["diskSizeGb"])}


def fill_groups(pool: JSON, cluster: JSON, settings: Settings) -> None:
    """The instance groups of a pool: one in each of its zones."""
    digest = hashlib.sha256(pool["selfLink"].encode()).hexdigest()[:8]
    name = f"gke-{cluster['name'][:16]}-{pool['name'][:16]}-{digest}-grp"
    root = f"https://www.googleapis.com/compute/v1/projects/{settings.project}"
    pool["instanceGroupUrls"] = [f"{root}/zones/{zone}/instanceGroupManagers/{name}" for zone in pool["locations"]]


def autopilot(cluster: JSON) -> bool:
    return bool(cluster.get("autopilot", {}).get("enabled"))


def _path(reference: str) -> str:
    return reference.partition("/compute/v1/")[2] or reference
