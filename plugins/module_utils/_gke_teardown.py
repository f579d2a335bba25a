# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""The steps that take down what a GKE cluster stood on, and what Kubernetes left behind of it. Pure."""

from __future__ import annotations

import re

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_iam import Binding
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import JSON


def plan_absent(spec: core.Spec, seen: core.Seen, check_mode: bool = False) -> core.Plan:
    """How to delete what was made by this, and what Kubernetes left behind; nothing else.

    In check mode the cluster that all is for may still be there.
    """
    problems = [
        f"cluster {cluster.get('name')} in {cluster.get('location')} still stands on it: delete it first"
        for cluster in seen.clusters
        if not (check_mode and is_it(spec, cluster)) and _stands_on(spec, seen, cluster)
    ]
    planners = (_router, _subnetwork, _network, _registry, _account)
    steps, kept = core.separate([*_leftovers(seen), *(part for plan in planners for part in plan(spec, seen))])
    if steps and seen.silent:
        besides = f" besides cluster {spec.cluster}" if spec.cluster else ""
        zones = ", ".join(seen.silent)
        problems.append(f"{zones} did not answer, so it cannot be told who is there{besides}: run again later")
    return core.Plan(steps, tuple(problems), (*seen.unclear, *kept))


def is_it(spec: core.Spec, cluster: JSON) -> bool:
    """Whether it is the cluster that all is for."""
    return bool(spec.cluster) and (cluster.get("name"), cluster.get("location")) == (spec.cluster, spec.location)


def in_network(spec: core.Spec, cluster: JSON) -> bool:
    """Whether a cluster of the project is in the network, or may be."""
    network = (cluster.get("networkConfig") or {}).get("network") or cluster.get("network")
    return bool(spec.network) and core.short_name(network) in ("", spec.network["name"])


def _stands_on(spec: core.Spec, seen: core.Seen, cluster: JSON) -> bool:
    """Whether a cluster is the one that all is for, or uses what would be deleted."""
    if is_it(spec, cluster):
        return True
    parts = (seen.network, seen.subnetwork, seen.router)
    if in_network(spec, cluster) and any(core.is_ours(part, spec.cluster) for part in parts):
        subnetwork = (cluster.get("networkConfig") or {}).get("subnetwork") or cluster.get("subnetwork")
        if not spec.subnetwork or core.short_name(subnetwork) in ("", spec.subnetwork["name"]):
            return True
    accounts = {(pool.get("config") or {}).get("serviceAccount") for pool in cluster.get("nodePools") or []}
    defaults = (cluster.get("autoscaling") or {}).get("autoprovisioningNodePoolDefaults") or {}
    accounts.add(defaults.get("serviceAccount"))
    return spec.email in accounts - {None} and core.is_ours(seen.account, spec.cluster)


def _others(spec: core.Spec, resource: JSON) -> str:
    """Why something is kept as others', or nothing if it is not."""
    if core.is_ours(resource, spec.cluster):
        return ""
    cluster = core.owner(resource)
    return f"it was made for cluster {cluster}" if cluster else "it was not made by this"


def _leftovers(seen: core.Seen) -> core.Parts:
    for left in seen.leftovers:
        name, call = left.display_name, core.Call("DELETE", "compute", f"compute/v1/{left.path}")
        needs = tuple(_key(e) for e in seen.leftovers if e.stage < left.stage and e.in_network == left.in_network)
        yield core.Step(_key(left), (f"delete {name}",), call, needs, resource=name, before={})


def _key(left: core.Leftover) -> str:
    return f"leftover {left.path}"


def _before_network(seen: core.Seen) -> tuple[str, ...]:
    """The keys of what has to go before the subnetwork and the network."""
    return (*(_key(left) for left in seen.leftovers if left.in_network), "nat")


def _router(spec: core.Spec, seen: core.Seen) -> core.Parts:
    if not (spec.nat and seen.router):
        return
    what, nat = f"router {spec.nat['router']}", spec.nat["name"]
    names = [each["name"] for each in seen.router.get("nats") or [] if each.get("name") != nat]
    why = _others(spec, seen.router) or (f"it has NATs of others ({', '.join(names)})" if names else "")
    call = core.Call("DELETE", "compute", f"compute/v1/{spec.router_path}")
    step = core.Step("nat", (f"delete {what} with NAT {nat}",), call, resource=what, before={"nat": nat})
    yield f"{what}: {why}" if why else step


