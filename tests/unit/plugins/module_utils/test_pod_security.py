# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security contexts that a namespace refuses."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _pod_security
from ansible_collections.daskops.kubernetes.plugins.module_utils._pod_security import Allotment

JSON = dict[str, t.Any]

PROJECT: JSON = {
    "metadata": {
        "name": "dask",
        "annotations": {
            "openshift.io/sa.scc.uid-range": "1000650000/10000",
            "openshift.io/sa.scc.supplemental-groups": "1000650000/10000",
            "openshift.io/sa.scc.mcs": "s0:c26,c0",
        },
    }
}
GIVEN = _pod_security.allotment(PROJECT)


def refused(context: JSON, level: str = "privileged", given: Allotment | None = None) -> list[str]:
    problems: list[str] = []
    _pod_security.check(context, level, given, "dask", problems)
    return problems


@pytest.mark.parametrize(
    ("context", "baseline", "restricted"),
    [
        ({}, "", ""),
        ({"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 0, "supplementalGroups": [5]}, "", ""),
        ({"runAsNonRoot": False}, "", "runAsNonRoot must be true"),
        ({"runAsNonRoot": None}, "", "runAsNonRoot must be true"),
        ({"runAsUser": 0}, "", "runAsUser must not be 0"),
        (
            {"seccompProfile": {"type": "Unconfined"}},
            "seccompProfile must be",
            "seccompProfile must be RuntimeDefault or",
        ),
        ({"seccompProfile": None}, "", "seccompProfile must be RuntimeDefault or Localhost"),
        ({"seccompProfile": {"type": "Localhost", "localhostProfile": "p"}}, "", ""),
        ({"appArmorProfile": {"type": "Unconfined"}}, "appArmorProfile must be", "appArmorProfile must be"),
        (
            {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
            "the sysctl kernel.msgmax is",
            "the sysctl kernel.msgmax is",
        ),
        ({"sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}]}, "", ""),
        ({"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions must have", "seLinuxOptions must have"),
        ({"seLinuxOptions": {"user": "u"}}, "seLinuxOptions must have", "seLinuxOptions must have"),
        ({"seLinuxOptions": {"role": "r"}}, "seLinuxOptions must have", "seLinuxOptions must have"),
        ({"seLinuxOptions": {"type": "container_t", "level": "s0:c1,c2"}}, "", ""),
    ],
)
def test_pod_security(context: JSON, baseline: str, restricted: str) -> None:
    assert refused(context) == []
    for level, message in (("baseline", baseline), ("restricted", restricted)):
        problems = refused(context, level)
        assert len(problems) == bool(message)
        for problem in problems:
            assert message in problem
            assert f"namespace dask takes pods of the Pod Security level {level} only" in problem
            assert problem.endswith("; leave it out")


def test_what_the_role_sets_is_allowed() -> None:
    role = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert refused({**role, "fsGroup": 1000, "fsGroupChangePolicy": "OnRootMismatch"}, "restricted") == []
    assert refused(role, "restricted", GIVEN) == []


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"runAsUser": 1000650000}, ""),
        ({"runAsUser": 1000659999}, ""),
        ({"runAsUser": 1000660000}, "the user IDs 1000650000 to 1000659999, not 1000660000; leave runAsUser out"),
        ({"runAsUser": 1000}, "the user IDs 1000650000 to 1000659999, not 1000; leave runAsUser out"),
        ({"runAsUser": 0}, "not 0; leave runAsUser out"),
        ({"fsGroup": 1000650000}, ""),
        ({"fsGroup": 1000650007}, "the group ID 1000650000 for volumes, not 1000650007; leave fsGroup out"),
        ({"fsGroup": 1000}, "the group ID 1000650000 for volumes, not 1000; leave fsGroup out"),
        ({"seLinuxOptions": {"level": "s0:c26,c0"}}, ""),
        ({"seLinuxOptions": {"level": "s0:c0,c26"}}, ""),
        (
            {"seLinuxOptions": {"level": "s0:c1,c2"}},
            "the SELinux level s0:c26,c0, not s0:c1,c2; leave seLinuxOptions out",
        ),
        ({"seLinuxOptions": {}}, "the SELinux level s0:c26,c0, not None; leave seLinuxOptions out"),
        ({"seLinuxOptions": {"level": "s0:c26,c0", "type": "container_t"}}, "leave type out"),
        ({"seccompProfile": {"type": "RuntimeDefault"}}, ""),
        ({"seccompProfile": {"type": "Localhost", "localhostProfile": "p"}}, "not Localhost; leave it out"),
        ({"seccompProfile": {"type": "Unconfined"}}, "the seccompProfile RuntimeDefault, not Unconfined; leave it out"),
        (
            {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
            "the sysctl kernel.msgmax is not allowed; leave it out",
        ),
        ({"runAsGroup": 0, "supplementalGroups": [5], "runAsNonRoot": True}, ""),
    ],
)
@pytest.mark.parametrize("level", ["privileged", "restricted"])
def test_openshift(context: JSON, message: str, level: str) -> None:
    """One sentence, by OpenShift's rules, whatever else the namespace enforces."""
    problems = refused(context, level, GIVEN)
    assert len(problems) == bool(message)
    assert all(message in problem and "OpenShift" in problem for problem in problems)


@pytest.mark.parametrize("namespace", [None, {"metadata": {"name": "dask"}}])
@pytest.mark.parametrize("field", ["runAsUser", "fsGroup", "seLinuxOptions"])
def test_what_a_project_will_get_is_not_guessed(namespace: JSON | None, field: str) -> None:
    value: t.Any = {"level": "s0:c26,c0"} if field == "seLinuxOptions" else 1000650000
    (problem,) = refused({field: value}, given=_pod_security.allotment(namespace))
    assert "OpenShift gives each project its own" in problem
    assert problem.endswith(f"; leave {field} out")
    assert refused({field: value}) == []


def test_openshift_does_not_replace_pod_security() -> None:
    assert len(refused({"runAsNonRoot": False}, "restricted", GIVEN)) == 1
    assert refused({"runAsNonRoot": False}, "privileged", GIVEN) == []


@pytest.mark.parametrize(
    ("annotations", "uids", "group"),
    [
        ({"uid-range": "1000/10"}, (1000, 1009), 1000),
        ({"uid-range": "1000-1010"}, (1000, 1010), 1000),
        ({"uid-range": "1000/10", "supplemental-groups": "2000/10,3000/10"}, (1000, 1009), 2000),
        ({"uid-range": "garbage"}, None, None),
        ({}, None, None),
    ],
)
def test_annotations(annotations: dict[str, str], uids: tuple[int, int] | None, group: int | None) -> None:
    given = {f"openshift.io/sa.scc.{name}": value for name, value in annotations.items()}
    found = _pod_security.allotment({"metadata": {"annotations": given}})
    assert (found.uids, found.group, found.level) == (uids, group, None)


@pytest.mark.parametrize(
    ("labels", "exists", "level"),
    [
        (None, False, "restricted"),  # it will be made so
        (None, None, "restricted"),  # it may not be read
        ({}, True, "privileged"),
        ({"pod-security.kubernetes.io/enforce": "baseline"}, True, "baseline"),
    ],
)
def test_a_namespaces_own_level_holds(labels: JSON | None, exists: bool | None, level: str) -> None:
    namespace = None if labels is None else {"metadata": {"labels": labels}}
    assert _pod_security.level_of(namespace, exists, "restricted") == level


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"runAsUser": "1000"}, "runAsUser '1000' is no whole number"),
        ({"fsGroup": True}, "fsGroup True is no whole number"),
        ({"runAsGroup": -1}, "runAsGroup -1 is no whole number"),
        ({"seccompProfile": "Unconfined"}, "seccompProfile 'Unconfined' is no dictionary"),
        ({"seLinuxOptions": []}, "seLinuxOptions [] is no dictionary"),
        ({"sysctls": {"kernel.msgmax": 1}}, "sysctls {'kernel.msgmax': 1} is no list"),
        ({"runAsUser": 0, "fsGroup": None, "sysctls": [], "seccompProfile": {"type": "x"}}, ""),
    ],
)
def test_types(context: JSON, message: str) -> None:
    problems: list[str] = []
    _pod_security.check_types(context, problems)
    assert len(problems) == bool(message)
    assert all(message in problem for problem in problems)
