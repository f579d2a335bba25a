# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What a GKE cluster for Dask stands on: what is wanted, what is there, and the steps from one to the other. Pure.

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
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_input import account_domain, region_of
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import JSON, Service

MANAGED_BY = "managed-by"
OURS = "daskops"
CLUSTER = "daskops-cluster"  # the label that says for which cluster something was made

READER, WRITER = "roles/artifactregistry.reader", "roles/artifactregistry.writer"
IDENTITY_USER = "roles/iam.workloadIdentityUser"


# --- what is wanted ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """All that is asked for; parts that are left out are None."""

    project: str
    host: str  # the project that has the network
    network: JSON | None = None
    subnetwork: JSON | None = None
    nat: JSON | None = None
    account: JSON | None = None
    registry: JSON | None = None
    workloads: tuple[JSON, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    cluster: str = ""
    location: str = ""
    namespaces: tuple[str, ...] = ()
    leftovers: bool = False

    @property
    def network_path(self) -> str:
        """The network, as other resources refer to it."""
        return f"projects/{self.host}/global/networks/{(self.network or {})['name']}"

    @property
    def region_path(self) -> str:
        """The subnetwork's region."""
        return f"projects/{self.host}/regions/{(self.subnetwork or {})['region']}"

    @property
    def subnetwork_path(self) -> str:
        """The subnetwork, as other resources refer to it."""
        return f"{self.region_path}/subnetworks/{(self.subnetwork or {})['name']}"

    @property
    def router_path(self) -> str:
        """The router of the NAT."""
        return f"{self.region_path}/routers/{(self.nat or {})['router']}"

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
        registry = self.registry or {}
        return f"projects/{self.project}/locations/{registry['location']}/repositories/{registry['repository']}"

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
    def needs_number(self) -> bool:
        """Whether the project's number is part of what is asked for."""
        return any(not each.get("google_service_account") for each in self.workloads)


def specification(params: JSON, project: str) -> Spec:
    """What the options ask for."""
    network, cluster = params.get("network"), params.get("cluster") or {}
    labels = {key: "" if value is None else str(value) for key, value in (params.get("labels") or {}).items()}
    return Spec(
        project=project,
        host=(network or {}).get("project") or project,
        network=network,
        subnetwork=params.get("subnetwork"),
        nat=params.get("nat"),
        account=params.get("node_service_account"),
        registry=params.get("artifact_registry"),
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
        target = iam.repository_target(spec.project, spec.registry["location"], spec.registry["repository"])
        readers = [*([spec.member] if spec.account else []), *(spec.registry.get("readers") or [])]
        found += [Binding(target, READER, member) for member in readers]
        found += [Binding(target, WRITER, member) for member in spec.registry.get("writers") or []]
    pool = f"{spec.project}.svc.id.goog"
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
    return tuple(dict.fromkeys(found))


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
    leftovers: tuple[Leftover, ...] = ()
    unclear: tuple[str, ...] = ()  # what Kubernetes may have left behind, and cannot be told


@dataclass(frozen=True)
class Leftover:
    """Something that Kubernetes made for the cluster and did not delete."""

    kind: str  # in words
    path: str
    stage: int  # all of one stage go before those of the next
    detail: str = ""
    permission: str = ""
    in_network: bool = True

    @property
    def words(self) -> str:
        """What it is called."""
        return f"{self.kind} {self.path.rpartition('/')[2]}" + (f" ({self.detail})" if self.detail else "")


def tail(url: object) -> str:
    """A reference without what may stand before it, so that two of them can be compared."""
    return re.sub(r"^.*?(?=projects/)", "", str(url or ""))


def owner(resource: JSON | None) -> str | None:
    """For which cluster something was made, nothing if for none, or None if others made it."""
    labels = (resource or {}).get("labels") or {}
    if labels.get(MANAGED_BY) == OURS:
        return str(labels.get(CLUSTER, ""))
    words = str((resource or {}).get("description") or "").split()
    if f"{MANAGED_BY}={OURS}" not in words:
        return None
    return next((word.partition("=")[2] for word in words if word.startswith("cluster=")), "")


def is_ours(resource: JSON | None, cluster: str) -> bool:
    """Whether something was made by this, and not for another cluster."""
    return owner(resource) in ("", cluster) if owner(resource) is not None else False


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


@dataclass(frozen=True)
class Step:
    """One step: what it does in words and as a request, and what has to be done before."""

    key: str
    words: tuple[str, ...]
    effect: Call | PolicyChange
    needs: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    thing: str = ""
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
        return [word for step in self.steps for word in step.words]


def plan_present(spec: Spec, seen: Seen) -> Plan:
    """How to make what is missing and change what may be changed."""
    steps: list[Step] = []
    problems: list[str] = []
    if spec.network:
        _plan_network(spec, seen, steps, problems)
    if spec.subnetwork:
        _plan_subnetwork(spec, seen, steps, problems)
    if spec.nat:
        _plan_nat(spec, seen, steps, problems)
    if spec.account:
        _plan_account(spec, seen, steps, problems)
    if spec.registry:
        _plan_registry(spec, seen, steps, problems)
    _plan_bindings(spec, seen, steps, problems)
    return Plan(tuple(steps), tuple(problems))


def _absent_problem(what: str, where: str) -> str:
    return f"{what} is not there in {where} and may not be made (create is false): give one that is there"


def _host(spec: Spec, *names: str) -> tuple[Permission, ...]:
    return tuple(Permission(iam.project_target(spec.host), name) for name in names)


def _own(spec: Spec, *names: str) -> tuple[Permission, ...]:
    return tuple(Permission(iam.project_target(spec.project), name) for name in names)


def _plan_network(spec: Spec, seen: Seen, steps: list[Step], problems: list[str]) -> None:
    wanted, found = t.cast("JSON", spec.network), seen.network
    what = f"network {wanted['name']}"
    if found:
        if found.get("IPv4Range"):
            problems.append(f"{what} is a legacy network, in which there are no subnetworks: give another one")
        return
    if not wanted["create"]:
        problems.append(_absent_problem(what, f"project {spec.host}"))
        return
    body = {
        "name": wanted["name"],
        "description": spec.description,
        "autoCreateSubnetworks": False,
        "routingConfig": {"routingMode": "REGIONAL"},
    }
    call = Call("POST", "compute", f"compute/v1/projects/{spec.host}/global/networks", body)
    steps.append(
        Step(
            "network",
            (f"create {what}",),
            call,
            permissions=_host(spec, "compute.networks.create"),
            thing=what,
            after={"subnetworks": "custom"},
        )
    )


def _secondary(wanted: JSON) -> list[JSON]:
    ranges = [wanted[part] for part in ("pods_range", "services_range") if wanted.get(part)]
    return [{"rangeName": each["name"], "ipCidrRange": each["cidr"]} for each in ranges if each.get("cidr")]


def _plan_subnetwork(spec: Spec, seen: Seen, steps: list[Step], problems: list[str]) -> None:
    wanted, found = t.cast("JSON", spec.subnetwork), seen.subnetwork
    what = f"subnetwork {wanted['name']}"
    if found:
        _change_subnetwork(spec, wanted, found, what, steps, problems)
        return
    if not wanted["create"]:
        problems.append(_absent_problem(what, f"region {wanted['region']} of project {spec.host}"))
        return
    lacking = [f"subnetwork.{part}.cidr" for part in ("pods_range", "services_range") if _lacks_cidr(wanted, part)]
    lacking += [] if wanted.get("ip_range") else ["subnetwork.ip_range"]
    if lacking:
        problems.append(f"{what} has to be made, and lacks {' and '.join(lacking)}: give it, such as 10.0.0.0/22")
        return
    body = {
        "name": wanted["name"],
        "description": spec.description,
        "network": spec.network_path,
        "ipCidrRange": wanted["ip_range"],
        "privateIpGoogleAccess": wanted.get("private_google_access") is not False,
    }
    if _secondary(wanted):
        body["secondaryIpRanges"] = _secondary(wanted)
    steps.append(
        Step(
            "subnetwork",
            (f"create {what}",),
            Call("POST", "compute", f"compute/v1/{spec.region_path}/subnetworks", body),
            needs=("network",),
            permissions=_host(spec, "compute.subnetworks.create", "compute.networks.updatePolicy"),
            thing=what,
            after=_subnetwork_picture(body),
        )
    )


def _lacks_cidr(wanted: JSON, part: str) -> bool:
    return bool(wanted.get(part)) and not wanted[part].get("cidr")


def _subnetwork_picture(subnetwork: JSON) -> JSON:
    return {
        "range": subnetwork.get("ipCidrRange"),
        "secondary_ranges": {r["rangeName"]: r.get("ipCidrRange") for r in subnetwork.get("secondaryIpRanges") or []},
        "private_google_access": bool(subnetwork.get("privateIpGoogleAccess")),
    }


def _change_subnetwork(
    spec: Spec, wanted: JSON, found: JSON, what: str, steps: list[Step], problems: list[str]
) -> None:
    may, path = wanted["create"], f"compute/v1/{spec.subnetwork_path}"
    before = _subnetwork_picture(found)
    if tail(found.get("network")) != spec.network_path:
        network = tail(found.get("network")).rpartition("/")[2]
        problems.append(f"{what} is in network {network}, not in {(spec.network or {})['name']}: give another name")
        return
    previous: tuple[str, ...] = ()  # each of these changes the fingerprint, so they go one after the other

    def change(key: str, words: str, call: Call, permission: str, after: JSON) -> None:
        nonlocal previous, before
        permissions = _host(spec, permission)
        steps.append(Step(key, (words,), call, previous, permissions, what, before, {**before, **after}))
        previous, before = (key,), {**before, **after}

    ranges = before["secondary_ranges"]
    missing = []
    for part in ("pods_range", "services_range"):
        each = wanted.get(part)
        if not each:
            continue
        if each["name"] not in ranges:
            missing.append(each)
        elif each.get("cidr") and each["cidr"] != ranges[each["name"]]:
            problems.append(
                f"{what} has {ranges[each['name']]} as its range {each['name']}, not {each['cidr']}, which cannot be "
                "changed: take it as it is, or give the range another name"
            )
    for each in missing:
        if not may:
            problems.append(f"{what} has no secondary range {each['name']} and may not be changed: have it added")
        elif not each.get("cidr"):
            problems.append(f"{what} has no secondary range {each['name']}, and its cidr is not given: give it")
    if missing and may and all(each.get("cidr") for each in missing):
        more = [{"rangeName": each["name"], "ipCidrRange": each["cidr"]} for each in missing]
        body = {"secondaryIpRanges": [*(found.get("secondaryIpRanges") or []), *more]}
        if found.get("fingerprint"):
            body["fingerprint"] = found["fingerprint"]
        names = " and ".join(f"{each['name']} {each['cidr']}" for each in missing)
        after = {"secondary_ranges": {**ranges, **{each["name"]: each["cidr"] for each in missing}}}
        call = Call("PATCH", "compute", path, body)
        change("subnetwork ranges", f"add to {what} {names}", call, "compute.subnetworks.update", after)
    _change_access(wanted, before, what, path, problems, change)
    _change_primary(wanted, before, what, path, problems, change)


Change = t.Callable[[str, str, Call, str, JSON], None]


def _change_access(wanted: JSON, before: JSON, what: str, path: str, problems: list[str], change: Change) -> None:
    access = wanted.get("private_google_access")
    if access is None and wanted["create"]:
        access = True
    if access is None or access == before["private_google_access"]:
        return
    if not wanted["create"]:
        problems.append(f"{what} has private Google access {'off' if access else 'on'} and may not be changed")
        return
    body = {"privateIpGoogleAccess": access}
    call = Call("POST", "compute", f"{path}/setPrivateIpGoogleAccess", body)
    words = f"turn private Google access of {what} {'on' if access else 'off'}"
    permission = "compute.subnetworks.setPrivateIpGoogleAccess"
    change("subnetwork access", words, call, permission, {"private_google_access": access})


def _change_primary(wanted: JSON, before: JSON, what: str, path: str, problems: list[str], change: Change) -> None:
    given, current = wanted.get("ip_range"), before["range"]
    if not given or not current or given == current:
        return
    wider = ipaddress.IPv4Network(current).subnet_of(ipaddress.IPv4Network(given))
    if not wider:
        problems.append(f"{what} has the range {current}, which can be widened, but not changed to {given}")
    elif not wanted["create"]:
        problems.append(f"{what} has the range {current}, not {given}, and may not be changed")
    else:
        call = Call("POST", "compute", f"{path}/expandIpCidrRange", {"ipCidrRange": given})
        words = f"widen {what} from {current} to {given}"
        change("subnetwork range", words, call, "compute.subnetworks.expandIpCidrRange", {"range": given})


def _nat_body(spec: Spec) -> JSON:
    nat = t.cast("JSON", spec.nat)
    ports = {"minPortsPerVm": nat["min_ports_per_vm"]} if nat.get("min_ports_per_vm") else {}
    return {
        "name": nat["name"],
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
        "subnetworks": [{"name": spec.subnetwork_path, "sourceIpRangesToNat": ["ALL_IP_RANGES"]}],
        **ports,
    }


def _covers(nat: JSON, subnetwork: str) -> bool:
    """Whether a NAT serves all ranges of a subnetwork."""
    if nat.get("sourceSubnetworkIpRangesToNat") == "ALL_SUBNETWORKS_ALL_IP_RANGES":
        return True
    return any(
        tail(each.get("name")) == subnetwork and "ALL_IP_RANGES" in (each.get("sourceIpRangesToNat") or [])
        for each in nat.get("subnetworks") or []
    )


def _nat_picture(nat: JSON) -> JSON:
    subnetworks = [tail(each.get("name")).rpartition("/")[2] for each in nat.get("subnetworks") or []]
    return {"subnetworks": subnetworks or "all", "min_ports_per_vm": nat.get("minPortsPerVm")}


def _plan_nat(spec: Spec, seen: Seen, steps: list[Step], problems: list[str]) -> None:
    wanted, router = t.cast("JSON", spec.nat), seen.router
    what = f"NAT {wanted['name']} on router {wanted['router']}"
    key, needs = "nat", ("network", "subnetwork")
    body = _nat_body(spec)
    if router is None:
        if not wanted["create"]:
            where = f"region {(spec.subnetwork or {})['region']} of project {spec.host}"
            problems.append(_absent_problem(f"router {wanted['router']}", where))
            return
        request = {
            "name": wanted["router"],
            "description": spec.description,
            "network": spec.network_path,
            "nats": [body],
        }
        call = Call("POST", "compute", f"compute/v1/{spec.region_path}/routers", request)
        permissions = _host(spec, "compute.routers.create", "compute.networks.updatePolicy")
        steps.append(Step(key, (f"create {what}",), call, needs, permissions, thing=what, after=_nat_picture(body)))
        return
    if tail(router.get("network")) != spec.network_path:
        network = tail(router.get("network")).rpartition("/")[2]
        problems.append(f"router {wanted['router']} is in network {network}: give another name")
        return
    nats = router.get("nats") or []
    if not (wanted["create"] and is_ours(router, spec.cluster)):
        if not any(_covers(nat, spec.subnetwork_path) for nat in nats):
            why = "was not made by this" if wanted["create"] else "may not be changed (create is false)"
            problems.append(
                f"router {wanted['router']} has no NAT for all ranges of subnetwork {(spec.subnetwork or {})['name']} "
                f"and {why}: have one added, or give another router"
            )
        return
    found = next((nat for nat in nats if nat.get("name") == wanted["name"]), None)
    after = dict(found or body)
    if found and not _covers(found, spec.subnetwork_path):
        kept = [each for each in found.get("subnetworks") or [] if tail(each.get("name")) != spec.subnetwork_path]
        after["subnetworks"] = [*kept, *body["subnetworks"]]
        after["sourceSubnetworkIpRangesToNat"] = body["sourceSubnetworkIpRangesToNat"]
    if "minPortsPerVm" in body:
        after["minPortsPerVm"] = body["minPortsPerVm"]
    if after == found:
        return
    request = {"nats": [*(nat for nat in nats if nat.get("name") != wanted["name"]), after]}
    steps.append(
        Step(
            key,
            (f"{'change' if found else 'create'} {what}",),
            Call("PATCH", "compute", f"compute/v1/{spec.router_path}", request),
            needs,
            _host(spec, "compute.routers.update", "compute.networks.updatePolicy"),
            what,
            _nat_picture(found) if found else None,
            _nat_picture(after),
        )
    )


def _plan_account(spec: Spec, seen: Seen, steps: list[Step], problems: list[str]) -> None:
    wanted, found = t.cast("JSON", spec.account), seen.account
    what = f"service account {spec.email}"
    if found:
        if found.get("disabled"):
            problems.append(f"{what} is disabled, so no node could run as it: enable it, or give another one")
        return
    if not wanted["create"]:
        problems.append(_absent_problem(what, f"project {spec.project}"))
        return
    body = {
        "accountId": spec.email.partition("@")[0],
        "serviceAccount": {"displayName": "Nodes of GKE clusters for Dask", "description": spec.description},
    }
    steps.append(
        Step(
            "account",
            (f"create {what}",),
            Call("POST", "iam", f"v1/projects/{spec.project}/serviceAccounts", body),
            permissions=_own(spec, "iam.serviceAccounts.create"),
            thing=what,
            after={"email": spec.email},
        )
    )


def _plan_registry(spec: Spec, seen: Seen, steps: list[Step], problems: list[str]) -> None:
    wanted, found = t.cast("JSON", spec.registry), seen.registry
    what = f"repository {wanted['repository']}"
    path = f"v1/{spec.registry_path}"
    if found is None:
        if not wanted["create"]:
            problems.append(_absent_problem(what, f"{wanted['location']} of project {spec.project}"))
            return
        body = {"format": "DOCKER", "labels": spec.all_labels, "description": "Images of Dask"}
        call = Call("POST", "artifactregistry", path.rpartition("/")[0], body, {"repositoryId": wanted["repository"]})
        permissions = _own(spec, "artifactregistry.repositories.create")
        after = {"format": "DOCKER", "labels": spec.all_labels}
        steps.append(Step("registry", (f"create {what}",), call, (), permissions, what, None, after))
        return
    if found.get("format", "DOCKER") != "DOCKER":
        problems.append(f"{what} holds {found['format']}, not images, which cannot be changed: give another name")
        return
    labels = found.get("labels") or {}
    merged = {**labels, **spec.labels}  # who made it stays what it is
    if not (wanted["create"] and is_ours(found, spec.cluster)) or merged == labels:
        return
    call = Call("PATCH", "artifactregistry", path, {"labels": merged}, {"updateMask": "labels"})
    steps.append(
        Step(
            "registry",
            (f"change the labels of {what}",),
            call,
            permissions=(Permission(_registry_target(spec), "artifactregistry.repositories.update"),),
            thing=what,
            before={"labels": labels},
            after={"labels": merged},
        )
    )


def _registry_target(spec: Spec) -> Target:
    registry = t.cast("JSON", spec.registry)
    return iam.repository_target(spec.project, registry["location"], registry["repository"])


def _grouped(found: t.Iterable[Binding]) -> dict[Target, list[Binding]]:
    groups: dict[Target, list[Binding]] = {}
    for binding in found:
        groups.setdefault(binding.target, []).append(binding)
    return groups


def _roles(policy: t.Iterable[Binding]) -> list[str]:
    return sorted(f"{binding.role} {binding.member}" for binding in policy)


def _plan_bindings(spec: Spec, seen: Seen, steps: list[Step], problems: list[str]) -> None:
    made = {step.key for step in steps}
    for target, wanted in _grouped(bindings(spec, seen.number)).items():
        policy = seen.policies.get(target)
        if policy is None and target.kind in ("bucket", "service account"):
            problems.append(f"{target} is not there: make it first, or give one that is there")
            continue
        missing = iam.missing(policy, wanted)
        if not missing or (target.kind == "repository" and seen.registry is None and "registry" not in made):
            continue
        # Whoever makes something may do anything with it, but for a repository.
        where = target if target.kind != "repository" or "registry" not in made else iam.project_target(spec.project)
        steps.append(
            Step(
                f"policy of {target}",
                tuple(f"give {each.member} {each.role} on {target}" for each in missing),
                PolicyChange(target, add=missing),
                needs=("account", "registry") if target.kind == "repository" else ("account",),
                permissions=(Permission(where, target.permission),),
                thing=f"roles on {target}",
                before=_roles(iam.present(policy, wanted)),
                after=_roles(wanted),
            )
        )


# --- taking down ------------------------------------------------------------------------------------------------------


def plan_absent(spec: Spec, seen: Seen, foresee: bool = False) -> Plan:
    """How to delete what was made by this, and what Kubernetes left behind; nothing else.

    Whoever wants to C(foresee) it asks while the cluster that all is for is still there.
    """
    steps: list[Step] = []
    problems: list[str] = []
    kept: list[str] = list(seen.unclear)
    for cluster in seen.clusters:
        if not (foresee and _is_it(spec, cluster)) and _stands_on(spec, seen, cluster):
            where = f"cluster {cluster.get('name')} in {cluster.get('location')}"
            problems.append(f"{where} still stands on it: delete it first")
    for left in seen.leftovers:
        _delete_leftover(spec, seen, left, steps)
    network_steps = tuple(step.key for step, left in zip(steps, seen.leftovers, strict=True) if left.in_network)
    _delete_network_parts(spec, seen, network_steps, steps, kept)
    registry_goes = False
    if spec.registry and seen.registry:
        registry_goes = _may_go(spec, seen.registry, f"repository {spec.registry['repository']}", kept)
        if registry_goes:
            permission = (Permission(_registry_target(spec), "artifactregistry.repositories.delete"),)
            call = Call("DELETE", "artifactregistry", f"v1/{spec.registry_path}")
            thing = f"repository {spec.registry['repository']}"
            words = f"delete {thing} with its images"
            steps.append(Step("registry", (words,), call, (), permission, thing, {"format": "DOCKER"}))
    _delete_account(spec, seen, registry_goes, steps, kept)
    return Plan(tuple(steps), tuple(problems), tuple(kept))


def in_network(spec: Spec, cluster: JSON) -> bool:
    """Whether a cluster of the project is in the network."""
    network = (cluster.get("networkConfig") or {}).get("network") or cluster.get("network") or ""
    return bool(spec.network) and str(network).rpartition("/")[2] == (spec.network or {})["name"]


def _is_it(spec: Spec, cluster: JSON) -> bool:
    """Whether it is the cluster that all is for."""
    return bool(spec.cluster) and (cluster.get("name"), cluster.get("location")) == (spec.cluster, spec.location)


def _stands_on(spec: Spec, seen: Seen, cluster: JSON) -> bool:
    """Whether a cluster is the one that all is for, or uses what would be deleted."""
    if _is_it(spec, cluster):
        return True
    parts = (seen.network, seen.subnetwork, seen.router)
    if in_network(spec, cluster) and any(is_ours(part, spec.cluster) for part in parts):
        subnetwork = str((cluster.get("networkConfig") or {}).get("subnetwork") or cluster.get("subnetwork") or "")
        return not spec.subnetwork or subnetwork.rpartition("/")[2] in ("", spec.subnetwork["name"])
    accounts = {(pool.get("config") or {}).get("serviceAccount") for pool in cluster.get("nodePools") or []}
    defaults = (cluster.get("autoscaling") or {}).get("autoprovisioningNodePoolDefaults") or {}
    accounts.add(defaults.get("serviceAccount"))
    return spec.email in accounts - {None} and is_ours(seen.account, spec.cluster)


def _may_go(spec: Spec, resource: JSON, what: str, kept: list[str]) -> bool:
    if is_ours(resource, spec.cluster):
        return True
    cluster = owner(resource)
    kept.append(f"{what}: it was {f'made for cluster {cluster}' if cluster else 'not made by this'}")
    return False


def _delete_leftover(spec: Spec, seen: Seen, left: Leftover, steps: list[Step]) -> None:
    needs = tuple(
        _left_key(other) for other in seen.leftovers if other.stage < left.stage and other.in_network == left.in_network
    )
    project = re.match(r"projects/([^/]+)/", left.path)
    target = iam.project_target(project[1] if project else spec.project)
    permissions = (Permission(target, left.permission),) if left.permission else ()
    call = Call("DELETE", "compute", f"compute/v1/{left.path}")
    steps.append(Step(_left_key(left), (f"delete {left.words}",), call, needs, permissions, left.words, {}))


def _left_key(left: Leftover) -> str:
    return f"leftover {left.path}"


def _delete_network_parts(spec: Spec, seen: Seen, needs: tuple[str, ...], steps: list[Step], kept: list[str]) -> None:
    gone: list[str] = list(needs)
    if spec.nat and seen.router and _may_go(spec, seen.router, f"router {spec.nat['router']}", kept):
        others = [nat["name"] for nat in seen.router.get("nats") or [] if nat.get("name") != spec.nat["name"]]
        thing = f"router {spec.nat['router']}"
        if others:
            kept.append(f"{thing}: it has NATs of others ({', '.join(others)})")
        else:
            call = Call("DELETE", "compute", f"compute/v1/{spec.router_path}")
            permissions = _host(spec, "compute.routers.delete", "compute.networks.updatePolicy")
            words = f"delete {thing} with NAT {spec.nat['name']}"
            steps.append(Step("nat", (words,), call, (), permissions, thing, {"nat": spec.nat["name"]}))
            gone.append("nat")
    subnetwork_goes = False
    if spec.subnetwork and seen.subnetwork:
        thing = f"subnetwork {spec.subnetwork['name']}"
        subnetwork_goes = _may_go(spec, seen.subnetwork, thing, kept)
        if subnetwork_goes:
            call = Call("DELETE", "compute", f"compute/v1/{spec.subnetwork_path}")
            permissions = _host(spec, "compute.subnetworks.delete", "compute.networks.updatePolicy")
            before = _subnetwork_picture(seen.subnetwork)
            steps.append(Step("subnetwork", (f"delete {thing}",), call, tuple(gone), permissions, thing, before))
            gone.append("subnetwork")
    if spec.network and seen.network:
        thing = f"network {spec.network['name']}"
        if not _may_go(spec, seen.network, thing, kept):
            return
        inside = {tail(url) for url in seen.network.get("subnetworks") or []}
        if subnetwork_goes:
            inside.discard(spec.subnetwork_path)
        if inside:
            names = ", ".join(sorted(path.rpartition("/")[2] for path in inside))
            kept.append(f"{thing}: there are subnetworks of others in it ({names})")
            return
        call = Call("DELETE", "compute", f"compute/v1/{spec.network_path}")
        permissions = _host(spec, "compute.networks.delete")
        steps.append(Step("network", (f"delete {thing}",), call, tuple(gone), permissions, thing, {}))


def _delete_account(spec: Spec, seen: Seen, registry_goes: bool, steps: list[Step], kept: list[str]) -> None:
    account_goes = bool(
        spec.account and seen.account and _may_go(spec, seen.account, f"service account {spec.email}", kept)
    )
    taken: list[Binding] = []
    workloads = bindings(Spec(spec.project, spec.host, workloads=spec.workloads), seen.number)
    for target, wanted in _grouped(workloads).items():
        taken += iam.present(seen.policies.get(target), wanted)
    if account_goes:
        for target, policy in seen.policies.items():
            if target.kind in ("project", "repository") and not (registry_goes and target.kind == "repository"):
                taken += iam.of_member(target, policy, spec.member)
    removed = []
    for target, gone in _grouped(dict.fromkeys(taken)).items():
        step = Step(
            f"policy of {target}",
            tuple(f"take {each.role} on {target} from {each.member}" for each in gone),
            PolicyChange(target, remove=tuple(gone)),
            permissions=(Permission(target, target.permission),),
            thing=f"roles on {target}",
            before=_roles(gone),
        )
        steps.append(step)
        removed.append(step.key)
    if account_goes:
        thing = f"service account {spec.email}"
        call = Call("DELETE", "iam", spec.account_path)
        permissions = (Permission(iam.account_target(spec.email), "iam.serviceAccounts.delete"),)
        before = {"email": spec.email}
        steps.append(Step("account", (f"delete {thing}",), call, tuple(removed), permissions, thing, before))


def things(plan: Plan) -> list[str]:
    """What a plan deletes."""
    return [re.sub(r"^delete |^take (?=.* from )", "", word) for word in plan.actions]


def pictures(plan: Plan) -> tuple[JSON, JSON]:
    """What changes, before and after, for a diff."""
    before: JSON = {}
    after: JSON = {}
    for step in plan.steps:
        if step.before is not None:
            before.setdefault(step.thing, step.before)
        if step.after is not None:
            after[step.thing] = step.after
    return before, after


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


def leftover_region(spec: Spec) -> str:
    """The region in which the cluster's leftovers are."""
    return region_of(spec.location)
