# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What ResourceQuotas and LimitRanges of a namespace would refuse of a deployment.  Pure.

The rules are those of Kubernetes' admission plugins:
https://kubernetes.io/docs/concepts/policy/resource-quotas/ and https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

JSON = dict[str, t.Any]
Amounts = dict[str, Decimal]
Quantity = t.Callable[[str], Decimal]

_ONE = Decimal(1)

# What a quota counts under its bare name as well, as a request.
_NATIVE = ("cpu", "memory", "ephemeral-storage")
_CLASS = ".storageclass.storage.k8s.io/"
_FINISHED = ("Succeeded", "Failed")

# Of the objects other than pods, only those whose number depends on what the user chooses.
_OBJECTS = ("services", "services.nodeports", "services.loadbalancers", "persistentvolumeclaims", "pods")


@dataclass(frozen=True)
class Container:
    """A container, and what it asks for."""

    what: str
    requests: Amounts
    limits: Amounts


@dataclass(frozen=True)
class Pods:
    """Pods that are alike; C(what) is the subject of a sentence, C(label) how they are summed up."""

    what: str
    label: str
    containers: tuple[Container, ...]
    replicas: int = 1
    priority_class: str = ""
    cross_namespace: bool = False
    deadline: bool = False
    finished: bool = False

    def total(self, kind: t.Literal["requests", "limits"], everywhere: bool = False) -> Amounts:
        """The sum over the containers of one pod; C(everywhere): of what each of them has."""
        result: Amounts = {}
        found: Counter[str] = Counter()
        for container in self.containers:
            for name, amount in getattr(container, kind).items():
                result[name] = result.get(name, Decimal(0)) + amount
                found[name] += 1
        return {
            name: amount for name, amount in result.items() if not everywhere or found[name] == len(self.containers)
        }


@dataclass(frozen=True)
class Item:
    """Things that are alike, and what one of them takes from a quota; C(pods) if they are pods."""

    label: str
    usage: Amounts
    count: int = 1
    pods: Pods | None = None


def amounts(given: t.Mapping[str, t.Any] | None, quantity: Quantity) -> Amounts:
    """Kubernetes' resource list as numbers."""
    return {name: quantity(str(value)) for name, value in (given or {}).items()}


def container(
    what: str, requests: t.Mapping[str, t.Any], limits: t.Mapping[str, t.Any], quantity: Quantity
) -> Container:
    """A container that is planned."""
    return Container(what, amounts(requests, quantity), amounts(limits, quantity))


def group_pods(group: JSON, quantity: Quantity) -> Pods:
    """The pods of a worker group, as C(_preflight.check_groups) returns it."""
    what = f"worker group {group['name']!r}"
    return Pods(
        what=what,
        label=f"{group['replicas']} {'worker' if group['replicas'] == 1 else 'workers'} {group['name']!r}",
        containers=(container(what, group["requests"], group["limits"], quantity),),
        replicas=group["replicas"],
        priority_class=group.get("priority_class") or "",
        cross_namespace=_cross_namespace(group.get("affinity") or {}),
    )


def live_pods(pod: JSON, quantity: Quantity) -> Pods:
    """A pod that is there, as the quota has counted it."""
    spec = pod["spec"]
    init = spec.get("initContainers") or []
    beside = [*spec["containers"], *(part for part in init if part.get("restartPolicy") == "Always")]
    before = [part for part in init if part.get("restartPolicy") != "Always"]

    def counted(kind: str) -> Amounts:
        # https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
        total: Amounts = {}
        for part in beside:
            for name, amount in amounts((part.get("resources") or {}).get(kind), quantity).items():
                total[name] = total.get(name, Decimal(0)) + amount
        for part in before:
            for name, amount in amounts((part.get("resources") or {}).get(kind), quantity).items():
                total[name] = max(total.get(name, Decimal(0)), amount)
        for name, amount in amounts(spec.get("overhead"), quantity).items():
            if kind == "requests" or name in total:
                total[name] = total.get(name, Decimal(0)) + amount
        return total

    name = pod["metadata"]["name"]
    return Pods(
        what=name,
        label=name,
        containers=(Container(name, counted("requests"), counted("limits")),),
        priority_class=spec.get("priorityClassName") or "",
        cross_namespace=_cross_namespace(spec.get("affinity") or {}),
        deadline=spec.get("activeDeadlineSeconds") is not None,
        finished=(pod.get("status") or {}).get("phase") in _FINISHED,
    )


