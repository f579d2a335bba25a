# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where gcloud's requests and the modules' mean the same and are not the same: each such place, and why.

A case names those that it meets; any other difference fails it, and so does one that is not met any more.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
import typing as t
from dataclasses import asdict, dataclass

from tests.fakes.google_cloud import FakeCloud

JSON = dict[str, t.Any]


@dataclass
class Write:
    """A request that changes something. C(body) is without what is in the path, too, as gcloud repeats that."""

    method: str
    path: str
    body: JSON | None


def writes(cloud: FakeCloud) -> list[Write]:
    """What a cloud was asked to do."""
    found = []
    for record in cloud.writes:
        body = copy.deepcopy(record.body)
        for name in ("name", "parent"):
            if body and str(body.get(name, "")).startswith("projects/"):
                assert record.path.startswith(f"/container/v1/{body[name]}")
                del body[name]
        found.append(Write(record.method.rpartition(".locations.")[2], record.path, body))
    return found


@dataclass(frozen=True)
class Difference:
    """A place where the two differ. C(change) brings ours and gcloud's to one form; it is given the cluster, too."""

    reason: str
    change: t.Callable[[Write, Write, JSON], None]


def _cluster(write: Write) -> JSON:
    return t.cast("JSON", (write.body or {}).get("cluster", {}))


def _pools(write: Write) -> list[JSON]:
    body = write.body or {}
    return [body["nodePool"]] if "nodePool" in body else t.cast("list[JSON]", _cluster(write).get("nodePools", []))


def _no_subnetwork(_ours: Write, theirs: Write, _found: JSON) -> None:
    policy = _cluster(theirs).get("ipAllocationPolicy", {})
    if policy.get("createSubnetwork") is False:
        del policy["createSubnetwork"]


def _labels_of_the_cluster(ours: Write, _theirs: Write, _found: JSON) -> None:
    for pool in _pools(ours):
        config = pool["config"]
        config["resourceLabels"] = {**_cluster(ours).get("resourceLabels", {}), **config["resourceLabels"]}


def _surge_by_name(ours: Write, theirs: Write, _found: JSON) -> None:
    for pool, other in zip(_pools(ours), _pools(theirs), strict=True):
        if pool["upgradeSettings"].get("strategy") == "SURGE" and "strategy" not in other["upgradeSettings"]:
            del pool["upgradeSettings"]["strategy"]


def _no_autoscaling(ours: Write, theirs: Write, _found: JSON) -> None:
    for pool, other in zip(_pools(ours), _pools(theirs), strict=True):
        if "autoscaling" not in other and pool.get("autoscaling") == {"enabled": False}:
            del pool["autoscaling"]


