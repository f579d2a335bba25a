# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM policies: what is added and taken, and that nothing else changes."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam

TARGET = iam.project_target("my-project")
ROLE, ME, OTHER = "roles/viewer", "user:me@example.com", "user:other@example.com"
POLICY: dict[str, t.Any] = {
    "version": 3,
    "etag": "BwA=",
    "bindings": [
        {"role": ROLE, "members": [OTHER]},
        {"role": ROLE, "members": [ME], "condition": {"title": "for a day", "expression": "request.time < x"}},
        {"role": "roles/owner", "members": [OTHER]},
    ],
    "auditConfigs": [{"service": "allServices"}],
}


def binding(role: str = ROLE, member: str = ME) -> iam.Binding:
    return iam.Binding(TARGET, role, member)


def test_a_binding_with_a_condition_is_another_one() -> None:
    assert iam.missing(POLICY, [binding()]) == (binding(),)
    assert iam.present(POLICY, [binding(), binding(member=OTHER)]) == (binding(member=OTHER),)
    assert iam.missing(None, [binding()]) == (binding(),)


def test_only_what_is_missing_is_added() -> None:
    before = copy.deepcopy(POLICY)
    after = iam.changed(POLICY, [binding(), binding("roles/editor")], [])
    assert before == POLICY
    assert after == {
        **POLICY,
        "bindings": [
            {"role": ROLE, "members": [OTHER, ME]},
            *POLICY["bindings"][1:],
            {"role": "roles/editor", "members": [ME]},
        ],
    }


def test_nothing_to_change_is_no_policy() -> None:
    assert iam.changed(POLICY, [binding(member=OTHER)], [binding()]) is None
    assert iam.changed({"etag": "x"}, [], [binding()]) is None


def test_only_what_is_named_is_taken() -> None:
    after = iam.changed(POLICY, [], [binding(member=OTHER)])
    assert after["bindings"] == POLICY["bindings"][1:]
    assert after["etag"] == "BwA="
    assert after["auditConfigs"] == POLICY["auditConfigs"]


def test_all_that_a_member_has() -> None:
    assert iam.of_member(TARGET, POLICY, OTHER) == (binding(ROLE, OTHER), binding("roles/owner", OTHER))
    assert iam.of_member(TARGET, None, OTHER) == ()


@pytest.mark.parametrize(
    ("target", "read", "write"),
    [
        (TARGET, ("POST", "v3/projects/my-project:getIamPolicy"), ("POST", "v3/projects/my-project:setIamPolicy")),
        (
            iam.repository_target("p", "eu", "r"),
            ("GET", "v1/projects/p/locations/eu/repositories/r:getIamPolicy"),
            ("POST", "v1/projects/p/locations/eu/repositories/r:setIamPolicy"),
        ),
        (
            iam.account_target("a@p.iam.gserviceaccount.com"),
            ("POST", "v1/projects/p/serviceAccounts/a@p.iam.gserviceaccount.com:getIamPolicy"),
            ("POST", "v1/projects/p/serviceAccounts/a@p.iam.gserviceaccount.com:setIamPolicy"),
        ),
        (
            iam.account_target("a@p.example.com.iam.gserviceaccount.com"),
            ("POST", "v1/projects/example.com:p/serviceAccounts/a@p.example.com.iam.gserviceaccount.com:getIamPolicy"),
            ("POST", "v1/projects/example.com:p/serviceAccounts/a@p.example.com.iam.gserviceaccount.com:setIamPolicy"),
        ),
        (
            iam.account_target("1-compute@developer.gserviceaccount.com"),
            ("POST", "v1/projects/-/serviceAccounts/1-compute@developer.gserviceaccount.com:getIamPolicy"),
            ("POST", "v1/projects/-/serviceAccounts/1-compute@developer.gserviceaccount.com:setIamPolicy"),
        ),
        (iam.bucket_target("b"), ("GET", "storage/v1/b/b/iam"), ("PUT", "storage/v1/b/b/iam")),
    ],
)
def test_requests(target: iam.Target, read: tuple[str, str], write: tuple[str, str]) -> None:
    assert iam.read_request(target)[:2] == read
    method, path, body = iam.write_request(target, POLICY)
    assert (method, path) == write
    assert (body if target.kind == "bucket" else body["policy"]) == POLICY
    # With their conditions: a policy that was read without them cannot be written.
    _method, _path, body_, params = iam.read_request(target)
    assert 3 in [*(params or {}).values(), *((body_ or {}).get("options") or {}).values()]
    assert target.permission.endswith(".setIamPolicy")