def _cross_namespace(affinity: JSON) -> bool:
    terms: list[JSON] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms += rules.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        terms += [term.get("podAffinityTerm") or {} for term in preferred]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


def pod_item(pods: Pods) -> Item:
    """What a quota counts of a pod."""
    usage: Amounts = {"count/pods": _ONE}
    if not pods.finished:
        usage["pods"] = _ONE
        for name, amount in pods.total("requests").items():
            usage[f"requests.{name}"] = amount
            if name in _NATIVE or name.startswith("hugepages-"):
                usage[name] = amount
        usage.update({f"limits.{name}": amount for name, amount in pods.total("limits").items() if name in _NATIVE})
    return Item(pods.label, usage, pods.replicas, pods)


def claim_item(label: str, storage: Decimal, storage_class: str) -> Item:
    """What a quota counts of a volume."""
    usage = {"persistentvolumeclaims": _ONE, "count/persistentvolumeclaims": _ONE, "requests.storage": storage}
    if storage_class:
        usage[f"{storage_class}{_CLASS}requests.storage"] = storage
        usage[f"{storage_class}{_CLASS}persistentvolumeclaims"] = _ONE
    return Item(label, usage)


def live_claim(claim: JSON, quantity: Quantity) -> Item:
    """A volume that is there."""
    storage = quantity(str(claim["spec"]["resources"]["requests"]["storage"]))
    return claim_item(claim["metadata"]["name"], storage, claim["spec"].get("storageClassName") or "")


def service_item(label: str, kind: str, ports: int) -> Item:
    """What a quota counts of a Service; one with a load balancer has node ports, too."""
    usage = {"services": _ONE, "count/services": _ONE}
    if kind in ("NodePort", "LoadBalancer"):
        usage["services.nodeports"] = Decimal(ports)
    if kind == "LoadBalancer":
        usage["services.loadbalancers"] = _ONE
    return Item(label, usage)


def live_service(service: JSON) -> Item:
    """A Service that is there."""
    spec = service["spec"]
    return service_item(service["metadata"]["name"], spec.get("type", ""), len(spec.get("ports") or []))


def planned_services(scheduler_exposure: str, notebook_exposure: str | None) -> list[Item]:
    """The Services that the role's templates make."""
    kinds = {"node_port": "NodePort", "load_balancer": "LoadBalancer"}
    items = [service_item("scheduler", "ClusterIP", 2)]
    if scheduler_exposure != "port_forward":
        items.append(service_item("scheduler from outside", kinds.get(scheduler_exposure, "ClusterIP"), 1))
    if notebook_exposure is not None:
        items.append(service_item("notebook", kinds.get(notebook_exposure, "ClusterIP"), 1))
    return items


def check_hard(hard: t.Mapping[str, t.Any], quantity: Quantity, problems: list[str]) -> None:
    """Add a problem for each limit of a quota that is no amount."""
    for name, value in hard.items():
        try:
            bad = quantity(str(value)) < 0
        except ValueError:
            bad = True
        if bad:
            problems.append(f"quota: {name} {value!r} is no Kubernetes quantity, such as 10 or 64Gi")


def with_planned(quotas: list[JSON], name: str, hard: t.Mapping[str, t.Any]) -> list[JSON]:
    """The quotas as they will be: that called C(name) with other limits, if there are any."""
    if not hard:
        return quotas
    planned: JSON = {"metadata": {"name": name}, "spec": {"hard": dict(hard)}}
    for quota in quotas:
        if quota["metadata"]["name"] == name:
            planned["status"] = {"used": (quota.get("status") or {}).get("used")}
    return [*(quota for quota in quotas if quota["metadata"]["name"] != name), planned]


def asks_for_priority(quotas: list[JSON]) -> bool:
    """Whether a quota counts pods by their priority class."""
    return any(rule["scopeName"] == "PriorityClass" for quota in quotas for rule in _scopes(quota))


