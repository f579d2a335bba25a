# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plans of gke_resources: from what is wanted and what is there to the steps, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core

from tests.unit.plugins.module_utils.gke_samples import DESCRIPTION, EMAIL, JSON, PARAMS, ROOT, full, spec

EMPTY = core.Seen(number="42", policies={iam.bucket_target("data"): {"etag": "a"}})


def only(plan: core.Plan) -> core.Step:
    assert plan.problems == ()
    assert len(plan.steps) == 1, plan.actions
    return plan.steps[0]


def test_all_from_nothing_in_the_order_of_what_needs_what() -> None:
    plan = core.plan_present(spec(), EMPTY)
    assert plan.problems == ()
    assert [step.key for step in plan.steps] == [
        "network",
        "subnetwork",
        "nat",
        "account",
        "registry",
        "policy of project my-project",
        "policy of repository images",
        "policy of bucket data",
    ]
    needs = {step.key: step.needs for step in plan.steps}
    assert needs["subnetwork"] == ("network",)
    assert needs["nat"] == ("network", "subnetwork")
    assert needs["account"] == needs["registry"] == needs["network"] == ()
    assert needs["policy of repository images"] == ("account", "registry")
    assert all(step.permissions for step in plan.steps)


def test_what_is_made_says_who_made_it_and_for_which_cluster() -> None:
    bodies = {s.key: s.effect.body for s in core.plan_present(spec(), EMPTY).steps if isinstance(s.effect, core.Call)}
    for key in ("network", "subnetwork", "nat"):
        assert bodies[key]["description"] == DESCRIPTION
    assert bodies["account"]["serviceAccount"]["description"] == DESCRIPTION
    assert bodies["registry"]["labels"] == {"team": "x", "managed-by": "daskops", "daskops-cluster": "dask"}
    assert bodies["network"]["autoCreateSubnetworks"] is False
    assert bodies["subnetwork"]["privateIpGoogleAccess"] is True


def test_all_there_is_nothing_to_do() -> None:
    assert core.plan_present(spec(), full()) == core.Plan()


@pytest.mark.parametrize("part", ["network", "subnetwork", "nat", "node_service_account", "artifact_registry"])
def test_a_part_that_is_left_out_is_not_managed(part: str) -> None:
    left = {"network": {"subnetwork": None, "nat": None}, "subnetwork": {"nat": None}}.get(part, {})
    wanted = spec(**{**left, part: None})
    plan = core.plan_present(wanted, EMPTY)
    key = {"node_service_account": "account", "artifact_registry": "registry"}.get(part, part)
    assert key not in [step.key for step in plan.steps]
    assert "None" not in str(plan.actions)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("network", "network net is not there in project my-project and may not be made"),
        ("subnetwork", "subnetwork sub is not there in region europe-west4"),
        ("nat", "router router is not there"),
        ("node_service_account", f"service account {EMAIL} is not there"),
        ("artifact_registry", "repository images is not there in europe of"),
    ],
)
def test_what_is_adopted_has_to_be_there(part: str, words: str) -> None:
    plan = core.plan_present(spec(**{part: {"create": False}}), EMPTY)
    assert [problem for problem in plan.problems if words in problem] == list(plan.problems)
    assert len(plan.problems) == 1


def test_what_is_adopted_is_used_as_it_is() -> None:
    parts = ("network", "subnetwork", "nat", "node_service_account", "artifact_registry")
    wanted = spec(**{part: {"create": False} for part in parts})
    seen = full(wanted, description="of the network team")
    assert core.plan_present(wanted, seen) == core.Plan()
    seen.subnetwork["privateIpGoogleAccess"] = False  # nobody asked for it
    seen.router["nats"][0]["sourceSubnetworkIpRangesToNat"] = "ALL_SUBNETWORKS_ALL_IP_RANGES"
    seen.router["nats"][0]["subnetworks"] = []
    assert core.plan_present(wanted, seen) == core.Plan()


def test_all_that_keeps_from_adopting_is_reported_at_once() -> None:
    wanted = spec(
        subnetwork={"create": False, "private_google_access": True, "ip_range": "10.0.0.0/20"},
        nat={"create": False},
    )
    seen = full()
    seen.subnetwork.update({"secondaryIpRanges": [], "privateIpGoogleAccess": False})
    seen.router["nats"] = []
    seen.registry["format"] = "MAVEN"
    seen.account["disabled"] = True
    words = [
        "no secondary range pods",
        "no secondary range services",
        "private Google access off",
        "has the range 10.0.0.0/22, not 10.0.0.0/20",
        "has no NAT for all ranges",
        "is disabled",
        "holds MAVEN",
    ]
    plan = core.plan_present(wanted, seen)
    assert plan.steps == ()
    assert len(plan.problems) == len(words)
    assert all(word in problem for word, problem in zip(words, plan.problems, strict=True))


