# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What Pod Security and OpenShift's restricted-v2 refuse of a security context that a user gives.  Pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

JSON = dict[str, t.Any]

# https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
)
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")

ENFORCE = "pod-security.kubernetes.io/enforce"
UIDS = "openshift.io/sa.scc.uid-range"
_GROUPS = "openshift.io/sa.scc.supplemental-groups"
_MCS = "openshift.io/sa.scc.mcs"

_DECIDED_BY_OPENSHIFT = ("runAsUser", "fsGroup", "seLinuxOptions", "seccompProfile", "sysctls")
_NUMBERS = ("runAsUser", "runAsGroup", "fsGroup")


@dataclass(frozen=True)
class Allotment:
    """What OpenShift gives to a project; None is what is not known."""

    uids: tuple[int, int] | None = None
    group: int | None = None
    level: str | None = None


def allotment(namespace: JSON | None) -> Allotment:
    """What the annotations of a namespace say, each of them start/size or start-end, groups several of them."""
    annotations = ((namespace or {}).get("metadata") or {}).get("annotations") or {}
    uids = _block(annotations.get(UIDS))
    groups = _block((annotations.get(_GROUPS) or annotations.get(UIDS) or "").split(",")[0])
    return Allotment(uids, groups[0] if groups else None, annotations.get(_MCS))


def _block(text: str | None) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d+)([/-])(\d+)", (text or "").strip())
    if not found:
        return None
    start, number = int(found[1]), int(found[3])
    return (start, start + number - 1) if found[2] == "/" else (start, number)


def level_of(namespace: JSON | None, exists: bool | None, asked: str) -> str:
    """The Pod Security level that holds: an existing namespace's own, if it may be read, which may be none."""
    if exists is False or namespace is None:
        return asked
    return str((namespace["metadata"].get("labels") or {}).get(ENFORCE) or "privileged")


def check_types(context: JSON, problems: list[str]) -> None:
    """Add what Kubernetes would not take at all."""
    for field in _NUMBERS:
        value = context.get(field)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            problems.append(f"security context: {field} {value!r} is no whole number")
    problems.extend(
        f"security context: {field} {context[field]!r} is no dictionary"
        for field in ("seccompProfile", "seLinuxOptions", "appArmorProfile")
        if context.get(field) is not None and not isinstance(context[field], dict)
    )
    sysctls = context.get("sysctls")
    if sysctls is not None and not (isinstance(sysctls, list) and all(isinstance(item, dict) for item in sysctls)):
        problems.append(f"security context: sysctls {sysctls!r} is no list of dictionaries with name and value")


def check(context: JSON, level: str, given: Allotment | None, namespace: str, problems: list[str]) -> None:
    """Add what the namespace refuses; C(given) where OpenShift decides, whose rules are the stricter ones."""
    if given is not None:
        check_restricted_v2(context, given, namespace, problems)
        context = {field: value for field, value in context.items() if field not in _DECIDED_BY_OPENSHIFT}
    check_pod_security(context, level, namespace, problems)


def check_pod_security(context: JSON, level: str, namespace: str, problems: list[str]) -> None:
    """Add what a Pod Security level refuses."""
    if level == "privileged":
        return
    refused: list[str] = []
    if level == "restricted":
        if "runAsNonRoot" in context and context["runAsNonRoot"] is not True:
            refused.append("runAsNonRoot must be true")
        if context.get("runAsUser") == 0:
            refused.append("runAsUser must not be 0")
    profile = (context.get("seccompProfile") or {}).get("type")
    if profile == "Unconfined" or (level == "restricted" and "seccompProfile" in context and not profile):
        refused.append("the type of seccompProfile must be RuntimeDefault or Localhost")
    if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
        refused.append("the type of appArmorProfile must be RuntimeDefault or Localhost")
    refused += _sysctls(context)
    options = context.get("seLinuxOptions") or {}
    if (options.get("type") or "") not in _SELINUX_TYPES or options.get("user") or options.get("role"):
        refused.append(f"seLinuxOptions must have no user, no role and no type but {', '.join(_SELINUX_TYPES[1:])}")
    problems.extend(
        f"security context: namespace {namespace} takes pods of the Pod Security level {level} only, by which {what}; "
        "leave it out"
        for what in refused
    )


def _sysctls(context: JSON) -> list[str]:
    found = (str(item.get("name")) for item in context.get("sysctls") or [])
    return [f"the sysctl {name} is not allowed" for name in found if name not in _SYSCTLS]


def check_restricted_v2(context: JSON, given: Allotment, namespace: str, problems: list[str]) -> None:
    """Add what OpenShift's SCC restricted-v2 refuses.

    https://docs.redhat.com/en/documentation/openshift_container_platform/latest/html/authentication_and_authorization/managing-pod-security-policies
    """
    project = f"security context: OpenShift gives the project {namespace}"
    unknown = "security context: OpenShift gives each project its own {}, and that of {} is not known yet; leave {} out"
    uid = context.get("runAsUser")
    if uid is not None and given.uids is None:
        problems.append(unknown.format("user IDs", namespace, "runAsUser"))
    elif uid is not None and given.uids and not given.uids[0] <= uid <= given.uids[1]:
        problems.append(f"{project} the user IDs {given.uids[0]} to {given.uids[1]}, not {uid}; leave runAsUser out")
    group = context.get("fsGroup")
    if group is not None and given.group is None:
        problems.append(unknown.format("group ID for volumes", namespace, "fsGroup"))
    elif group is not None and group != given.group:
        # Others of the block are refused as well.
        problems.append(f"{project} the group ID {given.group} for volumes, not {group}; leave fsGroup out")
    options = context.get("seLinuxOptions")
    if options is not None and given.level is None:
        problems.append(unknown.format("SELinux level", namespace, "seLinuxOptions"))
    elif options is not None:
        if _categories(options.get("level") or "") != _categories(given.level or ""):
            level = options.get("level")
            problems.append(f"{project} the SELinux level {given.level}, not {level}; leave seLinuxOptions out")
        problems.extend(
            f"{project} its SELinux options, and {field} {options[field]!r} is none of them; leave {field} out"
            for field in ("user", "role", "type")
            if options.get(field)
        )
    profile = (context.get("seccompProfile") or {}).get("type")
    if profile not in (None, "RuntimeDefault"):
        problems.append(f"{project} the seccompProfile RuntimeDefault, not {profile}; leave it out")
    problems.extend(f"security context: OpenShift refuses it, as {what}; leave it out" for what in _sysctls(context))


def _categories(level: str) -> tuple[str, list[str]]:
    """A level as it is compared, without the order of its categories."""
    sensitivity, _colon, categories = level.partition(":")
    return sensitivity, sorted(categories.split(","))