def default_priority_class(classes: list[JSON]) -> str:
    """The class of pods that name none; of several, the lowest counts."""
    found = sorted((item.get("value", 0), item["metadata"]["name"]) for item in classes if item.get("globalDefault"))
    return found[0][1] if found else ""


def quota_problems(
    quotas: list[JSON], wanted: list[Item], own: list[Item], namespace: str, quantity: Quantity
) -> list[str]:
    """One sentence for each limit of a quota that is too small.

    C(own) is what the deployment has at present, and gives back.
    """
    problems = []
    for quota in sorted(quotas, key=lambda item: str(item["metadata"]["name"])):
        status = quota.get("status") or {}
        used = amounts(status.get("used"), quantity)
        mine = [item for item in own if _counts(quota, item)]
        parts = [item for item in wanted if _counts(quota, item)]
        for name, hard in sorted(amounts(status.get("hard") or quota["spec"].get("hard"), quantity).items()):
            shares = [item for item in parts if item.count and item.usage.get(name)]
            asked = _sum(shares, name)
            present = _sum(mine, name)
            others = max(Decimal(0), used.get(name, Decimal(0)) - present)
            # A pod is made anew sooner or later; a volume or a Service that is there is not asked about again.
            stays = not any(item.pods for item in shares) and asked <= present
            if asked and others + asked > hard and not stays:
                of_others = f", of which {show(name, others)} is used by others" if others else ""
                problems.append(
                    f"quota {quota['metadata']['name']!r} of namespace {namespace} allows {name} {show(name, hard)}"
                    f"{of_others}, and the deployment asks for {show(name, asked)} ({_adds_up(name, shares)}); "
                    f"{_advice(name)} or ask for a larger quota"
                )
    return problems


def _sum(items: list[Item], name: str) -> Decimal:
    return sum((item.usage.get(name, Decimal(0)) * item.count for item in items), Decimal(0))


def _adds_up(name: str, shares: list[Item]) -> str:
    if _is_count(name):
        return ", ".join(item.label for item in shares)
    each = {item.label: " each" if item.count > 1 else "" for item in shares}
    return ", ".join(f"{item.label} {show(name, item.usage[name])}{each[item.label]}" for item in shares)


def _advice(name: str) -> str:
    if name.startswith(("services", "count/services")):
        return "choose another exposure"
    if "persistentvolumeclaims" in name:
        return "do without the volume"
    return "make the volume smaller" if name.endswith("requests.storage") else "lower the groups"


def _is_count(name: str) -> bool:
    return name.rpartition("/")[2] in _OBJECTS