def test_a_missing_range_is_added_to_those_there_are() -> None:
    seen = full()
    seen.subnetwork["secondaryIpRanges"] = [{"rangeName": "other", "ipCidrRange": "10.64.0.0/20"}]
    step = only(core.plan_present(spec(), seen))
    assert isinstance(step.effect, core.Call)
    assert step.effect.method == "PATCH"
    assert step.effect.body == {
        "fingerprint": "f",
        "secondaryIpRanges": [
            {"rangeName": "other", "ipCidrRange": "10.64.0.0/20"},
            {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
            {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
        ],
    }


def test_changes_of_a_subnetwork_go_one_after_the_other() -> None:
    seen = full()
    seen.subnetwork.update({"secondaryIpRanges": [], "privateIpGoogleAccess": False})
    plan = core.plan_present(spec(subnetwork={"ip_range": "10.0.0.0/20"}), seen)
    assert [(step.key, step.needs) for step in plan.steps] == [
        ("subnetwork ranges", ()),
        ("subnetwork access", ("subnetwork ranges",)),
        ("subnetwork range", ("subnetwork access",)),
    ]
    diff = core.diff(plan)
    assert diff["before"]["subnetwork sub"] == {
        "range": "10.0.0.0/22",
        "secondary_ranges": {},
        "private_google_access": False,
    }
    assert diff["after"]["subnetwork sub"] == {
        "range": "10.0.0.0/20",
        "secondary_ranges": {"pods": "10.4.0.0/14", "services": "10.8.0.0/20"},
        "private_google_access": True,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ip_range": "10.1.0.0/22"}, "can be widened, but not changed to 10.1.0.0/22"),
        ({"ip_range": "10.0.0.0/24"}, "can be widened, but not changed to 10.0.0.0/24"),
        ({"pods_range": {"name": "pods", "cidr": "10.12.0.0/14"}}, "has 10.4.0.0/14 as its range pods"),
        ({"pods_range": {"name": "more"}}, "its cidr is not given"),
    ],
)
def test_what_cannot_be_changed_is_a_problem(change: JSON, words: str) -> None:
    plan = core.plan_present(spec(subnetwork=change), full())
    assert plan.steps == ()
    assert len(plan.problems) == 1
    assert words in plan.problems[0]


def test_parts_of_another_network() -> None:
    seen = full()
    seen.subnetwork["network"] = seen.router["network"] = ROOT + "projects/my-project/global/networks/default"
    problems = core.plan_present(spec(), seen).problems
    assert [problem.partition(":")[0] for problem in problems] == [
        "subnetwork sub is in network default, not in net",
        "router router is in network default",
    ]


def test_a_legacy_network_is_refused() -> None:
    seen = full()
    seen.network["IPv4Range"] = "10.240.0.0/16"
    assert "legacy network" in core.plan_present(spec(), seen).problems[0]


def test_a_subnetwork_that_is_made_needs_its_ranges() -> None:
    wanted = spec(subnetwork={"ip_range": None, "pods_range": {"name": "pods"}})
    assert core.plan_present(wanted, EMPTY).problems == (
        (
            "subnetwork sub has to be made, and lacks subnetwork.pods_range.cidr and subnetwork.ip_range: give it, "
            "such as 10.0.0.0/22"
        ),
    )


def test_a_nat_is_changed_and_the_others_on_its_router_stay() -> None:
    seen = full()
    other = {"name": "other", "natIpAllocateOption": "AUTO_ONLY"}
    seen.router["nats"].insert(0, other)
    step = only(core.plan_present(spec(nat={"min_ports_per_vm": 256}), seen))
    assert isinstance(step.effect, core.Call)
    assert step.actions == ("change NAT nat on router router",)
    assert step.effect.body["nats"][0] == other
    assert step.effect.body["nats"][1] == {**seen.router["nats"][1], "minPortsPerVm": 256}


def test_a_nat_takes_up_the_subnetwork() -> None:
    seen = full()
    mine = seen.router["nats"][0]["subnetworks"][0]
    elsewhere = {"name": ROOT + "projects/my-project/regions/europe-west4/subnetworks/else"}
    seen.router["nats"][0]["subnetworks"] = [elsewhere]
    step = only(core.plan_present(spec(), seen))
    assert isinstance(step.effect, core.Call)
    covered = [core.relative_name(each["name"]) for each in step.effect.body["nats"][0]["subnetworks"]]
    assert covered == [core.relative_name(elsewhere["name"]), core.relative_name(mine["name"])]
    seen.router["nats"] = []
    assert only(core.plan_present(spec(), seen)).actions == ("create NAT nat on router router",)


def test_a_nat_for_the_first_ranges_of_all_subnetworks_goes_on_serving_all() -> None:
    seen = full()
    nat = seen.router["nats"][0]
    nat |= {"subnetworks": [], "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_PRIMARY_IP_RANGES"}
    step = only(core.plan_present(spec(), seen))
    assert isinstance(step.effect, core.Call)
    widened = {**nat, "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"}
    assert step.effect.body == {"nats": [widened]}


def test_a_router_of_others_is_not_changed() -> None:
    seen = full()
    seen.router.update({"description": "ours", "nats": []})
    plan = core.plan_present(spec(), seen)
    assert plan.steps == ()
    assert "router router has no NAT for all ranges of subnetwork sub and was not made by this" in plan.problems[0]


def test_labels_are_added_to_a_repository_of_ours_only() -> None:
    seen = full()
    step = only(core.plan_present(spec(labels={"team": "y", "cost": "1"}), seen))
    assert isinstance(step.effect, core.Call)
    assert step.effect.body == {"labels": {**seen.registry["labels"], "team": "y", "cost": "1"}}
    assert step.effect.params == {"updateMask": "labels"}
    seen.registry["labels"] = {"of": "others"}
    assert core.plan_present(spec(labels={"team": "y"}), seen) == core.Plan()


def test_only_missing_roles_are_given() -> None:
    seen = full()
    target = iam.repository_target("my-project", "europe", "images")
    seen.policies[target]["bindings"] = seen.policies[target]["bindings"][:1]
    step = only(core.plan_present(spec(), seen))
    assert isinstance(step.effect, core.PolicyChange)
    assert [(each.role, each.member) for each in step.effect.add] == [
        (core.READER, "group:r@example.com"),
        (core.WRITER, "group:w@example.com"),
    ]
    right = core.Permission(target, "artifactregistry.repositories.setIamPolicy")
    assert step.permissions == (right,)
    # The repository's own right decides, too, when its labels change on the way.
    steps = {step.key: step for step in core.plan_present(spec(labels={"team": "y"}), seen).steps}
    assert steps[f"policy of {target}"].permissions == (right,)


def test_workloads_directly_and_by_an_account() -> None:
    workloads = [
        {"namespace": "ns", "service_account": "a", "bucket": "data", "role": "roles/storage.objectUser"},
        {
            "namespace": "ns",
            "service_account": "b",
            "bucket": "data",
            "role": "roles/storage.objectViewer",
            "google_service_account": "g@p.iam.gserviceaccount.com",
        },
    ]
    found = core.bindings(core.Spec("my-project", "my-project", workloads=tuple(workloads)), "42")
    assert [(str(each.target), each.role, each.member) for each in found] == [
        (
            "bucket data",
            "roles/storage.objectUser",
            (
                "principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/"
                "my-project.svc.id.goog/subject/ns/ns/sa/a"
            ),
        ),
        (
            "service account g@p.iam.gserviceaccount.com",
            "roles/iam.workloadIdentityUser",
            "serviceAccount:my-project.svc.id.goog[ns/b]",
        ),
        ("bucket data", "roles/storage.objectViewer", "serviceAccount:g@p.iam.gserviceaccount.com"),
    ]


def test_a_bucket_has_to_be_there() -> None:
    seen = replace(full(), policies={})
    assert "bucket data is not there" in core.plan_present(spec(), seen).problems[0]


def test_a_shared_vpc_is_in_its_project() -> None:
    wanted = spec(network={"project": "host-project", "create": False})
    plan = core.plan_present(wanted, replace(EMPTY, network={"name": "net"}))
    steps = {step.key: step for step in plan.steps}
    call = steps["subnetwork"].effect
    assert isinstance(call, core.Call)
    assert call.path == "compute/v1/projects/host-project/regions/europe-west4/subnetworks"
    assert call.body["network"] == "projects/host-project/global/networks/net"
    assert {p.target.name for p in steps["subnetwork"].permissions} == {"host-project"}
    assert {p.target.name for p in steps["registry"].permissions} == {"my-project"}


def test_where_things_are() -> None:
    assert spec().image_repository == "europe-docker.pkg.dev/my-project/images"
    domain = core.specification(PARAMS, "example.com:my-project")
    assert domain.image_repository == "europe-docker.pkg.dev/example.com/my-project/images"
    assert domain.email == "dask-nodes@my-project.example.com.iam.gserviceaccount.com"
    assert spec(artifact_registry=None).image_repository == ""
    assert core.resources(spec(), core.Seen())["network"] == ROOT + "projects/my-project/global/networks/net"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (None, None),
        ({}, None),
        ({"description": "not managed-by=daskops-other"}, None),
        ({"description": "managed-by=daskops"}, ""),
        ({"description": "kept. managed-by=daskops cluster=a"}, "a"),
        ({"labels": {"managed-by": "daskops"}}, ""),
        ({"labels": {"managed-by": "daskops", "daskops-cluster": "b"}}, "b"),
        ({"labels": {"managed-by": "terraform"}}, None),
    ],
)
def test_owner(resource: JSON | None, expected: str | None) -> None:
    assert core.owner(resource) == expected
    assert core.is_ours(resource, "a") == (expected in ("", "a"))
