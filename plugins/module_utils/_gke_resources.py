# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a GKE cluster for Dask stands on: what is wanted, what is there, and the steps to make it. Pure.

google.cloud makes networks and accounts, but is skipped in check mode, fetches a token for each request, and has
neither NAT nor Artifact Registry nor IAM bindings.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_iam import Binding, Target
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_input import account_domain, workload_pool
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import JSON, Service

MANAGED_BY = "managed-by"
OURS = "daskops"
CLUSTER = "daskops-cluster"  # the label that says for which cluster something was made

READER, WRITER = "roles/artifactregistry.reader", "roles/artifactregistry.writer"
IDENTITY_USER = "roles/iam.workloadIdentityUser"
SECONDARY_RANGES = ("pods_range", "services_range")


# --- what is wanted ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """All that is asked for; parts that are left out are empty."""

    project: str
    host: str  # the project that has the network
    network: JSON = field(default_factory=dict)
    subnetwork: JSON = field(default_factory=dict)
    nat: JSON = field(default_factory=dict)
    account: JSON = field(default_factory=dict)
    registry: JSON = field(default_factory=dict)
    workloads: tuple[JSON, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    cluster: str = ""
    location: str = ""
    namespaces: tuple[str, ...] = ()
    leftovers: bool = False

    @property
    def network_path(self) -> str:
        """The network, as other resources refer to it."""
        return f"projects/{self.host}/global/networks/{self.network['name']}"

    @property
    def region_path(self) -> str:
        """The subnetwork's region."""
        return f"projects/{self.host}/regions/{self.subnetwork['region']}"

    @property
    def subnetwork_path(self) -> str:
        """The subnetwork, as other resources refer to it."""
        return f"{self.region_path}/subnetworks/{self.subnetwork['name']}"

    @property
    def router_path(self) -> str:
        """The router of the NAT."""
        return f"{self.region_path}/routers/{self.nat['router']}"

    @property
    def email(self) -> str:
        """Email of the nodes' account, or nothing."""
        if not self.account:
            return ""
        return str(self.account.get("email") or f"{self.account['account_id']}@{account_domain(self.project)}")

    @property
    def member(self) -> str:
        """The nodes' account, as policies name it."""
        return f"serviceAccount:{self.email}"

    @property
    def account_path(self) -> str:
        """The nodes' account; one that may not be made can be of another project."""
        project = self.project if self.email.endswith(f"@{account_domain(self.project)}") else "-"
        return f"v1/projects/{project}/serviceAccounts/{self.email}"

    @property
    def registry_path(self) -> str:
        """The repository."""
        return self.registry_target.path.removeprefix("v1/")

    @property
    def registry_target(self) -> Target:
        """What has the repository's policy."""
        return iam.repository_target(self.project, self.registry["location"], self.registry["repository"])

    @property
    def host_target(self) -> Target:
        """What has the policy of the network's project."""
        return iam.project_target(self.host)

    @property
    def image_repository(self) -> str:
        """What images in the repository begin with."""
        if not self.registry:
            return ""
        # A project's ID may begin with a domain, and colons mean something else in an image's name.
        project = self.project.replace(":", "/")
        return f"{self.registry['location']}-docker.pkg.dev/{project}/{self.registry['repository']}"

    @property
    def description(self) -> str:
        """What tells apart what was made by this where there are no labels."""
        return f"{MANAGED_BY}={OURS}" + (f" cluster={self.cluster}" if self.cluster else "")

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels of what is made."""
        return {**self.labels, MANAGED_BY: OURS, **({CLUSTER: self.cluster} if self.cluster else {})}

    @property
    def workload_pool(self) -> str:
        """The pool of the pods' identities."""
        return workload_pool(self.project)

    @property
    def needs_number(self) -> bool:
        """Whether the project's number is part of what is asked for."""
        return any(not each.get("google_service_account") for each in self.workloads)


def specification(params: JSON, project: str) -> Spec:
    """What the options ask for."""
    network, cluster = params.get("network") or {}, params.get("cluster") or {}
    labels = {key: "" if value is None else str(value) for key, value in (params.get("labels") or {}).items()}
    return Spec(
        project=project,
        host=network.get("project") or project,
        network=network,
        subnetwork=params.get("subnetwork") or {},
        nat=params.get("nat") or {},
        account=params.get("node_service_account") or {},
        registry=params.get("artifact_registry") or {},
        workloads=tuple(params.get("workload_identity") or ()),
        labels=labels,
        cluster=cluster.get("name") or "",
        location=cluster.get("location") or "",
        namespaces=tuple(cluster.get("namespaces") or ()),
        leftovers=bool(params.get("leftovers")),
    )


def bindings(spec: Spec, number: str) -> tuple[Binding, ...]:
    """All roles that are asked for."""
    found: list[Binding] = []
    if spec.account:
        target = iam.project_target(spec.project)
        found += [Binding(target, role, spec.member) for role in spec.account.get("roles") or []]
    if spec.registry:
        target = spec.registry_target
        readers = [*([spec.member] if spec.account else []), *(spec.registry.get("readers") or [])]
        found += [Binding(target, READER, member) for member in readers]
        found += [Binding(target, WRITER, member) for member in spec.registry.get("writers") or []]
    return tuple(dict.fromkeys([*found, *workload_bindings(spec, number)]))


def workload_bindings(spec: Spec, number: str) -> list[Binding]:
    """The roles that workloads are to have."""
    found: list[Binding] = []
    pool = spec.workload_pool
    for each in spec.workloads:
        namespace, account = each["namespace"], each["service_account"]
        if google := each.get("google_service_account"):
            target = iam.account_target(google)
            found.append(Binding(target, IDENTITY_USER, f"serviceAccount:{pool}[{namespace}/{account}]"))
            member = f"serviceAccount:{google}"
        else:
            member = (
                f"principal://iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}"
                f"/subject/ns/{namespace}/sa/{account}"
            )
        if each.get("bucket"):
            found.append(Binding(iam.bucket_target(each["bucket"]), each["role"], member))
    return found


# --- what is there ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What was found; None where there is nothing, or where nobody asked."""

    number: str = ""
    network: JSON | None = None
    subnetwork: JSON | None = None
    router: JSON | None = None
    account: JSON | None = None
    registry: JSON | None = None
    policies: t.Mapping[Target, JSON | None] = field(default_factory=dict)
    clusters: tuple[JSON, ...] = ()  # of the project, where it matters
    silent: tuple[str, ...] = ()  # zones that do not answer, whose clusters may be missing among them
    leftovers: tuple[Leftover, ...] = ()
    unclear: tuple[str, ...] = ()  # what Kubernetes may have left behind, and cannot be told


@dataclass(frozen=True)
class Leftover:
    """Something that Kubernetes made for the cluster and did not delete."""

    kind: str  # in words
    path: str
    stage: int  # all of one stage go before those of the next
    detail: str = ""
    in_network: bool = True

    @property
    def display_name(self) -> str:
        """What it is called."""
        return f"{self.kind} {short_name(self.path)}" + (f" ({self.detail})" if self.detail else "")


def relative_name(url: object) -> str:
    """A reference without what may stand before it, so that two of them can be compared."""
    return re.sub(r"^.*?(?=projects/)", "", str(url or ""))


def short_name(url: object) -> str:
    """The last part of a reference."""
    return str(url or "").rpartition("/")[2]


def owner(resource: JSON | None) -> str | None:
    """For which cluster something was made, nothing if for none, or None if others made it."""
    resource = resource or {}
    labels = resource.get("labels") or {}
    if labels.get(MANAGED_BY) == OURS:
        return str(labels.get(CLUSTER, ""))
    words = str(resource.get("description") or "").split()
    if f"{MANAGED_BY}={OURS}" not in words:
        return None
    return next((word.partition("=")[2] for word in words if word.startswith("cluster=")), "")


def is_ours(resource: JSON | None, cluster: str) -> bool:
    """Whether something was made by this, and not for another cluster."""
    return owner(resource) in ("", cluster)


# --- steps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A request that writes."""

    method: t.Literal["POST", "PATCH", "DELETE"]
    service: Service
    path: str
    body: JSON | None = None
    params: JSON = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyChange:
    """Roles that are given and taken."""

    target: Target
    add: tuple[Binding, ...] = ()
    remove: tuple[Binding, ...] = ()


@dataclass(frozen=True)
class Permission:
    """What the account that runs this has to be allowed to."""

    target: Target
    name: str

    @classmethod
    def on(cls, target: Target, *names: str) -> tuple[Permission, ...]:
        """Several on the same target."""
        return tuple(cls(target, name) for name in names)


@dataclass(frozen=True)
class Step:
    """One step: what it does in words and as a request, and what has to be done before."""

    key: str
    actions: tuple[str, ...]
    effect: Call | PolicyChange
    needs: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    resource: str = ""
    before: t.Any = None
    after: t.Any = None


@dataclass(frozen=True)
class Plan:
    """The steps, and why they may not be taken."""

    steps: tuple[Step, ...] = ()
    problems: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def actions(self) -> list[str]:
        """The steps in words."""
        return [action for step in self.steps for action in step.actions]


Parts = t.Iterator[Step | str]  # steps, and in words what stands in the way of one


def separate(parts: t.Sequence[Step | str]) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The steps, and the words."""
    return tuple(p for p in parts if isinstance(p, Step)), tuple(p for p in parts if isinstance(p, str))


def plan_present(spec: Spec, seen: Seen) -> Plan:
    """How to make what is missing and change what may be changed."""
    planners = (_plan_network, _plan_subnetwork, _plan_nat, _plan_account, _plan_registry)
    parts = [part for plan in planners for part in plan(spec, seen)]
    registry = any(isinstance(part, Step) and part.key == "registry" for part in parts)
    return Plan(*separate([*parts, *_plan_bindings(spec, seen, registry)]))


def _absent(what: str, where: str) -> str:
    return f"{what} is not there in {where} and may not be made (create is false): give one that is there"


def _plan_network(spec: Spec, seen: Seen) -> Parts:
    if not (wanted := spec.network):
        return
    what = f"network {wanted['name']}"
    if seen.network:
        if seen.network.get("IPv4Range"):
            yield f"{what} is a legacy network, in which there are no subnetworks: give another one"
        return
    if not wanted["create"]:
        yield _absent(what, f"project {spec.host}")
        return
    body = {
        "name": wanted["name"],
        "description": spec.description,
        "autoCreateSubnetworks": False,
        "routingConfig": {"routingMode": "REGIONAL"},
    }
    call = Call("POST", "compute", f"compute/v1/projects/{spec.host}/global/networks", body)
    permissions = Permission.on(spec.host_target, "compute.networks.create")
    yield Step("network", (f"create {what}",), call, (), permissions, what, after={"subnetworks": "custom"})


def _secondary(ranges: t.Iterable[JSON]) -> list[JSON]:
    return [{"rangeName": each["name"], "ipCidrRange": each["cidr"]} for each in ranges]


def _plan_subnetwork(spec: Spec, seen: Seen) -> Parts:
    if not (wanted := spec.subnetwork):
        return
    what = f"subnetwork {wanted['name']}"
    if seen.subnetwork:
        yield from _change_subnetwork(spec, seen.subnetwork, what)
        return
    if not wanted["create"]:
        yield _absent(what, f"region {wanted['region']} of project {spec.host}")
        return
    ranges = {part: wanted[part] for part in SECONDARY_RANGES if wanted.get(part)}
    lacking = [f"subnetwork.{part}.cidr" for part, each in ranges.items() if not each.get("cidr")]
    lacking += [] if wanted.get("ip_range") else ["subnetwork.ip_range"]
    if lacking:
        yield f"{what} has to be made, and lacks {' and '.join(lacking)}: give it, such as 10.0.0.0/22"
        return
    body = {
        "name": wanted["name"],
        "description": spec.description,
        "network": spec.network_path,
        "ipCidrRange": wanted["ip_range"],
        "privateIpGoogleAccess": wanted.get("private_google_access") is not False,
    }
    if ranges:
        body["secondaryIpRanges"] = _secondary(ranges.values())
    call = Call("POST", "compute", f"compute/v1/{spec.region_path}/subnetworks", body)
    permissions = Permission.on(spec.host_target, "compute.subnetworks.create", "compute.networks.updatePolicy")
    after = subnetwork_state(body)
    yield Step("subnetwork", (f"create {what}",), call, ("network",), permissions, what, after=after)


def subnetwork_state(subnetwork: JSON) -> JSON:
    """What a diff shows of a subnetwork."""
    return {
        "range": subnetwork.get("ipCidrRange"),
        "secondary_ranges": {r["rangeName"]: r.get("ipCidrRange") for r in subnetwork.get("secondaryIpRanges") or []},
        "private_google_access": bool(subnetwork.get("privateIpGoogleAccess")),
    }


# Key of the step, what it does in words, the method's name, and what of the subnetwork it writes.
Change = tuple[str, str, str, JSON]


def _change_subnetwork(spec: Spec, found: JSON, what: str) -> Parts:
    if relative_name(found.get("network")) != spec.network_path:
        network = short_name(found.get("network"))
        yield f"{what} is in network {network}, not in {spec.network['name']}: give another name"
        return
    path = f"compute/v1/{spec.subnetwork_path}"
    previous: tuple[str, ...] = ()  # each of these changes the fingerprint, so they go one after the other
    planners = (_add_ranges, _change_access, _widen)
    for part in [part for plan in planners for part in plan(spec.subnetwork, found, what)]:
        if isinstance(part, str):
            yield part
            continue
        key, action, method, body = part
        if method == "update":
            call = Call("PATCH", "compute", path, body)
        else:
            call = Call("POST", "compute", f"{path}/{method}", body)
        permissions = Permission.on(spec.host_target, f"compute.subnetworks.{method}")
        before, found = subnetwork_state(found), {**found, **body}
        yield Step(key, (action,), call, previous, permissions, what, before, subnetwork_state(found))
        previous = (key,)


def _add_ranges(wanted: JSON, found: JSON, what: str) -> t.Iterator[Change | str]:
    there = subnetwork_state(found)["secondary_ranges"]
    ranges = [wanted[part] for part in SECONDARY_RANGES if wanted.get(part)]
    for each in ranges:
        if each["name"] in there and each.get("cidr") and each["cidr"] != there[each["name"]]:
            yield (
                f"{what} has {there[each['name']]} as its range {each['name']}, not {each['cidr']}, which cannot be "
                "changed: take it as it is, or give the range another name"
            )
    missing = [each for each in ranges if each["name"] not in there]
    for each in missing:
        if not wanted["create"]:
            yield f"{what} has no secondary range {each['name']} and may not be changed: have it added"
        elif not each.get("cidr"):
            yield f"{what} has no secondary range {each['name']}, and its cidr is not given: give it"
    if missing and wanted["create"] and all(each.get("cidr") for each in missing):
        body: JSON = {"secondaryIpRanges": [*(found.get("secondaryIpRanges") or []), *_secondary(missing)]}
        if found.get("fingerprint"):
            body["fingerprint"] = found["fingerprint"]
        names = " and ".join(f"{each['name']} {each['cidr']}" for each in missing)
        yield "subnetwork ranges", f"add to {what} {names}", "update", body


def _change_access(wanted: JSON, found: JSON, what: str) -> t.Iterator[Change | str]:
    access = wanted.get("private_google_access")
    if access is None and wanted["create"]:
        access = True
    if access is None or access == bool(found.get("privateIpGoogleAccess")):
        return
    if wanted["create"]:
        action = f"turn private Google access of {what} {'on' if access else 'off'}"
        yield "subnetwork access", action, "setPrivateIpGoogleAccess", {"privateIpGoogleAccess": access}
    else:
        yield f"{what} has private Google access {'off' if access else 'on'} and may not be changed"


def _widen(wanted: JSON, found: JSON, what: str) -> t.Iterator[Change | str]:
    given, current = wanted.get("ip_range"), found.get("ipCidrRange")
    if not given or not current or given == current:
        return
    if not ipaddress.IPv4Network(current).subnet_of(ipaddress.IPv4Network(given)):
        yield f"{what} has the range {current}, which can be widened, but not changed to {given}"
    elif not wanted["create"]:
        yield f"{what} has the range {current}, not {given}, and may not be changed"
    else:
        action = f"widen {what} from {current} to {given}"
        yield "subnetwork range", action, "expandIpCidrRange", {"ipCidrRange": given}


def _covers(nat: JSON, subnetwork: str) -> bool:
    """Whether a NAT serves all ranges of a subnetwork."""
    if nat.get("sourceSubnetworkIpRangesToNat") == "ALL_SUBNETWORKS_ALL_IP_RANGES":
        return True
    return any(
        relative_name(each.get("name")) == subnetwork and "ALL_IP_RANGES" in (each.get("sourceIpRangesToNat") or [])
        for each in nat.get("subnetworks") or []
    )


def _nat_state(nat: JSON) -> JSON:
    subnetworks = [short_name(each.get("name")) for each in nat.get("subnetworks") or []]
    return {"subnetworks": subnetworks or "all", "min_ports_per_vm": nat.get("minPortsPerVm")}


def _plan_nat(spec: Spec, seen: Seen) -> Parts:
    if not (wanted := spec.nat):
        return
    router, found = f"router {wanted['router']}", seen.router
    body = {
        "name": wanted["name"],
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
        "subnetworks": [{"name": spec.subnetwork_path, "sourceIpRangesToNat": ["ALL_IP_RANGES"]}],
        **({"minPortsPerVm": wanted["min_ports_per_vm"]} if wanted.get("min_ports_per_vm") else {}),
    }
    if found is None:
        if wanted["create"]:
            request = {"name": wanted["router"], "description": spec.description, "network": spec.network_path}
            call = Call("POST", "compute", f"compute/v1/{spec.region_path}/routers", {**request, "nats": [body]})
            yield _nat_step(spec, call, "create", None, body)
        else:
            yield _absent(router, f"region {spec.subnetwork['region']} of project {spec.host}")
    elif relative_name(found.get("network")) != spec.network_path:
        yield f"{router} is in network {short_name(found.get('network'))}: give another name"
    elif wanted["create"] and is_ours(found, spec.cluster):
        yield from _change_nat(spec, found.get("nats") or [], body)
    elif not any(_covers(nat, spec.subnetwork_path) for nat in found.get("nats") or []):
        why = "was not made by this" if wanted["create"] else "may not be changed (create is false)"
        yield (
            f"{router} has no NAT for all ranges of subnetwork {spec.subnetwork['name']} "
            f"and {why}: have one added, or give another router"
        )


def _change_nat(spec: Spec, nats: list[JSON], body: JSON) -> Parts:
    found = next((nat for nat in nats if nat.get("name") == body["name"]), None)
    after = dict(found or body)
    if found and not _covers(found, spec.subnetwork_path):
        if found.get("sourceSubnetworkIpRangesToNat") == "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES":
            after["sourceSubnetworkIpRangesToNat"] = "ALL_SUBNETWORKS_ALL_IP_RANGES"  # no subnetwork loses its own
        else:
            others = [e for e in found.get("subnetworks") or [] if relative_name(e.get("name")) != spec.subnetwork_path]
            after |= {"subnetworks": [*others, *body["subnetworks"]]}
            after["sourceSubnetworkIpRangesToNat"] = body["sourceSubnetworkIpRangesToNat"]
    if "minPortsPerVm" in body:
        after["minPortsPerVm"] = body["minPortsPerVm"]
    if after != found:
        request = {"nats": [*(nat for nat in nats if nat.get("name") != body["name"]), after]}
        call = Call("PATCH", "compute", f"compute/v1/{spec.router_path}", request)
        yield _nat_step(spec, call, "update", found, after)


def _nat_step(spec: Spec, call: Call, right: str, before: JSON | None, after: JSON) -> Step:
    what = f"NAT {spec.nat['name']} on router {spec.nat['router']}"
    action = f"{'change' if before else 'create'} {what}"
    permissions = Permission.on(spec.host_target, f"compute.routers.{right}", "compute.networks.updatePolicy")
    states = _nat_state(before) if before else None, _nat_state(after)
    return Step("nat", (action,), call, ("network", "subnetwork"), permissions, what, *states)


def _plan_account(spec: Spec, seen: Seen) -> Parts:
    if not (wanted := spec.account):
        return
    what = f"service account {spec.email}"
    if seen.account:
        if seen.account.get("disabled"):
            yield f"{what} is disabled, so no node could run as it: enable it, or give another one"
        return
    if not wanted["create"]:
        yield _absent(what, f"project {spec.project}")
        return
    body = {
        "accountId": spec.email.partition("@")[0],
        "serviceAccount": {"displayName": "Nodes of GKE clusters for Dask", "description": spec.description},
    }
    call = Call("POST", "iam", f"v1/projects/{spec.project}/serviceAccounts", body)
    permissions = Permission.on(iam.project_target(spec.project), "iam.serviceAccounts.create")
    yield Step("account", (f"create {what}",), call, (), permissions, what, after={"email": spec.email})


def _plan_registry(spec: Spec, seen: Seen) -> Parts:
    if not (wanted := spec.registry):
        return
    found, path = seen.registry, f"v1/{spec.registry_path}"
    what = f"repository {wanted['repository']}"
    if found is None:
        if not wanted["create"]:
            yield _absent(what, f"{wanted['location']} of project {spec.project}")
            return
        after = {"format": "DOCKER", "labels": spec.all_labels}
        body = {**after, "description": "Images of Dask"}
        call = Call("POST", "artifactregistry", path.rpartition("/")[0], body, {"repositoryId": wanted["repository"]})
        permissions = Permission.on(iam.project_target(spec.project), "artifactregistry.repositories.create")
        yield Step("registry", (f"create {what}",), call, (), permissions, what, None, after)
        return
    if found.get("format", "DOCKER") != "DOCKER":
        yield f"{what} holds {found['format']}, not images, which cannot be changed: give another name"
        return
    labels = found.get("labels") or {}
    merged = {**labels, **spec.labels}  # who made it stays what it is
    if wanted["create"] and is_ours(found, spec.cluster) and merged != labels:
        action = f"change the labels of {what}"
        call = Call("PATCH", "artifactregistry", path, {"labels": merged}, {"updateMask": "labels"})
        permissions = Permission.on(spec.registry_target, "artifactregistry.repositories.update")
        yield Step("registry", (action,), call, (), permissions, what, {"labels": labels}, {"labels": merged})


def _plan_bindings(spec: Spec, seen: Seen, registry: bool) -> Parts:
    """The roles that are lacking; C(registry) says whether a step before is about the repository."""
    for target, wanted in iam.by_target(bindings(spec, seen.number)).items():
        policy, is_repository = seen.policies.get(target), target.kind == "repository"
        if policy is None and target.kind in ("bucket", "service account"):
            yield f"{target} is not there: make it first, or give one that is there"
            continue
        missing = iam.missing(policy, wanted)
        if not missing or (is_repository and seen.registry is None and not registry):
            continue
        # Whoever makes something may do anything with it, but for a repository.
        where = iam.project_target(spec.project) if is_repository and seen.registry is None else target
        yield Step(
            f"policy of {target}",
            tuple(f"give {each.member} {each.role} on {target}" for each in missing),
            PolicyChange(target, add=missing),
            ("account", "registry") if is_repository else ("account",),
            Permission.on(where, target.permission),
            f"roles on {target}",
            iam.roles(iam.present(policy, wanted)),
            iam.roles(wanted),
        )


def diff(plan: Plan) -> JSON:
    """What changes, before and after."""
    before: JSON = {}
    after: JSON = {}
    for step in plan.steps:
        if step.before is not None:
            before.setdefault(step.resource, step.before)
        if step.after is not None:
            after[step.resource] = step.after
    return {"before": before, "after": after}


def resources(spec: Spec, seen: Seen) -> JSON:
    """Where everything is, or will be."""
    root = "https://www.googleapis.com/compute/v1/"
    found: JSON = {}
    if spec.network:
        found["network"] = (seen.network or {}).get("selfLink") or root + spec.network_path
    if spec.subnetwork:
        found["subnetwork"] = (seen.subnetwork or {}).get("selfLink") or root + spec.subnetwork_path
    if spec.nat:
        found["router"] = (seen.router or {}).get("selfLink") or root + spec.router_path
    if spec.account:
        found["node_service_account"] = f"projects/{spec.project}/serviceAccounts/{spec.email}"
    if spec.registry:
        found["artifact_registry"] = spec.registry_path
    return found
