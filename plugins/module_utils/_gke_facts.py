# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Read what gke_preflight needs to know of a project, in two or three rounds of requests side by side."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_engine as engine
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_preflight as preflight
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_iam import Target
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_node_pool import sizes
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import (
    JSON,
    NO_QUOTA_PROJECT,
    Google,
    GoogleError,
)


@dataclass(frozen=True)
class Gathered:
    """What was read, and what stood in the way of it."""

    facts: preflight.Facts
    seen: core.Seen
    plan: core.Plan
    problems: tuple[str, ...] = ()


def gather(google: Google, asked: preflight.Ask, spec: core.Spec, apis: t.Sequence[str]) -> Gathered:
    """Read all there is to know; what cannot be read is a problem, and the rest is looked at all the same."""
    google.token()  # without one nothing can be read, and one error says so
    found = engine.side_by_side(_first(google, asked, spec, apis))
    project = found["number"]
    if isinstance(project, GoogleError) and not _disabled_api(project):
        raise project  # all other errors would only follow from this one
    problems = _problems(found, asked)
    disabled = _disabled(found)
    got = {key: None if isinstance(value, GoogleError) else value for key, value in found.items()}
    seen = engine.seen_of(spec, found)
    failed = {key for key, value in found.items() if isinstance(value, GoogleError)}
    plan = core.plan_present(_known(spec, failed), seen)
    facts = preflight.Facts(
        number=seen.number,
        disabled=tuple(disabled),
        region=got.get("region"),
        project=got.get("project"),
        cluster=got.get("cluster"),
        subnetworks=tuple(got.get("subnetworks") or ([seen.subnetwork] if seen.subnetwork else [])),
    )
    needed = preflight.needs(asked, plan, spec, seen, facts.cluster)
    if "cluster" in failed:  # whether it has to be made is not known
        needed = {target: _without_container(rights) for target, rights in needed.items()}
    second = engine.side_by_side(_second(google, asked, facts, needed))
    machines: dict[tuple[str, str], JSON | None] = {}
    lacking: dict[Target, dict[str, tuple[str, ...]]] = {}
    for key, value in second.items():
        kind, _colon, name = key.partition(":")
        if isinstance(value, GoogleError):
            if not _disabled_api(value):
                problems.append(value.message.rstrip("."))
        elif kind == "machine":
            zone, _slash, machine = name.partition("/")
            machines[zone, machine] = value
        else:
            target = next(each for each in needed if str(each) == name)
            lacking[target] = {right: why for right, why in needed[target].items() if right not in value}
    facts = replace(facts, machines=machines, lacking=lacking)
    if facts.cluster and preflight.check_quota(asked, facts):
        facts = replace(facts, used=_used(google, asked, facts))
    return Gathered(facts, seen, plan, tuple(dict.fromkeys(problems)))


Calls = dict[str, t.Callable[[], t.Any]]


def _first(google: Google, asked: preflight.Ask, spec: core.Spec, apis: t.Sequence[str]) -> Calls:
    """What depends on nothing."""
    calls: Calls = engine.calls(google, spec)
    calls["number"] = lambda: engine.project_number(google)
    names = [f"projects/{asked.project}/services/{api}" for api in apis]
    path = f"v1/projects/{asked.project}/services:batchGet"
    calls["apis"] = lambda: google.get("serviceusage", path, names=names).get("services") or []
    region = asked.region or spec.subnetwork.get("region")
    if region:
        calls["region"] = lambda: google.get("compute", f"compute/v1/projects/{asked.project}/regions/{region}")
    if asked.pools:
        calls["project"] = lambda: google.get("compute", f"compute/v1/projects/{asked.project}")
    if asked.name:
        cluster = f"v1/projects/{asked.project}/locations/{asked.location}/clusters/{asked.name}"
        calls["cluster"] = lambda: google.find("container", cluster)
    # Who may use a shared VPC's subnetwork need not be allowed to see the others, and makes no range there.
    if spec.subnetwork and (spec.subnetwork["create"] or asked.control_plane):
        calls["subnetworks"] = lambda: _subnetworks(google, spec)
    return calls


def _subnetworks(google: Google, spec: core.Spec) -> list[JSON]:
    """All subnetworks of the network, in all regions."""
    scopes = engine.google_aggregated(google, spec.host, "subnetworks")
    every = [item for scope in scopes for item in scope.get("subnetworks") or []]
    return [item for item in every if core.relative_name(item.get("network")) == spec.network_path]


