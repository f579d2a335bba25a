# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the fields of ClusterUpdate and UpdateNodePoolRequest go: by the schema, or by a table if it does not tell."""

from __future__ import annotations

import copy
import functools
import typing as t

from tests.fakes.google_cloud import contract, defaults
from tests.fakes.google_cloud.errors import JSON

Path: t.TypeAlias = tuple[str, ...]
Place: t.TypeAlias = tuple[Path, str]  # a path in the resource, and a field of the update's value to take alone, or ""

# Fields of ClusterUpdate that are not an update of something.
COMPANIONS = {"etag", "desiredNodePoolId"}

# Where its value goes, if not to the field of the same name and type in one of _CLUSTER_PARTS. A third word takes a
# field out of the value: desiredL4ilbSubsettingConfig.enabled becomes networkConfig.enableL4ilbSubsetting.
_CLUSTER_EXCEPTIONS: dict[str, Place] = {
    "desiredAdditionalIpRangesConfig": (
        ("ipAllocationPolicy", "additionalIpRangesConfigs"),
        "additionalIpRangesConfigs",
    ),
    "desiredAutopilotClusterPolicyConfig": (("autopilot", "clusterPolicyConfig"), ""),
    "desiredAutopilotWorkloadPolicyConfig": (("autopilot", "workloadPolicyConfig"), ""),
    "desiredClusterAutoscaling": (("autoscaling",), ""),
    "desiredEmulatedVersion": (("currentEmulatedVersion",), ""),
    "desiredEnablePrivateEndpoint": (("privateClusterConfig", "enablePrivateEndpoint"), ""),
    "desiredEnterpriseConfig": (("enterpriseConfig", "desiredTier"), "desiredTier"),
    "desiredIntraNodeVisibilityConfig": (("networkConfig", "enableIntraNodeVisibility"), "enabled"),
    "desiredK8sBetaApis": (("enableK8sBetaApis",), ""),
    "desiredL4ilbSubsettingConfig": (("networkConfig", "enableL4ilbSubsetting"), "enabled"),
    "desiredMasterVersion": (("currentMasterVersion",), ""),
    "desiredNodePoolAutoConfigKubeletConfig": (("nodePoolAutoConfig", "nodeKubeletConfig"), ""),
    "desiredNodePoolLoggingConfig": (("nodePoolDefaults", "nodeConfigDefaults", "loggingConfig"), ""),
}
# These go to the pool that desiredNodePoolId names.
_POOL_EXCEPTIONS: dict[str, Path] = {
    "desiredImageType": ("config", "imageType"),
    "desiredNodePoolAutoscaling": ("autoscaling",),
    "desiredNodeVersion": ("version",),
}
_CLUSTER_PARTS: dict[Path, str] = {
    (): "Cluster",
    ("networkConfig",): "NetworkConfig",
    ("ipAllocationPolicy",): "IPAllocationPolicy",
    ("autopilot",): "Autopilot",
    ("nodePoolDefaults", "nodeConfigDefaults"): "NodeConfigDefaults",
}
NOT_MODELLED = {
    "additionalPodRangesConfig",
    "removedAdditionalPodRangesConfig",
    "desiredImage",
    "desiredImageProject",
}

# Of these, only the messages in them that are given change; all else is replaced as a whole. Recorded answers for the
# first; for the others, gcloud sends a single component and keeps the rest.
_MERGED = {"controlPlaneEndpointsConfig", "addonsConfig", "monitoringConfig", "privateClusterConfig"}

# UpdateNodePoolRequest: messages that hold one field, which goes elsewhere.
_POOL_FIELDS: dict[str, Place] = {
    "image": (("config", "nodeImageConfig", "image"), ""),
    "imageProject": (("config", "nodeImageConfig", "imageProject"), ""),
    "labels": (("config", "labels"), "labels"),
    "nodeNetworkConfig": (("networkConfig",), ""),
    "nodeVersion": (("version",), ""),
    "resourceLabels": (("config", "resourceLabels"), "labels"),
    "tags": (("config", "tags"), "tags"),
    "taints": (("config", "taints"), "taints"),
}
POOL_COMPANIONS = {"clusterId", "etag", "name", "nodePoolId", "projectId", "zone"}
POOL_NOT_MODELLED = {"nodeConfigUpdateMode"}


def cluster_place(field: str) -> Place | None:
    """Where a field of ClusterUpdate goes in the cluster; None if it goes nowhere there."""
    if field in COMPANIONS | NOT_MODELLED:
        return None
    if field in _CLUSTER_EXCEPTIONS:
        return _CLUSTER_EXCEPTIONS[field]
    schema = _schemas()["ClusterUpdate"]["properties"][field]
    name = field.removeprefix("desired")
    if name.startswith("NodePoolAutoConfig"):
        return _same(
            "NodePoolAutoConfig", _lower(name.removeprefix("NodePoolAutoConfig")), schema, ("nodePoolAutoConfig",)
        )
    for path, part in _CLUSTER_PARTS.items():
        if place := _same(part, _lower(name), schema, path):
            return place
    return None


def cluster_pool_place(field: str) -> Path | None:
    """Where a field of ClusterUpdate goes in a pool."""
    return _POOL_EXCEPTIONS.get(field)


def pool_place(field: str) -> Place | None:
    """Where a field of UpdateNodePoolRequest goes in the pool."""
    if field in POOL_COMPANIONS | POOL_NOT_MODELLED:
        return None
    if field in _POOL_FIELDS:
        return _POOL_FIELDS[field]
    schema = _schemas()["UpdateNodePoolRequest"]["properties"][field]
    parts: dict[Path, str] = {(): "NodePool", ("config",): "NodeConfig"}
    for path, part in parts.items():
        if place := _same(part, field, schema, path):
            return place
    return None


def apply(resource: JSON, place: Place, value: t.Any) -> None:
    """Put a value to its place."""
    path, single = place
    if single:
        value = value.get(single, {} if single == "labels" else None)  # an empty message clears
    target = resource
    for name in path[:-1]:
        target = target.setdefault(name, {})
    last = path[-1]
    if last in _MERGED and isinstance(value, dict):
        value = defaults.merged(target.get(last, {}), value)
    target[last] = copy.deepcopy(value)


def _same(part: str, name: str, schema: JSON, path: Path) -> Place | None:
    found = _schemas()[part]["properties"].get(name)
    same_kind = found is not None and _kind(found) == _kind(schema)
    # diskSizeGb is a 64-bit integer in the one message and a 32-bit one in the other.
    alike = found is not None and name == "diskSizeGb"
    return ((*path, name), "") if same_kind or alike else None


def _kind(schema: JSON) -> str:
    if "$ref" in schema:
        return str(schema["$ref"])
    return f"{schema['type']} {_kind(schema['items'])}" if schema["type"] == "array" else str(schema["type"])


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


@functools.cache
def _schemas() -> JSON:
    return contract.document("container.v1").schemas
