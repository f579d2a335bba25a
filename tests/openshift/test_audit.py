# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user has done against what a Role lets do: too much is found, and so is too little."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
JSON = dict[str, t.Any]


def event(verb: str, resource: str, code: int = 200, user: str = "tenant", **about: str) -> JSON:
    """A line of an API server's audit log."""
    reference = {"resource": resource, "namespace": "team", **about}
    return {
        "verb": verb,
        "user": {"username": "kubernetes-admin"},
        "impersonatedUser": {"username": user},
        "objectRef": reference,
        "responseStatus": {"code": code},
    }


ASKED = {"verb": "get", "group": "build.openshift.io", "resource": "builds", "subresource": "log", "namespace": "team"}
EVENTS = [
    event("list", "pods"),
    event("patch", "deployments", 201, apiGroup="apps"),
    event("get", "pods", subresource="portforward"),
    event("list", "secrets", user="other"),
    event("list", "backendconfigs", 403),
]
RECORDS = [{"user": "tenant", "asked": [{**ASKED, "allowed": True}]}]
RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch", "create"]},
    {"apiGroups": ["build.openshift.io"], "resources": ["builds/log"], "verbs": ["get"]},
]


@pytest.mark.parametrize(
    ("events", "records", "rules", "found"),
    [
        (EVENTS, RECORDS, RULES, ""),
        ([*EVENTS, event("get", "secrets")], RECORDS, RULES, "used and not granted: get secrets"),
        (EVENTS[1:], RECORDS, RULES, "granted and not used: list pods"),
        ([*EVENTS, event("list", "quotas", 403)], RECORDS, RULES, "refused: list quotas"),
        (EVENTS, [], RULES, "granted and not used: get builds/log.build.openshift.io"),
        (EVENTS, [{"user": "tenant", "asked": [{**ASKED, "allowed": False}]}], RULES, "refused: get builds/log"),
        ([], [], [], ""),
    ],
)
def test_a_role_has_exactly_what_was_used(
    tmp_path: Path, events: list[JSON], records: list[JSON], rules: list[JSON], found: str
) -> None:
    for name, lines in (("audit", events), ("fake", records)):
        (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "role").write_text(yaml.safe_dump_all([{"kind": "Namespace"}, {"kind": "Role", "rules": rules}]))
    command = [sys.executable, "-m", "tests.fakes.openshift.audit", "--user=tenant", "--namespace=team"]
    command += [f"--role={tmp_path}/role", f"--audit-log={tmp_path}/audit", f"--fake-log={tmp_path}/fake"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found in done.stdout, done.stderr
    # Nothing used is nothing shown.
    assert done.returncode == (1 if found or not events else 0)