def _times(_ours: Write, theirs: Write, _found: JSON) -> None:
    def rewritten(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: rewritten(inner) for key, inner in value.items()}
        return re.sub(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\+00:00$", r"\1Z", value) if isinstance(value, str) else value

    theirs.body = rewritten(theirs.body)


def _autoscaling_of_a_pool(_ours: Write, theirs: Write, _found: JSON) -> None:
    update = (theirs.body or {}).get("update", {})
    if update.keys() != {"desiredNodePoolId", "desiredNodePoolAutoscaling"}:
        return
    scaling = update["desiredNodePoolAutoscaling"]
    if scaling["enabled"] is False:
        assert not any(value for name, value in scaling.items() if name != "locationPolicy")
        assert scaling.get("locationPolicy", "LOCATION_POLICY_UNSPECIFIED") == "LOCATION_POLICY_UNSPECIFIED"
        scaling = {"enabled": False}
    theirs.method = "clusters.nodePools.setAutoscaling"
    theirs.path += f"/nodePools/{update['desiredNodePoolId']}:setAutoscaling"
    theirs.body = {"autoscaling": scaling}


def _account_of_autopilot(_ours: Write, theirs: Write, _found: JSON) -> None:
    [pool] = _cluster(theirs).pop("nodePools")
    assert (pool["name"], pool["initialNodeCount"]) == ("default-pool", 1)
    assert pool["config"].pop("resourceLabels") == _cluster(theirs)["resourceLabels"]
    if "serviceAccount" in pool["config"]:
        _cluster(theirs)["autoscaling"] = {"autoprovisioningNodePoolDefaults": pool["config"]}


def _access_of_google(ours: Write, theirs: Write, found: JSON) -> None:
    def networks(resource: JSON) -> JSON:
        return t.cast("JSON", resource["ipEndpointsConfig"]["authorizedNetworksConfig"])

    name, place = "gcpPublicCidrsAccessEnabled", "desiredControlPlaneEndpointsConfig"
    mine, other = (networks((write.body or {})["update"][place]) for write in (ours, theirs))
    if name not in other and mine.get(name) == networks(found["controlPlaneEndpointsConfig"])[name]:
        del mine[name]


def _surge_of_before(_ours: Write, theirs: Write, found: JSON) -> None:
    settings = (theirs.body or {})["upgradeSettings"]
    [pool] = found["nodePools"]
    for name in ("maxSurge", "maxUnavailable"):
        if settings["strategy"] == "BLUE_GREEN" and name in settings:
            assert settings.pop(name) == pool["upgradeSettings"].get(name, 0)


DIFFERENCES = {
    "no subnetwork": Difference(
        "gcloud says that it does not want one made (createSubnetwork), which is so if nothing is said.",
        _no_subnetwork,
    ),
    "labels of the cluster": Difference(
        "gcloud repeats the cluster's labels at the pools that it is created with. By discovery the cluster's are for"
        " all its resources in Compute Engine anyway, and pools that are added later get none from gcloud, either.",
        _labels_of_the_cluster,
    ),
    "surge by name": Difference(
        "The modules name the strategy of surge settings. Discovery, UpgradeSettings.strategy: it is SURGE if unset.",
        _surge_by_name,
    ),
    "no autoscaling": Difference(
        "The modules say of a new pool with a fixed size that it is not to be scaled. Discovery, NodePool.autoscaling:"
        " it is not if nothing is said.",
        _no_autoscaling,
    ),
    "times": Difference("gcloud writes +00:00 for UTC, and the modules Z, which is the same in RFC 3339.", _times),
    "autoscaling of a pool": Difference(
        "gcloud sets it by clusters.update, with desiredNodePoolId, and the modules by the pool's own setAutoscaling:"
        " the same message. Where it ends autoscaling, gcloud says 0 of all limits, which is so if nothing is said.",
        _autoscaling_of_a_pool,
    ),
    "account of Autopilot": Difference(
        "gcloud asks for a pool with the nodes' account although Autopilot lets none be made. The modules name it in"
        " autoprovisioningNodePoolDefaults, as Google's Terraform sample gke/autopilot/custom_service_account does.",
        _account_of_autopilot,
    ),
    "access of Google": Difference(
        "With authorized networks the modules send whether Google's own addresses have access, as the cluster has it."
        " gcloud leaves that out, and discovery does not say that it then stays.",
        _access_of_google,
    ),
    "surge of before": Difference(
        "gcloud sends a pool's surge settings along with blue-green ones, for which they mean nothing.",
        _surge_of_before,
    ),
}


def compare(ours: list[Write], theirs: list[Write], known: t.Iterable[str], found: JSON) -> None:
    """Hold one against the other but for the differences that are known. C(found) is the cluster as it was before."""
    ours, theirs = copy.deepcopy(ours), copy.deepcopy(theirs)
    for name in known:
        before = copy.deepcopy((ours, theirs))
        for pair in zip(ours, theirs, strict=False):
            DIFFERENCES[name].change(*pair, found)
        assert (ours, theirs) != before, f"the two do not differ in this any more: {name}"
    if ours != theirs:
        mine, other = (_text(side) for side in (ours, theirs))
        lines = difflib.unified_diff(mine, other, "ours", "gcloud's", lineterm="", n=8)
        raise AssertionError("\n".join(["not the same:", *lines]))


def _text(requests: list[Write]) -> list[str]:
    return json.dumps([asdict(each) for each in requests], indent=1, sort_keys=True).splitlines()
