# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plans of gke_resources that take down: what goes, in which order, and what is kept, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_teardown as teardown

from tests.unit.plugins.module_utils.gke_samples import EMAIL, JSON, ROLE, ROOT, full, spec


def test_what_was_made_goes_in_the_reverse_order() -> None:
    plan = teardown.plan_absent(spec(), full())
    assert plan.problems == plan.kept == ()
    needs = {step.key: step.needs for step in plan.steps}
    assert needs == {
        "nat": (),
        "subnetwork": ("nat",),
        "network": ("nat", "subnetwork"),
        "registry": (),
        "policy of bucket data": (),
        "policy of project my-project": (),
        "account": ("policy of bucket data", "policy of project my-project"),
    }
    assert teardown.deletions(plan)[:4] == [
        "router router with NAT nat",
        "subnetwork sub",
        "network net",
        "repository images with its images",
    ]
    assert f"{ROLE} on project my-project from serviceAccount:{EMAIL}" in teardown.deletions(plan)


def test_what_was_adopted_is_kept() -> None:
    wanted = spec(workload_identity=[])
    plan = teardown.plan_absent(wanted, full(wanted, description="of others"))
    assert plan.steps == ()
    assert [each.partition(":")[0] for each in plan.kept] == [
        "router router",
        "subnetwork sub",
        "network net",
        "repository images",
        f"service account {EMAIL}",
    ]


def test_what_was_made_for_another_cluster_is_kept() -> None:
    wanted = spec(cluster={"name": "other"}, workload_identity=[])
    plan = teardown.plan_absent(wanted, full())
    assert plan.steps == ()
    assert all("was made for cluster dask" in each for each in plan.kept)
    assert len(plan.kept) == 5


def test_what_was_made_for_no_cluster_goes_with_any() -> None:
    plan = teardown.plan_absent(spec(), full(description="managed-by=daskops"))
    assert {"nat", "subnetwork", "network", "account"} <= {step.key for step in plan.steps}


def test_a_network_with_subnetworks_of_others_is_kept() -> None:
    seen = full()
    seen.network["subnetworks"].append(ROOT + "projects/my-project/regions/us-east1/subnetworks/theirs")
    plan = teardown.plan_absent(spec(), seen)
    assert "network" not in [step.key for step in plan.steps]
    assert plan.kept == ("network net: there are subnetworks of others in it (theirs)",)


def test_a_router_with_nats_of_others_is_kept() -> None:
    seen = full()
    seen.router["nats"].append({"name": "theirs"})
    plan = teardown.plan_absent(spec(), seen)
    assert "nat" not in [step.key for step in plan.steps]
    assert "router router: it has NATs of others (theirs)" in plan.kept


def test_nothing_there_is_nothing_to_delete() -> None:
    assert teardown.plan_absent(spec(), core.Seen()) == core.Plan()


@pytest.mark.parametrize(
    "cluster",
    [
        {"name": "dask", "location": "europe-west4"},
        {"name": "b", "location": "us-east1", "network": "net", "subnetwork": "sub"},
        {"name": "b", "location": "us-east1"},  # which network it is in is not known
        {"name": "b", "location": "us-east1", "nodePools": [{"config": {"serviceAccount": EMAIL}}]},
        {
            "name": "b",
            "location": "us-east1",
            "autoscaling": {"autoprovisioningNodePoolDefaults": {"serviceAccount": EMAIL}},
        },
        {
            "name": "b",
            "location": "us-east1",
            "network": "net",
            "subnetwork": "theirs",
            "nodePools": [{"config": {"serviceAccount": EMAIL}}],
        },
    ],
)
def test_what_a_cluster_stands_on_is_not_deleted(cluster: JSON) -> None:
    plan = teardown.plan_absent(spec(), replace(full(), clusters=(cluster,)))
    assert plan.problems == (f"cluster {cluster['name']} in {cluster['location']} still stands on it: delete it first",)


def test_what_goes_after_the_cluster_is_foreseen_while_it_is_there() -> None:
    its = {"name": "dask", "location": "europe-west4"}
    plan = teardown.plan_absent(spec(), replace(full(), clusters=(its,)), check_mode=True)
    assert (plan.problems, plan.steps) == ((), teardown.plan_absent(spec(), full()).steps)
    other = {"name": "b", "location": "us-east1", "network": "net", "subnetwork": "sub"}
    assert teardown.plan_absent(spec(), replace(full(), clusters=(its, other)), check_mode=True).problems


def test_other_clusters_do_not_matter() -> None:
    others = (
        {"name": "dask", "location": "us-east1", "network": "default"},
        {"name": "b", "location": "europe-west4", "network": "net", "subnetwork": "theirs"},
    )
    assert teardown.plan_absent(spec(), replace(full(), clusters=others)).problems == ()


def test_what_pods_of_another_cluster_may_use_is_kept() -> None:
    pool = {"workloadIdentityConfig": {"workloadPool": "my-project.svc.id.goog"}}
    its = {"name": "dask", "location": "europe-west4", "network": "net", **pool}
    other = {"name": "b", "location": "us-east1", "network": "default", **pool}
    alone = teardown.plan_absent(spec(), replace(full(), clusters=(its,)), check_mode=True)
    assert "policy of bucket data" in [step.key for step in alone.steps]
    plan = teardown.plan_absent(spec(), replace(full(), clusters=(its, other)), check_mode=True)
    assert "policy of bucket data" not in [step.key for step in plan.steps]
    assert "policy of project my-project" in [step.key for step in plan.steps]  # of the nodes' account
    assert plan.kept == (
        "roles of workloads on bucket data: pods of cluster b in us-east1 may use them, by the same workload pool",
    )
    assert teardown.plan_absent(spec(), core.Seen(number="42", clusters=(other,))) == core.Plan()  # there are none


def test_leftovers_go_first_in_their_order() -> None:
    left = (
        core.Leftover("forwarding rule", "projects/my-project/regions/r/forwardingRules/a", 0),
        core.Leftover("disk", "projects/my-project/zones/z/disks/d", 0, in_network=False),
        core.Leftover("backend service", "projects/my-project/regions/r/backendServices/a", 3),
    )
    plan = teardown.plan_absent(spec(), replace(full(), leftovers=left))
    needs = {step.key: step.needs for step in plan.steps}
    keys = [f"leftover {each.path}" for each in left]
    assert needs[keys[2]] == (keys[0],)
    assert set(needs["subnetwork"]) == {keys[0], keys[2], "nat"}
    assert teardown.deletions(plan)[:3] == ["forwarding rule a", "disk d", "backend service a"]