def _second(google: Google, asked: preflight.Ask, facts: preflight.Facts, needed: preflight.Needs) -> Calls:
    """What depends on the zones there are, and on what is to be done."""
    calls: Calls = {}
    known = set(preflight.region_zones(facts.region))
    zones = [zone for zone in preflight.zones_of(asked, facts) if zone in known]
    wanted = {(zone, pool.machine_type) for pool in asked.pools for zone in (pool.zones or zones) if zone in known}
    live = [preflight.pool_of(pool) for pool in (facts.cluster or {}).get("nodePools") or []] if asked.pools else []
    wanted |= {(zones[0], pool.machine_type) for pool in live if zones}
    for zone, kind in sorted(wanted):
        path = f"compute/v1/projects/{asked.project}/zones/{zone}/machineTypes/{kind}"
        calls[f"machine:{zone}/{kind}"] = _find(google, path)
    for target, rights in needed.items():
        if rights:
            calls[f"rights:{target}"] = _rights(google, target, tuple(rights))
    return calls


def _find(google: Google, path: str) -> t.Callable[[], JSON | None]:
    return lambda: google.find("compute", path)


def _rights(google: Google, target: Target, permissions: tuple[str, ...]) -> t.Callable[[], set[str]]:
    method, path, body, params = iam.test_request(target, permissions)
    return lambda: set(google.request(method, target.service, path, body, params).get("permissions") or [])


def _used(google: Google, asked: preflight.Ask, facts: preflight.Facts) -> dict[str, float]:
    """What the cluster's own pools take of the quotas now: only asked where that decides."""
    names = {pool.name for pool in asked.pools}
    pools = [pool for pool in (facts.cluster or {}).get("nodePools") or [] if pool.get("name") in names]
    counts: dict[str, int] = {}
    for pool in pools:
        found = sizes(google, pool)
        if found is not None:
            counts[str(pool["name"])] = sum(found)
    return preflight.used_by(facts, counts, asked.private)


def _without_container(rights: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {right: why for right, why in rights.items() if not right.startswith("container.")}


def _known(spec: core.Spec, failed: set[str]) -> core.Spec:
    """What is asked for, without what could not be read: nothing there and nothing seen look the same."""
    account, registry = spec.account, spec.registry
    if "account" in failed:
        account = {}
    elif account and f"policy of {iam.project_target(spec.project)}" in failed:
        account = {**account, "roles": []}
    if "registry" in failed or any(key.startswith("policy of repository ") for key in failed):
        registry = {}
    network = {} if "network" in failed else spec.network
    subnetwork = {} if not network or "subnetwork" in failed else spec.subnetwork
    nat = {} if not subnetwork or "router" in failed else spec.nat
    workloads = tuple(each for each in spec.workloads if not _targets(each) & failed)
    return replace(
        spec,
        network=network,
        subnetwork=subnetwork,
        nat=nat,
        account=account,
        registry=registry,
        workloads=workloads,
    )


def _targets(workload: JSON) -> set[str]:
    """The reads that a workload's bindings depend on."""
    found = {f"policy of {iam.bucket_target(workload['bucket'])}"} if workload.get("bucket") else set()
    if workload.get("google_service_account"):
        return found | {f"policy of {iam.account_target(workload['google_service_account'])}"}
    return found | {"number"}


def _disabled_api(error: GoogleError) -> str:
    """The API that is not enabled, if that is the reason."""
    if error.reason not in ("SERVICE_DISABLED", "accessNotConfigured") or NO_QUOTA_PROJECT in error.text:
        return ""
    named = re.search(r"\b([a-z]+\.googleapis\.com)\b(?! was answered)", error.text) or re.search(
        r"services enable ([a-z]+\.googleapis\.com)", error.message
    )
    return named[1] if named else ""


def _disabled(found: t.Mapping[str, t.Any]) -> list[str]:
    names = {_disabled_api(value) for value in found.values() if isinstance(value, GoogleError)}
    services = found["apis"]
    if not isinstance(services, GoogleError):
        names |= {str(service["name"]).rpartition("/")[2] for service in services if service.get("state") != "ENABLED"}
    return sorted(names - {""})


def _problems(found: t.Mapping[str, t.Any], asked: preflight.Ask) -> list[str]:
    problems = []
    for key, value in found.items():
        if not isinstance(value, GoogleError) or _disabled_api(value):
            continue
        if key == "project" and value.code == 403:
            continue  # not everyone may read it; then its quota is not checked
        if key == "region" and value.code in (400, 404):
            problems.append(f"region {asked.region} is not there: see gcloud compute regions list")
        elif value.code in (400, 404) and re.search(
            r"unknown (region|zone|location)|location .*(not|invalid)", value.text, re.I
        ):
            continue  # the same, once more
        else:
            problems.append(value.message.rstrip("."))
    return problems