def _scopes(quota: JSON) -> list[JSON]:
    spec = quota["spec"]
    selector = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return [*({"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or []), *selector]


def _counts(quota: JSON, item: Item) -> bool:
    """Whether a quota counts something: all its scopes must hold, and those that we know are of pods."""
    return all(item.pods is not None and _holds(rule, item.pods) for rule in _scopes(quota))


def _holds(rule: JSON, pods: Pods) -> bool:
    scope = rule["scopeName"]
    if scope == "PriorityClass":
        values = rule.get("values") or []
        return {
            "In": pods.priority_class in values,
            "NotIn": pods.priority_class not in values,
            "Exists": bool(pods.priority_class),
            "DoesNotExist": not pods.priority_class,
        }.get(rule["operator"], False)
    # https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/#besteffort
    compute = {**pods.total("requests"), **pods.total("limits")}
    best_effort = not any(compute.get(name) for name in ("cpu", "memory"))
    return {
        "Terminating": pods.deadline,
        "NotTerminating": not pods.deadline,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "CrossNamespacePodAffinity": pods.cross_namespace,
    }.get(scope, False)


def with_defaults(pods: Pods, ranges: list[JSON], quantity: Quantity) -> Pods:
    """Pods with what LimitRanges give to containers that do not say it themselves."""
    requests: Amounts = {}
    limits: Amounts = {}
    for _name, limit in _limits(ranges, "Container"):
        requests = {**amounts(limit.get("defaultRequest"), quantity), **requests}
        limits = {**amounts(limit.get("default"), quantity), **limits}
    containers = (
        replace(item, requests={**requests, **item.requests}, limits={**limits, **item.limits})
        for item in pods.containers
    )
    return replace(pods, containers=tuple(containers))


def limit_range_problems(
    ranges: list[JSON], every: list[Pods], new_volume: Decimal | None, namespace: str, quantity: Quantity
) -> list[str]:
    """One sentence for each limit that a container, a pod or the volume, if it is a new one, is outside of."""
    problems: list[str] = []
    made = [pods for pods in every if pods.replicas]
    for name, limit in _limits(ranges, "Container"):
        where = f"limit range {name!r} of namespace {namespace}"
        for pods in made:
            for item in pods.containers:
                problems += _outside(f"{where} allows a container", item, limit, quantity)
    for name, limit in _limits(ranges, "Pod"):
        where = f"limit range {name!r} of namespace {namespace}"
        for pods in made:
            total = Container(pods.what, pods.total("requests", True), pods.total("limits", True))
            problems += _outside(f"{where} allows a pod", total, limit, quantity)
    for name, limit in _limits(ranges, "PersistentVolumeClaim"):
        where = f"limit range {name!r} of namespace {namespace} allows a volume"
        least, most = (amounts(limit.get(bound), quantity).get("storage") for bound in ("min", "max"))
        if new_volume is not None and least is not None and new_volume < least:
            problems.append(
                f"{where} at least {show('storage', least)}, and the notebook's has {show('storage', new_volume)}; "
                "make it larger"
            )
        if new_volume is not None and most is not None and new_volume > most:
            problems.append(
                f"{where} at most {show('storage', most)}, and the notebook's has {show('storage', new_volume)}; "
                "make it smaller"
            )
    return problems


def _limits(ranges: list[JSON], kind: str) -> list[tuple[str, JSON]]:
    return [
        (item["metadata"]["name"], limit)
        for item in sorted(ranges, key=lambda item: str(item["metadata"]["name"]))
        for limit in item["spec"].get("limits") or []
        if limit["type"] == kind
    ]


def _outside(allows: str, item: Container, limit: JSON, quantity: Quantity) -> t.Iterator[str]:
    for name, least in sorted(amounts(limit.get("min"), quantity).items()):
        request = item.requests.get(name)
        if request is None or request < least:
            has = f"asks for {show(name, request)}" if request is not None else "asks for none"
            yield f"{allows} at least {name} {show(name, least)}, and {item.what} {has}; raise it"
    for name, most in sorted(amounts(limit.get("max"), quantity).items()):
        bound = item.limits.get(name)
        if bound is None or bound > most:
            has = f"has the limit {show(name, bound)}" if bound is not None else "has no limit"
            yield f"{allows} at most {name} {show(name, most)}, and {item.what} {has}; lower it"
    for name, ratio in sorted(amounts(limit.get("maxLimitRequestRatio"), quantity).items()):
        request, bound = item.requests.get(name), item.limits.get(name)
        if not request or not bound:
            yield f"{allows} only with a request and a limit of {name}, and {item.what} has not both; give both"
        elif bound / request > ratio:
            yield (
                f"{allows} a limit of {name} of at most {_plain(ratio)} times its request, and {item.what} has the "
                f"limit {show(name, bound)} and the request {show(name, request)}; raise the request"
            )


def show(name: str, amount: Decimal) -> str:
    """An amount as one would write it: the shortest way that is exact."""
    resource = name.removeprefix("requests.").removeprefix("limits.")
    if resource == "cpu" and amount != amount.to_integral_value():
        return f"{_plain(amount * 1000)}m"
    if resource in ("memory", "ephemeral-storage", "storage") or resource.startswith("hugepages-"):
        return _bytes(amount)
    return _bytes(amount) if resource.endswith("requests.storage") else _plain(amount)


def _bytes(amount: Decimal) -> str:
    ways = [_plain(amount)]
    for power in range(1, 7):
        for base, suffix in ((1024, "KMGTPE"[power - 1] + "i"), (1000, "kMGTPE"[power - 1])):
            value = amount / Decimal(base**power)
            if value >= 1:
                ways.append(_plain(value) + suffix)
    return min(ways, key=len)


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