def _subnetwork(spec: core.Spec, seen: core.Seen) -> core.Parts:
    if not (spec.subnetwork and seen.subnetwork):
        return
    what, why = f"subnetwork {spec.subnetwork['name']}", _others(spec, seen.subnetwork)
    call = core.Call("DELETE", "compute", f"compute/v1/{spec.subnetwork_path}")
    needs, before = _before_network(seen), core.subnetwork_state(seen.subnetwork)
    step = core.Step("subnetwork", (f"delete {what}",), call, needs, resource=what, before=before)
    yield f"{what}: {why}" if why else step


def _network(spec: core.Spec, seen: core.Seen) -> core.Parts:
    if not (spec.network and seen.network):
        return
    what = f"network {spec.network['name']}"
    inside = {core.relative_name(url) for url in seen.network.get("subnetworks") or []}
    if spec.subnetwork and core.is_ours(seen.subnetwork, spec.cluster):
        inside.discard(spec.subnetwork_path)
    names = ", ".join(sorted(core.short_name(path) for path in inside))
    why = _others(spec, seen.network) or (f"there are subnetworks of others in it ({names})" if inside else "")
    call = core.Call("DELETE", "compute", f"compute/v1/{spec.network_path}")
    needs = (*_before_network(seen), "subnetwork")
    step = core.Step("network", (f"delete {what}",), call, needs, resource=what, before={})
    yield f"{what}: {why}" if why else step


def _registry(spec: core.Spec, seen: core.Seen) -> core.Parts:
    if not (spec.registry and seen.registry):
        return
    what, why = f"repository {spec.registry['repository']}", _others(spec, seen.registry)
    call = core.Call("DELETE", "artifactregistry", f"v1/{spec.registry_path}")
    step = core.Step("registry", (f"delete {what} with its images",), call, resource=what, before={"format": "DOCKER"})
    yield f"{what}: {why}" if why else step


def _sharing(spec: core.Spec, seen: core.Seen) -> str:
    """The other clusters whose pods can have the identities of the cluster's."""
    return ", ".join(
        f"cluster {cluster.get('name')} in {cluster.get('location')}"
        for cluster in seen.clusters
        if not is_it(spec, cluster)
        and (cluster.get("workloadIdentityConfig") or {}).get("workloadPool") == spec.workload_pool
    )


def _account(spec: core.Spec, seen: core.Seen) -> core.Parts:
    """The nodes' account with all roles that it has, and the roles of the workloads."""
    what = f"service account {spec.email}"
    why = _others(spec, seen.account) if spec.account and seen.account else ""
    goes = bool(spec.account and seen.account and not why)
    if why:
        yield f"{what}: {why}"
    gone: list[Binding] = []
    sharing = _sharing(spec, seen)
    for target, bindings in iam.by_target(core.workload_bindings(spec, seen.number)).items():
        found = iam.present(seen.policies.get(target), bindings)
        if found and sharing:
            yield f"roles of workloads on {target}: pods of {sharing} may use them, by the same workload pool"
        else:
            gone += found
    kinds = {"project"} if spec.registry and core.is_ours(seen.registry, spec.cluster) else {"project", "repository"}
    for target, policy in seen.policies.items() if goes else ():
        if target.kind in kinds:
            gone += iam.of_member(target, policy, spec.member)
    steps = [
        core.Step(
            f"policy of {target}",
            tuple(f"take {each.role} on {target} from {each.member}" for each in bindings),
            core.PolicyChange(target, remove=tuple(bindings)),
            resource=f"roles on {target}",
            before=iam.roles(bindings),
        )
        for target, bindings in iam.by_target(dict.fromkeys(gone)).items()
    ]
    yield from steps
    if goes:
        call, needs = core.Call("DELETE", "iam", spec.account_path), tuple(step.key for step in steps)
        yield core.Step("account", (f"delete {what}",), call, needs, resource=what, before={"email": spec.email})


def deletions(plan: core.Plan) -> list[str]:
    """What a plan deletes."""
    return [re.sub(r"^delete |^take (?=.* from )", "", action) for action in plan.actions]
