# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hold what a user has done in a namespace against a Role: it has to have exactly the rights that were used.

    python -m tests.fakes.openshift.audit --user NAME --namespace NAME --role ROLE.yaml \
        --audit-log AUDIT.log --fake-log OPENSHIFT.jsonl

What the API server was asked is in its audit log (by impersonation), what the fake answers itself is in the fake's log.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing as t
from pathlib import Path

import yaml

JSON = dict[str, t.Any]
Right = tuple[str, str, str]  # group, resource with its subresource, verb

# Since 1.35 an API server asks for this one as well where a websocket is a GET.
# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auth-update-pod-websockets
_ASKED_LATER = {("", "pods/portforward", "create")}

# Kinds of Google's, which are looked for everywhere and are nowhere else.
_NOT_HERE = {"list backendconfigs", "list managedcertificates"}


def used_of_api_server(events: t.Iterable[JSON], user: str, namespace: str) -> tuple[set[Right], list[str]]:
    """The rights by which requests went through, and the requests in the namespace that were refused."""
    used: set[Right] = set()
    refused: list[str] = []
    for event in events:
        about = event.get("objectRef") or {}
        if (event.get("impersonatedUser") or {}).get("username") != user or about.get("namespace") != namespace:
            continue
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        code = event.get("responseStatus", {}).get("code", 200)
        if code == 403:
            refused.append(f"{event['verb']} {resource}")
            continue
        verbs = {event["verb"]}
        if event["verb"] == "patch" and code == 201:
            verbs.add("create")  # server-side apply of what was not there
        used |= {(about.get("apiGroup", ""), resource, verb) for verb in verbs}
    return used, refused


def used_of_fake(records: t.Iterable[JSON], user: str, namespace: str) -> tuple[set[Right], list[str]]:
    """The same for what the fake keeps itself, of which it asks the API server."""
    used: set[Right] = set()
    refused: list[str] = []
    for record in records:
        for asked in record["asked"]:
            if record["user"] != user or asked.get("namespace") != namespace:
                continue
            resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
            if asked["allowed"]:
                used.add((asked.get("group", ""), resource, asked["verb"]))
            else:
                refused.append(f"{asked['verb']} {resource}")
    return used, refused


def granted(role: JSON) -> set[Right]:
    """What a Role lets do."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def differences(used: set[Right], role: JSON) -> list[str]:
    """Where the two are not the same, in words."""
    rights = granted(role)

    def words(right: Right) -> str:
        group, resource, verb = right
        return f"{verb} {resource}{'.' * bool(group)}{group}"

    return [
        *(f"used and not granted: {words(right)}" for right in sorted(used - rights)),
        *(f"granted and not used: {words(right)}" for right in sorted(rights - used - _ASKED_LATER)),
    ]


def _lines(path: Path) -> list[JSON]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("{")]


def main() -> int:
    """Do so; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.openshift.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--user", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--role", type=Path, required=True, help="YAML, in which there is a Role")
    parser.add_argument("--audit-log", type=Path, required=True)
    parser.add_argument("--fake-log", type=Path, required=True)
    given = parser.parse_args()
    roles = [each for each in yaml.safe_load_all(given.role.read_text(encoding="utf-8")) if each["kind"] == "Role"]
    used, refused = used_of_api_server(_lines(given.audit_log), given.user, given.namespace)
    of_fake, refused_by_fake = used_of_fake(_lines(given.fake_log), given.user, given.namespace)
    used |= of_fake
    refused = sorted({*refused, *refused_by_fake} - _NOT_HERE)
    found = differences(used, roles[0]) + [f"refused: {each}" for each in refused]
    print("\n".join(found) or f"{len(used)} rights, each of them granted and used")
    return 1 if found or not used else 0


if __name__ == "__main__":
    sys.exit(main())
